"""Odd files that are right: nothing accuses them, and what is odd is a note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit import checkpoints as c
from audit.checkpoints import BF16, CHECKPOINTS, COLUMNS, F32, ROWS, Checkpoint
from fp8ref.audit.run import audit

pytest.importorskip("safetensors")


def bf16_quotients() -> Checkpoint:
    return c.fp8((1, 0), kept=BF16, arithmetic=BF16)


def rounded_first() -> Checkpoint:
    """The original is binary32, and was rounded to bfloat16 before it was quantised."""
    held = c.fp8((1, 0))
    rng = np.random.default_rng(1)
    for name, w in held.original.items():
        wide = w.astype(F32) * (1 + rng.uniform(-1, 1, w.shape) * 2.0**-10).astype(F32)
        held.original[name] = np.where(wide.astype(BF16) == w, wide, w.astype(F32)).astype(F32)
    return held


def searched() -> Checkpoint:
    """Scales that were searched: each a little smaller than the largest magnitude asks for."""
    held = c.fp8((1, 0))
    rng = np.random.default_rng(2)
    for name, w in held.original.items():
        s = held.tensors[name + "_scale"] * rng.uniform(0.6, 1.0, (ROWS, 1)).astype(F32)
        held.tensors |= {name: c.e4m3(w.astype(F32) / s), name + "_scale": s}
    return held


def searched_nvfp4() -> Checkpoint:
    held = c.nvfp4()
    rng = np.random.default_rng(3)
    for name, w in held.original.items():
        less = rng.uniform(0.7, 1, (ROWS, COLUMNS // 16)).astype(F32)
        block = c.e4m3(held.tensors[name + "_scale"].astype(F32) * less)
        factor = block.astype(F32) / held.tensors[name + "_global_scale"]
        held.tensors |= {
            name + "_scale": block,
            name + "_packed": c.packed(c.e2m1(w.astype(F32) / c.spread(factor, 1, 16))),
        }
    return held


def learned(share: float) -> Callable[[], Checkpoint]:
    """Roundings moved toward the other neighbour where a number lies within ``share`` of a step of the middle."""

    def make() -> Checkpoint:
        held = c.mxfp4()
        rng = np.random.default_rng(4)
        for name, w in held.original.items():
            s = c.spread(np.exp2(held.tensors[name + "_scale"].astype(F32) - 127), 1, 32)
            y = w.astype(F32) / s
            step = np.where(np.abs(y) >= 4, 2, np.where(np.abs(y) >= 2, 1, 0.5))
            moved = c.e2m1((y + step * rng.uniform(-share, share, y.shape)).astype(F32))
            held.tensors[name + "_packed"] = c.packed(moved)
        return held

    return make


def compensated() -> Checkpoint:
    """GPTQ: the error of a column is given to the next ones."""
    held = c.fp8((1, 0))
    for name, w in held.original.items():
        s = held.tensors[name + "_scale"]
        x = w.astype(F32).copy()
        out = np.empty(x.shape, F32)
        for k in range(COLUMNS):
            out[:, k : k + 1] = c.e4m3(x[:, k : k + 1] / s).astype(F32)
            if k + 1 < COLUMNS:
                x[:, k + 1] += 0.6 * (x[:, k] - out[:, k] * s[:, 0])
        held.tensors[name] = c.e4m3(out)
    return held


def down_ties() -> Checkpoint:
    """Ties go toward zero: a grid on which ties abound."""
    held = c.mxfp4()
    for name, w in held.original.items():
        grid = (np.clip(np.round(w.astype(F32) / 0.004), -24, 24) * 2.0**-9).astype(F32)
        held.original[name] = grid.astype(BF16)
        byte = (np.floor(np.log2(c.amax(grid, 1, 32))) - 2 + 127).astype(np.uint8)
        y = grid / c.spread(np.exp2(byte.astype(F32) - 127), 1, 32)
        held.tensors[name + "_scale"] = byte
        held.tensors[name + "_packed"] = c.packed(c.e2m1(np.nextafter(np.abs(y), F32(0)) * np.sign(y)))
    return held


def zero_rows() -> Checkpoint:
    """Rows of zeros under the epsilon that their producer takes, and under a scale of 0."""
    held = c.fp8((1, 0), kept=BF16, arithmetic=BF16)
    for name, scale in zip(held.original, (0.0, 2.0**-7, 1.0)):
        held.original[name][5] = 0
        held.tensors[name].view(np.uint8)[5] = 0
        held.tensors[name + "_scale"][5] = scale
    return held


def cast() -> Checkpoint:
    """FP8 without scales: a plain cast."""
    held = c.weights()
    return Checkpoint({n: c.e4m3(w) for n, w in held.items()}, held)


def units() -> Checkpoint:
    """Scales of 1 beside a plain cast."""
    held = cast()
    held.tensors |= {n + "_scale": np.array(1, F32) for n in held.original}
    return held


def codes_of_a_book() -> Checkpoint:
    held = c.weights()
    tensors = {}
    for n, w in held.items():
        tensors |= {
            n: np.clip(np.round(w.astype(F32) * 500), -127, 127).astype(np.int8),
            n + "_scale": np.full((ROWS, 1), 0.002, F32),
        }
    return Checkpoint(tensors, held)


def mixed() -> Checkpoint:
    """One layer as it was, one quantised, scales of activations beside them."""
    held = CHECKPOINTS["ct-channel"][0]()
    name = next(iter(held.original))
    held.tensors[name] = held.original[name]
    del held.tensors[name + "_scale"]
    held.tensors[name.replace("weight", "input_scale")] = np.array([0.01], F32)
    held.tensors[name.replace("q_proj.weight", "k_scale")] = np.array(1, F32)
    return held


# name: the checkpoint, and the notes that its tensors may bear
TWINS: dict[str, tuple[Callable[[], Checkpoint], set[str]]] = {
    "bf16 quotients": (bf16_quotients, {"arithmetic-bf16"}),
    "original rounded first": (rounded_first, {"source-rounded"}),
    "searched scales": (searched, {"scale-searched", "saturated"}),
    "searched block scales": (searched_nvfp4, {"scale-searched"}),
    "learned rounding": (learned(0.5), {"codes-learned"}),
    "a little learned": (learned(0.02), {"codes-learned", "codes-arithmetic"}),
    "GPTQ": (compensated, {"codes-compensated"}),
    "ties toward zero": (down_ties, {"ties-to-zero"}),
    "zero rows": (zero_rows, {"arithmetic-bf16", "scale-searched"}),
    "plain cast": (cast, {"unscaled"}),
    "scales of 1": (units, {"scale-searched", "range-unused"}),
    "int8": (codes_of_a_book, {"code-book"}),
    "mixed": (mixed, {"arithmetic-bf16"}),
    "unequal globals": (lambda: c.nvfp4("modelopt", fused=False), {"global-unequal"}),
}


@pytest.mark.parametrize("name", TWINS)
def test_nothing_accuses(name: str, tmp_path: Path) -> None:
    make, notes = TWINS[name]
    folder, original = make().write(tmp_path / "m")
    for found in (audit(folder), audit(folder, original)):
        kinds = {f.kind for f in found.everything()}
        assert kinds <= notes, [f for f in found.everything() if f.kind not in notes]
        assert found.clean
