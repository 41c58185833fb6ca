"""Mutants of dot and matrix products that take the wrong operand, row, column, scale or C: one for every mistake."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...cases.answers import expect
from ...cases.operation import Operation
from ...cases.products.cases import codes_of, values_of
from ...spec.catalog import get_format
from ...spec.matrix.models import get_model
from ...spec.matrix.units import Fused
from ..base import Codes
from .amaxes import AMAX_MUTANTS
from .dots import (
    DOT_MUTANTS,
    E4M3,
    E5M2,
    HOPPER,
    WIDE,
    Answer,
    DotMutant,
    by,
    flushed,
    in_some_rows,
    operands_through,
    right,
    unit,
)

F32_MM = (f"matmul/{E4M3}/f32/f32.fma;k=32",)
MM = (f"matmul/{E4M3}/f32/{HOPPER}.f32;k=32",)
SCALED_MM = (f"matmul/{E4M3}/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu",)
EXACT_32 = (f"dot/{E4M3}/f32/exact;k=32",)
EXACT = (f"dot/{E4M3}/f32/exact;k=20",)
MXF8 = (f"dot/{E4M3}/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu",)
ONE_BLOCK = (f"dot/{E4M3}/f32/exact;block=32;k=32;scale=f32",)
OUTPUT = (f"dot/{E4M3}/f32/exact;block=32;k=32;scale=f32;scale_result=1",)
IN_BOUND = (f"matmul/{E4M3}/f32/within.f32;k=32",)
BYTES = np.uint32


def wrong(answer: Answer, diagnosis: str, claims: tuple[str, ...] = EXACT, where: str = "") -> DotMutant:
    return DotMutant(answer, claims, diagnosis=diagnosis, where=where)


def hopper(**fields: Any) -> Answer:
    """A unit of the catalogue with other parameters."""
    model = get_model(f"{HOPPER}.f32")
    assert isinstance(model, Fused)
    return by(replace(model, **fields))


def results(change: Callable[[Codes], Codes]) -> Answer:
    """Right, but for what is made of the results."""
    return lambda op, *given: np.ascontiguousarray(change(right(op, *given)))


def given(change: Callable[..., Sequence[Codes]]) -> Answer:
    """Right, but of other operands: a, b, c and scales."""
    return lambda op, *operands: right(op, *map(np.ascontiguousarray, change(*operands)))


def c_through(change: Callable[[Any], Any]) -> Answer:
    """Right, but of another C, made of C in float32."""

    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        x = c.view(np.float32)
        with np.errstate(all="ignore"):
            return right(op, a, b, np.where(np.isfinite(x), _f32(change(x)), c))

    return answer


def _f32(x: Any) -> Codes:
    with np.errstate(all="ignore"):
        return np.asarray(x, np.float32).view(BYTES)


def rounded(name: str) -> Callable[[Any], Any]:
    f = get_format(name)
    return lambda x: values_of(codes_of(np.where(np.isfinite(x), x, 0).astype(np.float64), f), f)


def without(*places: int) -> Answer:
    def change(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
        a, b = a.copy(), b.copy()
        a[:, places] = b[:, places] = 0
        return a, b, c

    return operands_through(change)


def twice(place: int) -> Answer:
    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        longer = Operation.parse(op.id.replace(f"k={a.shape[1]}", f"k={a.shape[1] + 1}"))
        return right(longer, np.c_[a, a[:, [place]]], np.c_[b, b[:, [place]]], c)

    return answer


def running(name: str, saturate: bool = False) -> Answer:
    """The sum so far rounded to another format after every product; it overflows, or stops at the end."""
    most = float(get_format(name).max)

    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        x, y = (values_of(v, get_format(n)) for v, n in zip((a, b), op.operands))
        total = c.view(np.float32).astype(np.float64)
        with np.errstate(all="ignore"):
            for k in range(a.shape[1]):
                total = total + x[:, k] * y[:, k]
                total = np.where(np.isfinite(total), np.clip(total, -most, most), total) if saturate else total
                total = _halves(total, name)
        return np.where(np.isnan(total), BYTES(0x7FC00000), _f32(total)).astype(BYTES)

    return answer


def _halves(x: Any, name: str) -> Any:
    f = get_format(name)
    near = rounded(name)(x)
    beyond = np.abs(x) >= float(f.max) * (1 + 2.0 ** -(f.p + 1))
    return np.where(np.isfinite(x) & ~beyond, near, np.where(np.isnan(x), x, np.copysign(np.inf, x)))


def _products_in_e5m2(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    x, y = (values_of(v, get_format(n)) for v, n in zip((a, b), op.operands))
    with np.errstate(all="ignore"):
        total = _halves(x * y, "e5m2").sum(axis=1) + c.view(np.float32).astype(np.float64)
    return np.where(np.isnan(total), BYTES(0x7FC00000), _f32(total)).astype(BYTES)


def _through_bf16(d: Codes) -> Codes:
    x = d.view(np.float32).astype(np.float64)
    return np.where(np.isfinite(x), _f32(_halves(x, "bf16")), d)


def scales(change: Callable[..., Sequence[Codes]]) -> Answer:
    """Right, but of other scales."""
    return lambda op, a, b, c, *s: right(op, a, b, c, *map(np.ascontiguousarray, [*change(*s[:2]), *s[2:]]))


def power(codes: Codes, n: int) -> Codes:
    """Codes of E8M0 scales to a power."""
    e = np.clip((codes.astype(int) - 127) * n + 127, 0, 254)
    return np.where(codes == 255, 255, e).astype(np.uint8)


def last_as_first(x: Codes, axis: int) -> Codes:
    x = x.copy()
    if axis == 0 and len(x):
        x[-1] = x[0]
    elif axis == 1:
        x[:, -1] = x[:, 0]
    return x


def across(x: Codes) -> Codes:
    """A matrix whose memory is read column by column."""
    return np.ascontiguousarray(np.ascontiguousarray(x).reshape(x.shape[::-1]).T)


def _scaled_c(op: Operation, a: Codes, b: Codes, c: Codes, sa: Codes, sb: Codes) -> Codes:
    z = c.view(np.float32).astype(np.float64)
    with np.errstate(all="ignore"):
        scaled = z * sa[:, 0].view(np.float32).astype(np.float64) * sb[:, 0].view(np.float32)
        return right(op, a, b, np.where(np.isfinite(z), _f32(scaled), c), sa, sb)


def _swapped_formats(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    x, y = op.operands
    return right(Operation.parse(op.id.replace(f"{x}.{y}", f"{y}.{x}")), a, b, c)


def in_tiles(x: Codes) -> Codes:
    """Scales (rows, blocks) whose swizzled tiles of 128 x 4 are read row by row."""
    m, n = x.shape
    wide = np.pad(x, ((0, -m % 128), (0, -n % 4)))
    tiles = wide.reshape(wide.shape[0] // 128, 4, 32, wide.shape[1] // 4, 4).transpose(0, 3, 2, 1, 4)
    return np.ascontiguousarray(tiles).reshape(wide.shape)[:m, :n]


def as_tiles(x: Codes) -> Codes:
    """Scales (rows, blocks) that lie row by row, read as swizzled tiles of 128 x 4."""
    m, n = x.shape
    wide = np.pad(x, ((0, -m % 128), (0, -n % 4)))
    tiles = wide.reshape(wide.shape[0] // 128, wide.shape[1] // 4, 32, 4, 4).transpose(0, 3, 2, 1, 4)
    return np.ascontiguousarray(tiles).reshape(wide.shape)[:m, :n]


def _row_0_scales(op: Operation, a: Codes, b: Codes, c: Codes, sa: Codes, sb: Codes) -> Codes:
    return right(op, a, b, c, np.ascontiguousarray(np.broadcast_to(sa[:1], sa.shape)), sb)


MATRIX_MUTANTS: dict[str, DotMutant] = {
    # C
    "dot-c-ignored": wrong(c_through(lambda c: 0 * c), "c-ignored"),
    "dot-c-twice": wrong(c_through(lambda c: c + c), "c-twice"),
    "dot-c-subtracted": wrong(given(lambda a, b, c: (a, b, c ^ BYTES(1 << 31))), "c-subtracted"),
    "dot-c-via-bf16": wrong(c_through(rounded("bf16")), "c-via-bf16"),
    "dot-c-via-f16": wrong(c_through(rounded("f16")), "c-via-f16"),
    "dot-c-cut": wrong(given(lambda a, b, c: (a, b, c & BYTES(0xFFFF0000))), "c-cut-bf16", unit(WIDE)),
    "dot-c-flushed": wrong(operands_through(lambda op, a, b, c: (a, b, flushed(c, "f32"))), "c-flushed"),
    "dot-c-scaled": wrong(_scaled_c, "c-scaled", ONE_BLOCK),
    # k
    "dot-k-last-dropped": wrong(without(-1), "k-last-dropped"),
    "dot-k-first-dropped": wrong(without(0), "k-first-dropped"),
    "dot-k-last-doubled": wrong(twice(-1), "k-last-doubled"),
    "dot-k-first-doubled": wrong(twice(0), "k-first-doubled"),
    "dot-k-tail-dropped": wrong(without(16, 17, 18, 19), "k-tail-dropped"),
    # operands
    "dot-operands-flushed": wrong(
        operands_through(lambda op, a, b, c: (flushed(a, "e4m3fn"), flushed(b, "e4m3fn"), c)), "operands-flushed"),
    "dot-a-flushed": wrong(operands_through(lambda op, a, b, c: (flushed(a, "e4m3fn"), b, c)), "a-flushed"),
    "dot-b-flushed": wrong(operands_through(lambda op, a, b, c: (a, flushed(b, "e4m3fn"), c)), "b-flushed"),
    "dot-nan-as-largest": wrong(
        given(lambda a, b, c: (*(np.where((v & 0x7F) == 0x7F, v & 0x80 | 0x7E, v) for v in (a, b)), c)),
        "nan-as-largest"),
    "dot-formats-swapped": wrong(_swapped_formats, "formats-swapped", ("dot/e4m3fn.e5m2/f32/exact;k=20",)),
    # sums and results
    "dot-sum-in-bf16": wrong(running("bf16"), "sum-in-bf16"),
    "dot-sum-in-f16": wrong(running("f16"), "sum-in-f16"),
    "dot-sum-saturates-f16": wrong(running("f16", saturate=True), "sum-saturates-f16"),
    "dot-sum-saturates-bf16": wrong(running("bf16", saturate=True), "sum-saturates-bf16"),
    "dot-sum-in-tf32": wrong(running("tf32"), "sum-in-tf32"),
    "dot-products-in-e5m2": wrong(_products_in_e5m2, "products-in-e5m2"),
    "dot-result-via-bf16": wrong(results(_through_bf16), "result-via-bf16"),
    "dot-result-cut-bf16": wrong(
        results(lambda d: np.where(np.isfinite(d.view(np.float32)), d & BYTES(0xFFFF0000), d)), "result-cut-bf16"),
    "dot-nan-zero": wrong(results(lambda d: np.where(np.isnan(d.view(np.float32)), BYTES(0), d)), "nan-zero"),
    "dot-saturating": wrong(
        results(lambda d: np.where(np.isinf(d.view(np.float32)), d - BYTES(1), d)), "saturates",
        (f"dot/{E5M2}/f32/exact;k=20",)),
    # units, and sums in parts
    "dot-stream-k": wrong(
        by(f"{HOPPER}.f32+stream2.t64.first1"), f"model-{HOPPER}.f32+stream2.t64.first1",
        (f"dot/{E4M3}/f32/{HOPPER}.f32;k=256",)),
    "dot-split-k": wrong(
        by(f"{HOPPER}.f32+split2.t64.interleaved"), f"model-{HOPPER}.f32+split2.t64.interleaved",
        (f"dot/{E4M3}/f32/{HOPPER}.f32;k=256",)),
    "dot-unit-in-bound": wrong(by(f"{HOPPER}.f32"), f"model-{HOPPER}.f32", (f"dot/{E4M3}/f32/within.f32;k=32",)),
    "dot-near-unit": wrong(
        hopper(fraction_bits=15), f"model-{HOPPER}.f32-unit-fraction-bits", EXACT_32),
    "dot-near-unit-in-bound": wrong(
        hopper(fraction_bits=12), f"model-{HOPPER}.f32-unit-fraction-bits",
        (f"dot/{E4M3}/f32/within.f32;k=32",)),
    # scales
    "dot-scale-a-ignored": wrong(scales(lambda a, b: (np.full_like(a, 127), b)), "scale-a-ignored", MXF8),
    "dot-scales-ignored": wrong(
        scales(lambda a, b: (np.full_like(a, 127), np.full_like(b, 127))), "scales-ignored", MXF8),
    "dot-scale-squared": wrong(scales(lambda a, b: (power(a, 2), b)), "scale-a-squared", MXF8),
    "dot-scale-inverted": wrong(scales(lambda a, b: (a, power(b, -1))), "scale-b-inverted", MXF8),
    "dot-scale-next-block": wrong(
        scales(lambda a, b: (np.roll(a, -1, axis=1), b)), "scale-a-blocks-rotated",
        (f"dot/{E4M3}/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu",)),
    "dot-scales-swapped": wrong(scales(lambda a, b: (b, a)), "scales-swapped",
                                (f"dot/{E4M3}/f32/{HOPPER}.f32+promote128.triton;block=128;k=256;scale=f32",)),
    "dot-output-scale-ignored": wrong(
        lambda op, a, b, c, sa, sb, so: right(op, a, b, c, sa, sb, np.full_like(so, 0x3F800000)),
        "output-scale-ignored", OUTPUT),
    # rows and columns
    "dot-last-row-copied": wrong(results(lambda d: last_as_first(d, 0)), "last-row-copied", MM),
    "dot-last-column-copied": wrong(results(lambda d: last_as_first(d, 1)), "last-column-copied", MM),
    "dot-every-row-first": wrong(results(lambda d: 0 * d + d[:1]), "first-row-everywhere", MM),
    "dot-every-column-first": wrong(results(lambda d: 0 * d + d[:, :1]), "first-column-everywhere", MM),
    "dot-result-transposed": wrong(results(lambda d: d.T.reshape(d.shape)), "result-transposed", MM),
    "dot-c-first-row": wrong(given(lambda a, b, c: (a, b, 0 * c + c[:1])), "c-first-row", F32_MM),
    "dot-c-first-column": wrong(given(lambda a, b, c: (a, b, 0 * c + c[:, :1])), "c-first-column", F32_MM),
    "dot-c-transposed": wrong(given(lambda a, b, c: (a, b, across(c))), "c-transposed", F32_MM),
    "dot-a-transposed": wrong(given(lambda a, b, c: (across(a), b, c)), "a-transposed", MM),
    "dot-b-transposed": wrong(given(lambda a, b, c: (a, across(b), c)), "b-transposed", MM),
    "dot-scale-row-0": wrong(_row_0_scales, "scale-row-0", SCALED_MM),
    "dot-scale-column-0": wrong(scales(lambda a, b: (a, 0 * b + b[:, :1])), "scale-column-0", SCALED_MM),
    "dot-scales-swizzled": wrong(
        scales(lambda a, b: (in_tiles(a), in_tiles(b.T).T)), "scales-ab-swizzled", SCALED_MM),
    "dot-scales-read-swizzled": wrong(
        scales(lambda a, b: (as_tiles(a), as_tiles(b.T).T)), "scales-ab-read-swizzled", SCALED_MM),
    "dot-scale-a-swizzled": wrong(scales(lambda a, b: (in_tiles(a), b)), "scales-a-swizzled", SCALED_MM),
    "dot-mm-c-ignored": wrong(given(lambda a, b, c: (a, b, 0 * c)), "c-ignored", IN_BOUND),
    "dot-mm-k-last-dropped": wrong(
        given(lambda a, b, c: (np.c_[a[:, :-1], 0 * a[:, -1:]], np.r_[b[:-1], 0 * b[-1:]], c)), "k-last-dropped", MM),
    "dot-mm-last-row-flushed": wrong(
        in_some_rows(lambda n: (np.arange(n) == n - 1)[:, None],
                     operands_through(lambda op, a, b, c: (flushed(a, "e4m3fn"), b, c))),
        "a-flushed", MM, "in the last row"),
}  # fmt: skip


def exactly(op: Operation, *operands: Codes) -> Any:
    """Right sums as units deliver them, with their status where it is asked."""
    found = expect(op, operands)
    return (found.codes, found.status) if op.flags else found.codes


def under(mode: str = "", **keys: str) -> Answer:
    """Right sums of another mode, or with other keys."""

    def answer(op: Operation, *operands: Codes) -> Any:
        changed = replace(op, keys=tuple(sorted({**dict(op.keys), **keys}.items())))
        return exactly(changed.with_mode(mode) if mode else changed, *operands)

    return answer


def raising(change: Callable[[Codes], Codes]) -> Answer:
    """Right sums with another status."""

    def answer(op: Operation, *operands: Codes) -> Any:
        codes, status = exactly(op, *operands)
        return codes, change(status).astype(np.uint8)

    return answer


def _of_others(change: Callable[[Codes, Codes], tuple[Codes, Codes]]) -> Answer:
    """Right sums of other operands."""
    return lambda op, a, b, *rest: exactly(op, *change(a, b), *rest)


def _last_out(a: Codes, b: Codes) -> tuple[Codes, Codes]:
    last = np.arange(a.shape[1]) == a.shape[1] - 1
    return np.where(last, 0, a).astype(a.dtype), np.where(last, 0, b).astype(b.dtype)


def _gates(a: Codes, b: Codes) -> tuple[Codes, Codes]:
    """E5M2: a zero of either sign switches the lane of a NaN or an infinity off."""
    off = ((a & 0x7F == 0) & (b & 0x7F >= 0x7C)) | ((b & 0x7F == 0) & (a & 0x7F >= 0x7C))
    return np.where(off, 0, a).astype(a.dtype), np.where(off, 0, b).astype(b.dtype)


def _c_afterwards(op: Operation, a: Codes, b: Codes, c: Codes) -> Any:
    """Two lanes summed and rounded, C added to that: two roundings, the flags of both."""
    keys = tuple((key, value) for key, value in op.keys if key != "bias")
    alone = replace(op, keys=tuple(sorted((*keys, ("c", "none")))))
    first, raised = exactly(alone, a, b)
    joined = Operation.parse(
        f"add/{op.result}.{op.result}/{op.result}/{(op.mode or '').removeprefix('exact.')};flags=1"
    )
    found = expect(joined, [first, c])
    return found.codes, found.status | raised


NEAREST = ("dot/e5m2.e5m2/f16/exact;k=2;flags=1;zero=ieee",)
FLAGGED = ("dot/e5m2.e5m2/f16/exact.rtz.nonsat;k=2;flags=1;zero=ieee",)
BARE = ("dot/e4m3fn.e4m3fn/f32/exact;k=4;c=none;zero=ieee",)
FIXED, LONG = ("dot/e4m3fn.e4m3fn/fx24.8/exact.rtz.sat;k=4",), ("dot/e5m2.e5m2/fx90.32/exact;k=2;flags=1",)
SUM_MUTANTS: dict[str, DotMutant] = {  # exact sums with status, without C, in fixed point
    "dot-sum-correct": DotMutant(exactly, (*FLAGGED, *BARE, *FIXED, *LONG, "dot/e5m2.e5m2/f16/exact;k=2;flags=1",
                                       "dot/e4m3fn.e4m3fn/f32/exact;k=4;c=none",
                                       "dot/e4m3fn.e4m3fn/f32/exact;k=4;flags=1;scale=e8m0fnu;block=2")),
    "dot-sum-ieee-zeros-correct": DotMutant(under(zero="ieee"), ("dot/e5m2.e5m2/f16/exact;k=2;flags=1",
                                                           "dot/e4m3fn.e4m3fn/f32/exact;k=4;c=none")),
    "dot-sum-rounds-to-nearest": wrong(under("exact.rne.nonsat"), "rounds-rne", FLAGGED),
    "dot-sum-saturates": wrong(under("exact.rtz.sat"), "overflow-sat", FLAGGED),
    "dot-sum-gates-zeros": wrong(_of_others(_gates), "zeros-gate", FLAGGED),
    "dot-sum-c-afterwards": wrong(_c_afterwards, "c-after-rounding", FLAGGED),
    "dot-sum-c-ignored": wrong(lambda op, a, b, c: exactly(op, a, b, 0 * c), "c-ignored", FLAGGED),
    "dot-sum-tininess-before": wrong(under(tininess="before"), "tininess-before", NEAREST),
    "dot-sum-never-inexact": wrong(raising(lambda status: status & 0xFE), "inexact-missing", FLAGGED),
    "dot-sum-overflow-alone": wrong(
        raising(lambda status: np.where(status & 4, status & 0xFE, status)), "overflow-not-inexact", FLAGGED),
    "dot-sum-lanes-swapped": wrong(
        _of_others(lambda a, b: (a, b[:, [1, 0, *range(2, b.shape[1])]])), "lanes-swapped-0", FLAGGED),
    "dot-sum-starts-at-zero": wrong(under(zero="plus"), "zero-plus", BARE),
    "dot-sum-bare-last-dropped": wrong(_of_others(_last_out), "k-last-dropped", BARE),
    "dot-sum-wraps": wrong(under("exact.rtz.wrap"), "overflow-wrap", FIXED),
    "dot-sum-fixed-floors": wrong(under("exact.rtn.sat"), "rounds-rtn", FIXED),
    "dot-sum-long-last-dropped": wrong(_of_others(_last_out), "k-last-dropped", LONG),
    "dot-sum-long-wraps": wrong(under("exact.rne.wrap"), "overflow-wrap", ("dot/e5m2.e5m2/fx65.32/exact;k=2;flags=1",)),
}  # fmt: skip


def connect(name: str, accumulator: str = "", operands: str = E4M3, k: str = "32") -> DotMutant:
    """The mutant of a name; ``dot-model`` is any accumulator.  Raises ValueError for any other, with the nearest."""
    if name == "dot-model":
        result = get_model(accumulator).result if accumulator != "exact" else "f32"
        claim = Operation.parse(f"dot/{operands}/{result}/{accumulator};k={k}").id
        return DotMutant(right, (claim,), f"{name} {accumulator}")
    table = DOT_MUTANTS | MATRIX_MUTANTS | SUM_MUTANTS | AMAX_MUTANTS
    if name not in table:
        near = difflib.get_close_matches(name, table, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(table)}"
        raise ValueError(f"unknown mutant {name!r:.80}; {hint}")
    return replace(table[name], name=name)
