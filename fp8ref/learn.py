"""The ExMy quantiser as a torch autograd function, with a largest value and a number of significand bits that learn.

Needs the extra ``torch``.  Values come from :class:`fp8ref.systems.power_of_exponent.Grid`, gradients from
:func:`fp8ref.systems.power_of_exponent.gradients`; nothing here has its own idea of either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .extras import install
from .systems.power_of_exponent import Binade, Grid, gradients

try:
    import torch
except ImportError as error:
    raise ImportError(f"fp8ref.learn needs torch: {install('torch')}") from error


def grid_of(c: float, significand_bits: float, bits: int = 8) -> Grid:
    """The signed grid that learned parameters stand for: M = rne(significand_bits), kept within 1 to bits - 1."""
    M = min(max(round(significand_bits), 1), bits - 1)
    return Grid(bits - 1 - M, M, c)


class Quantise(torch.autograd.Function):  # type: ignore[misc]
    """``Quantise.apply(x, c, significand_bits, bits, binade)``: the nearest values, and straight-through gradients.

    x: a float32 or float64 tensor on the CPU; c and significand_bits: tensors of one element.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, c: Any, significand_bits: Any, bits: int, binade: Binade) -> Any:
        ctx.grid = grid_of(float(c.detach()), float(significand_bits.detach()), bits)
        ctx.binade = binade
        ctx.save_for_backward(x, c, significand_bits)
        return torch.from_numpy(ctx.grid.quantise(x.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        x, c, significand_bits = ctx.saved_tensors
        found = gradients(x.detach().numpy(), ctx.grid, ctx.binade)
        by_x, by_c, by_bits = (upstream * torch.from_numpy(np.asarray(g)) for g in found)
        whole = by_c.sum().to(c.dtype).reshape(c.shape), by_bits.sum().to(c.dtype).reshape(significand_bits.shape)
        return by_x, *whole, None, None


class LearnedFormat(torch.nn.Module):  # type: ignore[misc]
    """A layer that rounds to a signed ExMy grid and learns c and M from whatever loss follows.

    ``binade``: how the gradient takes the exponent, see :func:`fp8ref.systems.power_of_exponent.gradients`.
    """

    def __init__(self, c: float, significand_bits: float, bits: int = 8, binade: Binade = "followed") -> None:
        super().__init__()
        self.c = torch.nn.Parameter(torch.tensor(float(c), dtype=torch.float64))
        self.significand_bits = torch.nn.Parameter(torch.tensor(float(significand_bits), dtype=torch.float64))
        self.bits, self.binade = bits, binade

    @property
    def grid(self) -> Grid:
        """The grid that the parameters stand for now."""
        return grid_of(float(self.c.detach()), float(self.significand_bits.detach()), self.bits)

    def forward(self, x: Any) -> Any:
        return Quantise.apply(x, self.c, self.significand_bits, self.bits, self.binade)


def learn(
    x: Any, c: float | None = None, significand_bits: float = 4.0, *, steps: int = 150, **options: Any
) -> tuple[Grid, list[Grid]]:
    """Learn a grid for a tensor by its mean squared error with Adam: the grid of least error seen, and the way there.

    c starts at max|x| and significand_bits in the middle, unless given; the rates are c / 50 and 1 / 20 a step.
    ``options``: ``bits`` and ``binade`` of :class:`LearnedFormat`.
    """
    start = float(x.abs().max()) if c is None else c
    layer = LearnedFormat(start, significand_bits, **options)
    groups = [{"params": [layer.c], "lr": start / 50}, {"params": [layer.significand_bits], "lr": 1 / 20}]
    adam, way, best = torch.optim.Adam(groups), [], (float("inf"), layer.grid)
    for _ in range(steps):
        adam.zero_grad()
        loss = ((layer(x) - x) ** 2).mean()
        way.append(layer.grid)
        best = min(best, (float(loss.detach()), layer.grid), key=lambda seen: seen[0])
        loss.backward()
        adam.step()
        with torch.no_grad():
            layer.c.clamp_(min=start / 1000)
            layer.significand_bits.clamp_(1, layer.bits - 1)
    return best[1], way
