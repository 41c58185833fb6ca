"""How scales and codes lie in memory: the layouts that kernels read, each with its inverse.

A layout of scales is a map of places: scale (i, j) of a matrix of R rows and B scales a row goes to one place of a
flat array, whose other places are zero.  Places are computed, not copied from a library, and :func:`relayout` goes from
any layout to any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..fast.chunks import Array
from ..fast.environment import exact_floats
from .dense import dense

Places = NDArray[np.intp]


def _up(n: int, to: int) -> int:
    return -(-n // to) * to


def _rows(r: int, b: int) -> tuple[Places, int]:
    return np.arange(r * b, dtype=np.intp).reshape(r, b), r * b


def _columns(r: int, b: int) -> tuple[Places, int]:
    i, j = np.ogrid[:r, :b]
    return np.asarray(j * _up(r, 4) + i, np.intp), _up(r, 4) * b


def _tiles_128x4(r: int, b: int) -> tuple[Places, int]:
    i, j = np.ogrid[:r, :b]
    tile = (i // 128) * (_up(b, 4) // 4) + j // 4
    return np.asarray(tile * 512 + (i % 32) * 16 + (i // 32 % 4) * 4 + j % 4, np.intp), _up(r, 128) * _up(b, 4)


def _tiles_32x8(r: int, b: int) -> tuple[Places, int]:
    i, j = np.ogrid[:r, :b]
    tile = (i // 32) * (_up(b, 8) // 8) + j // 8
    inside = (j % 4) * 64 + (i % 16) * 4 + (j // 4 % 2) * 2 + i // 16 % 2
    return np.asarray(tile * 256 + inside, np.intp), _up(r, 32) * _up(b, 8)


def _words(r: int, b: int) -> tuple[Places, int]:
    i, j = np.ogrid[:r, :b]
    return np.asarray(((j // 4) * _up(r, 4) + i) * 4 + j % 4, np.intp), _up(r, 4) * _up(b, 4)


# name: places of R rows of B scales, and what it is
SCALE_LAYOUTS: dict[str, tuple[Callable[[int, int], tuple[Places, int]], str]] = {
    "rows": (_rows, "row by row, without gaps"),
    "columns": (_columns, "column by column, each of roundup4(rows) places (MN-major, aligned for TMA)"),
    "128x4": (_tiles_128x4, "tiles of 128 rows by 4, as cuBLAS reads them; rows padded to 128, scales to 4"),
    "32x8": (_tiles_32x8, "tiles of 32 rows by 8, as AMD's CDNA4 kernels read them; rows padded to 32, scales to 8"),
    "int32": (_words, "four bytes of a row in one 32-bit word, words column by column (DeepGEMM, vLLM, SGLang)"),
}


def _layout(name: str) -> Callable[[int, int], tuple[Places, int]]:
    if name not in SCALE_LAYOUTS:
        raise ValueError(f"unknown layout of scales {name!r:.40}; choose from {', '.join(SCALE_LAYOUTS)}")
    return SCALE_LAYOUTS[name][0]


@exact_floats
def relayout(scales: ArrayLike, source: str, result: str, shape: tuple[int, int] | None = None) -> Array:
    """Scales of one matrix brought from one layout to another; places in between are zero.

    ``scales``: an array of shape (rows, scales a row) where ``source`` is ``rows``, else flat, or for ``int32`` words.
    ``shape``: (rows, scales a row), needed for every other source.  ``rows`` gives that shape back, ``int32`` gives
    int32 words, the others a flat array.

    >>> relayout(np.arange(6, dtype=np.uint8).reshape(3, 2), "rows", "columns").tolist()
    [0, 2, 4, 0, 1, 3, 5, 0]

    Raises ValueError for unknown layouts, for a number of scales that does not fit, TypeError for words of other types.
    """
    s = dense(scales, "scales")
    places_of, places_to = _layout(source), _layout(result)
    if source == "rows" and shape is None:
        if s.ndim != 2:
            raise ValueError(f"scales in rows have two axes, or their shape is given; here the shape {s.shape}")
        shape = (int(s.shape[0]), int(s.shape[1]))
    if shape is None or len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"from {source} the shape (rows, scales a row) is needed, not {shape}")
    if source == "int32":
        if s.dtype not in (np.int32, np.uint32):
            raise TypeError(f"four bytes lie in words of 32 bits, not in {s.dtype}")
        s = np.ascontiguousarray(s).astype(s.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    elif "int32" in (result,) and s.dtype.itemsize != 1:
        raise TypeError(f"words hold four scales of one byte each, not of {s.dtype}")
    places, size = places_of(*shape)
    if s.size != size:
        raise ValueError(f"{shape[0]} rows of {shape[1]} scales take {size} places in {source}, not {s.size}")
    found = s.reshape(-1)[places.ravel()].reshape(shape)
    if result == "rows":
        return found
    places, size = places_to(*shape)
    out = np.zeros(size, s.dtype)
    out[places.ravel()] = found.ravel()
    return out.view("<i4").astype(np.int32, copy=False) if result == "int32" else out


# -- codes -------------------------------------------------------------------------------------------------------------


@exact_floats
def swap_nibbles(packed: ArrayLike) -> Array:
    """Bytes of two 4-bit codes with the first one moved from the low nibble to the high one, or back."""
    p = _bytes(packed)
    found: NDArray[np.uint8] = (p << np.uint8(4)) | (p >> np.uint8(4))
    return found


def _bytes(packed: ArrayLike) -> NDArray[np.uint8]:
    p = dense(packed, "packed")
    if p.dtype != np.uint8 or p.ndim < 1:
        raise TypeError(f"packed codes are a uint8 array of at least one axis, not {p.dtype} of shape {p.shape}")
    return p


# name: elements a scale, scales a block
GGUF_BLOCKS = {"mxfp4": (32, 1), "nvfp4": (16, 4)}


def _gguf(kind: str) -> tuple[int, int]:
    if kind not in GGUF_BLOCKS:
        raise ValueError(f"unknown block {kind!r:.40}; choose from {', '.join(GGUF_BLOCKS)}")
    return GGUF_BLOCKS[kind]


@exact_floats
def pack_gguf(scales: ArrayLike, codes: ArrayLike, kind: str) -> Array:
    """Blocks of llama.cpp: scale bytes, then nibbles, the first half of a group low and the second half high.

    ``codes``: uint8 (..., K); ``scales``: uint8 (..., K / group); ``kind``: mxfp4 (17 bytes for 32 elements) or nvfp4
    (36 bytes for 64).  The result is (..., bytes).
    """
    group, per = _gguf(kind)
    s, c = _bytes(scales), _bytes(codes)
    if c.shape[-1] % (group * per) or s.shape != (*c.shape[:-1], c.shape[-1] // group):
        raise ValueError(
            f"{kind}: blocks of {group * per} elements with {per} scales; codes {c.shape}, scales {s.shape}"
        )
    head = s.reshape(*c.shape[:-1], -1, per)
    halves = c.reshape(*c.shape[:-1], -1, per, 2, group // 2)
    quads = (halves[..., 0, :] | halves[..., 1, :] << np.uint8(4)).reshape(*head.shape[:-1], -1)
    return np.concatenate([head, quads], axis=-1).reshape(*c.shape[:-1], -1)


@exact_floats
def unpack_gguf(packed: ArrayLike, kind: str) -> tuple[Array, Array]:
    """Scales and codes of llama.cpp's blocks: the inverse of :func:`pack_gguf`."""
    group, per = _gguf(kind)
    p = _bytes(packed)
    size = per + group * per // 2
    if p.shape[-1] % size:
        raise ValueError(f"{p.shape[-1]} bytes make no whole blocks of {size} bytes ({kind})")
    blocks = p.reshape(*p.shape[:-1], -1, size)
    quads = blocks[..., per:].reshape(*blocks.shape[:-1], per, group // 2)
    codes: Any = np.concatenate([quads & np.uint8(15), quads >> np.uint8(4)], axis=-1)
    return blocks[..., :per].reshape(*p.shape[:-1], -1), codes.reshape(*p.shape[:-1], -1)
