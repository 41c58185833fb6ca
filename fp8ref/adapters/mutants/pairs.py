"""Two or three planted faults in one implementation: ``mini:minus-zero-lost+top-binade-lost``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...cases.operation import Operation
from ..base import Codes
from .answers import right
from .mutant import Mutant


def together(names: Sequence[str], mutants: Mapping[str, Mutant]) -> Mutant:
    """The mutant with the faults of others, the earlier one where two change the same answer.

    Raises ValueError for mutants that no operation has in common, or whose answers depend on earlier calls.
    """
    unknown = [name for name in names if name not in mutants]
    if unknown:
        raise ValueError(f"mutant {unknown[0]!r:.80} cannot be joined with +; choose from {', '.join(mutants)}")
    parts = [mutants[name] for name in names]
    claims = tuple(claim for claim in parts[0].claims if all(claim in part.claims for part in parts))
    if not claims:
        raise ValueError(f"mutants {' and '.join(names)} have no operation in common")

    def answer(op: Operation, x: Codes) -> Codes:
        want = right(op, x)
        found = want
        for part in reversed(parts):
            codes = np.asarray(part.answer(op, x))
            found = np.where(codes != want, codes, found).astype(want.dtype)
        return found

    return Mutant(answer, " + ".join(part.diagnosis for part in parts), claims=claims)


def joinable(mutants: Mapping[str, Mutant]) -> dict[str, Mutant]:
    """The mutants of one fault, named, that answer element by element, wherever in the call that is."""
    scattered = ("", "unexplained", "reversed", "rotated")
    return {
        name: m
        for name, m in mutants.items()
        if m.diagnosis not in scattered
        and not m.remembers
        and all(claim.startswith(("convert/", "decode/")) for claim in m.claims)
    }
