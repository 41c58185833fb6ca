"""Why answers are wrong: the wrong rule, and the circumstance, that together predict every answer.

A rule is named only if it predicts all answers, right and wrong, wherever its circumstance holds, and every wrong
answer lies there.  Where none does, the diagnosis says *unexplained* and shows the pattern instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import Operation
from ..fast.kernel import floor_log2_u64
from .expect import Expected, differs
from .observe import LAYOUT_NAMES, Observations
from .rules import Rule, fields_of, rules_for

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Diagnosis:
    """``rule`` is a rule's name or ``unexplained``; ``where`` its circumstance, empty for everywhere."""

    rule: str
    sentence: str
    where: str = ""
    pattern: str = ""

    def __str__(self) -> str:
        if self.rule == UNEXPLAINED:
            return f"unexplained: no single wrong rule predicts every answer; {self.pattern}"
        return self.sentence + (f", but only {self.where}" if self.where else "")


def diagnose(op: Operation, seen: Observations, expected: Expected, wrong: Mask) -> Diagnosis:
    """The diagnosis of the wrong answers among the observed ones; at least one must be wrong."""
    want = expected.codes
    if op.asked.kind not in ("convert", "decode"):
        return Diagnosis(UNEXPLAINED, "", pattern=pattern(op, seen, want, wrong))
    x = seen.inputs()[0]
    pardoned = differs(op, seen.got, want) & ~wrong  # departures that a variation allows need no explanation
    places = [(text, where) for text, where in _circumstances(op, seen, x, want) if not (wrong & ~where).any()]
    partial: list[tuple[int, Rule]] = []
    best: tuple[int, Diagnosis] | None = None
    for rule in rules_for(op, x):
        try:
            predicted = rule.predict()
        except (NotImplementedError, ValueError):
            continue
        if predicted.dtype != seen.got.dtype or not differs(op, predicted, want).any():
            continue
        off = differs(op, seen.got, predicted) & ~pardoned
        if (off & wrong).any():
            partial.append((int((wrong & ~off).sum()), rule))
            continue
        for rank, (text, where) in enumerate(places):
            if not (off & where).any():
                # places come widest first; among rules prefer the widest place
                if best is None or rank < best[0]:
                    best = rank, Diagnosis(rule.name, rule.sentence, text)
                break
    if best is not None:
        return best[1]
    positional = _shuffled(op, seen, want, wrong)
    if positional is not None:
        return positional
    return Diagnosis(UNEXPLAINED, "", pattern=pattern(op, seen, want, wrong, partial))


def _circumstances(op: Operation, seen: Observations, x: Codes, want: Codes) -> Iterator[tuple[str, Mask]]:
    """Places where a mistake may be confined, widest first; each a text and the answers that lie there."""
    everywhere = np.ones(seen.size, bool)
    yield "", everywhere
    fields = fields_of(op, x)
    finite = ~(fields.nan | fields.infinite)
    source = op.source_format
    small = np.zeros(seen.size, bool)
    if source is not None and source.has_subnormals:
        small = finite & (fields.sig < np.uint64(1 << source.t))
    for text, where in (
        ("for subnormal inputs", small),
        ("for negative inputs", fields.negative),
        ("for positive inputs", ~fields.negative),
        ("for finite inputs", finite),
        ("for infinities and NaNs", ~finite),
        ("for NaNs", fields.nan),
        ("for infinities", fields.infinite),
    ):
        yield text, where
    plain = LAYOUT_NAMES.index("plain")
    yield "in calls after the first", seen.call > 0
    for name, text in (
        ("strided", "strided arrays"),
        ("reversed", "arrays of negative stride"),
        ("offset", "unaligned arrays"),
    ):
        yield f"for {text}", seen.layout == LAYOUT_NAMES.index(name)
    yield (
        "for strided arrays, negative strides included",
        (seen.layout != plain) & (seen.layout != LAYOUT_NAMES.index("offset")),
    )
    yield "for arrays that are not plainly laid out", seen.layout != plain
    yield "when the same cases are asked again", seen.again
    for power in range(1, 13):
        n = 1 << power
        yield f"in arrays of at least {n} elements", seen.length >= n
        yield f"in arrays shorter than {n} elements", seen.length < n
    for n in (4, 8, 16, 32, 64):
        body = seen.length - seen.length % n
        yield f"in the tail after blocks of {n} elements", seen.position >= body
        yield f"in full blocks of {n} elements", seen.position < body
    yield "in the last element", seen.position == seen.length - 1
    yield "in the first element", seen.position == 0
    for n in (2, 4, 8, 16):
        for r in range(n):
            yield f"at positions that are {r} modulo {n}", seen.position % n == r
    e = floor_log2_u64(fields.sig) + fields.exp
    f = op.result_format
    if op.family == "convert" and not f.fixed_point:
        yield "for results in the subnormal range", finite & (e < f.emin)
        yield "for results in the normal range", finite & (e >= f.emin)
    yield "for large magnitudes (the top binade and beyond)", finite & (e >= f.emax)


