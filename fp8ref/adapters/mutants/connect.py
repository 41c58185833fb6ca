"""Mutants by name, ``mini:NAME``: the tables of every family, gathered; several faults at once by ``+``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...cases.operation import Operation
from ..base import Adapter, Codes
from . import matrices, recipes, unruly
from .answers import right
from .arithmetic import ARITHMETIC_MUTANTS
from .constants import CONSTANT_MUTANTS, ConstantMutant
from .conversions import CONVERSION_MUTANTS
from .habits import HABIT_MUTANTS, NAN_BITS
from .mutant import Mutant
from .scales import SCALE_MUTANTS, ScaleMutant

MUTANTS = CONVERSION_MUTANTS | ARITHMETIC_MUTANTS | HABIT_MUTANTS | NAN_BITS
FAULTY = tuple(name for name, mutant in MUTANTS.items() if mutant.diagnosis and name not in NAN_BITS)

# Families whose mutants have no options of their own: a family's table goes here.
PLAIN: Mapping[str, Mutant | ScaleMutant | ConstantMutant] = {**MUTANTS, **SCALE_MUTANTS, **CONSTANT_MUTANTS}


def connect(name: str = "", **options: str) -> Adapter:
    """The mutant of a name, fresh.  Raises ValueError for any other, with the nearest."""
    if name.startswith("dot-"):
        return matrices.connect(name, **options)
    if name.startswith(("recipe-", "fake-")):
        return recipes.connect(name, **options)
    if name in unruly.UNRULY:
        return unruly.connect(name, MUTANTS[unruly.UNRULY[name].twin], **options)
    if options:
        raise ValueError(f"mutant {name!r:.80} has no options")
    if "+" in name:
        return replace(together(name.split("+"), joinable(MUTANTS)), name=name)
    if name not in PLAIN:
        every = [*PLAIN, *unruly.UNRULY]
        near = difflib.get_close_matches(name, every, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(every)}"
        raise ValueError(f"unknown mutant {name!r:.80}; {hint}")
    return replace(PLAIN[name], name=name)


# -- several faults in one implementation: mini:minus-zero-lost+top-binade-lost ---------------------------------------
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
