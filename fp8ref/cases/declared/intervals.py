"""Intervals of declarations: ``[ -Inf, 0 )``, and ``( [>=(-pi/4), <=(Inf)] )`` as the exemplars' README has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from .expressions import LONGEST, UNICODE, Expression, Infinite, evaluate, inside

Bound = Fraction | Infinite


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``; whether the ends belong to it."""

    low: Bound
    high: Bound
    closed_low: bool = True
    closed_high: bool = True

    def __contains__(self, x: Bound) -> bool:
        a, b, at = _place(self.low), _place(self.high), _place(x)
        return (a < at or (a == at and self.closed_low)) and (at < b or (at == b and self.closed_high))


def _place(x: Bound) -> tuple[int, Fraction]:
    return (x.sign, Fraction(0)) if isinstance(x, Infinite) else (0, x)


def interval(text: str) -> Interval:
    """The interval that ``[ -Inf, 0 )`` or ``( [>=(-pi/4), <=(Inf)] )`` says.  Raises :class:`Expression`."""
    text = str(text).strip().translate(UNICODE)
    inner = inside(text)
    if inner is not None and inner.startswith("["):
        text = inner
    if len(text) > LONGEST or len(text) < 3 or text[0] not in "[(" or text[-1] not in "])" or "," not in text:
        raise Expression(f"{text!r:.60} is no interval, such as '[ -Inf, 0 )'")
    parts = text[1:-1].split(",")
    if len(parts) != 2:
        raise Expression(f"{text!r:.60}: an interval has two bounds")
    low, strict_low = _bound(parts[0])
    high, strict_high = _bound(parts[1])
    if _place(low) > _place(high):
        raise Expression(f"{text!r:.60}: its lower bound is above its upper one")
    return Interval(low, high, text[0] == "[" and not strict_low, text[-1] == "]" and not strict_high)


def _bound(text: str) -> tuple[Bound, bool]:
    match = re.match(r"\s*(<=|>=|<|>)?(.*)", text, re.S)
    assert match is not None
    value = evaluate(match[2])
    if not isinstance(value, (Fraction, Infinite)):
        raise Expression(f"{text.strip()!r:.40} is no bound of an interval")
    return value, match[1] in ("<", ">")
