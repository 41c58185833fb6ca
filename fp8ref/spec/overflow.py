"""What becomes of a rounded value beyond the largest finite one, and of an infinity.

The two questions are independent (converters exist that saturate the first and keep the second), so an overflow rule
is a pair: what a **finite** overflow becomes, and what an **infinite** input becomes.  Overflow is judged on the
rounded value, never on the input [OCP OFP8 1.0 5.2.1; IEEE 754-2019 7.4; P3109 Saturate].
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .datum import Datum
from .formats import Format
from .rounding import Rounding


class To(enum.StrEnum):
    """What an overflow becomes."""

    MAX = "max"  # the extreme finite value of that sign
    IEEE = "ieee"  # infinity, or the extreme finite value where the mode of rounding stays at it
    INF = "inf"
    NAN = "nan"


@dataclass(frozen=True, slots=True)
class Overflow:
    """An overflow rule for one format: (what a finite overflow, what an infinite input becomes)."""

    finite: To
    infinite: To

    def __str__(self) -> str:
        return f"{self.finite}-{self.infinite}"


OverflowLike = Overflow | tuple[str, str] | str


def _infinity_or(f: Format, *fallbacks: To) -> To:
    if f.infinities:
        return To.INF
    return next((to for to in fallbacks if to is not To.NAN or f.has_nan), To.MAX)


NAMED = {
    # OCP OFP8 saturating; P3109 SatFinite
    "sat": lambda f: Overflow(To.MAX, To.MAX),
    # P3109 SatPropagate
    "satprop": lambda f: Overflow(To.MAX, _infinity_or(f, To.MAX)),
    # OCP OFP8 non-saturating
    "nonsat": lambda f: Overflow(To.IEEE, _infinity_or(f, To.NAN)),
}


def default_overflow(f: Format) -> str:
    """The overflow rule of a result for which none is named.

    ``sat`` is a rule for storage in narrow formats, so it is the default of results of at most 8 bits; wider ones
    follow IEEE 754: ``nonsat``.
    """
    return "sat" if f.k <= 8 else "nonsat"


def get_overflow(rule: OverflowLike | None, f: Format) -> Overflow:
    """The overflow rule of a name, a pair of names or ``finite-infinite`` text, checked against the format.

    None stands for the format's default.

    >>> from fp8ref.spec import get_format
    >>> str(get_overflow("nonsat", get_format("e4m3fn"))), str(get_overflow("nonsat", get_format("e5m2")))
    ('ieee-nan', 'ieee-inf')

    Raises ValueError for an unknown name, and for a rule that the format cannot follow (``inf`` without infinities,
    ``nan`` without NaN).
    """
    given = rule
    if rule is None:
        rule = default_overflow(f)
    if isinstance(rule, str):
        if rule in NAMED:
            return NAMED[rule](f)
        rule = tuple(rule.split("-"))  # type: ignore[assignment]
    pair: tuple[str, str] = (rule.finite, rule.infinite) if isinstance(rule, Overflow) else rule  # type: ignore[assignment]
    try:
        finite, infinite = pair
        found = Overflow(To(finite), To(infinite))
    except (TypeError, ValueError):
        raise ValueError(
            f"unknown overflow rule {given!r:.80}; choose sat, satprop, nonsat, or a pair (finite, infinite) of "
            f"{', '.join(To)}"
        ) from None
    for which, to in (("finite", found.finite), ("infinite", found.infinite)):
        if to is To.INF and not f.infinities:
            raise ValueError(f"overflow {given!r}: {f.name} has no infinity for {which} overflows to become")
        if to is To.NAN and not f.has_nan:
            raise ValueError(f"overflow {given!r}: {f.name} has no NaN for {which} overflows to become")
    return found


def keeps_order(rule: Overflow, f: Format) -> bool:
    """Does a larger input never get a smaller answer, NaN being beyond infinity?

    >>> from fp8ref.spec import get_format
    >>> f = get_format("e5m2")
    >>> [keeps_order(get_overflow(rule, f), f) for rule in ("sat", "nonsat", "ieee-max")]
    [True, True, False]
    """
    rank = {To.MAX: 0, To.INF: 1, To.NAN: 2}
    finite, infinite = (_infinity_or(f, To.NAN) if to is To.IEEE else to for to in (rule.finite, rule.infinite))
    return rank[infinite] >= rank[finite]


def _extreme(f: Format, negative: bool) -> Datum:
    return Datum.finite(f.lowest, 1 if f.signed else 0) if negative else Datum.finite(f.max)


def resolve(rule: Overflow, f: Format, rounding: Rounding, negative: bool, *, infinite: bool) -> Datum:
    """The datum that an overflow of that sign becomes: a rounded value too large, or (``infinite``) an infinity.

    ``ieee``: modes that point back toward zero, and round to odd, deliver the extreme finite value [IEEE 754-2019 7.4;
    to odd as SoftFloat, Arm and RISC-V do, where that value is odd]; every other mode delivers infinity, else NaN, else
    the extreme finite value.  An infinity was not rounded, so no mode points back from it.  An unsigned format has no
    negative infinity: ``inf`` there is the extreme value if finite overflows saturate, else NaN [P3109 Saturate].
    """
    to = rule.infinite if infinite else rule.finite
    if to is To.IEEE:
        toward_zero = Rounding.TOWARD_POSITIVE if negative else Rounding.TOWARD_NEGATIVE
        stays = rounding in (Rounding.TOWARD_ZERO, Rounding.TO_ODD, toward_zero)
        to = To.MAX if stays and not infinite else _infinity_or(f, To.NAN)
    if to is To.INF and negative and not f.signed:
        to = To.MAX if rule.finite is To.MAX else To.NAN
    if to is To.MAX:
        return _extreme(f, negative)
    return Datum.infinity(int(negative)) if to is To.INF else Datum.nan(int(negative))
