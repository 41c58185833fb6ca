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
BodyOfMany = Callable[[Sequence[Array], Sequence[Array], Scratch], None]


def for_each_chunk(source: Array, outs: Sequence[Array], body: Body) -> None:
    """Call ``body(source_chunk, out_chunks, scratch)`` over the whole array in C order.

    ``source`` has any shape, strides and byte order; chunks are one-dimensional, contiguous and in native order.
    ``outs`` are one-dimensional, contiguous and of the source's size.
    """
    for_each_chunk_of((source,), outs, lambda chunks, parts, scratch: body(chunks[0], parts, scratch))


def for_each_chunk_of(sources: Sequence[Array], outs: Sequence[Array], body: BodyOfMany) -> None:
    """Call ``body(source_chunks, out_chunks, scratch)`` over several arrays of one shape at once, in C order."""
    n = sources[0].size
    if n == 0:
        return
    if not all(s.flags.c_contiguous and s.dtype.isnative for s in sources):
        _strided(sources, outs, body)
        return
    flat = [s.reshape(-1) for s in sources]
    threads = min(get_threads(), n // THREADED_SPAN)
    if threads <= 1:
        _span(flat, outs, body, 0, n)
        return
    edges = [n * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_span, flat, outs, body, a, b) for a, b in pairwise(edges)]:
            done.result()


def _span(flat: Sequence[Array], outs: Sequence[Array], body: BodyOfMany, start: int, stop: int) -> None:
    scratch = Scratch(min(CHUNK, stop - start))
    for a in range(start, stop, CHUNK):
        b = min(a + CHUNK, stop)
        body([source[a:b] for source in flat], [out[a:b] for out in outs], scratch)


def _strided(sources: Sequence[Array], outs: Sequence[Array], body: BodyOfMany) -> None:
    scratch = Scratch(min(CHUNK, sources[0].size))
    chunks = np.nditer(
        list(sources),
        flags=["external_loop", "buffered"],
        op_flags=[["readonly"]] * len(sources),
        op_dtypes=[source.dtype.newbyteorder("=") for source in sources],
        order="C",
        casting="equiv",
        buffersize=CHUNK,
    )
    a = 0
    for item in chunks:
        # an unbuffered stretch of a strided axis is copied
        chunk = [np.ascontiguousarray(part) for part in (item if len(sources) > 1 else (cast(Array, item),))]
        for c in range(0, chunk[0].size, CHUNK):
            parts = [part[c : c + CHUNK] for part in chunk]
            n = parts[0].size
            body(parts, [out[a : a + n] for out in outs], scratch)
            a += n
