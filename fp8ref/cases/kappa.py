"""How far an approximation may be off: P3109's kappa, in codes, for all operands or by ranges of them.

``kappa=1`` or ``kappa=FF..BD:1,BC..40:0``: ranges of the first operand in the order of values, ends included, as codes
in hexadecimal.  kappa counts the values of the format from the delivered one to the defined one; NaN in the one place
and not in the other is ``nan``, an infinity that is not the same in both is ``inf``  [P3109 v4.0 4.4].
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fast.kernel import unpack_fields
from ..spec.formats import Format

Codes = NDArray[Any]
EXACT, INFINITE, NOT_A_NUMBER = 0, math.inf, math.nan
RANGE = re.compile(r"([0-9A-F]{1,4})\.\.([0-9A-F]{1,4}):(\d{1,5}|inf|nan)")
MOST = 12  # ranges


@dataclass(frozen=True)
class Kappa:
    """``ranges``: first and last operand code, None for all operands, and the largest distance there."""

    ranges: tuple[tuple[int | None, int | None, float], ...]

    @classmethod
    def parse(cls, text: str) -> Kappa:
        """Raises ValueError for what is neither a number nor a list of ranges."""
        if re.fullmatch(r"\d{1,5}|inf|nan", text):
            return cls(((None, None, float(text)),))
        found: list[tuple[int | None, int | None, float]] = []
        for part in text.split(","):
            match = RANGE.fullmatch(part)
            if match is None:
                raise ValueError(f"{part!r:.40} is neither a count of codes nor a range such as BD..40:1")
            found.append((int(match[1], 16), int(match[2], 16), float(match[3])))
        if len(found) > MOST:
            raise ValueError(f"{len(found)} ranges; {MOST} are allowed")
        return cls(tuple(found))

    def __str__(self) -> str:
        return ",".join(
            _number(most) if first is None else f"{first:02X}..{last:02X}:{_number(most)}"
            for first, last, most in self.ranges
        )

    def allowed(self, operand: Codes, f: Format) -> NDArray[np.float64]:
        """The largest distance for every operand; exact where no range holds it."""
        found = np.zeros(operand.shape)
        place = order(operand, f)
        for first, last, most in self.ranges:
            if first is None or last is None:
                found[:] = most
                continue
            low, high = order(np.array([first, last], operand.dtype), f)
            found[(low <= place) & (place <= high)] = most
        return found


def order(codes: Codes, f: Format) -> NDArray[np.int64]:
    """Place of each code in the order of values, both zeros at 0; of NaNs it means nothing."""
    magnitude = (codes & codes.dtype.type(f.magnitude_mask)).astype(np.int64)
    if not f.signed:
        return codes.astype(np.int64)
    return np.asarray(np.where((codes & codes.dtype.type(f.sign_bit)) != 0, -magnitude, magnitude))


def distance(got: Codes, want: Codes, f: Format) -> NDArray[np.float64]:
    """kappa of each answer: a count of codes, infinity, or NaN."""
    found = np.abs(order(got, f) - order(want, f)).astype(np.float64)
    a, b = unpack_fields(got, f), unpack_fields(want, f)
    unlike = (a.infinite != b.infinite) | (a.infinite & b.infinite & (a.negative != b.negative))
    found[unlike] = INFINITE
    found[a.nan & b.nan] = 0
    found[a.nan != b.nan] = NOT_A_NUMBER
    return np.asarray(found)


def beyond(kappa: Kappa, operands: Sequence[Codes], f: Format, got: Codes, want: Codes, g: Format) -> NDArray[np.bool_]:
    """Which answers are farther off than is declared.  ``f``, ``g``: formats of the first operand and the result."""
    allowed = kappa.allowed(operands[0], f)
    off = distance(got, want, g)
    return np.asarray(~((off <= allowed) | np.isnan(allowed)))


def require_name(text: str) -> None:
    """Raises ValueError for what is no name of an operation."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{0,40}", text):
        raise ValueError(f"{text!r:.40} is no name of an operation")


def _number(most: float) -> str:
    return "nan" if math.isnan(most) else "inf" if math.isinf(most) else str(int(most))
