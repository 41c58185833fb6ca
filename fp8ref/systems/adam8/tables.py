"""What the system shows: training against 32-bit Adam, the error of the codes, and golden vectors."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .. import Table
from ..golden import Sets, gaussian
from .blocks import BLOCK, RULES, quantise, quantise_exact, tree
from .training import train

SEEDS = range(5)


def table() -> Table:
    rows = []
    for seed in SEEDS:
        plain, *eight = (train(seed, rule) for rule in (None, "paper", "bitsandbytes-cpu"))
        losses = [f"{run.losses[-1] / plain.losses[-1] - 1:+.2%}" for run in eight]
        rows.append((str(seed), f"{plain.losses[-1]:.4f}", *losses, f"{plain.right:.2%}", f"{eight[0].right:.2%}"))
    error = normal_error()
    return Table(
        "Adam with 8-bit moments on handwritten digits: the final objective against 32-bit Adam's",
        ("seed", "32-bit", "8-bit, paper", "bitsandbytes-cpu", "right, 32-bit", "right, 8-bit"),
        tuple(rows),
        (
            f"The moments take {eight[0].bytes} bytes instead of {plain.bytes}.  64-32-10 network, blocks of {BLOCK}.",
            f"Codes of N(0, 1) in blocks of 2048: mean error {error[0]:.5f}, mean relative error {error[1]:.5f}.",
        ),
    )


def normal_error(block: int = 2048, rule: str = "paper") -> tuple[float, float]:
    """(mean absolute, mean relative) error of 2**20 numbers from N(0, 1)."""
    x = np.random.default_rng(0).standard_normal(1 << 20, dtype=np.float32)
    error = np.abs(quantise(x, block, rule=rule).dequantise().astype(float) - x)
    return float(error.mean()), float((error / np.abs(x.astype(float))).mean())


def golden() -> Sets:
    """A vector in blocks of 16, the last of 9 and one of zeros, signed and its squares unsigned, under every rule."""
    x = gaussian(5, (57,), 0.01) * np.float32(10.0) ** (np.arange(57) // 8 - 3).astype(np.float32)
    x[16:32] = 0
    sets = {}
    for signed, values in ((True, x), (False, x * x)):
        for rule in RULES:
            codes, largest = quantise_exact([Fraction(float(v)) for v in values], 16, signed, rule)
            sets[f"{rule}, {'signed' if signed else 'unsigned'}"] = {
                "x": values,
                "block": 16,
                "codebook": tree(signed, rule).values,
                "codes": np.array(codes, np.uint8),
                "largest": np.array([float(v) for v in largest], np.float32),
            }
    return sets
