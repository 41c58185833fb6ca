"""Every catalogued unit restated from what was published, one scalar rule each: mmasim 2.1.1 (October 2026).

Where Khattak and Mikaitis (MATLAB-tensor-core, August 2026) publish the same unit they agree.  No code of fp8ref.
The tables are the publications': fraction bits, products a step, and the exponent that a zero shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from .matrix_units import FIELDS, chop, is_infinite, to_f32_toward_zero, to_nearest
from .matrix_units import take_apart as fields_of

FIELDS.setdefault("tf32", (8, 10, 127))
FIELDS.setdefault("ue4m3", (4, 3, 7))
Codes = Sequence[int]
Answer = Callable[[Codes, Codes, str, str, int, Codes, Codes], int]  # a, b, formats, c, scale codes of a and of b
ZERO_SHOWS = {"volta": (-131, -19), "turing": (-132, -20), "ampere": (-132, -20), "ada": (-132, -20)}
LATEST = (-133, -21)  # Hopper, Blackwell, RTX Blackwell


def take_apart(code: int, name: str) -> tuple[int, int, int]:
    """(m, q, e) of a finite code.  Raises OverflowError for the infinity that a step before this one gave."""
    if name in ("f16", "bf16", "f32", "f64") and is_infinite(code, name):
        raise OverflowError
    return fields_of(code, name)


def number(code: int, name: str) -> Fraction:
    m, q, _ = take_apart(code, name)
    return Fraction(m) * Fraction(2) ** q


def batched(x: Sequence[Any], n: int) -> list[Sequence[Any]]:
    return [x[i : i + n] for i in range(0, len(x), n)]


def t_fdpa(
    a: Codes, b: Codes, fa: str, fb: str, c: int, kind: str, f: int, bits: int, zero: int, shift: int = 0
) -> int:
    """Truncated fused dot-product-add: a zero product, and a zero C, show the exponent ``zero``."""
    terms = []
    for x, y in zip(a, b, strict=True):
        (mx, qx, ex), (my, qy, ey) = take_apart(x, fa), take_apart(y, fb)
        terms.append((mx * my, qx + qy + shift, ex + ey + shift if mx * my else zero))
    mc, qc, ec = take_apart(c, kind)
    terms.append((mc, qc, ec if mc else zero))
    unit = max(e for _, _, e in terms) - f
    total = sum(chop(m, q - unit) for m, q, _ in terms)
    if kind == "f32":
        return to_f32_toward_zero(total, unit, bits)
    return to_nearest(Fraction(total) * Fraction(2) ** unit, kind)


def tensor_core(arch: str, step: int, f: int, kind: str, bits: int = 24) -> Answer:
    zero = ZERO_SHOWS.get(arch, LATEST)[kind == "f16"]

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        for x, y in zip(batched(a, step), batched(b, step), strict=True):
            c = t_fdpa(x, y, fa, fb, c, kind, f, bits, zero)
        return c

    return answer


def emulated(kind: str) -> Answer:
    """FP8 through the FP16 unit of Hopper: lanes 0, 1 of every four, then 2, 3, then C by an addition."""

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        for x, y in zip(batched(a, 32), batched(b, 32), strict=True):
            d = 0
            for lanes in ((0, 1), (2, 3)):
                places = [i for i in range(32) if i % 4 in lanes]
                args = [x[i] for i in places], [y[i] for i in places], fa, fb, d, kind, 25, 24
                d = t_fdpa(*args, LATEST[kind == "f16"])
            c = to_nearest(number(d, kind) + number(c, kind), kind)
        return c

    return answer


def mxf8f6f4(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
    for i, (x, y) in enumerate(zip(batched(a, 32), batched(b, 32), strict=True)):
        c = t_fdpa(x, y, fa, fb, c, "f32", 25, 24, LATEST[0], sa[i] + sb[i] - 254)
    return c


def mxf4(block: int, scale: str) -> Answer:
    """Four exact sums of 16, the scales' exponents aligned; a group of zeros and a zero C show -139."""

    def taken(code: int) -> tuple[Fraction, int]:
        """(significand, exponent) of a scale, its sign ignored."""
        if scale == "e8m0fnu":
            return Fraction(1), code - 127
        m, q, e = take_apart(code & 0x7F, "e4m3fn")
        return Fraction(m) * Fraction(2) ** (q - e), e

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        for first in range(0, len(a), 64):
            terms = []
            for g in range(first, first + 64, 16):
                (ma, ea), (mb, eb) = taken(sa[g // block]), taken(sb[g // block])
                products = [number(x, fa) * number(y, fb) for x, y in zip(a[g : g + 16], b[g : g + 16])]
                nothing = all(p == 0 for p in products) or ma * mb == 0
                terms.append((sum(products) * ma * mb, -139 if nothing else ea + eb))
            mc, qc, ec = take_apart(c, "f32")
            terms.append((Fraction(mc) * Fraction(2) ** (qc - ec), ec if mc else -139))
            top = max(e for _, e in terms)
            total = sum(int(s * Fraction(2) ** (e - top + 35)) for s, e in terms)  # int: toward zero
            c = to_f32_toward_zero(total, top - 35, 24)
        return c

    return answer


def floored(x: Fraction, lsb: int) -> Fraction:
    unit = Fraction(2) ** lsb
    return (x // unit) * unit


def exponent_of(x: Fraction) -> int:
    e = abs(x.numerator).bit_length() - x.denominator.bit_length()
    return e - (Fraction(2) ** e > abs(x))


def matrix_core3(step: int, groups: int) -> Answer:
    """CDNA3: truncation in a group (F = 24), floors where groups and C join (F2 = 31), then to nearest."""

    def joined(x: Codes, y: Codes, fa: str, fb: str) -> tuple[Fraction, int]:
        terms = []
        for p, q in zip(x, y):
            (mx, qx, ex), (my, qy, ey) = take_apart(p, fa), take_apart(q, fb)
            terms.append((mx * my, qx + qy, ex + ey if mx * my else -999))
        top = max(e for _, _, e in terms)
        return Fraction(sum(chop(m, q - (top - 24)) for m, q, _ in terms)) * Fraction(2) ** (top - 24), top

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        for x, y in zip(batched(a, step), batched(b, step), strict=True):
            sums = [joined(x[g::groups], y[g::groups], fa, fb) for g in range(groups)]
            dot = max(e for _, e in sums)
            s = sum(floored(v, dot - 24) for v, _ in sums) if groups > 1 else sums[0][0]
            ec = take_apart(c, "f32")[2]
            top = max(dot, ec)
            late = Fraction(0) if groups > 1 and ec < top - 25 else floored(number(c, "f32"), top - 24)
            s = floored(s, top - 32) + late
            if s:
                s = floored(s, max(exponent_of(s), -126) - 31)
            c = to_nearest(s, "f32")
        return c

    return answer


def matrix_core1(step: int) -> Answer:
    """CDNA1: products and C exactly, one rounding."""

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        for x, y in zip(batched(a, step), batched(b, step), strict=True):
            c = to_nearest(sum((number(p, fa) * number(q, fb) for p, q in zip(x, y)), number(c, "f32")), "f32")
        return c

    return answer


def pairs(step: int, *, flush: bool) -> Answer:
    """Rounded products added two by two, then to C; CDNA2 flushes subnormals everywhere."""

    def flushed(x: Fraction, name: str = "f32") -> Fraction:
        bias = FIELDS[name][2]
        return Fraction(0) if flush and abs(x) < Fraction(2) ** (1 - bias) else x

    def to(x: Fraction) -> Fraction:
        return flushed(number(to_nearest(x, "f32"), "f32"))

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        d = flushed(number(c, "f32"))
        for x, y in zip(batched(a, step), batched(b, step), strict=True):
            level = [to(flushed(number(p, fa), fa) * flushed(number(q, fb), fb)) for p, q in zip(x, y)]
            while len(level) > 1:
                level = [to(u + v) for u, v in batched(level, 2)]
            d = to(d + level[0])
        return to_nearest(d, "f32")

    return answer


def ieee(kind: str, how: str) -> Answer:
    """fma by fma or multiply and add, k upward; or all of K in a tree split at powers of two, C last."""

    def to(x: Fraction) -> Fraction:
        return number(to_nearest(x, kind), kind)

    def tree(values: list[Fraction]) -> Fraction:
        if len(values) == 1:
            return values[0]
        half = 1 << ((len(values) - 1).bit_length() - 1)
        return to(tree(values[:half]) + tree(values[half:]))

    def answer(a: Codes, b: Codes, fa: str, fb: str, c: int, sa: Codes, sb: Codes) -> int:
        products = [number(x, fa) * number(y, fb) for x, y in zip(a, b)]
        d = number(c, kind)
        if how == "pairwise":
            return to_nearest(tree([to(p) for p in products]) + d, kind)
        for p in products:
            d = to(d + (p if how == "fma" else to(p)))
        return to_nearest(d, kind)

    return answer


PUBLISHED: dict[str, Answer] = {
    **{f"{f}.{how}": ieee(f, how) for f in ("f64", "f32", "f16", "bf16") for how in ("fma", "mul-add", "pairwise")},
    "ampere.mma.f64.f64": ieee("f64", "fma"),
    "cdna1.mfma.f32.f32": ieee("f32", "fma"),
    "ada.mma.fp8.f32": tensor_core("ada", 16, 13, "f32", 14),
    "ada.mma.fp8.f16": tensor_core("ada", 16, 13, "f16"),
    "hopper.wgmma.fp8.f32": tensor_core("hopper", 32, 13, "f32", 14),
    "hopper.wgmma.fp8.f16": tensor_core("hopper", 32, 13, "f16"),
    **{f"hopper.mma.fp8.{d}": emulated(d) for d in ("f32", "f16")},
    **{f"{u}.fp8.{d}": tensor_core("blackwell", 32, 25, d) for u in ("blackwell.tcgen05", "sm120.mma")
       for d in ("f32", "f16")},
    "blackwell.mxf8f6f4": mxf8f6f4,
    "blackwell.mxf4": mxf4(32, "e8m0fnu"),
    "blackwell.mxf4nvf4": mxf4(16, "ue4m3"),
    "blackwell.mxf4nvf4.ue8m0": mxf4(16, "e8m0fnu"),
    **{f"{arch}.mma.f16.{d}": tensor_core(arch, step, f, d) for d in ("f32", "f16")
       for arch, step, f in (("volta", 4, 23), ("turing", 8, 24), ("ampere", 8, 24), ("hopper", 16, 25))},
    **{f"{arch}.mma.{t}.f32": tensor_core(arch, step // (2 if t == "tf32" else 1), f, "f32") for t in ("bf16", "tf32")
       for arch, step, f in (("ampere", 8, 24), ("hopper", 16, 25))},
    "cdna3.mfma.fp8.f32": matrix_core3(16, 2),
    "cdna3.mfma.f16.f32": matrix_core3(8, 1),
    "cdna3.mfma.bf16.f32": matrix_core3(8, 1),
    "cdna3.mfma.xf32.f32": matrix_core3(4, 1),
    "cdna1.mfma.f16.f32": matrix_core1(4),
    "cdna1.mfma.bf16.f32": matrix_core1(2),
    "cdna1.mfma.f16.pairwise.f32": pairs(4, flush=False),
    "cdna1.mfma.bf16.pairwise.f32": pairs(2, flush=False),
    "cdna2.mfma.f16.f32": pairs(4, flush=True),
    "cdna2.mfma.bf16.f32": pairs(4, flush=True),
    "cdna2.mfma.bf16.k2.f32": pairs(2, flush=True),
}  # fmt: skip
