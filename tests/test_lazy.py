"""The names that packages show: each is what its home has, is found by dir, and is imported when asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import fp8ref
import fp8ref.testing


def for_typing(package: ModuleType) -> dict[str, tuple[str, str]]:
    """name -> (module, its name there), from the imports under TYPE_CHECKING, which type checkers read."""
    assert package.__file__ is not None
    found = {}
    for node in ast.parse(Path(package.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                home = f".{line.module or ''}"
                if line.names[0].name == "*":
                    found |= {name: (home, name) for name in import_module(home, package.__name__).__all__}
                else:
                    found |= {alias.asname or alias.name: (home, alias.name) for alias in line.names}
    return found


@pytest.mark.parametrize("package", [fp8ref, fp8ref.testing], ids=lambda package: package.__name__)
def test_a_name_is_what_type_checkers_are_shown(package: ModuleType) -> None:
    shown = for_typing(package)
    assert set(package.__all__) <= set(shown) <= set(dir(package))
    for name, (home, own) in shown.items():
        if home == ".":  # a submodule
            assert getattr(package, name) is import_module(f".{name}", package.__name__)
        else:
            assert getattr(package, name) is getattr(import_module(home, package.__name__), own)


@pytest.mark.parametrize("package", [fp8ref, fp8ref.testing], ids=lambda package: package.__name__)
def test_an_unknown_name_is_refused(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=rf"^module '{package.__name__}' has no attribute 'encod'$"):
        package.encod
    with pytest.raises(ImportError, match="cannot import name 'encod'"):
        exec(f"from {package.__name__} import encod")


def loaded(script: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a script."""
    script += "; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(run.stdout.split())


def test_the_command_line_starts_without_numpy() -> None:
    assert not loaded("import fp8ref.cli.main") & {"numpy", "ml_dtypes", "rich", "fp8ref.spec", "fp8ref.arrays"}


def test_the_specification_alone_needs_no_numpy() -> None:
    found = loaded("import fp8ref; assert fp8ref.get_format('e4m3fn').max == 448; assert 'encode' in dir(fp8ref)")
    assert "fp8ref.spec" in found
    assert not found & {"numpy", "ml_dtypes", "fp8ref.arrays"}
