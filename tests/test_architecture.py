"""The house: floors import only lower floors, no files import each other in a circle, folders stay small, optional
packages stay in their rooms, and the import stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from short import over

import fp8ref

ROOT = Path(fp8ref.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

GROUND = ("display", "errors", "escapes", "extras", "lazy", "outputs", "version")
FLOORS = (
    *GROUND,
    "engines",
    "spec",
    "fast",
    "arrays",
    "systems",
    "cases",
    "vectors",
    "adapters",
    "check",
    "report",
    "audit",
)
DOORS = ("ask", "cli", "learn", "starters", "strategies", "testing", "plots", "__init__", "__main__")
DOOR = len(FLOORS)
OPEN = {("testing", "strategies"), ("__init__", "ask"), ("starters", "testing")}  # doors that lead to another one

CROWD = 14  # modules that a folder may hold
ONE_OF_A_KIND = {Path("cli"), Path("adapters/libraries")}  # a command a file, a library a file: these may grow

EVERYWHERE = {"numpy", "ml_dtypes"}
ANYTHING = None
# floor or door: third-party packages beyond numpy and ml_dtypes that may be imported there
ROOMS: dict[str, set[str] | None] = {
    "engines": {"dask", "distributed"},  # one of them
    "cases": {"yaml"},  # P3109's declarations
    "vectors": {"pyarrow"},  # one of its forms
    "adapters": ANYTHING,
    "systems": {"sklearn"},  # data to train on
    "report": ANYTHING,  # the renderers
    "audit": {"safetensors", "gguf", "onnx", "torch"},  # forms of files
    "cli": {"click", "rich"},
    "learn": {"torch"},
    "strategies": ANYTHING,
    "ask": set(),
    "starters": ANYTHING,  # files for users, imported nowhere
    "testing": ANYTHING,
    "plots": ANYTHING,
}


def room(module: Path) -> str:
    """The floor or door that a module belongs to: the first part of its path."""
    return module.parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return FLOORS.index(name) if name in FLOORS else DOOR


def imports(module: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything that a module imports, anywhere in it."""
    package = ["fp8ref", *module.parts[:-1]]
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = [*start, *(node.module.split(".") if node.module else [])]
            if base == ["fp8ref"]:  # from .. import spec
                yield from ((node.lineno, f"fp8ref.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, ".".join(base)


def neighbours(root: Path, module: Path) -> set[Path]:
    """The files of the package at `root` that a module imports, anywhere in it (inside functions and under
    TYPE_CHECKING too). `from ..x import name` is the submodule x/name.py, else x/__init__.py or x.py."""

    def file(parts: list[str]) -> Path | None:
        found = (Path(*parts, "__init__.py"), Path(*parts[:-1], f"{parts[-1]}.py") if parts else Path("__init__.py"))
        return next((path for path in found if (root / path).is_file()), None)

    found: set[Path | None] = set()
    package = list(module.parts[:-1])
    for node in ast.walk(ast.parse((root / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            dotted = [alias.name.split(".") for alias in node.names]
            found |= {file(parts[1:]) for parts in dotted if parts[0] == "fp8ref"}
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            if node.level:
                base = [*package[: len(package) - node.level + 1], *base]
            elif base[0] == "fp8ref":
                base = base[1:]
            else:
                continue
            found |= {file([*base, alias.name]) or file(base) for alias in node.names}
    return {path for path in found if path is not None and path != module}


def circles(root: Path) -> list[list[str]]:
    """The groups of files of the package at `root` that import each other."""
    modules = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    graph = {module: neighbours(root, module) for module in modules}

    def reached(start: Path) -> set[Path]:
        seen: set[Path] = set()
        ahead = [start]
        while ahead:
            new = graph[ahead.pop()] - seen
            seen |= new
            ahead.extend(new)
        return seen

    reach = {module: reached(module) for module in modules}
    groups = {
        tuple(str(other) for other in modules if other in reach[module] and module in reach[other])
        for module in modules
        if module in reach[module]
    }
    return sorted(list(group) for group in groups)


def crowds(root: Path) -> list[str]:
    """The folders of the package at `root` that hold more modules than a reader finds his way in."""
    held = Counter(path.relative_to(root).parent for path in root.rglob("*.py"))
    return sorted(f"{folder}: {n}" for folder, n in held.items() if n > CROWD and folder not in ONE_OF_A_KIND)


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(ROOT) == []


def test_no_folder_is_crowded() -> None:
    assert crowds(ROOT) == []


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    "files",
    [
        {"a.py": "from . import b", "b.py": "import fp8ref.a"},
        {"a.py": "from .b import f", "b.py": "def f():\n    from fp8ref.a import g"},
        {"a.py": "from .b import f", "b.py": "if TYPE_CHECKING:\n    from .a import G"},
        {"x/__init__.py": "from .a import f", "x/a.py": "from ..y import g", "y.py": "from .x import f"},
        {"x/__init__.py": "", "x/a.py": "from ..y import g", "y.py": "from .x import a"},
        {"x/__init__.py": "from .a import f", "x/a.py": "from . import f"},
        {"__init__.py": "from .a import f", "a.py": "from fp8ref import f"},
        {"a.py": "from . import b", "b.py": "from . import c", "c.py": "from . import a", "d.py": "from . import a"},
    ],
    ids=["files", "in a function", "for typing", "by a package", "past a package", "own package", "the root", "three"],
)
def test_a_planted_circle_is_found(files: dict[str, str], tmp_path: Path) -> None:
    plant(tmp_path, files)
    (found,) = circles(tmp_path)
    assert found == sorted(set(files) - {"d.py"} - ({"x/__init__.py"} if files.get("x/__init__.py") == "" else set()))


def test_what_is_no_circle_passes(tmp_path: Path) -> None:
    """A package that shows its files' names, and files that import each other's neighbours, are no circle."""
    plant(
        tmp_path, {"__init__.py": "from .x import f", "x/__init__.py": "from .a import f", "x/a.py": "from . import b"}
    )
    plant(tmp_path, {"x/b.py": "import a\nfrom b import c\nfrom ..y import g", "y.py": "import numpy.x", "a.py": ""})
    assert circles(tmp_path) == []


def test_a_crowded_folder_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {f"{folder}/m{i}.py": "" for folder in ("check/here", "fast", "cli") for i in range(CROWD)})
    assert crowds(tmp_path) == []
    plant(tmp_path, {"check/here/one_more.py": "", "cli/one_more.py": "", "adapters/libraries/x.py": ""})
    assert crowds(tmp_path) == [f"check/here: {CROWD + 1}"]


def test_every_module_has_a_floor() -> None:
    for module in MODULES:
        assert room(module) in (*FLOORS, *DOORS), f"fp8ref/{module} is on no floor and is no door"


@over("module", MODULES)
def test_a_module_imports_only_its_own_or_lower_floors(module: Path) -> None:
    own = room(module)
    for line, name in imports(module):
        if name == "fp8ref":
            assert own in DOORS, f"fp8ref/{module}:{line} imports the whole package, which imports it"
        if not name.startswith("fp8ref."):
            continue
        target = name.split(".")[1]
        if target in DOORS:  # the command line opens the other doors
            assert own in (target, "cli", "__main__") or (own, target) in OPEN, (
                f"fp8ref/{module}:{line} imports {name}, a door"
            )
        assert floor(target) <= floor(own), f"fp8ref/{module}:{line} imports {name}, from a higher floor"


@over("module", MODULES)
def test_third_party_packages_stay_in_their_rooms(module: Path) -> None:
    own = room(module)
    allowed: set[str] | None = set() if own == "spec" else EVERYWHERE
    if own in ROOMS:
        extra = ROOMS[own]
        allowed = ANYTHING if extra is None or allowed is None else allowed | extra
    for line, name in imports(module):
        top = name.split(".")[0]
        if allowed is not None and top != "fp8ref" and top not in sys.stdlib_module_names:
            assert top in allowed, f"fp8ref/{module}:{line} imports {name}, which has no place there"


@over("module", MODULES)
def test_files_stay_short(module: Path) -> None:
    lines = len((ROOT / module).read_text(encoding="utf-8").splitlines())
    assert lines < 400, f"fp8ref/{module} has {lines} lines; a file holds one subject"


def test_the_scanner_sees_every_form_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["import click.core", "from . import a", "from .. import report", "from ..check.run import b"]
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "module.py").write_text("\n".join([*lines, "def f():", "    import torch"]))
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert list(imports(Path("fast/module.py"))) == [
        (1, "click.core"),
        (2, "fp8ref.fast"),
        (3, "fp8ref.report"),
        (4, "fp8ref.check.run"),
        (6, "torch"),
    ]


def test_importing_fp8ref_needs_only_numpy_and_ml_dtypes() -> None:
    """A fresh interpreter has loaded nothing else from outside the standard library."""
    script = (
        "import sys, numpy, ml_dtypes; before = set(sys.modules); import fp8ref;"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, text=True, check=True, timeout=120
    )
    assert "fp8ref" in run.stdout.split()
    assert set(run.stdout.split()) <= {"fp8ref", "numpy", "ml_dtypes"}
