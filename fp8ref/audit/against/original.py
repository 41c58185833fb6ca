"""The weights that were quantised: found by name and shape, read beside the codes."""

from __future__ import annotations

from collections.abc import Iterator
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
    """``turned``: rows and columns are exchanged there.  ``kind``: the type of its numbers; f64 is read as f32.

    ``head``: rows of an attention head, which llama.cpp takes in another order, its halves interleaved; 0: as they are.
    """

    stored: Stored
    turned: bool
    rows: int
    columns: int
    held: dict[int, Array] = field(default_factory=dict)
    head: int = 0

    @property
    def _straight(self) -> bool:
        return not self.turned and not self.head

    @property
    def kind(self) -> str:
        return self.stored.kind if self.stored.kind in TYPES else "f32"

    def part(self, e: int, i: int, j: int) -> F32s:
        """Rows i to j of matrix e in binary32."""
        if self._straight:
            start = (e * self.rows + i) * self.columns
            return numbers(self.stored.read(start, start + (j - i) * self.columns)).reshape(j - i, self.columns)
        if e not in self.held:  # one matrix at a time
            size = self.rows * self.columns
            whole = np.asarray(self.stored.read(e * size, (e + 1) * size))
            if self.turned:
                whole = whole.reshape(self.columns, self.rows).T
            else:
                halves = whole.reshape(self.rows // self.head, 2, self.head // 2, self.columns)
                whole = halves.swapaxes(1, 2).reshape(self.rows, self.columns)
            self.held = {e: np.ascontiguousarray(whole)}
        return numbers(self.held[e][i:j])

    def magnitudes(self, e: int, i: int, j: int) -> Array:
        """The bits of the magnitudes of rows i to j, unsigned integers in the same order; none of f64."""
        start = (e * self.rows + i) * self.columns
        if not self._straight or self.stored.kind not in BITS:
            return (np.abs(self.part(e, i, j))).view(np.uint32)
        unsigned, _ = BITS[self.stored.kind]
        flat = self.stored.read(start, start + (j - i) * self.columns).view(unsigned)
        found: Array = (flat & unsigned(np.iinfo(unsigned).max >> 1)).reshape(j - i, self.columns)
        return found

    def of_magnitudes(self, bits: Array) -> F32s:
        """Magnitudes from their bits."""
        kind = self.stored.kind if self._straight else "f32"
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
    names = (stem, t.name, f"{stem}.weight", stem.removesuffix(".weight"), *_of_gguf(t.name))
    for name in dict.fromkeys(names):
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


# names of llama.cpp (gguf-py, TensorNameMap) and of transformers' decoders
GGUF_NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}  # fmt: skip
GGUF_WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output.weight": "lm_head.weight",
    "output_norm.weight": "model.norm.weight",
}
HEADS = (128, 64, 96, 80, 256, 32, 16)  # rows of an attention head


def _of_gguf(name: str) -> Iterator[str]:
    """What transformers calls a tensor of llama.cpp."""
    if name in GGUF_WHOLE:
        yield GGUF_WHOLE[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in GGUF_NAMES:
        yield f"model.layers.{parts[1]}.{GGUF_NAMES[parts[2]]}.{parts[3]}"


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
