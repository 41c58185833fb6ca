"""Quantisers of blocks by name: schemes of ``scale_blocks``, recipes, and systems outside the standards."""

from __future__ import annotations

import difflib
from functools import lru_cache

from ...arrays.quantisers import Quantiser, of_scheme
from .recipes import is_element, of_recipe
from .systems import SYSTEM_QUANTISERS

QUANTISERS = SYSTEM_QUANTISERS


@lru_cache(maxsize=64)
def get_quantiser(name: str) -> Quantiser:
    """The quantiser of a name: one of ``QUANTISERS``, of the schemes of ``scale_blocks``, or recipes with codes of a
    format.

    Raises ValueError, with the choices, for any other.
    """
    if name in QUANTISERS:
        return QUANTISERS[name]
    if is_element(name):
        return of_recipe(name, "*")
    try:
        return of_scheme(name)
    except ValueError as error:
        near = difflib.get_close_matches(str(name), QUANTISERS, n=1, cutoff=0.6)
        raise ValueError(f"{error}{f'; did you mean {near[0]}?' if near else ''}") from None
