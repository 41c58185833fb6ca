"""A quantised tensor: its codes, scales and geometry, read part by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.layouts import relayout, swap_nibbles, unpack_gguf
from ..arrays.scaling import unpack
from ..fast.recipes import values_of
from ..spec.catalog import get_format
from ..spec.formats import Format
from .conventions import Convention
from .files.stored import Stored
from .kinds import Finding

Array = NDArray[Any]


@dataclass(frozen=True)
class Grid:
    """Which elements share a scale: groups of ``r`` rows and ``c`` columns, ``m`` by ``n`` of them in each of
    ``matrices`` matrices.  ``one``: a single scale for all matrices."""

    r: int
    c: int
    m: int
    n: int
    matrices: int = 1
    one: bool = False
    name: str = "tensor"
    layout: str = "rows"


@dataclass(eq=False)
class Quantised:
    """Codes with their scales.

    ``shape``: of the elements, (..., N, K).  ``scale_format``: f32, bf16, f16, f64, or the format of byte scales.
    ``findings``: what was found so far.  ``also``: other conventions that store in this way.
    """

    name: str
    stem: str
    convention: Convention
    element: str
    codes: Stored
    scale: Stored | None
    whole: Stored | None
    shape: tuple[int, ...]
    grid: Grid
    scale_format: str = "f32"
    also: tuple[Convention, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    @property
    def format(self) -> Format:
        return get_format(self.element)

    @property
    def rows(self) -> int:
        return self.shape[-2] if len(self.shape) > 1 else 1

    @property
    def columns(self) -> int:
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        return self.grid.matrices * self.rows * self.columns

    @property
    def pack(self) -> str:
        return self.convention.pack

    @property
    def granularity(self) -> str:
        return self.grid.name

    def find(self, kind: str, text: str, place: str = "") -> None:
        """Add a finding, once a kind."""
        if all(f.kind != kind for f in self.findings):
            self.findings.append(Finding(kind, text, f"{self.name}{f' {place}' if place else ''}"))

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of codes."""
        return self.codes.size // (self.grid.matrices * self.rows)

    # -- parts ---------------------------------------------------------------------------------------------------------
    def stored_rows(self, e: int, i: int, j: int) -> Array:
        """Rows i to j of matrix e as they stand, (rows, bytes of a row)."""
        per = self.row_bytes
        start = (e * self.rows + i) * per
        found: Array = np.asarray(self.codes.read(start, start + (j - i) * per)).view(np.uint8)
        return found.reshape(j - i, per)

    def elements(self, e: int, i: int, j: int, pack: str | None = None) -> NDArray[np.uint8]:
        """Codes of rows i to j of matrix e, one a byte.  ``pack``: another order in bytes than the convention's."""
        raw = self.stored_rows(e, i, j)
        pack = self.pack if pack is None else pack
        if pack == "gguf":
            return np.asarray(unpack_gguf(raw, self.element_block)[1])
        if pack in ("low", "high"):
            return np.asarray(unpack(swap_nibbles(raw) if pack == "high" else raw, self.element)[:, : self.columns])
        if pack == "dense":
            return np.asarray(unpack(raw, self.element))
        return raw

    @property
    def element_block(self) -> str:
        return "mxfp4" if self.grid.c == 32 else "nvfp4"

    def stored_scales(self, e: int) -> Array:
        """The scales of matrix e as they stand, (m, n): floating point or bytes."""
        g = self.grid
        if self.pack == "gguf":
            parts = [
                unpack_gguf(self.stored_rows(e, i, min(i + 4096, self.rows)), self.element_block)[0]
                for i in range(0, self.rows, 4096)
            ]
            return np.concatenate(parts)
        if self.scale is None:
            return np.ones((g.m, g.n), np.float32)
        if g.one:
            return np.broadcast_to(self.scale.all().reshape(1, 1), (g.m, g.n))
        per = self.scale.size // g.matrices
        flat = self.scale.read(e * per, (e + 1) * per)
        if g.layout == "rows":
            return flat.reshape(g.m, g.n)
        return np.asarray(relayout(flat, g.layout, "rows", (g.m, g.n)))

    def decoded(self, stored: Array) -> NDArray[np.float32]:
        """Stored scales as numbers in binary32, without the tensor's."""
        if stored.dtype == np.uint8:
            return np.asarray(values_of(self.scale_format)[stored], np.float32)
        with np.errstate(over="ignore"):
            return np.asarray(stored, np.float32)

    def factors(self, e: int) -> NDArray[np.float64]:
        """Decode multipliers of matrix e in binary64, (m, n): scale times the tensor's, exact."""
        with np.errstate(all="ignore"):
            return np.asarray(self.decoded(self.stored_scales(e)).astype(np.float64) * self.multiplier(e))

    def multiplier(self, e: int = 0) -> float:
        """The tensor's own decode multiplier: 1 where there is none."""
        if not self.wholes.size:
            return 1.0
        w = float(self.wholes[e if self.wholes.size > 1 else 0])
        return w if not self.convention.divides else (1.0 / w if w else float("inf"))

    @property
    def shares(self) -> tuple[str, float] | None:
        """Equal for tensors of a module under the same scale of the tensor; None where there is none."""
        if self.whole is None or self.wholes.size != 1:
            return None
        return self.stem.removesuffix(".weight").rpartition(".")[0], float(self.wholes[0])

    @cached_property
    def wholes(self) -> NDArray[np.float64]:
        """The tensor's scales as stored: none, one, or one a matrix."""
        if self.whole is None:
            return np.zeros(0)
        return np.asarray(self.whole.all(), np.float64).reshape(-1)

    def spread(self, factors: Array, i: int, j: int) -> Array:
        """Factors (m, n) of a matrix for its rows i to j: something that broadcasts to (j - i, columns)."""
        return self.laid(factors[i // self.grid.r : -(-j // self.grid.r)], i, j)

    def laid(self, part: Array, i: int, j: int) -> Array:
        """The same of the factors of the groups of these rows alone."""
        g = self.grid
        if g.r > 1:
            part = np.repeat(part, g.r, axis=0)[i - i // g.r * g.r :][: j - i] if part.shape[0] > 1 else part
        if g.n > 1:
            part = np.repeat(part, g.c, axis=1)[:, : self.columns]
        return part
