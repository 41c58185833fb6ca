"""A small real problem: scikit-learn's 1,797 handwritten digits, a network of one hidden layer, an optimizer.

Everything but the data is numpy in binary32.  The objective is the mean cross-entropy and half of ``l2`` times the
squared weights; the learning rate falls linearly to 0.  Needs the extra ``systems``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extras import install
from .blocks import Single
from .optimizer import Adam


@dataclass(frozen=True)
class Problem:
    """A network (``hidden`` empty: softmax regression) and how it is trained."""

    hidden: tuple[int, ...] = (32,)
    epochs: int = 20
    batch: int = 128
    rate: float = 0.02
    l2: float = 3e-3


@dataclass(frozen=True, eq=False)
class Run:
    """The objective on all digits after every epoch, the share of digits recognised, the bytes of the moments."""

    losses: tuple[float, ...]
    right: float
    bytes: int


@lru_cache(maxsize=1)
def data() -> tuple[Single, NDArray[np.int64]]:
    """(1797, 64) intensities in [0, 1] and their digits.  Raises ImportError that says what to install."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError(f"the digits need scikit-learn: {install('systems')}") from None
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y.astype(np.int64)


def train(seed: int, rule: str | None, problem: Problem = Problem(), block: int = 256) -> Run:
    """Train from a seed (weights and order of the digits), the moments in binary32 (None) or by a rule of adam8."""
    x, y = data()
    rng = np.random.default_rng(seed)
    parameters = _start(rng, (x.shape[1], *problem.hidden, 10))
    adam = Adam(parameters, problem.rate, rule=rule, block=block)
    steps = problem.epochs * -(-len(x) // problem.batch)
    losses = []
    for _ in range(problem.epochs):
        order = rng.permutation(len(x))
        for i in range(0, len(x), problem.batch):
            batch = order[i : i + problem.batch]
            adam.rate = problem.rate * (1 - adam.steps / steps)
            adam.step(_gradients(parameters, x[batch], y[batch], problem.l2))
        losses.append(_loss(parameters, x, y, problem.l2))
    right = float((_layers(parameters, x)[-1].argmax(axis=1) == y).mean())
    return Run(tuple(losses), right, adam.bytes)


def _start(rng: np.random.Generator, sizes: Sequence[int]) -> list[Single]:
    """Weights and biases in turn."""
    found: list[Single] = []
    for a, b in pairwise(sizes):
        found += [(rng.standard_normal((a, b)) * np.sqrt(2 / a)).astype(np.float32), np.zeros(b, np.float32)]
    return found


def _layers(parameters: Sequence[Single], x: Single) -> list[Single]:
    """The input, every hidden layer after its ReLU, the logits."""
    found = [x]
    for i in range(0, len(parameters), 2):
        z = found[-1] @ parameters[i] + parameters[i + 1]
        found.append(z if i + 2 == len(parameters) else np.maximum(z, np.float32(0)))
    return found


def _softmax(logits: Single) -> Single:
    e: Any = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _loss(parameters: Sequence[Single], x: Single, y: NDArray[np.int64], l2: float) -> float:
    p = _softmax(_layers(parameters, x)[-1])[np.arange(len(y)), y]
    return float(-np.log(p).mean() + l2 / 2 * sum(float((w**2).sum()) for w in parameters[::2]))


def _gradients(parameters: Sequence[Single], x: Single, y: NDArray[np.int64], l2: float) -> list[Single]:
    layers = _layers(parameters, x)
    d = _softmax(layers[-1])
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    found: list[Single] = []
    for i in range(len(parameters) - 2, -1, -2):
        below = layers[i // 2]
        found[:0] = [below.T @ d + np.float32(l2) * parameters[i], d.sum(axis=0)]
        d = (d @ parameters[i].T) * (below > 0)
    return found
