"""A second opinion on matrix units: scalar integers, written from the published descriptions, no code of fp8ref.

Numbers are (signed integer, exponent of its unit, exponent field); decoding is done here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

FIELDS = {  # name: exponent width, significand width, bias
    "e4m3fn": (4, 3, 7),
    "e5m2": (5, 2, 15),
    "e4m3fnuz": (4, 3, 8),
    "e5m2fnuz": (5, 2, 16),
    "e3m2fn": (3, 2, 3),
    "e2m3fn": (2, 3, 1),
    "e2m1fn": (2, 1, 1),
    "f16": (5, 10, 15),
    "bf16": (8, 7, 127),
    "tf32": (8, 10, 127),
    "f32": (8, 23, 127),
    "f64": (11, 52, 1023),
}


def take_apart(code: int, name: str) -> tuple[int, int, int]:
    """value = m * 2**(e - width); e is the exponent field's, never normalised."""
    w, t, bias = FIELDS[name]
    field, trailing = (code >> t) & ((1 << w) - 1), code & ((1 << t) - 1)
    m = trailing if field == 0 else trailing + (1 << t)
    return (-m if code >> (w + t) else m), max(field, 1) - bias - t, max(field, 1) - bias


def real(code: int, name: str) -> Fraction:
    m, q, _ = take_apart(code, name)
    return Fraction(m) * Fraction(2) ** q


def chop(m: int, shift: int) -> int:
    """m * 2**shift without its fraction, sign and magnitude apart."""
    if shift >= 0:
        return m << shift
    return -(-m >> -shift) if m < 0 else m >> -shift


def to_f32_toward_zero(total: int, q: int, bits: int) -> int:
    """Bits of total * 2**q cut to ``bits`` significant bits."""
    if total == 0:
        return 0
    sign, m = (1 << 31, -total) if total < 0 else (0, total)
    e = max(m.bit_length() - 1 + q, -126)
    m = chop(m, q - (e - (bits - 1))) << (24 - bits)
    if e > 127:
        return sign | 0x7F800000
    return sign | (((e + 126) << 23) + m if m >> 23 else m)


def to_nearest(value: Fraction, name: str) -> int:
    """IEEE round to nearest even into f16, bf16 or f32, overflow to infinity; zero is +0."""
    w, t, bias = FIELDS[name]
    sign, v = (1 << (w + t), -value) if value < 0 else (0, value)
    if v == 0:
        return 0
    e = v.numerator.bit_length() - v.denominator.bit_length()
    e -= Fraction(2) ** e > v
    e = max(e, 1 - bias)
    units = v / Fraction(2) ** (e - t)
    m, rest = divmod(units.numerator, units.denominator)
    twice = 2 * rest
    m += twice > units.denominator or (twice == units.denominator and m & 1)
    code = ((e + bias - 1) << t) + m
    return sign | min(code, ((1 << w) - 1) << t)


def nvidia_step(
    a: Sequence[int],
    b: Sequence[int],
    fa: str,
    fb: str,
    c: int,
    kind: str,
    fraction: int,
    bits: int,
    shift: int = 0,
) -> int:
    """One fused step of finite operands; ``kind`` is the result format, ``bits`` the bits kept of f32."""
    terms = []
    for x, y in zip(a, b):
        (mx, qx, ex), (my, qy, ey) = take_apart(x, fa), take_apart(y, fb)
        if mx * my:
            terms.append((mx * my, qx + qy + shift, ex + ey + shift))
    if is_infinite(c, kind):
        return c
    mc, qc, ec = take_apart(c, kind)
    if mc:
        terms.append((mc, qc, ec))
    top = max([e for _, _, e in terms] + [-126])
    unit = top - fraction
    total = sum(chop(m, q - unit) for m, q, _ in terms)
    if kind == "f32":
        return to_f32_toward_zero(total, unit, bits)
    return to_nearest(Fraction(total) * Fraction(2) ** unit, kind)


def is_infinite(code: int, name: str) -> bool:
    w, t, _ = FIELDS[name]
    return code & ((1 << (w + t)) - 1) == ((1 << w) - 1) << t


def add(x: int, y: int, kind: str) -> int:
    """x + y to nearest, as NVIDIA adds."""
    if is_infinite(x, kind) and is_infinite(y, kind) and x != y:
        return 0x7FFFFFFF if kind == "f32" else 0x7FFF
    if is_infinite(x, kind) or is_infinite(y, kind):
        return x if is_infinite(x, kind) else y
    return to_nearest(real(x, kind) + real(y, kind), kind)


def runs(n: int, size: int) -> Iterable[slice]:
    return (slice(i, i + size) for i in range(0, n, size))


def nvidia(
    a: Sequence[int], b: Sequence[int], fa: str, fb: str, c: int, kind: str, size: int, fraction: int, bits: int
) -> int:
    """Consecutive steps of ``size`` products."""
    for s in runs(len(a), size):
        c = nvidia_step(a[s], b[s], fa, fb, c, kind, fraction, bits)
    return c


def emulated(a: Sequence[int], b: Sequence[int], fa: str, fb: str, c: int, kind: str) -> int:
    """Hopper's and B200's FP8 mma.sync on the FP16 unit."""
    for s in runs(len(a), 32):
        d = 0
        for lanes in ((0, 1), (2, 3)):
            picked = [i for i in range(s.start, min(s.stop, len(a))) if i % 4 in lanes]
            d = nvidia_step([a[i] for i in picked], [b[i] for i in picked], fa, fb, d, kind, 25, 24)
        c = add(d, c, kind)
    return c


def cdna3_fp8(a: Sequence[int], b: Sequence[int], fa: str, fb: str, c: int) -> int:
    """16 products: even and odd apart, then floors, then C."""

    def exponent(m: int, e: int) -> int:
        return e if m else -126

    for s in runs(len(a), 16):
        groups = []
        for half in (0, 1):
            terms = []
            for x, y in zip(a[s][half::2], b[s][half::2]):
                (mx, qx, ex), (my, qy, ey) = take_apart(x, fa), take_apart(y, fb)
                terms.append((mx * my, qx + qy, exponent(mx, ex) + exponent(my, ey)))
            top = max(e for _, _, e in terms)
            groups.append((sum(chop(m, q - (top - 24)) for m, q, _ in terms), top))
        top = max(e for _, e in groups)
        total = sum(g >> (top - e) for g, e in groups)
        mc, qc, ec = take_apart(c, "f32")
        ec = exponent(mc, ec)
        joint = max(top, ec)
        shift = (top - 24) - (joint - 31)
        total = total << shift if shift >= 0 else total >> -shift
        shift = qc - (joint - 24)
        late = 0 if ec < joint - 25 else mc << shift if shift >= 0 else mc >> -shift
        c = to_nearest(
            Fraction(total) * Fraction(2) ** (joint - 31) + Fraction(late) * Fraction(2) ** (joint - 24), "f32"
        )
    return c
