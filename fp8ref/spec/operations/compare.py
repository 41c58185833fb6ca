"""Comparison, total order and classification  [IEEE 754-2019 5.7.2, 5.10, 5.11; P3109 v4.0 TotalOrder]."""

from __future__ import annotations

import enum
from fractions import Fraction

from ..datum import ZERO, Datum
from ..formats import Format
from ..projection import SNaN, is_signalling
from ..status import Status
from .definition import Semantics


class Relation(enum.IntEnum):
    """Exactly one of the four holds between any two data."""

    LESS = 0
    EQUAL = 1
    GREATER = 2
    UNORDERED = 3


_L, _E, _G, _U = Relation

# predicate -> the relations that make it true
PREDICATES: dict[str, frozenset[Relation]] = {
    "eq": frozenset({_E}),
    "ne": frozenset({_L, _G, _U}),
    "lt": frozenset({_L}),
    "le": frozenset({_L, _E}),
    "gt": frozenset({_G}),
    "ge": frozenset({_G, _E}),
    "lg": frozenset({_L, _G}),
    "un": frozenset({_U}),
    "ord": frozenset({_L, _E, _G}),
    "nlt": frozenset({_E, _G, _U}),
    "nle": frozenset({_G, _U}),
    "ngt": frozenset({_L, _E, _U}),
    "nge": frozenset({_L, _U}),
    "nlg": frozenset({_E, _U}),
}
# what programming languages call by ==, != and isunordered does not signal  [IEEE 754-2019 5.11]
QUIET = frozenset({"eq", "ne", "un", "ord"})


def relation(x: Datum, y: Datum) -> Relation:
    """How x stands to y; the two zeros are equal, a NaN is unordered with everything."""
    if x.is_nan or y.is_nan:
        return Relation.UNORDERED
    a, b = _place(x), _place(y)
    return Relation.LESS if a < b else Relation.EQUAL if a == b else Relation.GREATER


def _place(x: Datum) -> tuple[int, Fraction]:
    if x.is_infinite:
        return (-1 if x.sign else 1), ZERO
    return 0, x.value


def predicate_relations(predicate: str) -> frozenset[Relation]:
    """Raises ValueError with the choices for an unknown predicate."""
    if predicate not in PREDICATES:
        raise ValueError(f"unknown predicate {predicate!r}; choose from {', '.join(PREDICATES)}")
    return PREDICATES[predicate]


def compare(
    predicate: str, x: Datum, y: Datum, signalling: bool | None = None, snan: SNaN = SNaN.IEEE
) -> tuple[bool, Status]:
    """Does the predicate hold?  Invalid where a NaN signals, and for any NaN in the signalling form.

    ``signalling``: None takes the form that programming languages use: quiet for eq, ne, un, ord, else signalling.
    """
    holds = relation(x, y) in predicate_relations(predicate)
    loud = predicate not in QUIET if signalling is None else signalling
    invalid = (loud and (x.is_nan or y.is_nan)) or (snan is SNaN.IEEE and (is_signalling(x) or is_signalling(y)))
    return holds, Status.INVALID if invalid else Status.NONE


def total_order(x: Datum, y: Datum, semantics: Semantics = Semantics.IEEE) -> bool:
    """Is x at or before y?  -NaN, -Inf, ..., -0, +0, ..., +Inf, +NaN; NaNs by payload, signalling ones nearer to zero.

    P3109's one NaN comes first.
    """
    return total_key(x, semantics) <= total_key(y, semantics)


def total_key(x: Datum, semantics: Semantics = Semantics.IEEE) -> tuple[int, Fraction, int]:
    """A key that sorts data in the total order."""
    side = -1 if x.sign else 1
    if x.is_nan:
        return (-3, ZERO, 0) if semantics.of_p3109 else (2 * side, side * x.payload, 0)
    if x.is_infinite:
        return side, ZERO, 0
    return 0, x.value, 0 if semantics.of_p3109 else -x.sign


class Class(enum.IntEnum):
    """The ten classes of IEEE 754-2019 5.7.2, in the order of RISC-V fclass."""

    NEGATIVE_INFINITY = 0
    NEGATIVE_NORMAL = 1
    NEGATIVE_SUBNORMAL = 2
    NEGATIVE_ZERO = 3
    POSITIVE_ZERO = 4
    POSITIVE_SUBNORMAL = 5
    POSITIVE_NORMAL = 6
    POSITIVE_INFINITY = 7
    SIGNALLING_NAN = 8
    QUIET_NAN = 9


# is... predicates: the classes in which they hold  [IEEE 754-2019 5.7.2]
CLASS_PREDICATES: dict[str, frozenset[Class]] = {
    "isnan": frozenset({Class.SIGNALLING_NAN, Class.QUIET_NAN}),
    "issignalling": frozenset({Class.SIGNALLING_NAN}),
    "isinf": frozenset({Class.NEGATIVE_INFINITY, Class.POSITIVE_INFINITY}),
    "isfinite": frozenset(c for c in Class if 1 <= c <= 6),
    "isnormal": frozenset({Class.NEGATIVE_NORMAL, Class.POSITIVE_NORMAL}),
    "issubnormal": frozenset({Class.NEGATIVE_SUBNORMAL, Class.POSITIVE_SUBNORMAL}),
    "iszero": frozenset({Class.NEGATIVE_ZERO, Class.POSITIVE_ZERO}),
}


def classify(x: Datum, f: Format) -> Class:
    """The class of a datum of a format.  Fixed point has no subnormals."""
    if x.is_nan:
        return Class.SIGNALLING_NAN if is_signalling(x) else Class.QUIET_NAN
    if x.is_infinite:
        return Class.NEGATIVE_INFINITY if x.sign else Class.POSITIVE_INFINITY
    if x.is_zero:
        return Class.NEGATIVE_ZERO if x.sign else Class.POSITIVE_ZERO
    if not f.fixed_point and x.magnitude < f.min_normal:
        return Class.NEGATIVE_SUBNORMAL if x.sign else Class.POSITIVE_SUBNORMAL
    return Class.NEGATIVE_NORMAL if x.sign else Class.POSITIVE_NORMAL
