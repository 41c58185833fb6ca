"""The exact sum of products as units with modes and flags deliver it: rounded once, with the status that it raises.

``dot`` in :mod:`.products` is the same number without status; here are the choices that a unit's manual makes:

- **zero**: ``ieee``: addends that are all zeros of one sign give a zero of that sign; every other sum that is exactly
  zero is +0, under roundTowardNegative -0 [IEEE 754-2019 6.3, said of two addends there].  ``plus``: always +0.
- **C**: a unit without accumulator input has one addend less; an absent C is the addend +0.
- **invalid**: an infinity times a zero, in any lane; infinities of both signs where no addend is a NaN
  [IEEE 754-2019 7.2 b, c, d]; a signalling NaN operand, where ``snan`` is ``ieee``.
- **fixed point**: results in two's complement keep their low bits (``wrap``) or the nearest value (``sat``).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from ..codec import pack, unpack
from ..datum import ZERO, Datum
from ..formats import Format
from ..overflow import Overflow, To
from ..projection import Projection, SNaN, is_signalling, project, round_to_precision
from ..rounding import Rounding
from ..status import Status
from .sums import exact_sum, product

WRAP, IMPOSSIBLE = "wrap", "impossible"  # overflow rules of fixed-point results alone
SATURATE = Overflow(To.MAX, To.MAX)


class Zero(enum.StrEnum):
    """The sign of a sum that is exactly zero."""

    IEEE = "ieee"
    PLUS = "plus"


def exact_dot(
    factors: Iterable[Sequence[tuple[int, Format]]],
    result: Format,
    rho: Projection,
    zero: Zero = Zero.IEEE,
    wrap: bool = False,
) -> tuple[int, Status]:
    """The code of a sum of products of codes, and the exceptions raised.

    ``factors``: of each addend the codes that are multiplied, with their formats; C is an addend of one factor.
    ``wrap``: a fixed-point result keeps its low bits.

    Raises ValueError for codes that a format does not have.
    """
    invalid = False
    addends = []
    for codes in factors:
        data = [unpack(code, f) for code, f in codes]
        invalid |= rho.snan is SNaN.IEEE and any(map(is_signalling, data))
        term = data[0]
        for x in data[1:]:
            made = product(term, x)
            invalid |= made.is_nan and not (term.is_nan or x.is_nan)
            term = made
        addends.append(term)
    total = exact_sum(addends)
    if total.is_nan:
        invalid |= not any(x.is_nan for x in addends)
    elif total.is_zero:
        total = Datum.finite(ZERO, _sign_of_zero(addends, rho.rounding, zero))
    status = Status.INVALID if invalid else Status.NONE
    code, raised = wrapped(total, result, rho) if wrap else projected(total, result, rho)
    return code, status | raised


def _sign_of_zero(addends: Sequence[Datum], rounding: Rounding, zero: Zero) -> int:
    if zero is Zero.PLUS:
        return 0
    signs = {x.sign for x in addends}
    if all(x.is_zero for x in addends) and len(signs) == 1:
        return signs.pop()
    return int(rounding is Rounding.TOWARD_NEGATIVE)


def projected(x: Datum, f: Format, rho: Projection) -> tuple[int, Status]:
    datum, status = project(x, f, rho)
    return pack(datum, f), status


def wrapped(x: Datum, f: Format, rho: Projection) -> tuple[int, Status]:
    """The low bits of a number rounded to the units of a fixed-point format; what is no number goes by ``project``."""
    if not x.is_finite or x.is_zero:
        return projected(x, f, rho)
    rounded, exact = round_to_precision(x.magnitude, bool(x.sign), f, rho.rounding)
    units = int(rounded * 2**f.t) * (-1 if x.sign else 1)
    status = Status.NONE if exact else Status.INEXACT
    if not f.lowest <= (-rounded if x.sign else rounded) <= f.max:
        status = Status.OVERFLOW | Status.INEXACT
    return units & f.code_mask, status
