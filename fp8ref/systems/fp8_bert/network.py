"""A BERT sentence encoder in numpy, float32, with every linear layer in the caller's hands.

The computation is that of all-MiniLM-L6-v2: embeddings, post-norm encoder layers, the mean of the tokens, unit length.
Whoever quantises gives another ``linear``; everything else (LayerNorm, softmax, GELU, the two products of attention)
stays float32.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .files import Tensors, WordPiece, model_folder, read_safetensors

F32s = NDArray[np.float32]
Linear = Callable[[str, F32s], F32s]  # (layer's name, inputs (tokens, K)) to outputs (tokens, N)
KINDS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
         "intermediate.dense", "output.dense")  # fmt: skip


@dataclass(frozen=True)
class Network:
    """Weights, tokenizer and the four numbers of the architecture."""

    weights: Tensors
    words: WordPiece
    layers: int
    heads: int
    longest: int
    epsilon: float

    @classmethod
    def load(cls, folder: str | Path | None = None) -> Network:
        """The network of a folder, by default of the installed package.  Raises FileNotFoundError where it is not."""
        where = model_folder(folder)
        config = json.loads((where / "config.json").read_text(encoding="utf-8"))
        return cls(
            read_safetensors(where / "model.safetensors"),
            WordPiece.read(where / "vocab.txt"),
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["max_position_embeddings"],
            config["layer_norm_eps"],
        )

    @property
    def linear_layers(self) -> tuple[str, ...]:
        """Names of the linear layers, in order: ``0.attention.self.query`` and so on."""
        return tuple(f"{i}.{kind}" for i in range(self.layers) for kind in KINDS)

    def weight(self, layer: str) -> F32s:
        """(N, K)"""
        return self.weights[f"encoder.layer.{layer}.weight"]

    def bias(self, layer: str) -> F32s:
        return self.weights[f"encoder.layer.{layer}.bias"]

    def float32(self, layer: str, x: F32s) -> F32s:
        """The layer as published: x W' + b in float32."""
        return x @ self.weight(layer).T + self.bias(layer)

    def embed(self, texts: Sequence[str], linear: Linear | None = None) -> F32s:
        """Unit vectors (texts, hidden size).

        All texts go through a layer at once, as rows of one matrix without padding; only attention keeps them apart.
        """
        linear = linear or self.float32
        ids = [self.words.encode(text, self.longest) for text in texts]
        edges = np.cumsum([0, *map(len, ids)])
        spans = [slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist())]
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][np.concatenate(ids)]
        x = x + w["embeddings.position_embeddings.weight"][np.concatenate([np.arange(len(i)) for i in ids])]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for i in range(self.layers):
            q, k, v = (linear(f"{i}.{kind}", x) for kind in KINDS[:3])
            context = np.concatenate([self._attend(q[s], k[s], v[s]) for s in spans])
            x = self._norm(linear(f"{i}.{KINDS[3]}", context) + x, f"encoder.layer.{i}.attention.output.LayerNorm")
            inner = gelu(linear(f"{i}.{KINDS[4]}", x))
            x = self._norm(linear(f"{i}.{KINDS[5]}", inner) + x, f"encoder.layer.{i}.output.LayerNorm")
        means = np.stack([x[s].mean(axis=0, dtype=np.float32) for s in spans])
        unit: F32s = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit

    def _attend(self, q: F32s, k: F32s, v: F32s) -> F32s:
        """One text's tokens (n, hidden) by heads."""
        n, hidden = q.shape
        qh, kh, vh = (m.reshape(n, self.heads, -1).transpose(1, 0, 2) for m in (q, k, v))
        scores = qh @ kh.transpose(0, 2, 1) / np.float32(math.sqrt(hidden // self.heads))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        out: F32s = (weights @ vh).transpose(1, 0, 2).reshape(n, hidden)
        return out

    def _norm(self, x: F32s, name: str) -> F32s:
        x = x - x.mean(axis=-1, keepdims=True, dtype=np.float32)
        deviation = np.sqrt((x * x).mean(axis=-1, keepdims=True, dtype=np.float32) + np.float32(self.epsilon))
        out: F32s = x / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return out


def gelu(x: F32s) -> F32s:
    """x / 2 (1 + erf(x / sqrt 2)) in binary64, rounded to float32."""
    wide = x.astype(np.float64)
    out: F32s = (0.5 * wide * (1.0 + erf(wide / math.sqrt(2.0)))).astype(np.float32)
    return out


def erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The error function to 2e-9 absolutely, by interpolation in a table of exact values."""
    size = np.minimum(np.abs(x), _LAST) * _PER_UNIT
    i = np.minimum(size.astype(np.int64), _TABLE.size - 2)
    u = size - i
    h = 1.0 / _PER_UNIT
    # cubic Hermite: values and derivatives at both ends
    y0, y1, d0, d1 = _TABLE[i], _TABLE[i + 1], _SLOPES[i] * h, _SLOPES[i + 1] * h
    bend = u * (1 - u)
    y = y0 + u * (y1 - y0) + bend * ((1 - u) * (d0 - (y1 - y0)) - u * (d1 - (y1 - y0)))
    out: NDArray[np.float64] = np.copysign(y, x)
    return out


_LAST, _PER_UNIT = 6.0, 128
_KNOTS = np.arange(int(_LAST * _PER_UNIT) + 1) / _PER_UNIT
_TABLE = np.array([math.erf(t) for t in _KNOTS])
_SLOPES = 2 / math.sqrt(math.pi) * np.exp(-_KNOTS * _KNOTS)
