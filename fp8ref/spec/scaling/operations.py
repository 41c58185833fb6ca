"""The single operations of which recipes are made: binary32, each rounded to nearest even, and choices between numbers.

``exact.py`` has them on exact rationals, ``fast`` on arrays; ``steps.py`` puts them together.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

Value = Any  # a binary32 number, or an array of them
Mask = Any


class Arithmetic(Protocol):
    """Single operations of binary32, each rounded to nearest even, and choices between numbers."""

    def number(self, x: Fraction | str, type_name: str = "f32") -> Value:
        """A constant, rounded to a type: an exact number, or ``inf`` or ``nan``."""

    def times(self, x: Value, y: Value) -> Value: ...
    def over(self, x: Value, y: Value) -> Value: ...
    def minus(self, x: Value, y: Value) -> Value: ...
    def plus(self, x: Value, y: Value) -> Value: ...
    def over_wide(self, x: Fraction, y: Value, least: str) -> Value:
        """x / max(y, least) in binary64 with the decimal ``least``, then rounded to binary32."""

    def magnitude(self, x: Value) -> Value: ...
    def to(self, x: Value, type_name: str) -> Value:
        """Rounded to a narrower type, infinities beyond it."""

    def below(self, x: Value, y: Value) -> Mask:
        """x < y; false for NaNs."""

    def equal(self, x: Value, y: Value) -> Mask:
        """x == y; false for NaNs."""

    def is_nan(self, x: Value) -> Mask: ...
    def choose(self, mask: Mask, x: Value, y: Value) -> Value: ...

    def field(self, x: Value) -> Value:
        """The exponent field of a number that is not negative, 0 to 255."""

    def ragged(self, x: Value) -> Value:
        """1 where the trailing significand field is not zero, else 0."""

    def more(self, x: Value, steps: int) -> Value:
        """The number whose bits are greater by ``steps``; a NaN or an infinity stays itself."""

    def cut(self, x: Value) -> Value:
        """With the trailing significand field cleared."""

    def log2(self, x: Value) -> Value:
        """The logarithm, correctly rounded; -Inf for 0."""

    def floor(self, x: Value) -> Value: ...
    def ceil(self, x: Value) -> Value: ...
    def nearest(self, x: Value) -> Value:
        """To the nearest integer, ties to even."""

    def exp2(self, n: Value) -> Value:
        """2^n of an integral n, rounded: 0 and infinity beyond the range."""

    def modulo(self, n: Value) -> Value:
        """A finite integer modulo 256; 0 for what is none."""

    def code(self, x: Value, how: str) -> Value:
        """The code of a scale in a stored format, as a number."""

    def decoded(self, code: Value, how: str) -> Value: ...
