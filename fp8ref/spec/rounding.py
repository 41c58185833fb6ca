"""Rounding, as one table: given what would be discarded, does the magnitude go away from zero?

``eta`` is the discarded part in ulps, 0 <= eta < 1; ``odd`` tells whether the code below is odd; ``negative`` is the
sign.  The table is the whole definition of the deterministic modes [IEEE 754-2019 4.3; P3109 RoundToPrecision].  The
stochastic modes are pure functions of eta and given random bits, so that they can be checked like any other.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .datum import HALF


class Rounding(enum.StrEnum):
    """Rounding modes; the value is the short name used in operation ids."""

    TIES_TO_EVEN = "rne"
    TIES_TO_AWAY = "rna"
    TOWARD_ZERO = "rtz"
    TOWARD_POSITIVE = "rtp"
    TOWARD_NEGATIVE = "rtn"
    TO_ODD = "rto"
    STOCHASTIC_A = "sr-a"
    STOCHASTIC_B = "sr-b"
    STOCHASTIC_C = "sr-c"

    @property
    def is_stochastic(self) -> bool:
        return self in STOCHASTIC

    @property
    def long_name(self) -> str:
        return LONG_NAMES[self]


LONG_NAMES = {
    Rounding.TIES_TO_EVEN: "roundTiesToEven",
    Rounding.TIES_TO_AWAY: "roundTiesToAway",
    Rounding.TOWARD_ZERO: "roundTowardZero",
    Rounding.TOWARD_POSITIVE: "roundTowardPositive",
    Rounding.TOWARD_NEGATIVE: "roundTowardNegative",
    Rounding.TO_ODD: "roundToOdd",
    Rounding.STOCHASTIC_A: "StochasticA",
    Rounding.STOCHASTIC_B: "StochasticB",
    Rounding.STOCHASTIC_C: "StochasticC",
}

ROUNDS_AWAY: dict[Rounding, Callable[[Fraction, bool, bool], bool]] = {
    Rounding.TIES_TO_EVEN: lambda eta, odd, negative: eta > HALF or (eta == HALF and odd),
    Rounding.TIES_TO_AWAY: lambda eta, odd, negative: eta >= HALF,
    Rounding.TOWARD_ZERO: lambda eta, odd, negative: False,
    Rounding.TOWARD_POSITIVE: lambda eta, odd, negative: eta > 0 and not negative,
    Rounding.TOWARD_NEGATIVE: lambda eta, odd, negative: eta > 0 and negative,
    Rounding.TO_ODD: lambda eta, odd, negative: eta > 0 and not odd,
}

DETERMINISTIC = tuple(ROUNDS_AWAY)


@dataclass(frozen=True, slots=True)
class RandomBits:
    """``value`` out of ``width`` random bits, 0 <= value < 2**width: the R and N of P3109."""

    value: int
    width: int

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 64 or not 0 <= self.value < 1 << self.width:
            raise ValueError(f"random bits: {self.value} is not an integer of {self.width} bits (1 to 64)")


def _floor(x: Fraction) -> int:
    return x.numerator // x.denominator


def _ties_to_even(x: Fraction) -> int:
    below = _floor(x)
    return below + ROUNDS_AWAY[Rounding.TIES_TO_EVEN](x - below, below % 2 == 1, False)


# [P3109 4.6.2 RoundToPrecision] N random bits, R their value
STOCHASTIC: dict[Rounding, Callable[[Fraction, int, int], bool]] = {
    Rounding.STOCHASTIC_A: lambda eta, R, N: _floor(eta * 2**N) + R >= 2**N,
    Rounding.STOCHASTIC_B: lambda eta, R, N: _floor(eta * 2 ** (N + 1)) + (2 * R + 1) >= 2 ** (N + 1),
    Rounding.STOCHASTIC_C: lambda eta, R, N: _ties_to_even(eta * 2**N) + R >= 2**N,
}


def rounds_away(mode: Rounding, eta: Fraction, odd: bool, negative: bool, random: RandomBits | None = None) -> bool:
    """Does a magnitude with ``eta`` ulps to discard go to the next larger one?

    Raises ValueError where a stochastic mode is given no random bits.
    """
    if mode in ROUNDS_AWAY:
        return bool(ROUNDS_AWAY[mode](eta, odd, negative))
    if random is None:
        raise ValueError(f"rounding {mode.value!r} needs random bits")
    return STOCHASTIC[mode](eta, random.value, random.width)


def get_rounding(name: Rounding | str) -> Rounding:
    """The rounding mode of a short or long name.  Raises ValueError with the choices for any other.

    >>> get_rounding("roundTiesToEven").value
    'rne'
    """
    if isinstance(name, str):
        for mode, long in LONG_NAMES.items():
            if name in (mode.value, long):
                return mode
    raise ValueError(f"unknown rounding {name!r}; choose from {', '.join(m.value for m in Rounding)}")
