"""Recipes on one group of exact numbers: the steps of ``steps.py`` over rationals, one rounding for every operation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from ..catalog import get_format
from ..codec import pack, unpack
from ..datum import ZERO, Datum, floor_log2, power_of_two
from ..formats import Format
from ..matrix.accumulate import F32, exact_sum, product, rounded, rounded_sum
from ..projection import encode
from .binary32 import ONE, over, times
from .recipe import Recipe
from .steps import Scaled, four_or_six, scale_of, scaled_element, tensor_stored, value_of

NAN = Datum.nan()
BINARY64 = get_format("f64")
LOG_BITS = 80  # bits of a logarithm's fraction: twice what a binary32 next to 1 needs
# signs of TransformerEngine's random Hadamard transform: + + + - + - - - - - - + - + - -
RHT_SIGNS = tuple(-1 if c == "-" else 1 for c in "+++-+------+-+--")


def log2(x: Datum) -> Datum:
    """The logarithm to base 2, correctly rounded to binary32."""
    if x.is_nan or (x.sign and not x.is_zero):
        return NAN
    if x.is_infinite:
        return x
    if x.is_zero:
        return Datum.infinity(1)
    e = floor_log2(x.magnitude)
    rest = x.magnitude / power_of_two(e)
    if rest == 1:
        return Datum.finite(e)
    width = 2 * LOG_BITS  # squaring doubles the error of 2^-width at every bit
    y, digits = int(rest * (1 << width)), 0
    for _ in range(LOG_BITS):
        y = y * y >> width
        digits <<= 1
        if y >> (width + 1):
            y, digits = y >> 1, digits | 1
    # a logarithm of a rational that is no power of two is irrational: it lies inside the last digit
    return rounded(Datum.finite(e + Fraction(2 * digits + 1, 1 << (LOG_BITS + 1))), F32)


def _bits(x: Datum) -> int:
    return pack(x, F32)


class Exact:
    """The arithmetic of :class:`~fp8ref.spec.scaling.operations.Arithmetic` on exact data."""

    def number(self, x: Fraction | str, type_name: str = "f32") -> Datum:
        if isinstance(x, str):
            return NAN if x == "nan" else Datum.infinity()
        return rounded(Datum.finite(x), get_format(type_name))

    def times(self, x: Datum, y: Datum) -> Datum:
        return times(x, y)

    def over(self, x: Datum, y: Datum) -> Datum:
        return over(x, y)

    def plus(self, x: Datum, y: Datum) -> Datum:
        return rounded_sum(x, y, F32)

    def minus(self, x: Datum, y: Datum) -> Datum:
        return rounded_sum(x, y.with_sign(1 - y.sign), F32)

    def over_wide(self, x: Fraction, y: Datum, least: str) -> Datum:
        if y.is_nan:
            return y
        if y.is_infinite:
            return Datum.finite(ZERO)
        floor_ = rounded(Datum.finite(Fraction(least)), BINARY64).magnitude
        divisor = max(y.magnitude, floor_)
        if divisor == 0:
            return Datum.infinity()
        return rounded(rounded(Datum.finite(x / divisor), BINARY64), F32)

    def magnitude(self, x: Datum) -> Datum:
        return x.with_sign(0)

    def to(self, x: Datum, type_name: str) -> Datum:
        return rounded(x, get_format(type_name))

    def below(self, x: Datum, y: Datum) -> bool:
        if x.is_nan or y.is_nan or self.equal(x, y):
            return False
        if x.is_infinite or y.is_infinite:
            return bool(x.sign) if x.is_infinite else not y.sign
        return x.value < y.value

    def equal(self, x: Datum, y: Datum) -> bool:
        if x.is_nan or y.is_nan:
            return False
        if x.is_infinite or y.is_infinite:
            return x.kind is y.kind and x.sign == y.sign
        return x.value == y.value

    def is_nan(self, x: Datum) -> bool:
        return x.is_nan

    def choose(self, mask: bool, x: Datum, y: Datum) -> Datum:
        return x if mask else y

    def field(self, x: Datum) -> Datum:
        return Datum.finite(_bits(x) >> 23 & 0xFF)

    def ragged(self, x: Datum) -> Datum:
        return Datum.finite(int(_bits(x) & 0x7FFFFF != 0))

    def more(self, x: Datum, steps: int) -> Datum:
        if not x.is_finite:
            return x
        bits = _bits(x) + steps
        return Datum.infinity() if bits >= 0x7F800000 else unpack(bits, F32)

    def cut(self, x: Datum) -> Datum:
        return x if x.is_nan else unpack(_bits(x) & 0xFF800000, F32)

    def log2(self, x: Datum) -> Datum:
        return log2(x)

    def floor(self, x: Datum) -> Datum:
        return Datum.finite(floor(x.value)) if x.is_finite else x

    def ceil(self, x: Datum) -> Datum:
        return Datum.finite(ceil(x.value)) if x.is_finite else x

    def nearest(self, x: Datum) -> Datum:
        return Datum.finite(round(x.value)) if x.is_finite else x

    def exp2(self, n: Datum) -> Datum:
        if n.is_nan:
            return n
        if n.is_infinite:
            return Datum.finite(ZERO) if n.sign else n
        return rounded(Datum.finite(power_of_two(int(n.value))), F32)

    def modulo(self, n: Datum) -> Datum:
        return Datum.finite(int(n.value) % 256 if n.is_finite else 0)

    def code(self, x: Datum, how: str) -> Datum:
        return Datum.finite(stored_code(x, how))

    def decoded(self, code: Datum, how: str) -> Datum:
        f = get_format(how.partition(".")[0])
        n = int(code.value)
        if how == "e4m3fn.gguf" and n == 0x7F:
            return Datum.finite(ZERO)
        return unpack(n, f)


def stored_code(x: Datum, how: str) -> int:
    """The code of a scale in a stored format: rounded to nearest even and saturating but for three conversions.

    ``e8m0.rp``: rounded up, as the instruction does: NaN FF, above 2^127 FE, at most 2^-127 00.  ``e4m3fn.gguf``: the
    fourth fraction bit alone decides; from 256 on 7E; below the normal range units of 2^-9, halves up.  ``.up``:
    rounded up, saturating.
    """
    if how == "e8m0.rp":
        if x.is_nan:
            return 0xFF
        if x.is_infinite:
            return 0xFE
        if x.is_zero:
            return 0
        e = floor_log2(x.magnitude)
        return min(max(e + (x.magnitude != power_of_two(e)) + 127, 0), 254)
    if how == "e4m3fn.gguf":
        return _gguf_code(x)
    if how.endswith(".up"):
        return encode(x, get_format(how.removesuffix(".up")), "rtp", "sat")[0]
    return encode(x, get_format(how))[0]


def _gguf_code(x: Datum) -> int:
    if x.is_nan or x.is_zero or x.sign:
        return 0
    if x.is_infinite or x.magnitude >= 256:
        return 0x7E
    e = floor_log2(x.magnitude)
    if e < -6:
        units = floor(
            rounded_sum(rounded(Datum.finite(x.magnitude * 512), F32), Datum.finite(Fraction(1, 2)), F32).value
        )
        return min(units, 8)
    sixteenths = floor(x.magnitude / power_of_two(e) * 16) - 16
    return min(((e + 7) << 3) + (sixteenths + 1) // 2, 0x7E)


def amax_of(r: Recipe, xs: Sequence[Datum]) -> Datum:
    """The largest magnitude of a group, by the recipe's rule for NaNs."""
    if r.amax == "keep" and any(x.is_nan for x in xs):
        return NAN
    best = Datum.finite(ZERO)
    for x in xs:
        size = x if r.amax == "signed" else x.with_sign(0)
        if Exact().below(best, size):
            best = size
    return best


