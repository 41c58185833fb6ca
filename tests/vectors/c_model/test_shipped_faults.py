"""The shipped vectors alone find every fault of a C unit, in at least three cases each."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vectors.c_model.faults import FAULTS, QUICK
from vectors.c_model.model_calls import OPERATIONS, Model, needs_gcc
from vectors.c_model.test_sums import ROUNDINGS, SCALES, Sum, rules_of

from fp8ref.cases.operation import Operation
from fp8ref.cases.products.questions import addend_type, block_of, blocks, has_addend, is_exact, is_product, length
from fp8ref.cases.scaling.questions import is_scale
from fp8ref.vectors.files import found_in
from fp8ref.vectors.section import Block
from fp8ref.vectors.source import open_source

pytestmark = needs_gcc
ROOT = Path(__file__).parents[3] / "vectors"
FORMATS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu", "e3m2fn", "e2m3fn", "e2m1fn", "mxint8")
ELEMENTS = {"mxfp8_e4m3": "e4m3fn", "mxfp8_e5m2": "e5m2", "mxfp6_e3m2": "e3m2fn", "mxfp6_e2m3": "e2m3fn",
            "mxfp4": "e2m1fn", "mxint8": "mxint8"}  # fmt: skip
LEAST = 3


def can(op: Operation) -> bool:
    """Does the C unit have it?"""
    if is_product(op):
        return is_exact(op.mode or "exact")
    if is_scale(op):
        return op.result in ELEMENTS
    return op.family in ("convert", *OPERATIONS)


@cache
def shipped() -> list[tuple[Operation, Block]]:
    """Every section that the C unit can answer."""
    found: dict[str, tuple[Operation, list[Block]]] = {}
    paths = sorted([*ROOT.rglob("*.jsonl.gz"), *ROOT.rglob("*.fpv.gz")])
    for path in paths:
        for piece in found_in(open_source(path)):
            if piece.block.size and can(piece.section.operation):
                op = piece.section.operation
                found.setdefault(op.id, (op, []))[1].append(piece.block)
    return [(op, Block.joined(parts)) for op, parts in found.values()]


def of(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def sums(model: Model, op: Operation, block: Block) -> tuple[np.ndarray, np.ndarray]:
    a, b, *rest = (np.ascontiguousarray(x, np.uint64) for x in block.operands)
    c = rest.pop(0) if has_addend(op) else np.zeros(len(a), np.uint64)
    scale = op.key("scale")
    sa, sb = rest[:2] if scale else (c, c)
    pointer = lambda name: ctypes.c_void_p(model.format(name))  # noqa: E731
    asked = Sum(pointer(op.operands[0]), pointer(op.operands[1]), pointer(addend_type(op)) if has_addend(op) else None,
                pointer(scale) if scale else None, length(op), block_of(op), int(op.key("zero") != "ieee"))  # fmt: skip
    z, flags = np.zeros(len(a), np.uint64), np.zeros(len(a), np.uint8)
    model.library.dot_all(
        ctypes.byref(asked), pointer(op.result), ctypes.byref(rules_of(op)), ctypes.c_size_t(len(a)),
        ctypes.c_size_t(blocks(op) if scale else 0), of(a), of(b), of(c), of(sa), of(sb), of(z), of(flags),
    )  # fmt: skip
    return z, flags


def quantised(model: Model, op: Operation, block: Block) -> tuple[np.ndarray, np.ndarray]:
    x = np.ascontiguousarray(block.operands[0], np.uint32)
    n, k = x.shape
    scale, codes = np.zeros(n, np.uint8), np.zeros((n, k), np.uint64)
    formats = [ctypes.c_void_p(model.format(name)) for name in (ELEMENTS[op.result], "f32")]
    rule = SCALES.index(op.mode or "floor")
    model.library.quantise_all(*formats, rule, ctypes.c_size_t(n), ctypes.c_size_t(k), of(x), of(scale), of(codes))
    return np.concatenate([scale[:, None], codes.astype(np.uint8)], axis=1), np.zeros(n, np.uint8)


def differing(model: Model) -> Iterator[tuple[str, int]]:
    """How many cases of each section a unit answers otherwise."""
    for op, block in shipped():
        answer: Any = sums if is_product(op) else quantised if is_scale(op) else Model.general
        given = (model, op, block) if answer is not Model.general else (model, op, list(block.operands))
        z, flags = answer(*given)
        wrong = (z != block.result).reshape(block.size, -1).any(axis=1)
        if block.status is not None:
            wrong = wrong | (flags != block.status)
        yield op.id, int(wrong.sum())


def built(folder: Path, edits: tuple[tuple[str, str], ...]) -> Model:
    return Model(folder, FORMATS, *edits, level="-O0", loops=("model_loops.c", "shipped.c"))


def test_the_right_unit_conforms(tmp_path: Path) -> None:
    assert [found for found in differing(built(tmp_path, ())) if found[1]] == []
    asked = {op.family for op, _ in shipped()}
    assert asked >= {"convert", "dot", "scale", *OPERATIONS}
    modes = {(op.mode or "").removeprefix("exact.").partition(".")[0] for op, _ in shipped() if is_product(op)}
    assert modes >= {"rne", "rtz", "rtp", "rtn", "rna"} <= set(ROUNDINGS)


@pytest.mark.parametrize("fault", QUICK)
def test_a_fault_is_found(tmp_path: Path, fault: str) -> None:
    assert sum(n for _, n in differing(built(tmp_path, FAULTS[fault]))) >= LEAST


@pytest.mark.full
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in QUICK])
def test_every_fault_is_found(tmp_path: Path, fault: str) -> None:
    assert sum(n for _, n in differing(built(tmp_path, FAULTS[fault]))) >= LEAST


def test_there_are_forty() -> None:
    assert len(FAULTS) >= 40
