"""Walking an array of any layout in cache-sized chunks, with reused buffers, on one thread or several."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CHUNK = 1 << 15  # elements; larger chunks leave the L2 cache
THREADED_SPAN = 1 << 17  # elements; below this a thread costs more than it brings

_threads: int | None = None


def set_threads(n: int | None) -> None:
    """Use n threads for large arrays; None: the environment's FP8REF_THREADS, else every core this process may use.

    Raises ValueError for n < 1.
    """
    global _threads
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise ValueError(f"threads must be a positive integer or None, not {n!r}")
    _threads = n


def get_threads() -> int:
    """The number of threads that a large array gets."""
    if _threads is not None:
        return _threads
    wish = os.environ.get("FP8REF_THREADS", "")
    if wish.isdecimal() and int(wish) > 0:
        return int(wish)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Scratch:
    """Named buffers of one thread, made once and reused for every chunk."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._buffers: dict[str, Array] = {}

    def get(self, name: str, dtype: np.dtype[Any] | type, n: int) -> Array:
        buffer = self._buffers.get(name)
        if buffer is None:
            buffer = self._buffers[name] = np.empty(self.size, dtype)
        return buffer[:n]


Body = Callable[[Array, Sequence[Array], Scratch], None]


def for_each_chunk(source: Array, outs: Sequence[Array], body: Body) -> None:
    """Call ``body(source_chunk, out_chunks, scratch)`` over the whole array in C order.

    ``source`` has any shape, strides and byte order; chunks are one-dimensional, contiguous and in native order.
    ``outs`` are one-dimensional, contiguous and of the source's size.
    """
    n = source.size
    if n == 0:
        return
    if not (source.flags.c_contiguous and source.dtype.isnative):
        _strided(source, outs, body)
        return
    flat = source.reshape(-1)
    threads = min(get_threads(), n // THREADED_SPAN)
    if threads <= 1:
        _span(flat, outs, body, 0, n)
        return
    edges = [n * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_span, flat, outs, body, a, b) for a, b in pairwise(edges)]:
            done.result()


def _span(flat: Array, outs: Sequence[Array], body: Body, start: int, stop: int) -> None:
    scratch = Scratch(min(CHUNK, stop - start))
    for a in range(start, stop, CHUNK):
        b = min(a + CHUNK, stop)
        body(flat[a:b], [out[a:b] for out in outs], scratch)


def _strided(source: Array, outs: Sequence[Array], body: Body) -> None:
    scratch = Scratch(min(CHUNK, source.size))
    chunks = np.nditer(
        [source],
        flags=["external_loop", "buffered"],
        op_flags=[["readonly"]],
        op_dtypes=[source.dtype.newbyteorder("=")],
        order="C",
        casting="equiv",
        buffersize=CHUNK,
    )
    a = 0
    for item in chunks:
        chunk = cast(Array, item)
        if not chunk.flags.c_contiguous:  # an unbuffered stretch of a strided axis
            chunk = chunk.copy()
        for c in range(0, chunk.size, CHUNK):
            part = chunk[c : c + CHUNK]
            body(part, [out[a : a + part.size] for out in outs], scratch)
            a += part.size
