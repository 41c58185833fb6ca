"""The tables that come with the package: of this specification, right, and not read where anything is amiss."""

from __future__ import annotations

import ast
import random
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fp8ref import spec
from fp8ref.fast.functions import stored
from fp8ref.fast.functions.outcomes import made, table
from fp8ref.spec import get_format
from fp8ref.spec.operations.definition import Semantics

TOOL = Path(__file__).parents[3] / "tools" / "functions" / "tables.py"


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stored._shipped.cache_clear()
    table.cache_clear()
    yield
    stored._shipped.cache_clear()
    table.cache_clear()


def names() -> list[Any]:
    if not TOOL.exists():
        pytest.skip("tools are in the repository alone")
    found: list[Any] = runpy.run_path(str(TOOL))["names"]()
    return found


def same(op: str, formats: Any, semantics: Semantics) -> bool:
    name, new = made(op, formats, semantics)
    body = b"".join(np.ascontiguousarray(getattr(new, f.name)).tobytes() for f in fields(new))
    return stored._shipped()[name] == body


def test_they_are_of_this_specification() -> None:
    """A change of the specification makes them anew: python tools/functions/tables.py."""
    assert len(stored._shipped()) == len(names())


@pytest.mark.parametrize("seed", range(4))
def test_some_are_what_the_specification_gives(seed: int) -> None:
    op, f, semantics = random.Random(seed).choice(names())
    assert same(op, (f,), semantics)


@pytest.mark.full
def test_all_are_what_the_specification_gives() -> None:
    assert [op for op, f, semantics in names() if not same(op, (f,), semantics)] == []


@pytest.mark.parametrize("damage", ["bit", "short", "other", "none"])
def test_a_damaged_file_is_not_read(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = stored.SHIPPED.read_bytes()
    path = tmp_path / "tables.xz"
    path.write_bytes({"bit": whole[:99] + bytes([whole[99] ^ 1]) + whole[100:], "short": whole[:-9],
                      "other": bytes(32) + whole[32:], "none": whole}[damage])  # fmt: skip
    monkeypatch.setattr(stored, "SHIPPED", path)
    stored._shipped.cache_clear()
    assert bool(stored._shipped()) == (damage == "none")
    found = table("exp2", (get_format("e4m3fn"),), Semantics.IEEE)
    assert len(list((tmp_path / "fp8ref").rglob("*.bin"))) == (damage != "none")
    assert (found.sig[0x38], found.exp[0x38]) == (1 << 61, 1 - 61)  # 2**1


def test_what_decides_them_is_all_that_functions_import() -> None:
    root = Path(spec.__file__).parent
    seen, todo = set(), [*root.glob("functions/*.py")]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = path.parents[node.level - 1]
                for part in (node.module or "").split(".") if node.module else []:
                    base /= part
                todo += [
                    p for p in (base.with_suffix(".py"), *(base / f"{a.name}.py" for a in node.names)) if p.exists()
                ]
    inside = {path for path in seen if root in path.parents}
    assert len(inside) > 10
    assert inside <= set(stored.deciding())
