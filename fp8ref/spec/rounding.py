"""Rounding, as one table: given what would be discarded, does the magnitude go away from zero?

``eta`` is the discarded part in ulps, 0 <= eta < 1; ``odd`` says whether the code below is odd; ``negative`` is the
sign.  The table is the whole definition of the deterministic modes [IEEE 754-2019 4.3; P3109 RoundToPrecision].  The
stochastic modes are pure functions of eta and given random bits, so that they can be checked like any other: in every
one a number is added to the discarded bits, and a carry goes away from zero.  They differ in where it is added and in
which bits of a random word are taken (:func:`random_field`).
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
    STOCHASTIC_PTX = "sr-ptx"
    STOCHASTIC_BIAS = "sr-bias"
    STOCHASTIC_HIP = "sr-hip"
    STOCHASTIC_HIP_OCP = "sr-hip-ocp"

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
    Rounding.STOCHASTIC_PTX: "StochasticPTX",
    Rounding.STOCHASTIC_BIAS: "StochasticBias",
    Rounding.STOCHASTIC_HIP: "StochasticHIP",
    Rounding.STOCHASTIC_HIP_OCP: "StochasticHIPOCP",
}

DIRECTIONS = {  # of the deterministic modes: where they round
    Rounding.TIES_TO_EVEN: "to nearest, ties to even",
    Rounding.TIES_TO_AWAY: "to nearest, ties away",
    Rounding.TOWARD_ZERO: "toward zero",
    Rounding.TOWARD_POSITIVE: "toward +infinity",
    Rounding.TOWARD_NEGATIVE: "toward -infinity",
    Rounding.TO_ODD: "to odd",
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


def _carries(eta: Fraction, R: int, N: int) -> bool:
    return bool(_floor(eta * 2**N) + R >= 2**N)


# N random bits, R their value.  The first three are P3109's [4.6.2 RoundToPrecision].  PTX cvt.rs adds the bits below
# the kept significand and truncates [LLVM NVPTXUsage]; HIP does so after shifting a subnormal into place; both are
# StochasticA.  Intel's bias is added to the normalised significand, before the shift into the subnormals drops bits, so
# that it weighs 2**-gap there, ``gap`` binades below emin (see rounds_away) [as bochs-emu/Bochs cpu/avx/fp8.cc has it].
STOCHASTIC: dict[Rounding, Callable[[Fraction, int, int], bool]] = {
    Rounding.STOCHASTIC_A: _carries,
    Rounding.STOCHASTIC_B: lambda eta, R, N: _carries(eta, 2 * R + 1, N + 1),
    Rounding.STOCHASTIC_C: lambda eta, R, N: _ties_to_even(eta * 2**N) + R >= 2**N,
    Rounding.STOCHASTIC_PTX: _carries,
    Rounding.STOCHASTIC_BIAS: _carries,
    Rounding.STOCHASTIC_HIP: _carries,
    Rounding.STOCHASTIC_HIP_OCP: _carries,
}

# Modes that add to the discarded bits of a source significand, and so belong to conversions alone.
OF_CONVERSIONS = (Rounding.STOCHASTIC_BIAS, Rounding.STOCHASTIC_HIP, Rounding.STOCHASTIC_HIP_OCP)


def random_field(mode: Rounding, width: int, discarded: int) -> tuple[int, int]:
    """Which bits of a random word of ``width`` bits a mode takes: (lowest bit, number of bits).

    ``discarded`` is how many trailing significand bits the source has more than the result.  Intel's 8-bit bias keeps
    its upper bits (VCVTBIASPH2HF8 shifts it right by one), its 32-bit bias the lower.  HIP masks the lower bits of a
    32-bit word for FNUZ formats (amd_hip_fp8.h), and for OCP's, as gfx950 does, shifts the word right until its upper
    bits are left (amd_hip_ocp_host.hpp).  Every other mode takes the whole word.

    Raises ValueError where the word is shorter than the field.
    """
    if mode not in OF_CONVERSIONS:
        return 0, width
    if not 1 <= discarded <= min(width, 48):
        raise ValueError(
            f"rounding {mode.value!r} takes as many random bits as significand bits are discarded, here {discarded}; "
            f"{width} were given and 1 to 48 are possible"
        )
    upper = mode is Rounding.STOCHASTIC_HIP_OCP or (mode is Rounding.STOCHASTIC_BIAS and width == 8)
    return (width - discarded if upper else 0), discarded


def rounds_away(
    mode: Rounding, eta: Fraction, odd: bool, negative: bool, random: RandomBits | None = None, gap: int = 0
) -> bool:
    """Does a magnitude with ``eta`` ulps to discard, ``gap`` binades below emin, go to the next larger one?

    Raises ValueError where a stochastic mode is given no random bits.
    """
    if mode in ROUNDS_AWAY:
        return bool(ROUNDS_AWAY[mode](eta, odd, negative))
    if random is None:
        raise ValueError(f"rounding {mode.value!r} needs random bits")
    return STOCHASTIC[mode](eta, random.value, random.width + (gap if mode is Rounding.STOCHASTIC_BIAS else 0))


def get_rounding(name: Rounding | str) -> Rounding:
    """The rounding mode of a short or long name.  Raises ValueError with the choices for any other.

    >>> get_rounding("roundTiesToEven").value
    'rne'
    """
    if isinstance(name, str):
        for mode, long in LONG_NAMES.items():
            if name in (mode.value, long):
                return mode
        import difflib

        near = difflib.get_close_matches(name, [mode.value for mode in Rounding], n=1, cutoff=0.75)
        if near:
            raise ValueError(f"unknown rounding {name!r:.80}; did you mean {near[0]}?")
    raise ValueError(f"unknown rounding {name!r:.80}; choose from {', '.join(m.value for m in Rounding)}")
