"""GELU in an epilogue, of which no vendor says the bits: a bound around x Phi(x) and its tanh formula, both in use.

An answer lies between the smaller and the larger of the two, and beyond them by at most |x| :data:`REACH`.  Derived for
x/2 (1 + t) in binary32: t is tanh.approx.f32, of a relative error of at most 2**-11 [PTX ISA 9, tanh], so that the
answer is off by |x| 2**-12; constants, t's argument, the addition and the products, each rounded to binary32, stay
below |x| 2**-20 together.  Kernels that compute GELU in 16 bits are not meant.
"""

from __future__ import annotations

from fractions import Fraction

from ..datum import Datum
from ..formats import Format
from ..functions.activations import ACTIVATIONS
from ..functions.decide import Grid
from ..functions.rows import settled
from ..operations.definition import Semantics
from ..rounding import Rounding
from .accumulate import NOTHING, rounded

GELU = {"gelu": Rounding.TIES_TO_EVEN, "gelu_low": Rounding.TOWARD_NEGATIVE, "gelu_high": Rounding.TOWARD_POSITIVE}
FORMULAS = ("gelu", "gelu_tanh")
REACH = Fraction(257, 1 << 20)  # 2**-12 + 2**-20


def gelu(step: str, x: Datum, f: Format) -> Datum:
    """x Phi(x) rounded to nearest in f, or an end of what counts as GELU of x, rounded outward.

    At -infinity, where x/2 (1 + t) is 0 times infinity, the low end is NaN.
    """
    if x.is_nan or x.is_zero or (x.is_infinite and not x.sign):
        return x
    if step == "gelu":
        return formula("gelu", x, f, GELU[step])
    if x.is_infinite:
        return Datum.nan() if step == "gelu_low" else NOTHING
    ends = [formula(name, x, f, GELU[step]).value for name in FORMULAS]
    reach = REACH * x.magnitude
    end = min(ends) - reach if step == "gelu_low" else max(ends) + reach
    return rounded(Datum.finite(end), f, GELU[step])


def formula(name: str, x: Datum, f: Format, rounding: Rounding) -> Datum:
    """One of the two formulas, rounded once."""
    exact, _ = settled(ACTIVATIONS[name].row(x, Semantics.IEEE), Grid.of(f))
    return rounded(exact, f, rounding)
