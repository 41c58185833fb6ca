"""Why answers are wrong: the wrong rule, and the circumstance, that together predict every answer.

A rule is named only if it predicts all answers, right and wrong, wherever its circumstance holds, and every wrong
answer lies there.  Where none does, the diagnosis says *unexplained* and shows the pattern instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, differs, expect, is_nan
from ...cases.flags import flags_of, operand_parts
from ...cases.operation import INTEGERS, Operation
from ...cases.scaling.questions import is_scale
from ...fast.kernel import Fields, floor_log2_u64
from ...spec.catalog import get_format
from ..harness.observe import LAYOUT_NAMES, Observations
from .book import rules_for
from .rule import Rule
from .scaling import scale_pattern, scale_places

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
UNEXPLAINED = "unexplained"
NO_RULE, ONLY = "unexplained: no single wrong rule predicts every answer; ", ", but only "
SAMPLE = 512  # wrong answers that sort out the rules


@dataclass(frozen=True)
class Diagnosis:
    """``rule`` is a rule's name or ``unexplained``; ``where`` its circumstance, empty for everywhere."""

    rule: str
    sentence: str
    where: str = ""
    pattern: str = ""

    def __str__(self) -> str:
        if self.rule == UNEXPLAINED:
            return f"{NO_RULE}{self.pattern}"
        return self.sentence + (f"{ONLY}{self.where}" if self.where else "")

    @classmethod
    def from_text(cls, rule: str, where: str, text: str) -> Diagnosis:
        """The diagnosis that a run record gives as a rule, a circumstance and a text."""
        if rule == UNEXPLAINED:
            return cls(rule, "", where, text.removeprefix(NO_RULE))
        return cls(rule, text.removesuffix(f"{ONLY}{where}") if where else text, where)


def diagnose(op: Operation, seen: Observations, want: Expected, wrong: Mask) -> Diagnosis:
    """The diagnosis of the wrong answers among the observed ones; at least one must be wrong."""
    pardoned = _off(op, seen, want, want) & ~wrong  # mismatches that a variation allows need no explanation
    places = [(text, where) for text, where in _circumstances(op, seen, want) if not (wrong & ~where).any()]
    kept, closest = _promising(op, seen, want, wrong)
    partial: list[tuple[int, Rule]] = []
    best: tuple[int, Diagnosis] | None = None
    every = expect(op, seen.operands)
    for rule in rules_for(op, seen.operands) if kept or closest else ():
        if _key(rule) not in kept and _key(rule) != closest:
            continue
        answers = prediction(rule, seen.got.dtype)
        if answers is None or not _changes(op, answers, every):
            continue
        here = answers.taken(seen.case)
        off = _off(op, seen, want, here) & ~pardoned
        if (off & wrong).any():
            if not rule.throughout:
                partial.append((int((wrong & ~off).sum()), rule))
            continue
        for rank, (text, where) in enumerate(places[:1] if rule.throughout else places):
            if not (off & where).any():
                # places come widest first; among rules prefer the widest place
                if best is None or rank < best[0]:
                    best = rank, Diagnosis(rule.name, rule.sentence, text)
                break
    if best is not None:
        return best[1]
    positional = _shuffled(op, seen, want.codes, wrong)
    if positional is not None:
        return positional
    return Diagnosis(UNEXPLAINED, "", pattern=pattern(op, seen, want, wrong, partial))


Key = tuple[str, str]


def _key(rule: Rule) -> Key:
    return rule.name, rule.sentence


def prediction(rule: Rule, dtype: np.dtype[Any]) -> Expected | None:
    """A rule's prediction; None where it has none, or none of the right type."""
    try:
        found = rule.predicted()
    except (NotImplementedError, ValueError, OverflowError):
        return None
    return found if found.codes.dtype == dtype else None


