"""Mistakes of scales, and of rows and columns: what is taken from another place than it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.cases import Cases, codes_of, values_of
from ...cases.products.questions import addend_type, blocks, has_output_scale, scale_type
from ...spec.catalog import get_format
from ...spec.formats import Format
from .faults import Asked, Fault, Shape, change_of, codes_of_any, finite, kept

Codes = NDArray[Any]


# -- scales -----------------------------------------------------------------------------------------------------------
Pair = tuple[Codes, Codes]


def of_scales(op: Operation) -> Iterator[Fault]:
    f = get_format(scale_type(op) or "")

    def scales(name: str, sentence: str, change: Callable[[Codes, Codes], Pair]) -> Fault:
        return change_of(name, sentence, lambda op, x: replace(x, scales=(*change(*x.scales[:2]), *x.scales[2:])))

    yield scales("scale-a-ignored", "the scales of a are not used", lambda a, b: (_ones(f, a), b))
    yield scales("scale-b-ignored", "the scales of b are not used", lambda a, b: (a, _ones(f, b)))
    yield scales("scales-ignored", "scales are not used", lambda a, b: (_ones(f, a), _ones(f, b)))
    yield scales("scale-first-block", "the first scale serves every block",
                 lambda a, b: (0 * a + a[:, :1], 0 * b + b[:, :1]))  # fmt: skip
    yield scales("scale-blocks-reversed", "blocks take each other's scales", lambda a, b: (a[:, ::-1], b[:, ::-1]))
    for by, word in ((1, "before"), (-1, "after")):
        yield scales(f"scale-a-blocks-rotated{'' if by > 0 else '-back'}", f"blocks of a take the scale {word} theirs",
                     lambda a, b, by=by: (np.roll(a, by, axis=1), b))  # type: ignore[misc]  # fmt: skip
        yield scales(f"scale-b-blocks-rotated{'' if by > 0 else '-back'}", f"blocks of b take the scale {word} theirs",
                     lambda a, b, by=by: (a, np.roll(b, by, axis=1)))  # type: ignore[misc]  # fmt: skip
    yield scales("scale-nan-finite", "a NaN scale counts as the largest", lambda a, b: (finite(a, f), finite(b, f)))
    yield scales("scales-swapped", "a and b take each other's scales", lambda a, b: (b, a))
    for which, who in (("a", "of a"), ("b", "of b"), ("ab", "of a and b")):
        yield scales(f"scale-{which}-inverted", f"the scales {who} are inverted",
                     lambda a, b, w=which: (_power(a, f, -1) if "a" in w else a,  # type: ignore[misc]
                                            _power(b, f, -1) if "b" in w else b))  # fmt: skip
        yield scales(f"scale-{which}-squared", f"the scales {who} are used twice",
                     lambda a, b, w=which: (_power(a, f, 2) if "a" in w else a,  # type: ignore[misc]
                                            _power(b, f, 2) if "b" in w else b))  # fmt: skip
    if blocks(op) == 1:
        yield change_of("c-scaled", "C is added before the scales, which multiply it, too", _c_scaled)
    if has_output_scale(op):
        yield change_of("output-scale-ignored", "the scale of the output is not used", lambda op, x: replace(
            x, scales=(*x.scales[:2], np.full_like(x.scales[2], 0x3F800000))))  # fmt: skip


def _c_scaled(op: Operation, x: Cases) -> Cases:
    f, fc = get_format(scale_type(op) or ""), get_format(addend_type(op))
    with np.errstate(all="ignore"):
        scaled = values_of(x.c, fc) * values_of(x.scales[0][:, 0], f) * values_of(x.scales[1][:, 0], f)
    return replace(x, c=kept(x.c, fc, codes_of_any(scaled, fc)))


def _ones(f: Format, like: Codes) -> Codes:
    return np.full_like(like, codes_of(np.array([1.0]), f)[0])


def _power(codes: Codes, f: Format, n: int) -> Codes:
    value = values_of(codes, f)
    with np.errstate(all="ignore"):
        usual = np.isfinite(value) & (value != 0)
        return np.where(usual, codes_of(np.where(usual, value, 1.0) ** float(n), f), codes).astype(codes.dtype)


# -- rows and columns -------------------------------------------------------------------------------------------------
def of_matrices(op: Operation) -> Iterator[Fault]:
    def moved(name: str, sentence: str, where: Callable[[Shape], tuple[Codes, Codes]], what: str) -> Fault:
        """Parts of the case from other rows and columns: a, b, c, the scales s of a and t of b, o of the output."""

        def cases(op: Operation, x: Cases, shape: Shape) -> Asked:
            at = shape.at(*where(shape))
            scales = [s[at] if code in what else s for s, code in zip(x.scales, "sto")]
            a, b, c = (y[at] if code in what else y for y, code in zip((x.a, x.b, x.c), "abc"))
            return op, Cases(a, b, c, x.names, tuple(scales))

        return Fault(name, sentence, cases, whole=True)

    def last_row(s: Shape) -> tuple[Codes, Codes]:
        return np.where(s.row == s.m - 1, 0, s.row), s.column

    def last_column(s: Shape) -> tuple[Codes, Codes]:
        return s.row, np.where(s.column == s.n - 1, 0, s.column)

    def first_row(s: Shape) -> tuple[Codes, Codes]:
        return 0 * s.row, s.column

    def first_column(s: Shape) -> tuple[Codes, Codes]:
        return s.row, 0 * s.column

    def read_across(s: Shape) -> tuple[Codes, Codes]:
        flat = s.column * s.m + s.row
        return flat // s.n, flat % s.n

    def written_across(s: Shape) -> tuple[Codes, Codes]:
        flat = s.row * s.n + s.column
        return flat % s.m, flat // s.m

    everything = "acbsto"
    yield moved("last-row-copied", "the last row of the result is a copy of row 0", last_row, everything)
    yield moved("last-column-copied", "the last column of the result is a copy of column 0", last_column, everything)
    yield moved("first-row-everywhere", "every row of the result is row 0", first_row, everything)
    yield moved("first-column-everywhere", "every column of the result is column 0", first_column, everything)
    yield moved("result-transposed", "the result is written column by column", written_across, everything)
    yield moved("c-first-row", "every row takes row 0 of C", first_row, "c")
    yield moved("c-first-column", "every column takes column 0 of C", first_column, "c")
    yield moved("c-transposed", "C is read column by column", read_across, "c")
    if scale_type(op):
        yield moved("scale-row-0", "every row of A takes the scales of row 0", first_row, "s")
        yield moved("scale-column-0", "every column of B takes the scales of column 0", first_column, "t")
        yield from _swizzles()
    yield Fault("b-transposed", "B is read column by column", _b_transposed, whole=True)
    yield Fault("a-transposed", "A is read column by column", _a_transposed, whole=True)


def _read_across(rows: Codes) -> Codes:
    """The rows of a matrix whose memory is read column by column."""
    return np.ascontiguousarray(rows.reshape(rows.shape[::-1]).T)


def _a_transposed(op: Operation, x: Cases, shape: Shape) -> Asked:
    a = x.a.copy()
    for here in _calls(shape):
        n = int(shape.n[here[0]])
        a[here] = np.repeat(_read_across(x.a[here[::n]]), n, axis=0)
    return op, replace(x, a=a)


def _b_transposed(op: Operation, x: Cases, shape: Shape) -> Asked:
    b = x.b.copy()
    for here in _calls(shape):
        n, m = int(shape.n[here[0]]), int(shape.m[here[0]])
        matrix = np.ascontiguousarray(x.b[here[:n]].T)  # (K, n)
        b[here] = np.tile(_read_across(matrix).T, (m, 1))
    return op, replace(x, b=b)


def _swizzles() -> Iterator[Fault]:
    """The layout of scales that cuBLAS asks for, on one side alone."""
    tiles = "tiles of 128 x 4 (cuBLAS's layout)"
    for which, who in (("ab", "of A and B"), ("a", "of A"), ("b", "of B")):
        for back, how in ((False, f"lie in swizzled {tiles} and are read row by row"),
                          (True, f"lie row by row and are read as swizzled {tiles}")):  # fmt: skip
            name = f"scales-{which}-{'read-swizzled' if back else 'swizzled'}"

            def cases(op: Operation, x: Cases, shape: Shape, which: str = which, back: bool = back) -> Asked:
                sa, sb = (s.copy() for s in x.scales[:2])
                for here in _calls(shape):
                    n, m = int(shape.n[here[0]]), int(shape.m[here[0]])
                    if "a" in which:
                        sa[here] = np.repeat(_swizzled(x.scales[0][here[::n]], back), n, axis=0)
                    if "b" in which:
                        sb[here] = np.tile(_swizzled(x.scales[1][here[:n]], back), (m, 1))
                return op, replace(x, scales=(sa, sb, *x.scales[2:]))

            yield Fault(name, f"the scales {who} {how}", cases, whole=True)


def _swizzled(rows: Codes, back: bool) -> Codes:
    """Scales (rows, blocks) after a trip through the memory of 128 × 4 tiles, filled up with zero codes.

    ``back``: from row by row to tiles, else from tiles to row by row.
    """
    m, n = rows.shape
    padded = np.zeros((-(-m // 128) * 128, -(-n // 4) * 4), rows.dtype)
    padded[:m, :n] = rows
    r, c = np.indices(padded.shape)
    at = (r // 128 * (padded.shape[1] // 4) + c // 4) * 512 + r % 32 * 16 + r // 32 % 4 * 4 + c % 4
    if back:
        memory = padded.ravel()[at]
        return np.asarray(memory[:m, :n])
    memory = np.empty_like(padded).ravel()
    memory[at] = padded
    return memory.reshape(padded.shape)[:m, :n]


def _calls(shape: Shape) -> Iterator[NDArray[np.intp]]:
    edges = np.flatnonzero(np.diff(shape.call, prepend=-1))
    for start, stop in zip(edges, [*edges[1:], shape.call.size]):
        yield np.arange(start, stop)
