"""Sections that the tests of whole-table forms write, and reading them back."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from fp8ref.vectors.files import found_in
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.forms.tables import arrays
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Block, Section
from fp8ref.vectors.source import open_source

OPERATIONS = (
    "convert/f32/e4m3fn/rne.sat",
    "mul/e3m2fn.e3m2fn/e3m2fn/rtz.sat",
    "decode/e5m2/f32",
    "int/e4m3fn/i32/rtz.riscv",
    "dot/e4m3fn.e5m2/f32/exact;k=5",
    "convert/f64/e2m1fn/rtp.sat",
    "dot/e4m3fn.e4m3fn/e5m2/exact;amax=1;block=2;k=4;scale=e8m0fnu",
)
CONVERSION = OPERATIONS[0]


@cache
def made(operation: str, n: int = 300) -> tuple[Section, Block]:
    recipe = Recipe.of(operation, n=n)
    return recipe.section(bins=False), Block.joined(generate(recipe, bins=False))


def written(form: str, path: Path, *operations: str, n: int = 300) -> list[Path]:
    sections = [made(operation, n) for operation in operations]
    return get_form(form).exporter([(section, iter([block[:0], block])) for section, block in sections], path, False)


def read(path: Path) -> tuple[Section, Block]:
    pieces = list(found_in(open_source(path)))
    return pieces[0].section, Block.joined(piece.block for piece in pieces)


def comes_back(form: str, path: Path, operation: str) -> None:
    """What is written is read: the operation, and every code with its dtype and shape."""
    section, block = made(operation)
    written(form, path, operation)
    found, again = read(path)
    assert found.operation == section.operation
    assert found.count == block.size
    for mine, theirs in zip(arrays(section, block), arrays(found, again)):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def empty_comes_back(form: str, path: Path) -> None:
    section, block = made(CONVERSION)
    get_form(form).exporter([(section, iter([block[:0]]))], path, False)
    found, _ = next(iter([(piece.section, piece.block) for piece in found_in(open_source(path))]), (None, None))
    assert found is None or found.count == 0
