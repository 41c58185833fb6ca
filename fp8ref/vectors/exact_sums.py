"""Exact sums of dot products, beside which an accumulator's answer is read.

Written as C's %a writes floats, with as many digits as it takes and an odd significand, so that a number has one
spelling: ``0x1p+0`` is 1, ``-0x1C3p-9`` is -451/512, ``0x0p+0`` is 0; ``nan``, ``inf`` and ``-inf`` otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..cases.dots import operand_types
from ..cases.operation import Operation
from ..fast.kernel import Fields, unpack_fields
from ..spec.catalog import get_format
from .section import Codes


def exact_sums(op: Operation, operands: Sequence[Codes]) -> tuple[str, ...]:
    """The exact ``sum(a b) + c`` of codes a (n, K), b (n, K), c (n) as text.

    A NaN, an infinity times zero, and infinities of both signs give ``nan``
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
    products = x.sig * y.sig
    exponents = x.exp + y.exp
    lowest = np.minimum(exponents.min(axis=1), z.exp)
    found = []
    for i in range(len(nan)):
        if nan[i] or up[i] or down[i]:
            found.append("nan" if nan[i] else "inf" if up[i] else "-inf")
            continue
        unit = int(lowest[i])
        terms = zip(products[i].tolist(), (exponents[i] - unit).tolist(), minus[i].tolist())
        total = sum((-s if m else s) << e for s, e, m in terms if s)
        addend = int(z.sig[i]) << (int(z.exp[i]) - unit)
        found.append(written(total + (-addend if z.negative[i] else addend), unit))
    return tuple(found)


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
