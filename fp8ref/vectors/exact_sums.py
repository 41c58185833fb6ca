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

from ..cases.dots import operand_types
from ..cases.operation import Operation
from ..fast.kernel import Fields, unpack_fields
from ..spec.catalog import get_format
from .section import Codes


class Sum(NamedTuple):
    """``units * 2**exponent``, or what ``special`` says: nan, inf, -inf."""

    units: int
    exponent: int
    special: str = ""

    def __str__(self) -> str:
        return self.special or written(self.units, self.exponent)


def exact_sums(op: Operation, operands: Sequence[Codes]) -> list[Sum]:
    """The exact ``sum(a b) + c`` of codes a (n, K), b (n, K), c (n).

    A NaN, an infinity times zero, and infinities of both signs give a NaN
    [IEEE 754-2019 7.2; P3109 BlockDotProduct].
    """
    x, y, z = (unpack_fields(codes, get_format(name)) for codes, name in zip(operands, operand_types(op)))
    nan = (x.nan | y.nan).any(axis=1) | z.nan
    nan |= ((x.infinite & _zero(y)) | (y.infinite & _zero(x))).any(axis=1)
    infinite = x.infinite | y.infinite
    minus = x.negative ^ y.negative
    down = (infinite & minus).any(axis=1) | (z.infinite & z.negative)
    up = (infinite & ~minus).any(axis=1) | (z.infinite & ~z.negative)
    nan |= up & down
    units = _products(x, y)
    lowest = int((x.exp + y.exp).min(initial=0))
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


def _products(x: Fields, y: Fields) -> list[int]:
    """Sums of finite products along K in units of the smallest of them all: limbs of 16 bits, joined at the end."""
    sig = np.where(x.nan | x.infinite | y.nan | y.infinite, np.uint64(0), x.sig * y.sig).astype(np.int64)
    sig = np.where(x.negative ^ y.negative, -sig, sig)
    exp = x.exp + y.exp
    exp = exp - int(exp.min(initial=0))
    place, rest = exp // LIMB, exp % LIMB
    shifted = sig << rest
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
