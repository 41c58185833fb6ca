"""Does an adapter work at all?  Each claim is asked a handful of cases; nothing is judged that takes longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import differs, expect
from ...cases.operation import ANY_MODE, Operation, carrier_dtype
from ...cases.products.cases import dot_cases, handed, probes
from ...cases.products.questions import bound_of, is_product, operand_types, shapes, with_length
from ...cases.tuples import special_codes
from ..variations.settle import settle
from .transport import Crashed, Declined, Session, TimedOut

Codes = NDArray[Any]
MOST = 64  # cases of one call


@dataclass
class Tried:
    """The claims of one family: how many, and what was wrong with some of them, by claim."""

    claims: int = 0
    declined: int = 0
    wrong: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def smoke(session: Session, claims: Sequence[Operation]) -> dict[str, Tried]:
    """What came of a handful of cases of every claim, by family."""
    found: dict[str, Tried] = {}
    for claim in claims:
        tried = found.setdefault(claim.family, Tried())
        tried.claims += 1
        try:
            said = _ask(session, claim)
        except Declined:
            tried.declined += 1
        except (Crashed, TimedOut) as error:
            tried.broken[claim.id] = str(error)
        else:
            if said:
                tried.wrong[claim.id] = said
    return found


def handful(op: Operation) -> list[Codes]:
    """Special values of every operand, at most MOST cases, each value at least once."""
    if is_product(op):
        asked = with_length(op)
        few = probes(asked)
        few = few if few.size else dot_cases(asked, 1, 0)
        return handed(asked, few.taken(np.arange(min(few.size, 8))))
    chosen = [special_codes(name) for name in op.operands]
    n = min(MOST, max(codes.size for codes in chosen) * len(chosen))
    index = np.arange(n)  # operands advance at unlike speeds, so that unlike values meet
    return [codes[index * (2 * i + 1) % codes.size] for i, codes in enumerate(chosen)]


def _ask(session: Session, claim: Operation) -> str:
    """What is wrong with the answers to a handful, to one and to none of the cases; empty where nothing is."""
    if claim.family == "matmul":
        empty = [np.zeros(shape, carrier_dtype(t)) for shape, t in zip(shapes(claim, 2), operand_types(claim))]
        session.ask(claim, [(empty, "plain")])
        return ""
    operands = handful(claim)
    count = len(operands[0])
    sizes = (count, 1, 0)
    calls = [([codes[:n] for codes in operands], "plain") for n in sizes]
    answers = [(got.copy(), status) for got, status in session.ask(claim, calls)]
    again = [(got.copy(), status) for got, status in session.ask(claim, calls[:1])]
    got = answers[0][0]
    if (got != again[0][0]).any():
        return "asked twice, answers differ"
    if (answers[1][0] != got[:1]).any():
        return "asked alone, the first case has another answer"
    if claim.mode == ANY_MODE or bound_of(claim) is not None:
        return ""
    want = expect(claim, operands).codes
    if not is_product(claim):
        want = settle(claim, operands, got, want).want
    off = np.flatnonzero(differs(claim, got, want))
    return f"{off.size} of {count} answers are wrong" if off.size else ""
