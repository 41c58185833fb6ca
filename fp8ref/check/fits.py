"""Which behaviours fit answers to a part of the cases, and which case would decide between them.

What had to be found is named only where the cases refute every other behaviour of the catalogue: every mode, and every
single wrong rule or detour.  Behaviours that agree on all cases of the operation's own plan are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected, differs, expect, is_nan, modes
from ..cases.operation import ANY_MODE, Operation
from ..cases.products.cases import Cases, dot_cases
from ..cases.scaling.questions import is_scale, values
from ..cases.scaling.recipes import mode_text
from ..cases.selection import cases
from ..spec.scaling.named import in_words
from ..spec.status import Status
from .compare import compared
from .diagnosis.book import rules_for
from .diagnosis.diagnose import Diagnosis
from .diagnosis.rule import prediction
from .finding import hexadecimal, reading_order
from .harness.observe import Observations
from .identify.accumulators import agrees, catalogue
from .identify.accumulators import answers as codes_of_models
from .identify.recipes import Search
from .variations.settle import as_exact_sums
from .verdict import Report, Verdict

Codes = NDArray[Any]
SHOWN, TOGETHER = 6, 3  # behaviours that are listed, and names of one
FEW = 4096  # answers that are compared first
OPEN = "open"


@dataclass(frozen=True)
class Fitting:
    """``groups``: names of behaviours that give every answer, those together that are one; ``decides``: a case between
    the first two, in words."""

    groups: tuple[tuple[str, ...], ...]
    decides: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """One text for each behaviour, the last saying how many more there are."""
        shown = [" = ".join(group[:TOGETHER]) for group in self.groups[:SHOWN]]
        more = len(self.groups) - SHOWN
        return (*shown, f"{more} more") if more > 0 else tuple(shown)

    @property
    def open(self) -> bool:
        return len(self.groups) > 1

    def diagnosis(self) -> Diagnosis:
        """The cause of wrong answers where several explain them."""
        decides = f"; {self.decides}" if self.decides else ""
        return Diagnosis(OPEN, f"several causes fit: {'; '.join(self.names)}{decides}")


def fitting(claim: Operation, seen: Observations, nan: str) -> Fitting:
    """What fits all answers: modes, and single wrong rules of the first modes or of the claimed one."""
    operands, got = seen.inputs(), seen.got
    bases = [claim.with_mode(mode) for mode in modes(claim)] if claim.mode == ANY_MODE else [claim]
    right: list[tuple[str, Operation]] = []
    for op in bases:
        if not compared(op, operands, got, seen.status, expect(op, operands), nan).wrong.any():
            right.append((op.mode or op.id, op))
    wanted: list[tuple[Operation, set[tuple[str, str]]]] = []
    for op in bases[:1] if claim.mode != ANY_MODE else bases[:2]:
        keys = {key for key, codes in _predictions(op, operands, got.dtype) if _agree(op, codes, got, nan)}
        wanted.append((op, keys))
    every = cases(bases[0], 1, 0)
    if seen.status is not None or not every[0].size:
        every = seen.operands
    answers: list[tuple[str, Codes]] = [(name, expect(op, every).codes) for name, op in right]
    named = {name for name, _ in right}
    for op, keys in wanted:
        answers += [(key[1], codes) for key, codes in _predictions(op, every, got.dtype) if key in keys]
    return grouped(bases[0], every, answers, named)


def _agree(op: Operation, predicted: Codes, got: Codes, nan: str) -> bool:
    """Whether a prediction is every answer; most differ among the first few."""
    return not any(
        differs(op, predicted[part], got[part], nan).any()
        for part in (slice(0, FEW), slice(FEW, None))
        if got[part].size
    )


def _predictions(op: Operation, operands: Sequence[Codes], dtype: Any) -> Iterator[tuple[tuple[str, str], Codes]]:
    for rule in rules_for(op, operands):
        found = prediction(rule, dtype)
        if found is not None:
            yield (rule.name, rule.sentence), found.codes


def leave_open(report: Report, found: Fitting) -> None:
    """Nothing is wrong, and several behaviours fit: a free mode is undecided, a claimed one meets no profile yet."""
    report.fits = found.names
    if Operation.parse(report.claim).mode == ANY_MODE:
        report.op, report.verdict, report.profiles, report.alike = report.claim, Verdict.UNDECIDED, (), ()
        decides = f"; {found.decides}" if found.decides else ""
        report.reason = f"{'; '.join(found.names)} fit{decides}"


SOME = 64  # cases of which one that is rounded is soon found, where there are any


def alike(op: Operation, operands: Sequence[Codes]) -> tuple[str, ...]:
    """The other modes that answer every case as a found one does: where nothing is rounded, several may."""
    if op.asked.kind not in ("convert", "arithmetic"):
        return ()
    flagged = op if op.flags else replace(op, keys=tuple(sorted((*op.keys, ("flags", "1")))))
    some = np.unique(np.linspace(0, len(operands[0]) - 1, SOME).astype(np.intp))
    for which in (some, slice(None)):
        status = expect(flagged, [codes[which] for codes in operands]).status
        if status is None or (status & int(Status.INEXACT)).any():
            return ()
    want = expect(op, operands)
    others = [mode for mode in modes(op) if mode != op.mode]
    return tuple(mode for mode in others if _same(op, expect(op.with_mode(mode), operands), want))


def _same(op: Operation, a: Expected, b: Expected) -> bool:
    if a.status is not None and b.status is not None and (a.status != b.status).any():
        return False
    return not differs(op, a.codes, b.codes).any()


def fitting_recipes(claim: Operation, seen: Observations, nan: str) -> Fitting:
    """The recipes in use that give every answer; where none does, those with one factor changed."""
    search = Search(claim, seen.inputs(), seen.got, nan)
    fit = search.every_fit()
    every = cases(claim.with_mode(mode_text(fit[0])), 1, 0) if fit else seen.operands
    x, whole = values(claim, every)
    rows = [(in_words(r), search.q.answer(r, x, whole)) for r in fit]
    return grouped(claim, every, rows, {name for name, _ in rows})


def fitting_products(op: Operation, asked: Cases, got: Codes) -> Fitting:
    """The catalogued models that give every answer to a product."""
    every = dot_cases(op, 1, 0)
    as_exact = as_exact_sums(op, asked, got)
    fit = [h for h in catalogue(op) if agrees(op, got if h.model else as_exact, h, asked)]
    plain = [(h.name, codes_of_models(op, h, every)) for h in fit]
    return grouped(replace(op, family="dot"), every.operands, plain, {name for name, _ in plain})


def grouped(op: Operation, every: Sequence[Codes], answers: Sequence[tuple[str, Codes]], modes: Set[str]) -> Fitting:
    """Names that give the same answers to every case are one behaviour, called by its modes where it has some."""
    groups: dict[bytes, list[str]] = {}
    codes: dict[bytes, Codes] = {}
    for name, found in answers:
        plain = found if is_scale(op) else np.where(is_nan(found, op.result), -1, found.astype(np.int64))
        key = np.ascontiguousarray(plain).tobytes()
        names = groups.setdefault(key, [])
        if name not in names:
            names.append(name)
        codes.setdefault(key, found)
    called = [tuple(name for name in names if name in modes) or tuple(names) for names in groups.values()]
    first, second = ([*codes.values(), None, None])[:2]
    return Fitting(tuple(called), _between(op, every, first, second, called))


def _between(
    op: Operation, every: Sequence[Codes], a: Codes | None, b: Codes | None, names: Sequence[Sequence[str]]
) -> str:
    """A case that tells two behaviours apart, and what each gives."""
    if a is None or b is None or is_scale(op) or op.asked.kind == "dot":
        return ""
    apart = np.flatnonzero(differs(op, a, b))
    if not apart.size:
        return ""
    i = apart[reading_order(op, [codes[apart] for codes in every])[0]]
    x = " ".join(hexadecimal(codes[i]) for codes in every)
    return f"{x} decides: {hexadecimal(a[i])} by {names[0][0]}, {hexadecimal(b[i])} by {names[1][0]}"
