"""Adam in binary32 whose moments are kept in blocks of 8-bit codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .blocks import BLOCK, Blocks, Single, quantise


class State:
    """A tensor that an optimizer keeps: in binary32 (``rule`` None) or in blocks of 8-bit codes."""

    def __init__(self, shape: tuple[int, ...], signed: bool, rule: str | None, block: int = BLOCK) -> None:
        self.signed, self.rule, self.block = signed, rule, block
        self._kept: Single | Blocks = np.zeros(shape, np.float32)
        self.value = self._kept

    @property
    def value(self) -> Single:
        return self._kept.dequantise() if isinstance(self._kept, Blocks) else self._kept

    @value.setter
    def value(self, x: Single) -> None:
        self._kept = x if self.rule is None else quantise(x, self.block, self.signed, self.rule)

    @property
    def bytes(self) -> int:
        if isinstance(self._kept, Blocks):
            return self._kept.codes.nbytes + self._kept.largest.nbytes
        return self._kept.nbytes


class Adam:
    """Adam [Kingma and Ba 2015] in binary32, whose two moments are kept as :class:`State`: signed and unsigned."""

    def __init__(
        self,
        parameters: Sequence[Single],
        rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        rule: str | None = None,
        block: int = BLOCK,
    ) -> None:
        self.parameters = parameters
        self.rate, self.betas, self.epsilon, self.steps = rate, betas, epsilon, 0
        self.first = [State(p.shape, True, rule, block) for p in parameters]
        self.second = [State(p.shape, False, rule, block) for p in parameters]

    def step(self, gradients: Sequence[Single]) -> None:
        """Move the parameters, in place."""
        self.steps += 1
        a, b = self.betas
        scale = np.float32(self.rate * np.sqrt(1 - b**self.steps) / (1 - a**self.steps))
        epsilon = np.float32(self.epsilon * np.sqrt(1 - b**self.steps))
        for p, g, first, second in zip(self.parameters, gradients, self.first, self.second):
            m = np.float32(a) * first.value + np.float32(1 - a) * g
            v = np.float32(b) * second.value + np.float32(1 - b) * (g * g)
            p -= scale * m / (np.sqrt(v) + epsilon)
            first.value, second.value = m, v

    @property
    def bytes(self) -> int:
        """What the moments take."""
        return sum(state.bytes for state in (*self.first, *self.second))
