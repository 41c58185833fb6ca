"""Exact sums of dot products as text, beside which an accumulator's answer is read.

Written as C's %a writes floats, with as many digits as it takes and an odd significand, so that a number has one
spelling: ``0x1p+0`` is 1, ``-0x1C3p-9`` is -451/512, ``0x0p+0`` is 0; ``nan``, ``inf`` and ``-inf`` otherwise.
"""

from __future__ import annotations

from fractions import Fraction

from ...cases.products.exact import Sum


def text_of(total: Sum) -> str:
    """The spelling of a sum."""
    return total.special or written(total.units, total.exponent)


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