def element_code(y: Datum, r: Recipe, step: Datum) -> int:
    """The code of a scaled element; ``step`` is the group's scale."""
    f = r.format
    exact_zero = y.is_zero
    if y.is_nan:
        code = {"+max": f.max_code, "-max": f.sign_bit | f.max_code, "zero": 0}.get(r.nan)
        code = encode(y, f, "rne", r.overflow)[0] if code is None else code
        exact_zero = r.nan == "zero"
    elif r.zeros == "plus" and exact_zero:
        code = 0
    elif r.rounding == "down":
        code = _nearest_down(y, f)
    else:
        code = encode(y, f, r.rounding if r.rounding != "first" else "rne", r.overflow)[0]
    magnitude = code & f.magnitude_mask
    if r.zeros == "none" and magnitude == 0 and not (f.is_nan_code(code)):
        return 0
    if r.zeros == "minus" and magnitude == 0 and exact_zero:
        return f.sign_bit
    return code


def _nearest_down(y: Datum, f: Format) -> int:
    """To nearest, ties toward zero; saturating."""
    if y.is_infinite:
        return y.sign * f.sign_bit | f.max_code
    below = encode(y, f, "rtz", "sat")[0]
    at = below & f.magnitude_mask
    middle = (f.magnitude(at) + f.magnitude(at + 1)) / 2
    up = at < f.max_code and y.magnitude > middle
    return y.sign * f.sign_bit | (at + up)


