"""Quantisers of blocks as data: how the scale comes from the largest magnitude, and the codes from the scaled elements.

Every scheme of :func:`scale_blocks` is one; a system with blocks of its own adds another by filling in the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..fast import blocks
from ..fast.blocks import F32s, U32s
from ..fast.chunks import Array
from ..spec.projection import get_projection
from ..spec.rounding import Rounding
from ..spec.scaling.schemes import SOURCES, get_scheme

Scales = Callable[[U32s, str, F32s | None], tuple[Array, F32s]]
Elements = Callable[[F32s, F32s, Rounding], Array]


@dataclass(frozen=True)
class Quantiser:
    """How one block becomes a scale and codes, in binary32.

    ``rules``: ways to choose the scale, the default first.  ``scale``, ``element``: the types of the stored scale and
    of the element codes (a format, or i8, u8).  ``block``: the elements that share a scale; 0: any number.  ``tensor``:
    the largest magnitude of the whole tensor is an operand, too.  ``sources``: where each rule is written.

    ``scales(amax, rule, tensor_amax)``: stored scales and multipliers (groups) from bits of largest magnitudes, of
    which a NaN is larger than infinity.  ``elements(x, multipliers, rounding)``: uint8 codes of x (groups, elements).
    """

    name: str
    rules: tuple[str, ...]
    scale: str
    element: str
    block: int
    scales: Scales
    elements: Elements
    sources: Mapping[str, str] = field(hash=False)
    tensor: bool = False

    @property
    def grid(self) -> str:
        """The type of an element's code, also where values are answered."""
        return self.element

    @property
    def kept(self) -> str:
        """The type in which a scale is kept, also where none is answered."""
        return self.scale

    def rows(self, x: F32s, rule: str, tensor_amax: F32s | None = None) -> NDArray[np.uint8]:
        """Scale and element codes of x (groups, elements), a row of bytes a group: see :func:`join`."""
        stored, up = self.scales(blocks.amax_bits(x), rule, tensor_amax)
        return join(stored, self.elements(x, up, Rounding.TIES_TO_EVEN))


def join(stored: Array, codes: Array) -> NDArray[np.uint8]:
    """Rows of bytes: the code of the scale, its lowest byte first, then the codes of the elements."""
    first = np.ascontiguousarray(stored).view(np.uint8).reshape(len(stored), stored.itemsize)
    return np.concatenate([first, codes], axis=1)


@lru_cache(maxsize=64)
def of_scheme(name: str) -> Quantiser:
    """The quantiser of a scheme of :func:`scale_blocks`.  Raises ValueError for an unknown name."""
    scheme = get_scheme(name)
    f = scheme.element
    return Quantiser(
        scheme.name,
        scheme.rules,
        scheme.scale.name,
        f.name,
        scheme.block * scheme.across if scheme.across > 1 else scheme.block,
        lambda amax, rule, tensor: blocks.scales(amax, scheme, rule, tensor),
        lambda x, up, rounding: blocks.elements(x, up, f, get_projection(f, rounding, "sat")),
        SOURCES[scheme.recipe],
        scheme.tensor,
    )
