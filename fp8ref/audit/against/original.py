"""The weights that were quantised: found by name and shape, read beside the codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..files.stored import FLOATS, Files, Stored, chunks
from ..tensors import Quantised

Array = NDArray[Any]
F32s = NDArray[np.float32]
TYPES: dict[str, Any] = {"bf16": ml_dtypes.bfloat16, "f16": np.float16}


@dataclass(eq=False)
class Original:
    """``turned``: rows and columns are exchanged there.  ``kind``: the type of its numbers; f64 is read as f32."""

    stored: Stored
    turned: bool
    rows: int
    columns: int
    held: dict[int, Array] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.stored.kind if self.stored.kind in TYPES else "f32"

    def part(self, e: int, i: int, j: int) -> F32s:
        """Rows i to j of matrix e in binary32."""
        if not self.turned:
            start = (e * self.rows + i) * self.columns
            return numbers(self.stored.read(start, start + (j - i) * self.columns)).reshape(j - i, self.columns)
        if e not in self.held:  # one matrix at a time
            size = self.rows * self.columns
            whole = np.asarray(self.stored.read(e * size, (e + 1) * size)).reshape(self.columns, self.rows)
            self.held = {e: np.ascontiguousarray(whole.T)}
        return numbers(self.held[e][i:j])

    def magnitudes(self, e: int, i: int, j: int) -> Array:
        """The bits of the magnitudes of rows i to j, unsigned integers in the same order; none of f64."""
        start = (e * self.rows + i) * self.columns
        if self.turned or self.stored.kind not in BITS:
            return (np.abs(self.part(e, i, j))).view(np.uint32)
        unsigned, _ = BITS[self.stored.kind]
        flat = self.stored.read(start, start + (j - i) * self.columns).view(unsigned)
        found: Array = (flat & unsigned(np.iinfo(unsigned).max >> 1)).reshape(j - i, self.columns)
        return found

    def of_magnitudes(self, bits: Array) -> F32s:
        """Magnitudes from their bits."""
        kind = "f32" if self.turned else self.stored.kind
        return numbers(bits.view(BITS[kind if kind in BITS else "f32"][1]))


BITS: dict[str, Any] = {
    "bf16": (np.uint16, ml_dtypes.bfloat16),
    "f16": (np.uint16, np.float16),
    "f32": (np.uint32, np.float32),
}


def numbers(x: Array) -> F32s:
    """Numbers in binary32; those of bfloat16 are its upper half."""
    if x.dtype == ml_dtypes.bfloat16:
        wide = np.ascontiguousarray(x).view(np.uint16).astype(np.uint32)
        wide <<= np.uint32(16)
        return wide.view(np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(x).astype(np.float32)


def narrowed(x: F32s, kind: str | None) -> F32s:
    """Numbers rounded to a narrower type; None: as they are."""
    if kind is None:
        return x
    with np.errstate(over="ignore"):
        return np.asarray(x.astype(TYPES[kind]).astype(np.float32))


def find_original(t: Quantised, files: Files) -> Original | None:
    """The tensor that became these codes: of the same name without what the convention adds, and of the same shape."""
    stem = t.stem.replace("._weight", ".weight")
    for name in dict.fromkeys((stem, t.name, f"{stem}.weight", stem.removesuffix(".weight"))):
        held = files.tensors.get(name)
        if held is None or held.kind not in FLOATS or held.size != t.size:
            continue
        shape = tuple(n for n in held.shape if n != 1)
        own = tuple(n for n in t.shape if n != 1)
        if shape == own:
            return Original(held, False, t.rows, t.columns)
        if len(own) > 1 and shape == (*own[:-2], own[-1], own[-2]):
            return Original(held, True, t.rows, t.columns)
    return None


def amaxes(t: Quantised, original: Original) -> tuple[list[F32s], bool]:
    """Largest magnitudes of the groups (m, n), one array a matrix, NaNs left out; and is every number finite?"""
    g = t.grid
    found, finite = [], True
    for e in range(g.matrices):
        top = np.zeros((g.m, g.n), np.float32)
        for i, j in chunks(t.rows, t.columns):
            bits = original.magnitudes(e, i, j)
            if not np.isfinite(original.of_magnitudes(bits.max(initial=0, keepdims=True))).all():
                finite = False
                x = original.of_magnitudes(bits)
                bits = np.where(np.isnan(x), bits.dtype.type(0), bits)
            index = np.arange(i, j) // g.r
            starts = np.flatnonzero(np.diff(index, prepend=-1))
            if g.r > 1:
                bits = np.maximum.reduceat(bits, starts, axis=0)
            if g.n == 1:
                bits = bits.max(axis=1, keepdims=True)
            elif t.columns % g.c == 0:
                bits = bits.reshape(-1, g.n, g.c).max(axis=2)
            else:
                bits = np.maximum.reduceat(bits, np.arange(0, t.columns, g.c), axis=1)
            where = index[starts]
            top[where] = np.maximum(top[where], original.of_magnitudes(bits))
        found.append(top)
    return found, finite


def top_of(t: Quantised, original: Original) -> float:
    """The largest magnitude of a tensor, NaNs left out."""
    found = 0.0
    for e in range(t.grid.matrices):
        for i, j in chunks(t.rows, t.columns):
            bits = original.magnitudes(e, i, j)
            top = original.of_magnitudes(bits.max(initial=0, keepdims=True))
            if np.isnan(top).any():
                top = np.nan_to_num(original.of_magnitudes(bits), nan=0.0, posinf=np.inf)
            found = max(found, float(top.max(initial=0)))
    return found
