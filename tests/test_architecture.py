"""The house: floors import only lower floors, optional packages stay in their rooms, and the import stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fp8ref

ROOT = Path(fp8ref.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

FLOORS = ("errors", "engines", "spec", "fast", "arrays", "systems", "cases", "vectors", "adapters", "check", "report")
DOORS = ("cli", "learn", "strategies", "testing", "plots", "__init__", "__main__")
DOOR = len(FLOORS)

EVERYWHERE = {"numpy", "ml_dtypes"}
ANYTHING = None
# floor or door: third-party packages beyond numpy and ml_dtypes that may be imported there
ROOMS: dict[str, set[str] | None] = {
    "engines": {"dask", "distributed"},  # one of them
    "vectors": {"pyarrow"},  # one of its forms
    "adapters": ANYTHING,
    "systems": {"sklearn"},  # data to train on
    "report": ANYTHING,  # the renderers
    "cli": {"click", "rich"},
    "learn": {"torch"},
    "strategies": ANYTHING,
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


def test_every_module_has_a_floor() -> None:
    for module in MODULES:
        assert room(module) in (*FLOORS, *DOORS), f"fp8ref/{module} is on no floor and is no door"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_its_own_or_lower_floors(module: Path) -> None:
    own = room(module)
    for line, name in imports(module):
        if name == "fp8ref":
            assert own in DOORS, f"fp8ref/{module}:{line} imports the whole package, which imports it"
        if not name.startswith("fp8ref.") or name == "fp8ref.__version__":
            continue
        target = name.split(".")[1]
        if target in DOORS:  # the command line opens the other doors
            assert own in (target, "cli", "__main__") or (own, target) == ("testing", "strategies"), (
                f"fp8ref/{module}:{line} imports {name}, a door"
            )
        assert floor(target) <= floor(own), f"fp8ref/{module}:{line} imports {name}, from a higher floor"


@pytest.mark.parametrize("module", MODULES, ids=str)
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


@pytest.mark.parametrize("module", MODULES, ids=str)
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
