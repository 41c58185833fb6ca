"""Stochastic rounding whose random bits are hidden: how often a value goes up.

A value that lies eta ulps above its lower neighbour must go up with probability eta; how often it did is compared with
the binomial distribution, two-sided, all values together at the error ALPHA [Bonferroni].  The values and their number
are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import expect, is_nan
from ...cases.operation import Operation, carrier_dtype
from ...spec.catalog import get_format
from ...spec.datum import Datum
from ...spec.projection import encode
from ...spec.rounding import Rounding
from ..diagnosis.diagnose import Diagnosis
from ..harness.transport import Session
from ..verdict import Finding, Report, Verdict

Codes = NDArray[Any]
ALPHA = 1e-6  # of ever accusing an implementation that is right
REPEATS = 1024  # of every value
SIXTEENTHS = (1, 4, 8, 12, 15)
CALL = 1 << 13  # elements


@dataclass(frozen=True)
class Turn:
    """A value asked again and again: its code, its neighbours, how many sixteenths of an ulp it is above the lower."""

    code: int
    down: int
    up: int
    sixteenths: int


def turns(op: Operation) -> list[Turn]:
    """Values between neighbours at both ends of subnormals and normals and at a binade's end, exact in the source."""
    f, source = op.result_format, get_format(op.operands[0])
    first = 1 << f.t
    places = {first, first + 1, 2 * first - 1, f.max_code // 2, f.max_code - 1}
    if op.projection.rounding is not Rounding.STOCHASTIC_BIAS:  # whose bits weigh less among subnormals
        places |= {0, 1, first - 1}
    found = []
    for place in sorted(p for p in places if 0 <= p < f.max_code):
        here, there = f.magnitude(place), f.magnitude(place + 1)
        for part in SIXTEENTHS:
            value = here + (there - here) * Fraction(part, 16)
            for sign in (0, 1) if f.signed and (f.has_negative_zero or place) else (0,):
                code, status = encode(Datum.finite(-value if sign else value), source)
                if not status:
                    bit = sign * f.sign_bit
                    found.append(Turn(code, place | bit, place + 1 | bit, part))
    return found


def certain(op: Operation) -> tuple[Codes, Codes]:
    """Values that no random bit decides, with their answers: codes of the result, zeros, infinities, NaN."""
    f, source = op.result_format, get_format(op.operands[0])
    exact = [encode(f.magnitude(place), source) for place in range(0, f.max_code + 1, max(1, f.max_code // 16))]
    codes = [code for code, status in exact if not status]
    codes += [code | source.sign_bit for code in codes if f.signed and f.has_negative_zero]
    codes += [source.infinity_code] if source.infinities else []
    codes += [source.nan_canonical] if source.nan_canonical is not None else []
    x = np.array(codes, carrier_dtype(source.name))
    return x, expect(op.with_mode(f"rtz.{(op.mode or '').partition('.')[2]}"), [x]).codes


def judge_frequencies(session: Session, claim: Operation, seed: int, report: Report) -> None:
    """Ask a conversion that draws its own random bits, and write the verdict into the report."""
    values, (x, want) = turns(claim), certain(claim)
    order = np.random.default_rng([seed, len(values)]).permutation(np.repeat(np.arange(len(values)), REPEATS))
    codes = np.array([turn.code for turn in values], x.dtype)
    (first,) = session.ask(claim, [([x], "plain")])
    wrong = first[0] != want
    wrong &= ~(is_nan(first[0], claim.result) & is_nan(want, claim.result))
    sure = np.flatnonzero(wrong)
    got_sure = first[0].copy()
    got = np.empty(order.size, want.dtype)
    for start in range(0, order.size, CALL):
        part = slice(start, start + CALL)
        (answer,) = session.ask(claim, [([codes[order[part]]], "plain")])
        got[part] = answer[0]
    report.cases = order.size + x.size
    report.asked = f"{len(values)} values {REPEATS} times each: frequencies at a confidence of 1 - {ALPHA:g}"
    if sure.size:
        i = int(sure[0])
        text = "a value that needs no rounding, or no number, is answered wrongly"
        _fail(report, claim, int(x[i]), int(want[i]), int(got_sure[i]), int(sure.size), "certain-wrong", text)
        return
    down, up = (np.array([getattr(t, name) for t in values], want.dtype)[order] for name in ("down", "up"))
    outside = (got != down) & (got != up)
    if outside.any():
        f = claim.result_format
        i = int(np.argmax(outside))
        lost = got[outside] == (down[outside] >> f.t) << f.t
        rule, text = (
            ("carry-lost", "a carry out of the significand does not reach the exponent")
            if lost.all()
            else ("no-neighbour", "answers that are neither neighbour of the value")
        )
        _fail(report, claim, int(codes[order[i]]), int(up[i]), int(got[i]), int(outside.sum()), rule, text)
        return
    ups = np.bincount(order, weights=got == up, minlength=len(values)).astype(int)
    alpha = ALPHA / len(values)
    off = [i for i, t in enumerate(values) if tail(int(ups[i]), REPEATS, t.sixteenths / 16) < alpha]
    if not off:
        return
    rule, text = _cause(values, ups, alpha)
    worst = max(off, key=lambda i: abs(ups[i] / REPEATS - values[i].sixteenths / 16))
    t = values[worst]
    text += f": {t.sixteenths}/16 of an ulp above its lower neighbour, {ups[worst]} of {REPEATS} went up"
    _fail(report, claim, t.code, t.up if 16 * ups[worst] < t.sixteenths * REPEATS else t.down,
          t.down if 16 * ups[worst] < t.sixteenths * REPEATS else t.up, len(off) * REPEATS, rule, text)  # fmt: skip


def _cause(values: Sequence[Turn], ups: NDArray[np.int_], alpha: float) -> tuple[str, str]:
    """What the frequencies show."""
    above = np.array([t.sixteenths for t in values])
    if not ups.any():
        return "never-up", "never rounds up"
    if (ups == REPEATS).all():
        return "always-up", "always rounds up"
    sides = above != 8
    if ((ups == REPEATS) == (above > 8))[sides].all() and ((ups == 0) == (above < 8))[sides].all():
        return "rounding-nearest", "rounds to nearest"
    if all(tail(int(n), REPEATS, 0.5) >= alpha for n in ups):
        return "half-always", "goes up with probability 1/2 whatever the distance"
    if all(tail(int(n), REPEATS, 1 - t.sixteenths / 16) >= alpha for n, t in zip(ups, values)):
        return "bits-inverted", "goes up with the probability of going down"
    return "frequency", "goes up with another probability"


def tail(hits: int, n: int, p: float) -> float:
    """How probable a count at least as unlikely is: twice the smaller tail of the binomial distribution."""
    counts = range(hits + 1) if hits <= n * p else range(hits, n + 1)
    whole = math.lgamma(n + 1)
    up, down = math.log(p), math.log1p(-p)
    logs = [whole - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * up + (n - i) * down for i in counts]
    most = max(logs)
    return min(1.0, 2 * math.exp(most) * math.fsum(math.exp(x - most) for x in logs))


def _fail(report: Report, op: Operation, code: int, want: int, got: int, count: int, rule: str, text: str) -> None:
    diagnosis = Diagnosis.from_text(rule, "", text)
    report.verdict, report.failed = Verdict.FAIL, count
    report.findings.append(Finding(op.id, (code,), want, got, count, report.cases, (), diagnosis))
