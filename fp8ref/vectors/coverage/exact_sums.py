"""Exact sums of dot products, beside which an accumulator's answer is read.

Written as C's %a writes floats, with as many digits as it takes and an odd significand, so that a number has one
spelling: ``0x1p+0`` is 1, ``-0x1C3p-9`` is -451/512, ``0x0p+0`` is 0; ``nan``, ``inf`` and ``-inf`` otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.questions import block_of, length, operand_types
from ...fast.kernel import Fields, unpack_fields
from ...spec.catalog import get_format
from ..section import Codes


class Sum(NamedTuple):
    """``units * 2**exponent``, or what ``special`` says: nan, inf, -inf."""

    units: int
    exponent: int
    special: str = ""

    def __str__(self) -> str:
        return self.special or written(self.units, self.exponent)


def exact_sums(op: Operation, operands: Sequence[Codes]) -> list[Sum]:
    """The exact ``sum(a b) + c`` of codes a (n, K), b (n, K), c (n), with scales ``sum(sa a sb b) + c``.

    A NaN, an infinity times zero, and infinities of both signs give a NaN
    [IEEE 754-2019 7.2; P3109 BlockDotProduct].
    """
    x, y, z, *scales = (unpack_fields(codes, get_format(name)) for codes, name in zip(operands, operand_types(op)))
    factors = [x, y, *(_spread(scale, block_of(op), length(op)) for scale in scales)]
    any_nan = np.logical_or.reduce([f.nan for f in factors])
    infinite = np.logical_or.reduce([f.infinite for f in factors])
    zero = np.logical_or.reduce([_zero(f) for f in factors])
    minus = np.logical_xor.reduce([f.negative for f in factors])
    nan = (any_nan | (infinite & zero)).any(axis=1) | z.nan
    down = (infinite & minus).any(axis=1) | (z.infinite & z.negative)
    up = (infinite & ~minus).any(axis=1) | (z.infinite & ~z.negative)
    nan |= up & down
    exponents = np.add.reduce([f.exp for f in factors])
    units = _products(factors, exponents, minus, any_nan | infinite)
    lowest = int(exponents.min(initial=0))
    found = []
    for total, sig, exp, minus_c, i in zip(units, z.sig.tolist(), z.exp.tolist(), z.negative.tolist(), range(len(nan))):
        if nan[i] or up[i] or down[i]:
            found.append(Sum(0, 0, "nan" if nan[i] else "inf" if up[i] else "-inf"))
            continue
        unit = min(lowest, exp)
        addend = -sig if minus_c else sig
        found.append(Sum((total << (lowest - unit)) + (addend << (exp - unit)), unit))
    return found


LIMB = 16


def _spread(scale: Fields, block: int, k: int) -> Fields:
    """Scales (n, K / block) as one for every element."""
    return Fields(*(np.repeat(getattr(scale, name), block, axis=1)[:, :k] for name in Fields.__dataclass_fields__))


def _products(
    factors: Sequence[Fields], exp: NDArray[np.int64], minus: NDArray[np.bool_], special: NDArray[np.bool_]
) -> list[int]:
    """Sums of finite products along K in units of the smallest of them all: limbs of 16 bits, joined at the end."""
    exp = exp - int(exp.min(initial=0))
    bits = sum(int(f.sig.max(initial=0)).bit_length() for f in factors)
    if bits + LIMB + exp.shape[1].bit_length() > 62:  # wide scales: Python's integers
        wide = np.multiply.reduce([f.sig.astype(object) for f in factors]) * np.where(minus, -1, 1)
        return [int(t) for t in np.where(special, 0, wide * np.left_shift(1, exp.astype(object))).sum(axis=1)]
    sig = np.where(special, np.uint64(0), np.multiply.reduce([f.sig for f in factors])).astype(np.int64)
    place, rest = exp // LIMB, exp % LIMB
    shifted = np.where(minus, -sig, sig) << rest
    total = [0] * len(sig)
    for limb in range(int(place.max(initial=0)), -1, -1):
        part = np.where(place == limb, shifted, 0).sum(axis=1).tolist()
        total = [(t << LIMB) + p for t, p in zip(total, part)]
    return total


def _zero(x: Fields) -> NDArray[np.bool_]:
    zero: NDArray[np.bool_] = (x.sig == 0) & ~x.nan & ~x.infinite
    return zero


def written(units: int, exponent: int) -> str:
    """``units * 2**exponent``.

    >>> written(-902, -10), written(0, 7), written(8, 0)
    ('-0x1C3p-9', '0x0p+0', '0x1p+3')
    """
    if not units:
        return "0x0p+0"
    twos = (units & -units).bit_length() - 1
    return f"{'-' if units < 0 else ''}0x{abs(units) >> twos:X}p{exponent + twos:+d}"


def value_of(text: str) -> Fraction | None:
    """The number that a text stands for; None for nan and infinities."""
    if "p" not in text:
        return None
    significand, _, exponent = text.partition("p")
    return Fraction(int(significand, 16)) * Fraction(2) ** int(exponent)
