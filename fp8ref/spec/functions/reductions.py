"""Functions of a row: softmax, its logarithm, log-sum-exp, LayerNorm and RMSNorm, exactly, to be rounded once.

A result belongs to the first operand; softmax of another element is that of the row turned so that it comes first.
Where a row has no exact result that is known, an enclosure is given of a real that is certainly no number of the grid:

- softmax is rational only where all finite operands are equal (1/n), log-sum-exp and the logarithm of softmax only for
  one finite operand: e**a of distinct rationals a are linearly independent over the rationals (Lindemann, Weierstrass).
- LayerNorm and RMSNorm are N / sqrt(V) with rational N and V: rational where V is a square.

An operand of -infinity weighs nothing in a softmax.  +infinity has no softmax, and no infinity a mean: NaN and invalid,
as in every framework.  RMSNorm of a finite operand beside an infinite one is 0.  [Bridle, NeurIPS 1989, for softmax;
Ba et al., arXiv:1607.06450; Zhang and Sennrich, arXiv:1910.07467]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

from ..datum import Datum
from ..operations.definition import INVALID, Exact, Semantics
from .decide import exact_root, root
from .intervals import Interval
from .rows import ZERO, Function, Outcome, function, infinity, number
from .series import exp, log, log1p

EPSILONS = ("0", "1e-12", "1e-8", "1e-6", "1e-5", "1e-3")  # those in use, as decimals
ANY = 0  # operands: a row of any length


@lru_cache(maxsize=1 << 15)
def _weight(x: Fraction, prec: int) -> Interval:
    """e**x for x <= 0, relative to the largest operand."""
    return exp(Interval.of(x, prec)) if x else Interval.of(1, prec)


def _sum(weights: Sequence[Interval], prec: int) -> Interval:
    total = Interval.of(0, prec)
    for weight in weights:
        total = total + weight
    return total


def _others(x: Fraction, row: Sequence[Fraction], prec: int) -> Interval:
    """The sum of e**(y - x) over the operands y less than x; those equal to it are counted apart."""
    return _sum([_weight(y - x, prec) for y in row if y < x], prec)


def _softmax(first: Datum, row: Sequence[Datum], semantics: Semantics) -> Outcome:
    finite = [x.value for x in row if x.is_finite]
    if not finite or any(x.is_infinite and not x.sign for x in row):
        return INVALID
    if first.is_infinite:
        return ZERO
    x, largest = first.value, max(finite)
    alike = finite.count(largest)
    if alike == len(finite):
        return number(Fraction(1, alike))

    def enclosure(prec: int) -> Interval:
        total = _others(largest, finite, prec) + alike
        return (_weight(x - largest, prec) / total).below(Fraction(1, alike))

    return enclosure


def _log_sum(first: Datum, row: Sequence[Datum], semantics: Semantics) -> Outcome:
    if any(x.is_infinite and not x.sign for x in row):
        return infinity()
    finite = [x.value for x in row if x.is_finite]
    if not finite:
        return infinity(1)
    if len(finite) == 1:
        return number(finite[0])
    largest = max(finite)
    return lambda prec: _above_largest(finite, prec, largest).above(largest)


def _above_largest(finite: Sequence[Fraction], prec: int, shift: Fraction) -> Interval:
    """log of the sum of e**(y - largest), with ``shift`` added; close to the largest operand where there is one."""
    largest = max(finite)
    alike = finite.count(largest)
    rest = _others(largest, finite, prec)
    found = log1p(rest) if alike == 1 else log(rest + alike)
    return found + shift if shift else found


def _log_softmax(first: Datum, row: Sequence[Datum], semantics: Semantics) -> Outcome:
    finite = [x.value for x in row if x.is_finite]
    if not finite or any(x.is_infinite and not x.sign for x in row):
        return INVALID
    if first.is_infinite:
        return infinity(1)
    if len(finite) == 1:
        return ZERO
    down = max(finite) - first.value  # the result lies below -down
    return lambda prec: -(_above_largest(finite, prec, down).above(down))


def _over_root(n: Fraction, v: Fraction) -> Outcome:
    """n / sqrt(v) for v > 0."""
    square = n * n / v
    if not n:
        return ZERO
    known = exact_root(square, 2)
    if known is not None:
        return number(known if n > 0 else -known)
    return (lambda prec: root(square, 2, prec)) if n > 0 else (lambda prec: -root(square, 2, prec))


def _layer_norm(epsilon: Fraction) -> Callable[[Datum, Sequence[Datum], Semantics], Outcome]:
    """(x - mean) / sqrt(variance + epsilon), the variance divided by the number of operands.

    A zero has the sign that x - mean has by the arithmetic of IEEE 754-2019 6.3: -0 only for -0 less +0.
    """

    def outcome(first: Datum, row: Sequence[Datum], semantics: Semantics) -> Outcome:
        if any(x.is_infinite for x in row):
            return INVALID
        mean = sum((x.value for x in row), Fraction(0)) / len(row)
        v = sum(((x.value - mean) ** 2 for x in row), Fraction(0)) / len(row) + epsilon
        if v and first.value == mean:
            all_negative = all(x.is_zero and x.sign for x in row)
            return number(0, int(first.is_zero and first.sign and not all_negative))
        return _over_root(first.value - mean, v) if v else INVALID

    return outcome


def _rms_norm(epsilon: Fraction) -> Callable[[Datum, Sequence[Datum], Semantics], Outcome]:
    """x / sqrt(mean of squares + epsilon)."""

    def outcome(first: Datum, row: Sequence[Datum], semantics: Semantics) -> Outcome:
        if first.is_infinite:
            return INVALID
        if any(x.is_infinite for x in row) or (first.is_zero and (epsilon or any(not x.is_zero for x in row))):
            return number(0, first.sign)
        v = sum((x.value**2 for x in row), Fraction(0)) / len(row) + epsilon
        return _over_root(first.value, v) if v else INVALID

    return outcome


def _of_row(outcome: Callable[[Datum, Sequence[Datum], Semantics], Outcome]) -> Function:
    def row(*given: Datum | Semantics) -> Outcome | Exact:
        *operands, semantics = given
        assert isinstance(semantics, Semantics)
        data = [x for x in operands if isinstance(x, Datum)]
        return outcome(data[0], data, semantics)

    return function(ANY, row)


REDUCTIONS = {
    "softmax": _of_row(_softmax),
    "log_softmax": _of_row(_log_softmax),
    "logsumexp": _of_row(_log_sum),
    **{f"layer_norm {epsilon}": _of_row(_layer_norm(Fraction(epsilon))) for epsilon in EPSILONS},
    **{f"rms_norm {epsilon}": _of_row(_rms_norm(Fraction(epsilon))) for epsilon in EPSILONS},
}
