"""The specification of arithmetic: operands exactly, the result exactly, one projection.

Operands and result may each have their own format; nothing is rounded but the result [IEEE 754-2019 5.1, 5.4.1].  An
operation is one row of :data:`DEFINITIONS`: how many operands it takes, and the exact datum and exceptions that finite
and infinite operands give.  NaN operands are dealt with once, for every row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from ..catalog import get_format
from ..codec import pack
from ..datum import HALF, ZERO, Datum, floor_log2, power_of_two
from ..formats import Format
from ..functions.catalog import FUNCTIONS
from ..projection import Projection, SNaN, is_signalling, operand, project
from ..rounding import OF_CONVERSIONS, RandomBits, Rounding, rounds_away
from ..status import Status
from .definition import INVALID, Context, Definition, Exact, Semantics, exactly, get_semantics

SCALE_LIMIT = 1 << 20  # beyond every exponent that a format has; a larger scale changes no answer


def total(terms: Sequence[Datum], rounding: Rounding) -> Exact:
    """The exact sum.  A sum of zero has the sign that all terms share, else + (- under rtn)  [IEEE 754-2019 6.3]."""
    infinite = {x.sign for x in terms if x.is_infinite}
    if len(infinite) == 2:
        return INVALID
    if infinite:
        return exactly(Datum.infinity(infinite.pop()))
    value = sum((x.value for x in terms), ZERO)
    if value:
        return exactly(Datum.finite(value))
    signs = {x.sign for x in terms}
    return exactly(Datum.finite(ZERO, signs.pop() if len(signs) == 1 else int(rounding is Rounding.TOWARD_NEGATIVE)))


def product(a: Datum, b: Datum) -> Exact:
    """The exact product; 0 times infinity is invalid  [IEEE 754-2019 7.2 b]."""
    sign = a.sign ^ b.sign
    if a.is_infinite or b.is_infinite:
        return INVALID if a.is_zero or b.is_zero else exactly(Datum.infinity(sign))
    return exactly(Datum.finite(a.magnitude * b.magnitude).with_sign(sign))


def _negated(x: Datum) -> Datum:
    return x.with_sign(1 - x.sign)


def _fma(a: Datum, b: Datum, c: Datum, context: Context) -> Exact:
    p, status = product(a, b)
    return INVALID if status else total((p, c), context.rounding)


def _divide(a: Datum, b: Datum, context: Context) -> Exact:
    """[IEEE 754-2019 7.2 e, 7.3; P3109 Divide]"""
    sign = a.sign ^ b.sign
    if b.is_zero:
        if a.is_zero or context.semantics.of_p3109:
            return INVALID
        return Datum.infinity(sign), Status.NONE if a.is_infinite else Status.DIVIDE_BY_ZERO
    if a.is_infinite:
        return INVALID if b.is_infinite else exactly(Datum.infinity(sign))
    if b.is_infinite:
        return exactly(Datum.finite(ZERO, sign))
    return exactly(Datum.finite(a.magnitude / b.magnitude).with_sign(sign))


def _sqrt(x: Datum, context: Context) -> Exact:
    """The square root, or where it is irrational a number that every projection onto the result takes for it.

    [IEEE 754-2019 5.4.1, 7.2 g]  The root is cut to ``k + 70`` bits and half a unit is added if anything was cut: no
    threshold of a rounding, with up to 64 random bits, lies between that and the root.
    """
    if x.is_zero:
        return exactly(x)
    if x.sign:
        return INVALID
    if x.is_infinite:
        return exactly(x)
    scale = context.result.k + 70 - floor_log2(x.magnitude) // 2
    scaled = x.magnitude * power_of_two(2 * scale)
    root = math.isqrt(int(scaled))
    return exactly(Datum.finite((root + (HALF if root * root != scaled else 0)) * power_of_two(-scale)))


def _remainder(x: Datum, y: Datum, context: Context) -> Exact:
    """x - n y with n the integer nearest x/y, the even one of two; a zero has x's sign  [IEEE 754-2019 5.3.1]."""
    if x.is_infinite or y.is_zero:
        return INVALID
    if y.is_infinite:
        return exactly(x)
    rest = x.value - round(x.value / y.value) * y.value  # round(): to nearest, ties to even
    return exactly(Datum.finite(rest) if rest else Datum.finite(ZERO, x.sign))


def _round_to_integral(x: Datum, context: Context) -> Exact:
    """The integral value next to x in the direction of the mode; a zero has x's sign  [IEEE 754-2019 5.3.1, 5.9]."""
    if not x.is_finite:
        return exactly(x)
    kept = int(x.magnitude)
    eta = x.magnitude - kept
    away = rounds_away(context.rounding, eta, kept % 2 == 1, bool(x.sign), context.random)
    return Datum.finite(Fraction(kept + away)).with_sign(x.sign), Status.INEXACT if eta else Status.NONE


