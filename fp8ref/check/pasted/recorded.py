"""What libraries answered when their records were made: a mode, and the wrong rules that were found.

``recorded.json.gz`` is written by ``tools/matrix/library_answers.py`` from the committed records of docs/data/matrix.
A library is silent where a finding is unexplained, or its circumstance depends on the call.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, expect
from ...cases.operation import Operation
from ..diagnosis.book import composed_rules, paired_rules, rules_for
from ..diagnosis.rule import Rule, prediction
from ..diagnosis.traits.places import circumstances
from ..harness.observe import Observations
from ..variations.asked import through

Codes = NDArray[Any]
Cause = tuple[str, str]  # a rule, and its circumstance


@cache
def recorded() -> dict[str, dict[str, list[tuple[str, tuple[Cause, ...]]]]]:
    """``family/operands/result`` -> library -> the operations judged, each with the causes of its wrong answers."""
    text = gzip.decompress(files(__package__).joinpath("recorded.json.gz").read_bytes())
    found: dict[str, dict[str, list[tuple[str, tuple[Cause, ...]]]]] = {}
    for library, operations in json.loads(text).items():
        for op, causes in operations:
            key = "/".join(op.split(";")[0].split("/")[:3])
            pairs = tuple((rule, where) for rule, where in causes)
            found.setdefault(key, {}).setdefault(library, []).append((op, pairs))
    return found


def recorded_answers(claim: Operation, operands: Sequence[Codes]) -> Iterator[tuple[str, str, Codes]]:
    """Each library that has an operation of these types, what it does, and its answers."""
    key = f"{claim.family}/{'.'.join(claim.operands)}/{claim.result}"
    for library, operations in recorded().get(key, {}).items():
        for text, causes in operations:
            op = Operation.parse(text)
            op = replace(op, keys=tuple(pair for pair in op.keys if pair[0] != "flags"))
            if op.key("k") != claim.key("k") and op.asked.kind in ("scale", "dot"):
                continue
            codes = _answers(op, operands, causes)
            if codes is not None:
                rules = "".join(f", {rule}{f' {where}' if where else ''}" for rule, where in causes)
                via = f" via {op.key('via')}" if op.key("via") else ""
                yield f"{library}", f"{op.mode or op.family}{via}{rules}", codes


def _answers(op: Operation, operands: Sequence[Codes], causes: Sequence[Cause]) -> Codes | None:
    """The reference's answers, but for what the rules change; None where one is not known for single cases."""
    want = expect(op, operands)
    if op.key("via"):  # the library documents that it rounds to this format first
        want = Expected(through(op, operands[0], op.key("via")))
    if not causes:
        return want.codes
    n = len(operands[0])
    seen = Observations.of_one_call(operands, want.codes)
    places = {place.text: place.there for place in circumstances(op, seen, want) if not place.of_call}
    codes = want.codes.copy()
    for name, where in causes:
        rule = _rule(op, operands, name)
        found = None if rule is None else prediction(rule, codes.dtype)
        if found is None or where not in places:
            return None
        there = places[where].reshape(n, *[1] * (codes.ndim - 1))
        codes = np.where(there & (found.codes != want.codes), found.codes, codes).astype(codes.dtype)
    return codes


def _rule(op: Operation, operands: Sequence[Codes], name: str) -> Rule | None:
    for book in (rules_for, composed_rules, paired_rules):
        for rule in book(op, operands):
            if rule.name == name:
                return rule
    return None