def _first_nearest(x: Datum, step: Datum, f: Format) -> int:
    """The first of all codes, +0 first, whose value times the scale is nearest to x in binary32: ties to the first."""
    m = Exact()
    best, least = 0, m.magnitude(m.minus(m.times(unpack(0, f), step), x))
    for code in (*range(1, f.max_code + 1), *range(f.sign_bit + 1, f.sign_bit + f.max_code + 1)):
        error = m.magnitude(m.minus(m.times(unpack(code, f), step), x))
        if m.below(error, least):
            best, least = code, error
    return best


def transformed(r: Recipe, xs: Sequence[Datum], source: str) -> list[Datum]:
    """The elements after the recipe's transformation: exact sums, rounded once to the source's type."""
    if r.transform == "none":
        return list(xs)
    if len(xs) % 16:
        raise ValueError(f"transform={r.transform} takes rows of 16 elements, not {len(xs)}")
    out = []
    for start in range(0, len(xs), 16):
        part = xs[start : start + 16]
        out += [_hadamard_sum(part, column, source) for column in range(16)]
    return out


def _hadamard_sum(part: Sequence[Datum], column: int, source: str) -> Datum:
    signs = (RHT_SIGNS[k] * (-1) ** (k & column).bit_count() for k in range(16))
    total = exact_sum([x if sign > 0 else x.with_sign(1 - x.sign) for sign, x in zip(signs, part)])
    return rounded(product(total, Datum.finite(Fraction(1, 4))), get_format(source))


def quantize_group(
    r: Recipe, xs: Sequence[Datum], source: str = "f32", whole: Datum | None = None
) -> tuple[int, list[int]]:
    """The code of the stored scale and the codes of the elements of one group.

    ``source``: the type of the elements, f32, bf16 or f16.  ``whole``: the largest magnitude of the tensor, for recipes
    with two levels.  A scale in binary32 is given by its bits.
    """
    if r.rounding == "sr-ptx":
        raise ValueError("a recipe with stochastic rounding needs random bits: use scale_blocks")
    if (whole is None) != (r.tensor == "none"):
        raise ValueError(f"{r}: {'the largest magnitude of the tensor is needed' if whole is None else 'one level'}")
    xs = transformed(r, xs, source)
    m = Exact()
    a = amax_of(r, xs)
    s: Scaled
    if r.choose == "none":
        s = scale_of(r, m, a, source, whole)
    else:
        six, four, better = four_or_six(r, m, a, xs, whole, source)
        s = four if better else six
    stored = pack(NAN if s.stored.is_nan else s.stored, F32) if r.stored == "f32" else int(s.stored.value)
    if s.blank:
        return stored, [0] * len(xs)
    if r.rounding == "first":
        return stored, [_first_nearest(x, s.step, r.format) for x in xs]
    return stored, [element_code(scaled_element(r, m, x, s, source), r, s.step) for x in xs]


def fake_group(r: Recipe, xs: Sequence[Datum], source: str = "f32", whole: Datum | None = None) -> list[Datum]:
    """The values of one group after it is quantised and decoded, in the source's type: see :func:`quantize_group`."""
    m = Exact()
    stored, codes = quantize_group(r, xs, source, whole)
    used = None
    if r.values in ("undo", "back"):
        used = scale_of(r, m, amax_of(r, transformed(r, xs, source)), source, whole)
    if r.stored == "f32":
        d = unpack(stored, F32)
        d = over(ONE, d) if r.keeps == "multiplier" else d
    else:
        d = m.decoded(Datum.finite(stored), r.stored)
    tensor = None if whole is None else tensor_stored(r, m, whole)
    return [value_of(r, m, unpack(code, r.format), d, tensor, used, source) for code in codes]