def _round_to_integral_quietly(x: Datum, context: Context) -> Exact:
    return _round_to_integral(x, context)[0], Status.NONE


def _log_b(x: Datum, context: Context) -> Exact:
    """The exponent of x's leading bit, subnormals as if normalised  [IEEE 754-2019 5.3.3]."""
    if x.is_infinite:
        return exactly(Datum.infinity())
    if x.is_zero:
        return Datum.infinity(1), Status.DIVIDE_BY_ZERO
    return exactly(Datum.finite(floor_log2(x.magnitude)))


def _scale_b(x: Datum, n: Datum, context: Context) -> Exact:
    """x times 2**n for an integer n  [IEEE 754-2019 5.3.3]."""
    if not x.is_finite:
        return exactly(x)
    bounded = max(-SCALE_LIMIT, min(int(n.value), SCALE_LIMIT))
    return exactly(Datum.finite(x.magnitude * power_of_two(bounded)).with_sign(x.sign))


def order(x: Datum, by_magnitude: bool = False) -> tuple[Fraction, Fraction]:
    """A key that sorts data that are not NaN: -Inf < -0 < +0 < +Inf  [IEEE 754-2019 9.6: -0 compares less than +0]."""
    rank = Fraction(1) if x.is_infinite else ZERO
    if by_magnitude:
        return rank, x.magnitude
    return (-rank, -x.magnitude) if x.sign else (rank, x.magnitude)


def _least(x: Datum, y: Datum) -> Datum:
    if x.is_zero and y.is_zero:
        return x if x.sign >= y.sign else y
    return x if order(x) <= order(y) else y


def _greatest(x: Datum, y: Datum) -> Datum:
    return _negated(_least(_negated(x), _negated(y)))


def _extreme(choose: Callable[[Datum, Datum], Datum], sense: int) -> Callable[[Datum, Datum, Context], Exact]:
    def exact(x: Datum, y: Datum, context: Context) -> Exact:
        if sense and order(x, True) != order(y, True):
            return exactly(x if (order(x, True) < order(y, True)) == (sense < 0) else y)
        return exactly(choose(x, y))

    return exact


def _preferring_finite(choose: Callable[[Datum, Datum], Datum]) -> Callable[[Datum, Datum, Context], Exact]:
    """An infinity loses to every finite number  [P3109 MinimumFinite, MaximumFinite]."""

    def exact(x: Datum, y: Datum, context: Context) -> Exact:
        if x.is_finite != y.is_finite:
            return exactly(x if x.is_finite else y)
        return exactly(choose(x, y))

    return exact


def _clamp(x: Datum, low: Datum, high: Datum, context: Context) -> Exact:
    """x held between two bounds; invalid where low is above high  [P3109 Clamp]."""
    if order(low) > order(high) and not (low.is_zero and high.is_zero):
        return INVALID
    return exactly(_least(_greatest(x, low), high))


def _copy_sign(x: Datum, y: Datum, context: Context) -> Exact:
    return exactly(x.with_sign(y.sign))


_min, _max = _extreme(_least, 0), _extreme(_greatest, 0)
_min_magnitude, _max_magnitude = _extreme(_least, -1), _extreme(_greatest, 1)

DEFINITIONS: dict[str, Definition] = {
    "add": Definition(2, lambda a, b, context: total((a, b), context.rounding)),
    "subtract": Definition(2, lambda a, b, context: total((a, _negated(b)), context.rounding)),
    "multiply": Definition(2, lambda a, b, context: product(a, b)),
    "divide": Definition(2, _divide),
    "remainder": Definition(2, _remainder),
    "sqrt": Definition(1, _sqrt),
    "fma": Definition(3, _fma),  # a b + c
    "faa": Definition(3, lambda a, b, c, context: total((a, b, c), context.rounding)),  # a + b + c  [P3109 FAA]
    "round_to_integral": Definition(1, _round_to_integral_quietly),
    "round_to_integral_exact": Definition(1, _round_to_integral),
    "scale_b": Definition(2, _scale_b, integer=True),
    "log_b": Definition(1, _log_b),
    "minimum": Definition(2, _min, selects=True),
    "maximum": Definition(2, _max, selects=True),
    "minimum_number": Definition(2, _min, prefers_numbers=True, selects=True),
    "maximum_number": Definition(2, _max, prefers_numbers=True, selects=True),
    "minimum_magnitude": Definition(2, _min_magnitude, selects=True),
    "maximum_magnitude": Definition(2, _max_magnitude, selects=True),
    "minimum_magnitude_number": Definition(2, _min_magnitude, True, but_in_the_formal_text=True, selects=True),
    "maximum_magnitude_number": Definition(2, _max_magnitude, True, but_in_the_formal_text=True, selects=True),
    "minimum_finite": Definition(2, _preferring_finite(_least), prefers_numbers=True, selects=True),
    "maximum_finite": Definition(2, _preferring_finite(_greatest), prefers_numbers=True, selects=True),
    "clamp": Definition(3, _clamp, selects=True),
    # the sign operations as P3109 has them: projected onto a result of any format
    "copy": Definition(1, lambda x, context: exactly(x), selects=True),  # Convert
    "negative": Definition(1, lambda x, context: exactly(_negated(x))),
    "absolute": Definition(1, lambda x, context: exactly(x.with_sign(0))),
    "copy_sign": Definition(2, _copy_sign),
    **FUNCTIONS,
}