def _promising(op: Operation, seen: Observations, want: Expected, wrong: Mask) -> tuple[set[Key], Key | None]:
    """The rules that predict some of the wrong answers, all of these; and the one that predicts most."""
    bad = np.flatnonzero(wrong)
    some = bad[:: -(-bad.size // SAMPLE)]
    got = seen.got[some]
    status = None if seen.status is None else seen.status[some]
    kept: set[Key] = set()
    most: tuple[int, Key | None] = (0, None)
    for rule in rules_for(op, [codes[seen.case[some]] for codes in seen.operands]):
        predicted = prediction(rule, got.dtype)
        if predicted is None:
            continue
        right = int((~_misses(op, got, status, want.taken(some), predicted)).sum())
        if right == some.size:
            kept.add(_key(rule))
        elif right > most[0] and not rule.throughout:
            most = right, _key(rule)
    return kept, most[1]


def _changes(op: Operation, predicted: Expected, right: Expected) -> bool:
    """Does a rule change any answer?"""
    if predicted.status is not None and right.status is not None and (predicted.status != right.status).any():
        return True
    return bool(differs(op, predicted.codes, right.codes).any())


def _off(op: Operation, seen: Observations, want: Expected, predicted: Expected) -> Mask:
    return _misses(op, seen.got, seen.status, want, predicted)


def _misses(op: Operation, got: Codes, status: Codes | None, want: Expected, predicted: Expected) -> Mask:
    """Which answers a prediction misses; where it gives no status, that of the answers that it changes may be any."""
    off = differs(op, got, predicted.codes)
    if status is not None and predicted.status is not None:
        off |= status != predicted.status
    elif status is not None and want.status is not None:
        off |= (status != want.status) & ~differs(op, predicted.codes, want.codes)
    return off


def _circumstances(op: Operation, seen: Observations, want: Expected) -> Iterator[tuple[str, Mask]]:
    """Places where a mistake may be confined, widest first; each a text and the answers that lie there."""
    yield "", np.ones(seen.size, bool)
    parts = [] if is_scale(op) else operand_parts(op, seen.operands)
    subnormal = [_subnormals(x, name) for x, name in zip(parts, op.operands)]
    if is_scale(op):
        everywhere = scale_places(op, seen.operands)
    else:
        everywhere = _of_one(parts[0], subnormal[0]) if len(parts) == 1 else _of_several(parts, subnormal)
    for text, where in everywhere:
        yield text, where[seen.case]
    plain, strided = LAYOUT_NAMES.index("plain"), LAYOUT_NAMES.index("strided")
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
    for n in (16, 32, 64):  # code with vectors for contiguous arrays alone
        blocks = seen.position < seen.length - seen.length % n
        yield f"in full blocks of {n} elements of contiguous arrays", blocks & (seen.layout != strided)
    if op.asked.kind in ("convert", "decode"):
        f, x = op.result_format, parts[0]
        e, finite = floor_log2_u64(x.sig) + x.exp, ~(x.nan | x.infinite)
        if op.family == "convert" and not f.fixed_point:
            yield "for results in the subnormal range", (finite & (e < f.emin))[seen.case]
            yield "for results in the normal range", (finite & (e >= f.emin))[seen.case]
        yield "for large magnitudes (the top binade and beyond)", (finite & (e >= f.emax))[seen.case]
    elif op.asked.kind == "arithmetic":
        f = op.result_format
        number = ~is_nan(want.codes, op.result)
        magnitude = want.codes & want.codes.dtype.type(f.magnitude_mask)
        negative = (want.codes & want.codes.dtype.type(f.sign_bit)) != 0
        if f.has_subnormals:
            yield "for subnormal results", number & (magnitude > 0) & (magnitude < 1 << f.t)
            yield "for results below the normal range", number & (magnitude < 1 << f.t)
            yield "for normal results", number & (magnitude >= 1 << f.t)
        yield "for negative results", number & negative
        yield "for positive results", number & ~negative


def _subnormals(x: Fields, type_name: str) -> Mask:
    """Subnormals and zeros of a format that has them."""
    finite = ~(x.nan | x.infinite)
    if type_name in INTEGERS or not get_format(type_name).has_subnormals:
        return np.zeros(finite.shape, bool)
    return finite & (x.sig < np.uint64(1 << get_format(type_name).t))


def _of_one(x: Fields, subnormal: Mask) -> Iterator[tuple[str, Mask]]:
    finite = ~(x.nan | x.infinite)
    yield "for subnormal inputs", subnormal
    yield "for negative inputs", x.negative
    yield "for positive inputs", ~x.negative
    yield "for finite inputs", finite
    yield "for infinities and NaNs", ~finite
    yield "for NaNs", x.nan
    yield "for infinities", x.infinite


def _of_several(parts: Sequence[Fields], subnormal: Sequence[Mask]) -> Iterator[tuple[str, Mask]]:
    finite = np.logical_and.reduce([~(x.nan | x.infinite) for x in parts])
    nan = np.logical_or.reduce([x.nan for x in parts])
    yield "for finite operands", finite
    yield "for operands that are no NaN", ~nan
    unlike = parts[0].negative != parts[1].negative
    yield "for operands of unlike sign", unlike
    yield "for operands of like sign", ~unlike
    for name, x, small in zip("abc", parts, subnormal):
        yield f"for negative {name}", x.negative
        yield f"for positive {name}", ~x.negative
        yield f"for subnormal {name}", small & (x.sig != 0)
    yield "where an operand is subnormal", np.logical_or.reduce([s & (x.sig != 0) for s, x in zip(subnormal, parts)])
    yield "where no operand is subnormal", ~np.logical_or.reduce([s & (x.sig != 0) for s, x in zip(subnormal, parts)])
    yield "where an operand is zero", np.logical_or.reduce([~x.nan & ~x.infinite & (x.sig == 0) for x in parts])
    yield "where an operand is infinite", np.logical_or.reduce([x.infinite for x in parts])
    yield "where an operand is a NaN", nan
    yield "where an operand is infinite or a NaN", ~finite


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
    op: Operation, seen: Observations, want: Expected, wrong: Mask, partial: list[tuple[int, Rule]] | None = None
) -> str:
    """What the wrong answers have in common, in one line: count, sign, binades, distance, place."""
    bad = np.flatnonzero(wrong)
    if op.asked.kind == "constant":
        return "it is no other constant, and none of a format of the same fields"
    parts = [f"{bad.size} of {seen.size} answers"]
    if is_scale(op):
        parts += scale_pattern(op, seen.got[bad], want.codes[bad])
    elif len(op.operands) == 1:
        (fields,) = operand_parts(op, [seen.operands[0][seen.case[bad]]])
        finite = ~(fields.nan | fields.infinite) & (fields.sig != 0)
        if fields.negative.all() or not fields.negative.any():
            parts.append("all negative" if fields.negative.any() else "all positive")
        if finite.any():
            e = (floor_log2_u64(fields.sig) + fields.exp)[finite]
            parts.append(f"binades 2^{e.min()} to 2^{e.max()}" if e.min() < e.max() else f"binade 2^{e.min()}")
        for text, count in (("NaN", fields.nan.sum()), ("infinite", fields.infinite.sum())):
            if count:
                parts.append(f"{count} {text}")
    else:
        for flag, there in flags_of(op, [codes[seen.case[bad]] for codes in seen.operands]).items():
            if there.all():
                parts.append(f"all {flag}")
    distance = seen.got[bad].astype(np.int64) - want.codes[bad].astype(np.int64)
    if is_scale(op):
        pass
    elif not distance.any():
        parts.append("only the status is wrong")
    elif np.unique(distance).size <= 2:
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
