"""Everything that may stand behind some answers: modes, wrong rules, models, recipes, and libraries as recorded.

A candidate has an answer to every case; what gives every answer of a table is what its giver may have done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from ...cases.answers import Expected, expect, modes
from ...cases.operation import ANY_MODE, Operation
from ...cases.products.cases import Cases
from ...cases.products.questions import is_product
from ...cases.scaling.questions import is_recipe, is_scale, quantiser, scale_bytes, values
from ...cases.scaling.recipes import candidates as recipe_modes
from ...cases.scaling.recipes import rows_of, with_element
from ...spec.profiles.catalog import profiles_meeting
from ...spec.projection import get_projection
from ..diagnosis.book import composed_rules, rules_for
from ..diagnosis.rule import prediction
from ..identify.accumulators import answers as model_answers
from ..identify.accumulators import catalogue
from .recorded import recorded_answers

Codes = NDArray[Any]
KINDS = ("mode", "model", "recipe", "rule", "composed rule", "library")  # simplest first


@dataclass(frozen=True)
class Candidate:
    """One behaviour: its kind (of ``KINDS``), its name, what it does in words, and its answers to some cases."""

    kind: str
    name: str
    text: str
    codes: Codes

    @property
    def mode(self) -> str:
        """The mode it follows: its own name, or the one recorded of a library."""
        return self.text.partition(",")[0].partition(" ")[0] if self.kind == "library" else self.name

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.name, self.text


def candidates(claim: Operation, operands: Sequence[Codes], kinds: Sequence[str] = KINDS) -> Iterator[Candidate]:
    """The behaviours of some kinds, with their answers to cases of a claim."""
    for kind in kinds:
        for name, text, codes in MAKERS[kind](claim, operands):
            yield Candidate(kind, name, text, codes)


def bases(claim: Operation) -> list[Operation]:
    """The operations against which wrong rules are measured: the claimed one, of a free mode the usual ones."""
    return [claim] if claim.mode != ANY_MODE else [claim.with_mode(mode) for mode in definite(claim)[:2]]


def definite(claim: Operation) -> list[str]:
    """The modes that answers to a claim may follow; of products the exact sum alone: models are another kind."""
    return ["exact"] if is_product(claim) else list(modes(claim))


Named = Iterator[tuple[str, str, Codes]]


def _modes(claim: Operation, operands: Sequence[Codes]) -> Named:
    if is_product(claim) or is_recipe(claim):
        return
    own = claim.asked.mode is not None and claim.asked.kind != "constant"
    for mode in modes(claim) if own else ():
        yield mode, "", expect(claim.with_mode(mode), operands).codes
    if not own:
        yield "the specification", "", expect(claim, operands).codes


def _models(claim: Operation, operands: Sequence[Codes]) -> Named:
    if not is_product(claim):
        return
    cases = cases_of(operands)
    for h in catalogue(claim):
        yield h.name, h.model.source if h.model is not None else "", model_answers(claim, h, cases)


def cases_of(operands: Sequence[Codes]) -> Cases:
    """Products as cases without names."""
    a, b, c, *scales = operands
    return Cases(a, b, c, ("",) * len(a), tuple(scales))


def _recipes(claim: Operation, operands: Sequence[Codes]) -> Named:
    if not is_scale(claim):
        return
    q = quantiser(claim)
    element = claim.result if is_recipe(claim) else q.element
    x, whole = values(claim, operands)
    for mode in recipe_modes(element, q.scale, q.tensor):
        try:
            rows = rows_of(with_element(mode, element), x, claim.operands[0], whole)
        except ValueError:
            continue
        if rows.shape[1] == x.shape[1] + scale_bytes(q):
            yield mode, "", rows


def _rules(claim: Operation, operands: Sequence[Codes]) -> Named:
    if not is_product(claim):
        yield from _of_book(rules_for, claim, operands)


def _composed(claim: Operation, operands: Sequence[Codes]) -> Named:
    if not is_product(claim):
        yield from _of_book(composed_rules, claim, operands)


def _of_book(book: Any, claim: Operation, operands: Sequence[Codes]) -> Named:
    seen: set[tuple[str, str]] = set()
    for op in bases(claim):
        right = expect(op, operands).codes
        for rule in book(op, operands):
            found = prediction(rule, right.dtype)
            if found is not None and (rule.name, rule.sentence) not in seen:
                seen.add((rule.name, rule.sentence))
                yield rule.name, rule.sentence, found.codes


MAKERS = {
    "mode": _modes, "model": _models, "recipe": _recipes, "rule": _rules, "composed rule": _composed,
    "library": recorded_answers,
}  # fmt: skip


def profiles_of(claim: Operation, names: Sequence[str]) -> tuple[str, ...]:
    """The profiles that some of the modes meet."""
    if claim.family != "convert":
        return ()
    found: dict[str, None] = {}
    for name in names:
        rounding, _, overflow = name.partition(".")
        try:
            rho = get_projection(claim.result_format, rounding, overflow)
        except ValueError:
            continue
        found |= dict.fromkeys(profiles_meeting(claim.operands[0], claim.result, rho))
    return tuple(found)


def expected_of(claim: Operation, operands: Sequence[Codes]) -> Expected:
    """What a claim's own mode answers."""
    return expect(replace(claim, family="dot") if is_product(claim) else claim, operands)
