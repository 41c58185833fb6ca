"""Mutants by name, ``mini:NAME``: the tables of every family, gathered."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from ..base import Adapter
from . import matrices, recipes, unruly
from .arithmetic import ARITHMETIC_MUTANTS
from .constants import CONSTANT_MUTANTS, ConstantMutant
from .conversions import CONVERSION_MUTANTS
from .habits import HABIT_MUTANTS, NAN_BITS
from .mutant import Mutant
from .pairs import joinable, together
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
