"""Mistakes of matrix products: what a kernel would answer if it took other operands, scales or shapes than it should.

A mistake changes the cases (another row, no C, scales inverted) or the results; whatever adds stays as it is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import is_nan
from ...cases.operation import Operation
from ...cases.products.cases import Cases, codes_of, values_of
from ...cases.products.questions import addend_type, length, scale_type
from ...spec.catalog import get_format
from ...spec.formats import Format

Codes = NDArray[Any]
Asked = tuple[Operation, Cases]


@dataclass(frozen=True)
class Shape:
    """Where each answer stood: the number of its call, row and column there, and the call's rows and columns."""

    call: NDArray[np.intp]
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    m: NDArray[np.intp]
    n: NDArray[np.intp]

    def taken(self, which: NDArray[np.intp]) -> Shape:
        return Shape(*(x[which] for x in (self.call, self.row, self.column, self.m, self.n)))

    def at(self, row: Codes, column: Codes) -> NDArray[np.intp]:
        """Where the answers of other rows and columns of the same calls are."""
        first = np.arange(self.row.size) - self.row * self.n - self.column
        return np.asarray(first + row * self.n + column)


@dataclass(frozen=True)
class Fault:
    """A mistake by name, in words, and the cases it makes of those asked, or the results of the right ones.

    ``whole``: it needs whole calls, because it takes from other rows or columns.
    """

    name: str
    sentence: str
    cases: Callable[[Operation, Cases, Shape], Asked] | None = None
    codes: Callable[[Operation, Cases, Codes, Shape], Codes] | None = None
    whole: bool = False


Change = Callable[[Operation, Cases], Cases]


def change_of(name: str, sentence: str, change: Change) -> Fault:
    return Fault(name, sentence, lambda op, cases, shape: (op, change(op, cases)))


def of_c(op: Operation) -> Iterator[Fault]:
    f = get_format(addend_type(op))

    def through(name: str) -> Change:
        other = get_format(name)
        return lambda op, x: replace(
            x, c=kept(x.c, f, codes_of(values_of(codes_of(values_of(x.c, f), other), other), f))
        )

    yield change_of("c-ignored", "C is ignored", lambda op, x: replace(x, c=np.zeros_like(x.c)))
    yield change_of(
        "c-twice", "C is added twice", lambda op, x: replace(x, c=kept(x.c, f, codes_of_any(2 * values_of(x.c, f), f)))
    )
    yield change_of("c-subtracted", "C is subtracted", lambda op, x: replace(x, c=x.c ^ x.c.dtype.type(f.sign_bit)))
    yield change_of("c-flushed", "a subnormal C is taken for zero", lambda op, x: replace(x, c=_flushed(x.c, f)))
    if f.name == "f32":
        yield change_of("c-cut-bf16", "C is cut to bfloat16", lambda op, x: replace(x, c=x.c & np.uint32(0xFFFF0000)))
        yield change_of("c-via-bf16", "C is rounded to bfloat16 first", through("bf16"))
        yield change_of("c-via-f16", "C is rounded to binary16 first", through("f16"))


def of_k(op: Operation) -> Iterator[Fault]:
    k = length(op)

    def without(place: int) -> Change:
        def change(op: Operation, x: Cases) -> Cases:
            a, b = x.a.copy(), x.b.copy()
            a[:, place] = b[:, place] = 0
            return replace(x, a=a, b=b)

        return change

    def twice(place: int) -> Callable[[Operation, Cases, Shape], Asked]:
        def change(op: Operation, x: Cases, shape: Shape) -> Asked:
            longer = replace(op, keys=tuple(sorted({**dict(op.keys), "k": str(k + 1)}.items())))
            a, b = (np.concatenate([codes, codes[:, [place]]], axis=1) for codes in (x.a, x.b))
            return longer, replace(x, a=a, b=b)

        return change

    yield change_of("k-last-dropped", f"the last product, k = {k - 1}, is left out", without(-1))
    yield change_of("k-first-dropped", "the first product, k = 0, is left out", without(0))
    if not scale_type(op):
        yield Fault("k-last-doubled", f"the last product, k = {k - 1}, is added twice", twice(-1))
        yield Fault("k-first-doubled", "the first product, k = 0, is added twice", twice(0))
    for n in (4, 8, 16, 32):
        if k % n and k > n:
            yield change_of("k-tail-dropped", f"products after the last whole block of {n} are left out",
                          lambda op, x, n=n: _zeroed(x, k - k % n))  # type: ignore[misc]  # fmt: skip


