"""Which recipe made these codes and scales of that tensor?  From data alone, without the program that made them.

The shapes say how many rows and columns share a scale; the types, or the caller, say the formats.  Whole groups are
compared, short ones at the edges are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.dense import dense
from ...arrays.layouts import swap_nibbles
from ...arrays.quantisers import join
from ...arrays.scaling import unpack
from ...cases.operation import Operation
from ...spec.catalog import get_format
from .recipes import Match, Search

Array = NDArray[Any]
MOST = 1 << 22  # elements that are compared at first; a recipe that fits is then compared with all
SOURCES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
SCALES = {"float32": "f32", "float8_e8m0fnu": "e8m0fnu", "float8_e4m3fn": "e4m3fn"}


@dataclass(frozen=True)
class Found:
    """What was found: the operation asked of the data, the match, and the first group that differs.

    ``inputs``, ``got``, ``want``: that group's codes, and rows of bytes as integers.  ``group``: where it is, the rows
    and columns from 0.  ``skipped``: elements in groups that are not whole.  ``codes``: how the codes lay in bytes.
    """

    op: Operation
    match: Match
    rows: int
    columns: int
    skipped: int
    codes: str = ""
    group: tuple[int, int] | None = None
    inputs: tuple[int, ...] = ()
    got: int = 0
    want: int = 0

    @property
    def fits(self) -> bool:
        return not self.match.wrong


def identify_tensors(
    codes: Array,
    scales: Array,
    original: Array,
    *,
    element: str | None = None,
    scale_format: str | None = None,
    tensor_amax: float | None = None,
) -> Found:
    """The recipe that gives every code and every scale of a matrix, else the nearest and the first group that differs.

    ``codes``: uint8 or a dtype of ml_dtypes, of the original's shape, or two 4-bit codes a byte.  ``scales``: (rows /
    R, columns / C), float32 or bytes.  ``original``: float32, float16 or bfloat16 of two axes.  ``tensor_amax``: the
    largest magnitude of the tensor under two levels, by default that of ``original``.

    Raises ValueError where shapes or types do not fit, and says what would.
    """
    x, codes, scales = np.atleast_2d(dense(original, "original")), dense(codes, "codes"), dense(scales, "scales")
    if x.dtype.name not in SOURCES or x.ndim != 2 or not x.size:
        raise ValueError(
            f"the original is a matrix of float32, float16 or bfloat16, not {original.dtype} {original.shape}"
        )
    kind = SOURCES[x.dtype.name]
    element = _element(codes, x, element)
    s = np.atleast_2d(scales)
    r, c = _group(x.shape, s)
    stored = (
        scale_format or SCALES.get(s.dtype.name) or ("e4m3fn" if c == 16 and get_format(element).k == 4 else "e8m0fnu")
    )
    s = s.view(np.uint8) if s.dtype.itemsize == 1 else s
    if s.dtype != (np.float32 if stored == "f32" else np.uint8):
        raise ValueError(f"scales of {stored} are {'float32' if stored == 'f32' else 'bytes'}, not {scales.dtype}")
    whole = (x.shape[0] // r * r, x.shape[1] // c * c)
    if not whole[0] * whole[1]:
        raise ValueError(f"no group of {r} x {c} elements is whole in {x.shape[0]} x {x.shape[1]}")
    m, n = whole[0] // r, whole[1] // c
    groups = _groups(x[: whole[0], : whole[1]], r, c)
    amax = np.float32(np.nanmax(np.abs(x.astype(np.float32)), initial=0) if tensor_amax is None else tensor_amax)
    best: Found | None = None
    for way, plain in _unpacked(codes, x.shape, element):
        rows = join(np.ascontiguousarray(s[:m, :n]).reshape(-1), _groups(plain[: whole[0], : whole[1]], r, c))
        for two in (False, True) if stored == "e4m3fn" else (False,):
            op = Operation.parse(f"scale/{kind}{'.f32' if two else ''}/{element}/*;k={r * c};scale={stored}")
            operands = [groups.view(f"u{groups.dtype.itemsize}")]
            operands += [np.full(len(groups), amax, np.float32).view(np.uint32)] if two else []
            found = _searched(op, operands, rows, (r, c), x.size - whole[0] * whole[1], way, n)
            if best is None or found.match.wrong < best.match.wrong:
                best = found
            if found.fits:
                return found
    assert best is not None
    return best


def _searched(
    op: Operation, operands: list[Array], got: Array, group: tuple[int, int], skipped: int, way: str, across: int
) -> Found:
    some = slice(None) if got.size <= MOST else slice(None, None, -(-got.size // MOST))
    search = Search(op, [x[some] for x in operands], got[some])
    columns = across * group[1]
    search.shapes = (group, *([(1, 0)] if group == (1, columns) else []), *([(0, 0)] if len(got) == 1 else []))
    match = search.run()
    everything = search if some == slice(None) else Search(op, operands, got)
    wrong, rows = everything.against(match.recipe)
    match = Match(match.recipe, int(wrong.sum()), len(got), match.also)
    found = Found(op.with_mode(match.mode), match, *group, skipped, way)
    if not match.wrong:
        return found
    first = int(np.argmax(wrong))
    inputs = tuple(int(code) for x in operands for code in np.atleast_1d(x[first]))
    place = (first // across * group[0], first % across * group[1])
    numbers = (int.from_bytes(row[first].tobytes(), "big") for row in (got, rows))
    return Found(op.with_mode(match.mode), match, *group, skipped, way, place, inputs, *numbers)


def _element(codes: Array, x: Array, element: str | None) -> str:
    if element is not None:
        return get_format(element).name
    if codes.dtype != np.uint8:
        try:
            return get_format(codes.dtype.name).name
        except ValueError:
            raise ValueError(f"codes of {codes.dtype}: say the element format") from None
    return "e4m3fn" if codes.size == x.size else "e2m1fn"


def _group(shape: tuple[int, ...], scales: Array) -> tuple[int, int]:
    """Rows and columns that share a scale: exact where they divide, else a power of two."""
    found = []
    for size, count, axis in zip(shape, scales.shape, ("rows", "columns")):
        if scales.ndim != 2 or not 1 <= count <= size:
            raise ValueError(f"{scales.shape} scales do not fit {shape[0]} x {shape[1]} elements")
        share = -(-size // count)
        if size % count:
            share = next((p for p in (1 << i for i in range(20)) if -(-size // p) == count), 0)
        if not share:
            raise ValueError(f"{count} scales for {size} {axis}: no number of {axis} shares a scale")
        found.append(share)
    return found[0], found[1]


def _groups(x: Array, r: int, c: int) -> Array:
    m, n = x.shape[0] // r, x.shape[1] // c
    return np.ascontiguousarray(np.moveaxis(x.reshape(m, r, n, c), 1, 2)).reshape(m * n, r * c)


def _unpacked(codes: Array, shape: tuple[int, ...], element: str) -> Iterator[tuple[str, Array]]:
    """The codes, one a byte, in each way in which they may lie."""
    c = np.ascontiguousarray(codes).view(np.uint8)
    if c.size == shape[0] * shape[1]:
        yield "", c.reshape(shape)
        return
    if get_format(element).k != 4 or 2 * c.size != shape[0] * shape[1]:
        raise ValueError(f"{c.size} bytes of codes do not fit {shape[0]} x {shape[1]} elements of {element}")
    yield "two codes a byte, the first in the low nibble", unpack(c.reshape(shape[0], -1), element)
    yield "two codes a byte, the first in the high nibble", unpack(swap_nibbles(c.reshape(shape[0], -1)), element)
