"""Which model the blocks of ``ask_dots.py`` agree with: every answer that was kept, every digest of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import draws
import numpy as np
from draws import BLOCK, Codes

from fp8ref.adapters.captures import blocks
from fp8ref.cases.answers import expect, is_nan
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.products.cases import Cases
from fp8ref.cases.products.questions import model_of
from fp8ref.check.identify.fitting import Observed
from fp8ref.check.identify.identify import identify_captured
from fp8ref.check.identify.readings import readings
from fp8ref.report.findings.identification import page, sentence

EACH = 1500  # answers of each class from which an unknown unit is identified


@dataclass
class Judged:
    """What became of one product.  Counts are of cases, by class."""

    op: Operation
    source: Mapping[str, str]
    asked: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)  # answers other than the model's, all NaNs being one
    nan_codes: Counter[str] = field(default_factory=Counter)  # answers that differ from it in the code of a NaN alone
    unknown: Counter[str] = field(default_factory=Counter)  # in blocks with another digest whose answers are not here
    complaints: list[str] = field(default_factory=list)
    torn: int = 0
    readings: list[tuple[str, str]] = field(default_factory=list)
    identified: str = ""
    page: str = ""

    @property
    def agrees(self) -> bool:
        """Does the claimed model give every answer?"""
        odd = sum((self.other + self.unknown).values()) + len(self.complaints)
        return model_of(self.op) is not None and not odd and bool(self.asked)


def kept(found: blocks.Blocks) -> Iterator[tuple[str, list[Codes], Codes]]:
    """Class, operands and answers of the blocks whose answers are in a file."""
    op = Operation.parse(found.header["operation"])
    dtype = carrier_dtype(op.result)
    for record, content in found.records:
        if content and len(content) == BLOCK * dtype.itemsize:
            operands = draws.block(op, found.header["seed"], record["class"], record["block"])
            if draws.digest(operands) == record["operands"]:
                yield record["class"], operands, np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype)


def judge(path: Path, every: int = 1, identify: bool = True) -> Judged:
    """The verdict on a file.

    ``every``: one in so many of the blocks that are digests alone is looked at.  ``identify``: find out which unit it
    is where it is not the claimed one.
    """
    found = blocks.read(path)
    op = Operation.parse(str(found.header.get("operation")))
    if found.header.get("size") != BLOCK:
        raise ValueError(f"{path}: blocks of {found.header.get('size')!r} cases; this version draws {BLOCK}")
    source = {str(key): str(value)[:400] for key, value in dict(found.header.get("source", {})).items()}
    judged = Judged(op, source, torn=found.torn)
    seen = Observed(op)
    for i, (record, content) in enumerate(found.records):
        name = record.get("class")
        if name not in draws.CLASSES:
            judged.complaints.append(f"record {i}: unknown class {name!r}")
        elif content or i % every == 0:
            _judge_block(judged, found.header["seed"], record, content, seen)
    if seen.parts:
        judged.readings = [(r.name, r.text) for r in readings(op, seen, None)]
    if identify and not judged.agrees and seen.parts:
        result = identify_captured(op, seen.cases, seen.got)
        judged.identified, judged.page = sentence(result), page(result, dict(judged.source))
    return judged


def _judge_block(judged: Judged, seed: int, record: Mapping[str, Any], content: bytes, seen: Observed) -> None:
    op, name, place = judged.op, record["class"], f"{record['class']} {record['block']}"
    operands = draws.block(op, seed, name, record["block"])
    if draws.digest(operands) != record.get("operands"):
        judged.complaints.append(f"{place}: the operands are not those that were drawn")
        return
    judged.asked[name] += BLOCK
    dtype = carrier_dtype(op.result)
    want = expect(op, operands).codes if model_of(op) is not None else None
    if not content:
        if want is None or draws.digest([want]) != record.get("answers"):
            judged.unknown[name] += BLOCK
        return
    if len(content) != BLOCK * dtype.itemsize:
        judged.complaints.append(f"{place}: {len(content)} bytes of answers")
        return
    got = np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype)
    if draws.digest([got]) != record.get("answers"):
        judged.complaints.append(f"{place}: the answers are not those of the digest")
    if want is not None:
        off = got != want
        nans = off & is_nan(got, op.result) & is_nan(want, op.result)
        judged.other[name] += int((off & ~nans).sum())
        judged.nan_codes[name] += int(nans.sum())
    if record["block"] == 0:
        a, b, c = (codes[:EACH] for codes in operands)
        seen.add(Cases(a, b, c, (name,) * len(c)), got[:EACH])


# -- tables -----------------------------------------------------------------------------------------------------------
def table(found: list[Judged]) -> str:
    """A row of Markdown for each product."""
    rows = ["| product | model | cases | other answers | verdict |", "| --- | --- | ---: | ---: | --- |"]
    for j in found:
        cases, other = sum(j.asked.values()), sum(j.other.values())
        unknown = sum(j.unknown.values())
        shown = f"{other:,}" + (f" and some of {unknown:,}" if unknown else "")
        verdict = "agrees" if j.agrees else j.identified or "; ".join(j.complaints[:2]) or "nothing was judged"
        nan = sum(j.nan_codes.values())
        verdict += f"; the code of a NaN is another one in {nan:,}" if nan else ""
        name = f"{'.'.join(j.op.operands)} → {j.op.result}, K = {j.op.key('k')}"
        rows.append(f"| {name} | `{j.op.mode}` | {cases:,} | {shown} | {verdict} |")
    return "\n".join(rows)


def classes_table(found: list[Judged]) -> str:
    """Cases of every class, and answers other than the models', over all products."""
    rows = ["| class | cases | other answers |", "| --- | ---: | ---: |"]
    for name in draws.CLASSES:
        asked, other = (sum(getattr(j, which)[name] for j in found) for which in ("asked", "other"))
        unknown = sum(j.unknown[name] for j in found)
        rows.append(f"| {name} | {asked:,} | {other:,}{f' and some of {unknown:,}' if unknown else ''} |")
    return "\n".join(rows)


def questions_table(found: list[Judged]) -> str:
    """What answers say by themselves: NaNs, infinities, zeros, subnormals."""
    rows = ["| product | question | seen |", "| --- | --- | --- |"]
    for j in found:
        name = f"{'.'.join(j.op.operands)} → {j.op.result}, `{j.op.mode}`, K = {j.op.key('k')}"
        rows += [f"| {name} | {question} | {text} |" for question, text in j.readings]
    return "\n".join(rows)