def _shuffled(op: Operation, seen: Observations, want: Codes, wrong: Mask) -> Diagnosis | None:
    """Answers that are right but stand in the wrong place of their call."""
    starts = np.flatnonzero(np.diff(seen.call, prepend=-1))
    for name, sentence, source in (
        ("reversed", "answers come in reverse order", seen.length - 1 - seen.position),
        ("rotated", "answers are shifted by one place", (seen.position - 1) % np.maximum(seen.length, 1)),
        ("rotated", "answers are shifted by one place", (seen.position + 1) % np.maximum(seen.length, 1)),
    ):
        base = starts[np.cumsum(np.isin(np.arange(seen.size), starts)) - 1]
        if not differs(op, seen.got, want[base + source]).any():
            return Diagnosis(name, sentence)
    return None


def pattern(
    op: Operation, seen: Observations, want: Codes, wrong: Mask, partial: list[tuple[int, Rule]] | None = None
) -> str:
    """What the wrong answers have in common, in one line: count, sign, binades, distance, place."""
    bad = np.flatnonzero(wrong)
    parts = [f"{bad.size} of {seen.size} answers"]
    if op.family in ("convert", "decode"):
        fields = fields_of(op, seen.inputs()[0][bad])
        finite = ~(fields.nan | fields.infinite) & (fields.sig != 0)
        if fields.negative.all() or not fields.negative.any():
            parts.append("all negative" if fields.negative.any() else "all positive")
        if finite.any():
            e = (floor_log2_u64(fields.sig) + fields.exp)[finite]
            parts.append(f"binades 2^{e.min()} to 2^{e.max()}" if e.min() < e.max() else f"binade 2^{e.min()}")
        for text, count in (("NaN", fields.nan.sum()), ("infinite", fields.infinite.sum())):
            if count:
                parts.append(f"{count} {text}")
    distance = seen.got[bad].astype(np.int64) - want[bad].astype(np.int64)
    if np.unique(distance).size <= 2:
        parts.append("code off by " + " or ".join(f"{d:+d}" for d in np.unique(distance)))
    for n in (64, 32, 16, 8, 4, 2):
        residues = np.unique(seen.position[bad] % n)
        if residues.size == 1 and bad.size >= 4:
            parts.append(f"positions {residues[0]} modulo {n}")
            break
    layouts = np.unique(seen.layout[bad])
    if layouts.size < len(LAYOUT_NAMES):
        parts.append("layouts " + ", ".join(LAYOUT_NAMES[i] for i in layouts))
    # short arrays are right only if they were asked a case that longer ones get wrong
    shortest = seen.length[bad].min()
    if (np.isin(seen.case, np.unique(seen.case[bad])) & (seen.length < shortest)).any():
        parts.append(f"only arrays of {shortest} elements or more")
    if partial:
        count, rule = max(partial, key=lambda item: item[0])
        if count:
            parts.append(f"{count} of them as if: {rule.sentence}")
    return "; ".join(parts)
