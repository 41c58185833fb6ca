"""Matrix products of many shapes: which are asked, and their operands, drawn by counting (see ``draws.py``).

A is (M, K), B (K, N): codes within four binades of 1.  Scales are float32 from 1/2 up to 4, a bias is bfloat16 within
six binades of 1.  Rows of A and columns of B can be had alone, so that nobody needs the whole of them to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from draws import Codes, Words, below, words
from numpy.typing import NDArray

from fp8ref.spec.catalog import get_format

SEED = 20261123
SHAPES = (  # M, N, K: one tile, one block, long K beside small results (where K is split), and large ones
    (16, 16, 32), (64, 64, 128), (128, 128, 256), (128, 128, 4096), (16, 4096, 4096), (256, 256, 1024),
    (1024, 1024, 1024), (4096, 4096, 4096),
)  # fmt: skip
TENSOR, ROW, BLOCKS = "tensor", "row", ("1x128.128x128", "128x128.1x128", "1x128.1x128")
RECIPES = (TENSOR, ROW, *BLOCKS)
BLOCK = 128
PICKED = 32  # rows, and columns, whose results are kept
STREAMS = {"a": 0, "b": 1, "scale_a": 2, "scale_b": 3, "bias": 4, "rows": 5, "columns": 6, "scale_result": 7}


@dataclass(frozen=True)
class Product:
    """One product: D = A B by a recipe of scales, with fast accumulation or not, into a result format."""

    m: int
    n: int
    k: int
    a: str = "e4m3fn"
    b: str = "e4m3fn"
    recipe: str = TENSOR
    fast: bool = False
    result: str = "f32"
    bias: bool = False

    @property
    def shape(self) -> str:
        return f"{self.m}x{self.n}x{self.k}"

    @property
    def described(self) -> dict[str, Any]:
        return asdict(self)

    def matrix(self, which: str, places: Sequence[int] | None = None) -> Codes:
        """Rows of A (places, K), or columns of B as rows (places, K); all of them where no places are said."""
        f = get_format(self.a if which == "a" else self.b)
        w = words(SEED, STREAMS[which], _places(self.m if which == "a" else self.n, places), self.k)
        return _floats(w, f.bias - 4, 8, f.t, 8).astype(np.uint8)

    def scale(self, which: str, places: Sequence[int] | None = None) -> NDArray[np.float32]:
        """Scales of A or B: () for tensor, (places,) for row, (places, K / 128) for the blocks that meet the places."""
        stream = STREAMS[f"scale_{which}"]
        every = _places(self.m if which == "a" else self.n, places)
        if self.recipe == TENSOR:
            return _scales(words(SEED, stream, np.zeros(1, np.uint64), 1)).reshape(())
        if self.recipe == ROW:
            return _scales(words(SEED, stream, every, 1))[:, 0]
        tall = self.recipe.split(".")[which == "b"] == "128x128"
        return _scales(words(SEED, stream, every // np.uint64(BLOCK) if tall else every, -(-self.k // BLOCK)))

    def bias_of(self, places: Sequence[int] | None = None) -> NDArray[np.uint16]:
        """bfloat16 codes, one for each column."""
        w = words(SEED, STREAMS["bias"], _places(self.n, places), 1)[:, 0]
        return _floats(w, 127 - 6, 13, 7, 16).astype(np.uint16)

    @property
    def scale_result(self) -> np.float32:
        """What multiplies an FP8 result: it brings sums of K products near 1."""
        return np.float32(2.0 ** -(int(self.k).bit_length() // 2 + 2)) * np.float32(1.375)

    def picked(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows and columns whose results are kept: the first, the last, and some between."""
        return _some(self.m, STREAMS["rows"]), _some(self.n, STREAMS["columns"])


def _some(n: int, stream: int) -> NDArray[np.intp]:
    quarter = PICKED // 4
    between = below(words(SEED, stream, np.array([n], np.uint64), PICKED // 2)[0], n).astype(np.intp)
    return np.unique(np.concatenate([np.arange(min(quarter, n)), np.arange(max(0, n - quarter), n), between]))


def _places(n: int, places: Sequence[int] | None) -> Words:
    return np.arange(n, dtype=np.uint64) if places is None else np.asarray(places, np.uint64)


def _floats(w: Words, first: int, binades: int, t: int, k: int) -> Words:
    """Codes of k bits, t of them trailing, of either sign, in some binades from an exponent field on."""
    field = np.uint64(first) + below(w, binades)
    codes: Words = field << np.uint64(t) | w & np.uint64((1 << t) - 1)
    return codes | (w >> np.uint64(31) & np.uint64(1)) << np.uint64(k - 1)


def _scales(w: Words) -> NDArray[np.float32]:
    """float32 numbers from 1/2 up to 4."""
    codes = _floats(w & np.uint64(~(1 << 31) & (1 << 64) - 1), 126, 3, 23, 32)
    found: NDArray[np.float32] = codes.astype(np.uint32).view(np.float32)
    return found


def products(largest: int = 4096) -> Iterator[Product]:
    """Every product that is asked, the deciding ones of each shape first."""
    shapes = [shape for shape in SHAPES if max(shape) <= largest]
    plain = [(recipe, fast, "f32", False) for recipe in RECIPES for fast in (False, True)]
    narrow = [(recipe, fast, "bf16", False) for recipe in RECIPES for fast in (False, True)]
    more = [(TENSOR, fast, result, bias) for fast in (False, True) for result, bias in (
        ("bf16", True), ("f16", False), ("f16", True), ("e4m3fn", False), ("e4m3fn", True))]  # fmt: skip
    more += [(ROW, fast, "bf16", True) for fast in (False, True)]
    for wanted in (plain, narrow, more):
        for m, n, k in shapes:
            for recipe, fast, result, bias in wanted:
                yield Product(m, n, k, recipe=recipe, fast=fast, result=result, bias=bias)
    for m, n, k in shapes:
        for a, b in (("e4m3fn", "e5m2"), ("e5m2", "e4m3fn")):
            for fast in (False, True):
                yield Product(m, n, k, a, b, fast=fast, result="f32")
