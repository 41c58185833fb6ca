"""The five exceptions of IEEE 754-2019 clause 7, with the bits of RISC-V fflags and TestFloat."""

from __future__ import annotations

import enum


class Status(enum.IntFlag):
    """Status flags raised by an operation."""

    NONE = 0
    INEXACT = 1
    UNDERFLOW = 2
    OVERFLOW = 4
    DIVIDE_BY_ZERO = 8
    INVALID = 16

    @property
    def letters(self) -> str:
        """The two-letter names that hardware people use, e.g. ``OF NX``; ``-`` for none."""
        return " ".join(name for bit, name in LETTERS if self & bit) or "-"


LETTERS = ((16, "NV"), (8, "DZ"), (4, "OF"), (2, "UF"), (1, "NX"))


class Tininess(enum.StrEnum):
    """When is a result tiny?  The standard leaves it to the implementation [IEEE 754-2019 7.5]."""

    AFTER = "after"  # rounded to p bits with an unbounded exponent, it lies below 2**emin
    BEFORE = "before"  # the exact value lies below 2**emin
    DELIVERED = "delivered"  # the delivered result lies below 2**emin
