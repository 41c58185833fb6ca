"""Decoding of whole arrays: a gather from the table of values, two codes at a time where that pays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..spec.formats import Format
from ..spec.projection import get_projection
from .chunks import Array, Scratch, for_each_chunk
from .encode import convert_codes
from .environment import exact_floats
from .kernel import code_dtype
from .tables import decode_pairs, decode_table


@exact_floats
def decode_codes(codes: Array, f: Format, carrier: Format) -> Array:
    """Codes of ``f`` (any shape, strides) to codes of the float format ``carrier``; NaNs keep their sign."""
    if f.k > 16:
        return convert_codes(codes, f, carrier, get_projection(carrier, "rne", "nonsat", "keep-sign"), False)[0]
    out = np.empty(codes.size, code_dtype(carrier))
    pairs = f.k <= 8 and codes.dtype.itemsize == 1 and out.itemsize <= 4 and codes.size >= 1 << 12
    body = partial(_pairs, decode_pairs(f, carrier)) if pairs else _singles
    for_each_chunk(codes, [out], partial(body, decode_table(f, carrier)))
    return out.reshape(codes.shape)


def _singles(table: Array, codes: Array, outs: Sequence[Array], scratch: Scratch) -> None:
    index = scratch.get("index", np.intp, codes.size)
    np.copyto(index, codes, casting="unsafe")
    table.take(index, out=outs[0], mode="clip")


def _pairs(pairs: Array, table: Array, codes: Array, outs: Sequence[Array], scratch: Scratch) -> None:
    even = codes.size & ~1
    index = scratch.get("index", np.intp, codes.size)[: even // 2]
    # a chunk may begin at any byte address; numpy reads unaligned views correctly
    np.copyto(index, codes[:even].view(np.uint16), casting="unsafe")
    pairs.take(index, out=outs[0][:even].view(pairs.dtype), mode="clip")
    if even != codes.size:
        outs[0][even:] = table[codes[even:]]