def require_defined(op: str, result: Format, semantics: Semantics = Semantics.IEEE) -> Definition:
    """The definition of an operation.

    Raises ValueError for an unknown name, and for a result format in which the operation has no defined result.
    No standard defines arithmetic in a format of scales; ``Semantics.SCALES`` is the choice that an exact result
    becomes such a code as an exact value does that is converted.
    """
    definition = DEFINITIONS.get(op)
    if definition is None:
        raise ValueError(f"unknown operation {op!r}; choose from {', '.join(DEFINITIONS)}")
    if not result.zero and not definition.selects and semantics is not Semantics.SCALES:
        raise ValueError(
            f"{op} is undefined in {result.name}: it is a format of scales without a zero, and no standard defines "
            "arithmetic in it [OCP MX 1.0 5.4]; name another result format, or semantics=scales"
        )
    if op == "sqrt" and not result.signed and not result.has_nan:
        raise ValueError(
            f"sqrt is undefined in {result.name}: an invalid operation delivers a NaN [IEEE 754-2019 7.2], and this "
            "unsigned format has none; name another result format"
        )
    return definition


def compute(
    op: str,
    operands: Sequence[Datum],
    result: Format,
    rho: Projection,
    semantics: Semantics = Semantics.IEEE,
    random: RandomBits | None = None,
) -> tuple[Datum, Status]:
    """The datum of ``result`` that an operation on data delivers, and the exceptions raised.  This is the definition.

    A NaN operand gives a NaN: the first in order, where the projection's ``nan`` asks about sign or payload; a
    signalling one raises invalid [IEEE 754-2019 6.2].  fma raises invalid for 0 times infinity plus a NaN too, which
    the standard leaves open [7.2 c] and RISC-V and Arm do.

    Raises ValueError for unknown operations, wrong arities and results that are undefined.
    """
    definition = require_defined(op, result, semantics)
    if rho.rounding in OF_CONVERSIONS:
        raise ValueError(f"rounding {rho.rounding.value!r} adds to the bits of a source: it belongs to conversions")
    if len(operands) != (definition.arity or max(len(operands), 1)):
        raise ValueError(f"{op} takes {definition.arity} operand(s), not {len(operands)}")
    if semantics.of_p3109:  # external formats: -0 is 0, every NaN is the NaN
        operands = [Datum.nan() if x.is_nan else x.with_sign(0) if x.is_zero else x for x in operands]
    context = Context(result, rho.rounding, semantics, random)
    signals = rho.snan is SNaN.IEEE and any(is_signalling(x) for x in operands)
    nans = [x for x in operands if x.is_nan]
    status = Status.NONE
    known = definition.despite_nan(operands, semantics) if definition.despite_nan and nans and not signals else None
    if known is not None:
        exact, status = known
    elif not nans:
        exact, status = definition.exact(*operands, context)
    elif definition.drops_nan(semantics) and len(nans) < len(operands):
        exact = next(x for x in operands if not x.is_nan)
    else:
        exact = nans[0]
        if op == "fma" and not (operands[0].is_nan or operands[1].is_nan):
            status = product(operands[0], operands[1])[1]
    if semantics.of_p3109 and exact.is_zero:
        exact = exact.with_sign(0)
    datum, raised = project(exact, result, rho, random)
    if signals:
        raised |= Status.INVALID
    if semantics.of_p3109 and datum.is_zero:
        datum = datum.with_sign(0)
    return datum, raised | status


def compute_codes(
    op: str,
    codes: Sequence[int],
    formats: Sequence[Format | str],
    result: Format | str,
    rho: Projection,
    semantics: Semantics | str = Semantics.IEEE,
    random: RandomBits | None = None,
) -> tuple[int, Status]:
    """:func:`compute` on codes; the last operand of ``scale_b``, ``pown``, ``rootn`` and ``compound`` is an integer.

    >>> from fp8ref.spec import get_format, get_projection
    >>> f = get_format("e4m3fn")
    >>> compute_codes("add", [0x38, 0x38], [f, f], f, get_projection(f))
    (64, <Status.NONE: 0>)
    """
    to = get_format(result)
    data = [operand(code, get_format(f), rho) for code, f in zip(codes, formats)]
    if require_defined(op, to, get_semantics(semantics)).integer:
        data = [*data[: len(codes) - 1], Datum.finite(codes[-1])]
    datum, status = compute(op, data, to, rho, get_semantics(semantics), random)
    return pack(datum, to), status
