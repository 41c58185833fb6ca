"""How the rows of the elementary functions are written.

A *row* takes data that are not NaN, and the semantics.  It gives the exact result where one is known: the special
values, the domain errors, and the numbers of the grid, which theorems name one by one.  Everywhere else it gives an
enclosure, a function of the precision, of a real that is certainly no number of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ..datum import Datum
from ..operations.definition import INVALID, Context, Definition, Exact, Semantics, exactly
from ..status import Status
from .decide import Enclosure, Grid, decide
from .intervals import Interval

Outcome = Exact | Enclosure
Row = Callable[..., Outcome]
Real = Callable[[Fraction, int], Interval]
Special = Outcome | None  # None: the operand itself, a zero or an infinity with its sign
RANGE = 1 << 20  # exponents beyond every format's

ZERO, ONE, INFINITY = (exactly(x) for x in (Datum.finite(0), Datum.finite(1), Datum.infinity()))


def number(x: Fraction | int, sign: int | None = None) -> Exact:
    return exactly(Datum.finite(x, sign))


def infinity(sign: int = 0) -> Exact:
    return exactly(Datum.infinity(sign))


def pole(sign: int = 0) -> Exact:
    """An infinity of finite operands  [IEEE 754-2019 7.3]."""
    return Datum.infinity(sign), Status.DIVIDE_BY_ZERO


def real(f: Real, x: Fraction) -> Enclosure:
    return lambda prec: f(x, prec)


def settled(outcome: Outcome, grid: Grid) -> Exact:
    """The exact result, or the stand-in of an enclosed one."""
    return exactly(decide(outcome, grid)) if callable(outcome) else outcome


@dataclass(frozen=True)
class Function(Definition):
    """An elementary function: its row, decided on the grid of whatever result is asked for."""

    row: Row = field(kw_only=True)


def function(
    arity: int,
    row: Row,
    integer: bool = False,
    despite_nan: Callable[[Sequence[Datum], Semantics], Exact | None] | None = None,
) -> Function:
    def exact(*given: Datum | Context) -> Exact:
        *operands, context = given
        assert isinstance(context, Context)
        return settled(row(*operands, context.semantics), Grid.of(context.result, context.scale))

    return Function(arity, exact, integer=integer, despite_nan=despite_nan, row=row)


def unary(
    f: Real,
    *,
    zero: Special = None,
    plus: Special = None,
    minus: Special = None,
    exact: Callable[[Fraction], Outcome | None] = lambda x: None,
) -> Function:
    """A function of one operand.

    ``f`` encloses it at rationals other than 0; ``zero``, ``plus``, ``minus``: what it is at zeros, +infinity and
    -infinity; ``exact``: the outcome where it is no enclosure of ``f``.
    """

    def row(x: Datum, semantics: Semantics) -> Outcome:
        if x.is_infinite or x.is_zero:
            special = zero if x.is_zero else minus if x.sign else plus
            return exactly(x) if special is None else special
        known = exact(x.value)
        return real(f, x.value) if known is None else known

    return function(1, row)


def outside(inside: Callable[[Fraction], bool]) -> Callable[[Fraction], Outcome | None]:
    """A domain: what lies outside is invalid  [IEEE 754-2019 9.2.1]."""
    return lambda x: None if inside(x) else INVALID


def power(x: Fraction, n: int) -> Fraction | None:
    """x**n where it is a short dyadic number of a sensible size; else it is no number of any grid, or beyond all.

    x is dyadic: m 2**e with m odd.  m**n is not dyadic for n < 0 unless m is 1, and grows by at least a bit for each n.
    """
    m = abs(x.numerator)
    twos = (m & -m).bit_length() - 1
    m >>= twos
    e = twos - (x.denominator.bit_length() - 1)
    if (m != 1 and (n < 0 or n * m.bit_length() > 4096)) or abs(e * n) > RANGE:
        return None
    sign = -1 if x < 0 and n % 2 else 1
    magnitude = Fraction(m**n if m != 1 else 1)
    return sign * (magnitude * (1 << e * n) if e * n >= 0 else magnitude / (1 << -e * n))