def _zeroed(x: Cases, start: int) -> Cases:
    a, b = x.a.copy(), x.b.copy()
    a[:, start:] = b[:, start:] = 0
    return replace(x, a=a, b=b)


def of_operands(op: Operation) -> Iterator[Fault]:
    fa, fb = map(get_format, op.operands)
    for name, which, who in (("operands", "ab", "of a and b"), ("a", "a", "of a"), ("b", "b", "of b")):
        yield change_of(
            f"{name}-flushed", f"subnormals {who} are taken for zero",
            lambda op, x, which=which: replace(  # type: ignore[misc]
                x, a=_flushed(x.a, fa) if "a" in which else x.a, b=_flushed(x.b, fb) if "b" in which else x.b),
        )  # fmt: skip
    yield change_of("nan-as-largest", "a NaN operand counts as the largest value",
                  lambda op, x: replace(x, a=finite(x.a, fa), b=finite(x.b, fb)))  # fmt: skip
    if fa.infinities or fb.infinities:
        yield change_of("infinity-times-zero", "infinity times zero counts as zero", _without_undefined)
    if fa != fb:
        yield Fault("formats-swapped", f"a is read as {fb.name} and b as {fa.name}",
                    lambda op, x, shape: (replace(op, operands=op.operands[::-1]), x))  # fmt: skip


def _without_undefined(op: Operation, x: Cases) -> Cases:
    fa, fb = map(get_format, op.operands)
    a, b = values_of(x.a, fa), values_of(x.b, fb)
    meets = (np.isinf(a) & (b == 0)) | (np.isinf(b) & (a == 0))
    return replace(x, a=np.where(meets, 0, x.a).astype(x.a.dtype), b=np.where(meets, 0, x.b).astype(x.b.dtype))


# -- results ----------------------------------------------------------------------------------------------------------
def of_results(op: Operation) -> Iterator[Fault]:
    f = get_format(op.result)

    def via(name: str, toward_zero: bool = False) -> Callable[[Operation, Cases, Codes, Shape], Codes]:
        other = get_format(name)

        def codes(op: Operation, x: Cases, d: Codes, shape: Shape) -> Codes:
            value = values_of(d, f)
            number = np.isfinite(value)
            if toward_zero:
                return np.where(number, d & d.dtype.type(~((1 << (f.t - other.t)) - 1) & f.code_mask), d).astype(
                    d.dtype
                )
            short = values_of(codes_of(np.where(number, value, 0), other), other)
            beyond = np.abs(value) > float(other.max) * (1 + 2.0 ** -(other.p + 1))
            short = np.where(beyond & bool(other.infinities), np.copysign(np.inf, value), short)
            return np.where(number, codes_of_any(short, f), d).astype(d.dtype)

        return codes

    for name in ("bf16", "f16", "tf32", "e4m3fn", "e5m2"):
        if get_format(name).p < f.p:
            yield Fault(f"result-via-{name}", f"the result is rounded to {name}", codes=via(name))
    if f.name == "f32":
        yield Fault("result-cut-bf16", "the result is cut to bfloat16", codes=via("bf16", toward_zero=True))
    if f.infinities:
        yield Fault("saturates", "an infinite result becomes the largest finite value",
                    codes=lambda op, x, d, s: np.where(np.isinf(values_of(d, f)), d - d.dtype.type(1), d))  # fmt: skip
    yield Fault("nan-zero", "a NaN result becomes zero",
                codes=lambda op, x, d, s: np.where(is_nan(d, f.name), 0, d).astype(d.dtype))  # fmt: skip
    yield Fault("zero-takes-sign-of-c", "a zero result takes the sign of C", codes=_sign_of_c)
    if f.infinities:
        yield Fault("infinities-meet", "Inf - Inf gives Inf", codes=_infinities_meet)
    for name in ("bf16", "f16", "tf32"):
        if get_format(name).p < f.p:
            yield Fault(
                f"sum-in-{name}", f"the running sum is rounded to {name} after every product", codes=_running(name)
            )
    for name in ("f16", "bf16"):
        if get_format(name).p <= f.p:
            yield Fault(
                f"sum-saturates-{name}",
                f"the running sum is in {name} and stops at its largest finite value",
                codes=_running(name, saturate=True),
            )
    for name in ("bf16", "f16", "tf32", "e5m2", "e4m3fn"):
        if get_format(name).p < sum(get_format(operand).p for operand in op.operands):
            yield Fault(f"products-in-{name}", f"every product is rounded to {name}", codes=_products(name))


