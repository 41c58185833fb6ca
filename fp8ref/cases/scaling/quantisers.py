"""Quantisers of blocks by name: the schemes of ``scale_blocks``, and those of systems outside the standards."""

from __future__ import annotations

import difflib
from functools import lru_cache

from ...arrays.quantisers import Quantiser, of_scheme
from .systems import SYSTEM_QUANTISERS

QUANTISERS = SYSTEM_QUANTISERS


@lru_cache(maxsize=64)
def get_quantiser(name: str) -> Quantiser:
    """The quantiser of a name: one of ``QUANTISERS`` or of the schemes of ``scale_blocks``.

    Raises ValueError, with the choices, for any other.
    """
    if name in QUANTISERS:
        return QUANTISERS[name]
    try:
        return of_scheme(name)
    except ValueError as error:
        near = difflib.get_close_matches(str(name), QUANTISERS, n=1, cutoff=0.6)
        raise ValueError(f"{error}{f'; did you mean {near[0]}?' if near else ''}") from None
