"""What a row of the specification's operations is: arity, exact result, and whose special values."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..datum import Datum
from ..formats import Format
from ..rounding import RandomBits, Rounding
from ..status import Status


class Semantics(enum.StrEnum):
    """Whose rules the special values follow."""

    IEEE = "ieee"  # IEEE 754-2019: signed zeros, x/0 is an infinity and divideByZero
    P3109 = "p3109"  # P3109 v4.0 draft: one zero, one NaN, x/0 is NaN for every x
    FORMAL = "p3109-formal"  # the working group's formal text of July 2026, where it differs from the report
    SCALES = "scales"  # IEEE's, and formats of scales without a zero (E8M0) take the result as conversions do

    @property
    def of_p3109(self) -> bool:
        """One zero, one NaN, no flags."""
        return self in (Semantics.P3109, Semantics.FORMAL)


def get_semantics(name: Semantics | str) -> Semantics:
    """Raises ValueError with the choices for an unknown name."""
    try:
        return Semantics(name)
    except ValueError:
        raise ValueError(f"unknown semantics {name!r}; choose from {', '.join(Semantics)}") from None


@dataclass(frozen=True, slots=True)
class Context:
    """What an exact result may depend on besides its operands.

    ``scale``: the format of a scale by which the result is divided before it is rounded.
    """

    result: Format
    rounding: Rounding
    semantics: Semantics
    random: RandomBits | None = None
    scale: Format | None = None


Exact = tuple[Datum, Status]
INVALID: Exact = (Datum.nan(), Status.INVALID)


def exactly(x: Datum) -> Exact:
    return x, Status.NONE


@dataclass(frozen=True)
class Definition:
    """An operation: its arity (0: a row of any number), its exact result, and what becomes of NaN operands.

    ``despite_nan`` gives the result that does not depend on an operand that is a quiet NaN, or None where it does
    depend on it; it takes the operands and the semantics.
    """

    arity: int
    exact: Callable[..., Exact]
    prefers_numbers: bool = False  # a number wins over a NaN (the Number forms)
    but_in_the_formal_text: bool = False  # where P3109's formal text, unlike its report, has the NaN
    selects: bool = False  # gives back an operand, and so makes no value that its formats lack
    integer: bool = False  # the last operand is an integer, not a code
    despite_nan: Callable[[Sequence[Datum], Semantics], Exact | None] | None = None

    def drops_nan(self, semantics: Semantics) -> bool:
        """Is a NaN operand left out where another is a number?"""
        return self.prefers_numbers and not (self.but_in_the_formal_text and semantics is Semantics.FORMAL)