def codes_of_any(x: NDArray[np.float64], f: Format) -> Codes:
    """Codes of values of which some may be infinite, or become it."""
    with np.errstate(all="ignore"):
        x = np.where(np.abs(x) >= float(f.max) * (1 + 2.0 ** -(f.p + 1)), np.copysign(np.inf, x), x)
    usual = codes_of(np.where(np.isfinite(x), x, 0.0), f)
    infinite = usual.dtype.type(f.infinity_code) | np.where(np.signbit(x), usual.dtype.type(f.sign_bit), 0)
    return np.where(np.isinf(x), infinite, usual).astype(usual.dtype)


def _infinities_meet(op: Operation, x: Cases, d: Codes, shape: Shape) -> Codes:
    f, (fa, fb) = get_format(op.result), map(get_format, op.operands)
    with np.errstate(invalid="ignore"):
        p = values_of(x.a, fa) * values_of(x.b, fb)
    c = values_of(x.c, get_format(addend_type(op)))
    quiet = ~np.isnan(p).any(axis=1) & ~np.isnan(c) & is_nan(d, f.name)
    return np.where(quiet, d.dtype.type(f.infinity_code), d)


def _sign_of_c(op: Operation, x: Cases, d: Codes, shape: Shape) -> Codes:
    f, fc = get_format(op.result), get_format(addend_type(op))
    zero = (d & d.dtype.type(f.code_mask & ~f.sign_bit)) == 0
    minus = (x.c & x.c.dtype.type(fc.sign_bit)) != 0
    return np.where(zero, np.where(minus, f.sign_bit, 0), d).astype(d.dtype)


def _terms(op: Operation, x: Cases) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fa, fb = map(get_format, op.operands)
    with np.errstate(all="ignore"):
        return values_of(x.a, fa) * values_of(x.b, fb), values_of(x.c, get_format(addend_type(op)))


def _short(x: NDArray[np.float64], f: Format) -> NDArray[np.float64]:
    """Rounded to nearest in a format, beyond which lies infinity."""
    with np.errstate(all="ignore"):
        number = np.isfinite(x)
        near = values_of(codes_of(np.where(number, x, 0), f), f)
        beyond = np.abs(x) >= float(f.max) * (1 + 2.0 ** -(f.p + 1))
        return np.asarray(np.where(number & ~beyond, near, np.where(number, np.copysign(np.inf, x), x)))


def _running(name: str, saturate: bool = False) -> Callable[[Operation, Cases, Codes, Shape], Codes]:
    """The sum so far in a format after every product; beyond it lies infinity, or with ``saturate`` its end."""
    f = get_format(name)

    def codes(op: Operation, x: Cases, d: Codes, shape: Shape) -> Codes:
        if scale_type(op):
            raise NotImplementedError
        p, total = _terms(op, x)
        with np.errstate(all="ignore"):
            for k in range(p.shape[1]):
                total = total + p[:, k]
                if saturate:
                    total = np.where(np.isfinite(total), np.clip(total, -float(f.max), float(f.max)), total)
                total = _short(total, f)
        return _or_nan(op, total, d)

    return codes


def _products(name: str) -> Callable[[Operation, Cases, Codes, Shape], Codes]:
    f = get_format(name)

    def codes(op: Operation, x: Cases, d: Codes, shape: Shape) -> Codes:
        if scale_type(op) or op.mode != "exact":
            raise NotImplementedError
        p, c = _terms(op, x)
        with np.errstate(all="ignore"):
            return _or_nan(op, _short(_short(p, f).sum(axis=1) + c, get_format(op.result)), d)

    return codes


def _or_nan(op: Operation, x: NDArray[np.float64], d: Codes) -> Codes:
    f = get_format(op.result)
    nan = d.dtype.type(f.nan_canonical or 0)
    return np.where(np.isnan(x), nan, codes_of_any(np.where(np.isnan(x), 0, x), f)).astype(d.dtype)


# -- small things -----------------------------------------------------------------------------------------------------
def kept(codes: Codes, f: Format, changed: Codes) -> Codes:
    """Changed codes where the value is finite."""
    return np.where(np.isfinite(values_of(codes, f)), changed, codes).astype(codes.dtype)


def _flushed(codes: Codes, f: Format) -> Codes:
    x = np.abs(values_of(codes, f))
    return np.where((x > 0) & (x < float(f.min_normal)), codes & codes.dtype.type(f.sign_bit), codes)


def finite(codes: Codes, f: Format) -> Codes:
    sign = codes & codes.dtype.type(f.sign_bit)
    return np.where(is_nan(codes, f.name), codes.dtype.type(f.max_code) | sign, codes)
