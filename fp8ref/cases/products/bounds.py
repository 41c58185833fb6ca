"""How far a floating-point dot product may lie from the exact one: classes of error bound, each with its source.

A bound is computed for every case from the exact products, so that it holds for the data at hand.  All of them concern
finite operands and results.  What the exact answer makes NaN or infinite must be that; but where sums of the class may
overflow on the way, an infinity or NaN is inside: with 57344 squared, beyond binary16, Inf - Inf may come of -Inf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """``|d - exact| <= gamma(n) * (sum |a b| + |c|) + K * least``, with gamma(n) = n u / (1 - n u).

    ``u``: unit roundoff of every product and sum.  ``fixed``: fraction bits F of a unit that aligns ``block`` addends
    at the largest exponent E of a step and cuts each at 2**(E - F): then a step loses at most (block + 1) 2**(E - F)
    more.  ``least``: the spacing of the smallest numbers, lost by every product that underflows.  ``largest``: the
    largest finite value of products and sums.
    """

    name: str
    u: float
    text: str
    theorem: str
    cite: str = "Muller et al. 2010, chapter 6; any order: derived"
    fixed: int | None = None
    block: int = 1
    least: float = 2.0**-149
    largest: float = (2 - 2.0**-23) * 2.0**127

    def __call__(self, magnitude: Floats, top: Floats, k: int) -> Floats:
        """The bound for cases: ``magnitude`` is sum |a b| + |c|, ``top`` the largest of |c| and of the powers of two
        that the products' exponents sum to."""
        n = k + 1
        room = n * self.u
        gamma = room / (1 - room) if room < 1 else np.inf
        found = gamma * magnitude + n * self.least
        if self.fixed is not None:
            steps = -(-k // self.block)
            found = found + steps * (self.block + 1) * np.maximum(top, magnitude) * 2.0**-self.fixed
        return np.asarray(found)


_SUM = (
    "Muller et al., Handbook of Floating-Point Arithmetic, 2010, chapter 6: |dot - exact| <= gamma(n) sum |a b|, "
    "u = 2^-p to nearest, 2^(1-p) directed; derived for any order and with C in docs/dot.md"
)
_SHORT = "derived in docs/dot.md, with the cut at alignment"
_BLOCK = (
    "derived in docs/dot.md; the model is that of Blanchard, Higham, Lopez, Mary, Pranesh, Mixed precision block fused "
    "multiply-add, SIAM J. Sci. Comput. 42(3), C124-C141, 2020"
)

BOUNDS = {
    b.name: b
    for b in (
        Bound("f32", 2.0**-24, "every product and sum rounded to nearest in binary32, in any order", _SUM),
        Bound(
            "f32-directed", 2.0**-23, "the same with any rounding to a neighbour: u = 2^-23, as in units that truncate",
            _SUM,
        ),
        Bound("f16", 2.0**-11, "every product and sum rounded to nearest in binary16, in any order", _SUM,
              least=2.0**-24, largest=65504.0),
        Bound("bf16", 2.0**-8, "every product and sum rounded to nearest in bfloat16, in any order", _SUM,
              least=2.0**-133, largest=(2 - 2.0**-7) * 2.0**127),
        Bound(
            "aligned25", 2.0**-23, "blocks of at least 4 products aligned at their largest exponent, 25 bits kept",
            f"{_BLOCK}; the cut of aligned addends added: (b + 1) 2^(E-25) in each of K/b steps", cite=_SHORT,
            fixed=25, block=4,
        ),
        Bound(
            "aligned13", 2.0**-13, "blocks of at least 16 products aligned at their largest exponent, 13 bits kept, "
            "sums of 14 bits", f"{_BLOCK}; the cut of aligned addends added: (b + 1) 2^(E-13) in each of K/b steps",
            cite=_SHORT, fixed=13, block=16, least=2.0**-139,
        ),
    )
}  # fmt: skip
