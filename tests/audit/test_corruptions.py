"""Corruptions of every kind, each found and named; and odd files that are right, which nothing accuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from audit import checkpoints as c
from audit.checkpoints import BF16, CHECKPOINTS, F32, Checkpoint
from fp8ref.audit.run import audit

pytest.importorskip("safetensors")
Q = "model.layers.0.self_attn.q_proj.weight"
K, V = Q.replace("q_proj", "k_proj"), Q.replace("q_proj", "v_proj")
Change = Callable[[Checkpoint], None]


def to(name: str, f: Callable[[np.ndarray], Any]) -> Change:
    """A tensor replaced by what a function makes of it."""

    def change(held: Checkpoint) -> None:
        held.tensors[name] = np.asarray(f(held.tensors[name].copy()))

    return change


def drop(name: str) -> Change:
    return lambda held: held.tensors.__delitem__(name)


def put(name: str, at: Any, value: Any) -> Change:
    def change(x: np.ndarray) -> np.ndarray:
        x[at] = value
        return x

    return to(name, change)


def swap(a: str, b: str) -> Change:
    def change(held: Checkpoint) -> None:
        held.tensors[a], held.tensors[b] = held.tensors[b], held.tensors[a]

    return change


def codes(name: str, f: Callable[[np.ndarray], np.ndarray]) -> Change:
    """The bytes of codes changed."""
    return to(name, lambda x: f(x.view(np.uint8)).astype(np.uint8).view(x.dtype))


def rename(old: str, new: str) -> Change:
    def change(held: Checkpoint) -> None:
        held.tensors = {n.replace(old, new): x for n, x in held.tensors.items()}

    return change


def config(**more: Any) -> Change:
    return lambda held: held.config.update(more)


def rows_swapped(x: np.ndarray) -> np.ndarray:
    x[[3, 70]] = x[[70, 3]]
    return x


def again(r: int, c_: int, how: Callable[[np.ndarray, np.ndarray], np.ndarray], suffix: str = "_scale") -> Change:
    """The codes of q made anew from its original and other scales."""

    def change(held: Checkpoint) -> None:
        w = held.original[Q].astype(F32)
        s = held.tensors[Q + suffix].astype(F32).reshape(-1, 1)
        s = s if s.size == 1 else c.spread(s.reshape(w.shape[0] // r, -1), r, c_)
        held.tensors[Q] = how(w, s)

    return change


def truncated(w: np.ndarray, s: np.ndarray) -> np.ndarray:
    found = c.e4m3(w / s)
    value = found.astype(F32)
    code = found.view(np.uint8)
    return (code - (np.abs(value) > np.abs(w / s))).astype(np.uint8).view(ml_dtypes.float8_e4m3fn)


def ties_away(held: Checkpoint) -> None:
    """MXFP4 codes of a grid of halves, whose ties go up."""
    w = (np.clip(np.round(held.original[Q].astype(F32) / 0.004), -24, 24) * 2.0**-9).astype(F32)
    held.original[Q] = w.astype(BF16)
    a = c.amax(w, 1, 32)
    byte = (np.floor(np.log2(a)) - 2 + 127).astype(np.uint8)
    y = w / c.spread(np.exp2(byte.astype(F32) - 127), 1, 32)
    bumped = np.nextafter(np.abs(y), F32(np.inf)) * np.sign(y)
    held.tensors[Q + "_packed"] = c.packed(c.e2m1(bumped))
    held.tensors[Q + "_scale"] = byte


def stale_bf16(held: Checkpoint) -> None:
    """Codes by binary32 scales, which are then stored in bfloat16."""
    w = held.original[Q].astype(F32)
    s = c.amax(w, 1, c.COLUMNS) / F32(448)
    held.tensors[Q] = c.e4m3(w / s)
    held.tensors[Q + "_scale"] = s.astype(BF16)


def stale_power(held: Checkpoint) -> None:
    """Codes by what the power of two was made from."""
    w = held.original[Q].astype(F32)
    held.tensors[Q] = c.e4m3(w / c.spread(c.amax(w, 128, 128) / F32(448), 128, 128))


def fnuz(held: Checkpoint) -> None:
    """The bytes of E4M3FNUZ under the name of E4M3FN, with the scales of E4M3FNUZ."""
    w = held.original[Q].astype(F32)
    s = held.tensors[Q + "_scale_inv"] * F32(2)
    held.tensors[Q + "_scale_inv"] = s
    y = np.clip(w / c.spread(s, 128, 128), -240, 240)
    raw = y.astype(ml_dtypes.float8_e4m3fnuz).view(np.uint8)
    held.tensors[Q] = raw.view(ml_dtypes.float8_e4m3fn)


def as_e5m2(held: Checkpoint) -> None:
    w = held.original[Q].astype(F32)
    y = w / c.spread(held.tensors[Q + "_scale_inv"], 128, 128)
    held.tensors[Q] = y.astype(ml_dtypes.float8_e5m2).view(np.uint8).view(ml_dtypes.float8_e4m3fn)


def flipped(bit: int) -> Callable[[np.ndarray], np.ndarray]:
    def f(x: np.ndarray) -> np.ndarray:
        place = int(np.argmax((x[5] & 0x7F) > 0x30)) if bit == 0x80 else 7
        x[5, place] ^= bit
        return x

    return f


# name: checkpoint, change, kind of the finding, and whether the original is needed
CORRUPTIONS: dict[str, tuple[str, Change, str, bool]] = {
    # the file alone shows it
    "scale dropped": ("ct-channel", drop(Q + "_scale"), "scale-missing", False),
    "scale dropped, block": ("block-fp8", drop(Q + "_scale_inv"), "scale-missing", False),
    "all scales dropped": ("vllm-fp8", lambda h: [h.tensors.pop(n) for n in list(h.tensors) if "scale" in n] and None,
                           "scale-missing", False),
    "packed without scale": ("ct-mxfp4", drop(Q + "_scale"), "scale-missing", False),
    "blocks without scales": ("gpt-oss", drop(Q.replace("weight", "gate_up_proj_scales")), "scale-missing", False),
    "global dropped": ("ct-nvfp4", drop(Q + "_global_scale"), "scale-missing", False),
    "second scale dropped": ("modelopt-nvfp4", drop(Q + "_scale_2"), "scale-missing", False),
    "quanto without scale": ("quanto", drop(Q + "._scale"), "scale-missing", False),
    "comfy without scale": ("comfy", drop(Q.replace("weight", "scale_weight")), "scale-missing", False),
    "codes dropped": ("ct-channel", drop(Q), "scale-orphaned", False),
    "codes dropped, packed": ("ct-mxfp4", drop(Q + "_packed"), "scale-orphaned", False),
    "codes not quantised": ("block-fp8", to(Q, lambda x: x.astype(F32).astype(BF16)), "scale-orphaned", False),
    "scale NaN": ("ct-channel", put(Q + "_scale", (9, 0), np.nan), "scale-nan", False),
    "exponent byte FF": ("ct-mxfp4", put(Q + "_scale", (9, 1), 255), "scale-nan", False),
    "block scale NaN": ("ct-nvfp4", put(Q + "_scale", (9, 1), np.nan), "scale-nan", False),
    "global NaN": ("ct-nvfp4", put(Q + "_global_scale", 0, np.nan), "scale-nan", False),
    "scale infinite": ("block-fp8", put(Q + "_scale_inv", (0, 1), np.inf), "scale-infinite", False),
    "scale negative": ("ct-channel", put(Q + "_scale", (9, 0), -0.001), "scale-negative", False),
    "block scale negative": ("ct-nvfp4", put(Q + "_scale", (9, 1), -4.0), "scale-negative", False),
    "scale 0": ("ct-channel", put(Q + "_scale", (9, 0), 0), "scale-zero", False),
    "block scale 0": ("modelopt-nvfp4", put(Q + "_scale", (9, 1), 0), "scale-zero", False),
    "NaN codes": ("ct-channel", codes(Q, lambda x: np.where(np.arange(x.size).reshape(x.shape) == 777, 0x7F, x)),
                  "codes-nan", False),
    "grid of another shape": ("block-fp8", to(Q + "_scale_inv", lambda s: np.ones((3, 5), F32)), "shape", False),
    "row scales cut": ("ct-channel", to(Q + "_scale", lambda s: s[:-1]), "shape", False),
    "grid transposed": ("ct-block", to(Q + "_scale", lambda s: s.T.copy()), "scale-transposed", False),
    "scales in F64": ("block-fp8", to(Q + "_scale_inv", lambda s: s.astype(np.float64)), "scale-dtype", False),
    "bytes as numbers": ("ct-mxfp4", to(Q + "_scale", lambda s: s.astype(F32)), "scale-dtype", False),
    "NVFP4 scales in F32": ("ct-nvfp4", to(Q + "_scale", lambda s: s.astype(F32)), "scale-dtype", False),
    "another block declared": ("block-fp8", config(weight_block_size=[64, 64]), "config", False),
    "another strategy declared": ("ct-channel", config(config_groups={"g": {"weights": {
        "num_bits": 8, "type": "float", "strategy": "tensor"}}}), "config", False),
    "other bits declared": ("ct-channel", config(config_groups={"g": {"weights": {
        "num_bits": 4, "type": "float", "strategy": "channel"}}}), "config", False),
    "another method declared": ("ct-nvfp4", config(quant_method="modelopt"), "config", False),
    "another format declared": ("block-fp8", config(fmt="e5m2"), "format", False),
    "powers of two declared": ("block-fp8", config(scale_fmt="ue8m0"), "scale-power", False),
    "scales inverted": ("vllm-fp8", to(Q + "_scale", lambda s: 1 / s), "scale-inverted", False),
    "block scales inverted": ("block-fp8", to(Q + "_scale_inv", lambda s: 1 / s), "scale-inverted", False),
    "divisor as multiplier": ("ct-nvfp4", to(Q + "_global_scale", lambda g: 1 / g), "scale-inverted", False),
    "multiplier as divisor": ("modelopt-nvfp4", to(Q + "_scale_2", lambda g: 1 / g), "scale-inverted", False),
    "scales of 1": ("ct-channel", to(Q + "_scale", np.ones_like), "unit-scale", False),
    "global of 1": ("ct-nvfp4", to(Q + "_global_scale", np.ones_like), "unit-scale", False),
    "NaN activation scale": ("modelopt-fp8", lambda h: h.tensors.update(
        {Q.replace("weight", "input_scale"): np.array(np.nan, F32)}), "scale-nan", False),
    "six bits without scale": ("ct-mxfp6", drop(Q + "_scale"), "scale-missing", False),
    "other bits declared, six stored": ("quark-mxfp6-e3m2", config(global_quant_config={"weight": {
        "dtype": "fp8_e4m3"}}), "config", False),
    # the original shows it
    "rows exchanged": ("ct-channel", to(Q + "_scale", rows_swapped), "scale-exchanged", True),
    "scales of a neighbour": ("ct-channel", swap(Q + "_scale", K + "_scale"), "scale-exchanged", True),
    "block scales of a neighbour": ("block-fp8", swap(K + "_scale_inv", V + "_scale_inv"), "scale-exchanged", True),
    "global of a neighbour": ("unfused", swap(Q + "_scale_2", K + "_scale_2"), "global-scale", True),
    "global doubled": ("modelopt-nvfp4", to(Q + "_scale_2", lambda g: g * F32(2)), "global-scale", True),
    "square grid transposed": ("square", to(Q + "_scale_inv", lambda s: s.T.copy()), "scale-transposed", True),
    "scales swizzled": ("ct-nvfp4", to(Q + "_scale", c.tiles), "scale-swizzled", True),
    "exponent bytes swizzled": ("ct-mxfp4", to(Q + "_scale", c.tiles), "scale-swizzled", True),
    "exponent bytes inverted": ("ct-mxfp4", to(Q + "_scale", lambda b: np.uint8(254) - b), "scale-inverted", True),
    "nibbles exchanged": ("ct-nvfp4", to(Q + "_packed", lambda x: (x << 4 | x >> 4).astype(np.uint8)), "nibbles", True),
    "halves of GGUF": ("ct-mxfp4", lambda h: h.tensors.update({Q + "_packed": halves(h.tensors[Q + "_packed"])}),
                       "nibbles", True),
    "six bits from the top": ("ct-mxfp6", lambda h: h.tensors.update({Q + "_packed": turned(h.tensors[Q + "_packed"])}),
                              "nibbles", True),
    "E2M3 declared, E3M2 stored": ("quark-mxfp6-e3m2", config(global_quant_config={"weight": {"dtype": "fp6_e2m3"}}),
                                   "format", True),
    "FNUZ as FN": ("block-fp8", fnuz, "bias", True),
    "scales doubled": ("ct-channel", to(Q + "_scale", lambda s: (s.astype(F32) * 2).astype(BF16)), "bias", True),
    "E5M2 as E4M3": ("block-fp8", as_e5m2, "format", True),
    "scales rounded to bf16 afterwards": ("ct-channel", stale_bf16, "scale-stale", True),
    "power of two stored, quotient used": ("block-ue8m0", stale_power, "scale-stale", True),
    "one scale of an earlier version": ("ct-channel", to(Q + "_scale", lambda s: np.where(
        np.arange(len(s))[:, None] == 40, s.astype(F32) * 1.25, s.astype(F32)).astype(BF16)), "scale-stale", True),
    "one exponent byte too large": ("ct-mxfp4", to(Q + "_scale", lambda b: b + (np.indices(b.shape).sum(0) == 9).astype(
        np.uint8)), "scale-stale", True),
    "truncated": ("vllm-fp8", again(1, c.COLUMNS, truncated), "truncated", True),
    "ties away": ("ct-mxfp4", ties_away, "ties-away", True),
    "one code": ("vllm-fp8", codes(Q, flipped(0x04)), "codes-single", True),
    "one code, one step": ("block-fp8", codes(Q, flipped(0x01)), "codes-single", True),
    "one nibble": ("ct-nvfp4", put(Q + "_packed", (4, 4), 0x77), "codes-single", True),
    "one code of six bits": ("quark-mxfp6-e2m3", put(Q, (4, 4), 0x2A), "codes-single", True),
    "one exponent byte too large, six bits": ("quark-mxfp6-e3m2", to(Q + "_scale", lambda b: b + (
        np.indices(b.shape).sum(0) == 9).astype(np.uint8)), "scale-stale", True),
    "one sign": ("vllm-fp8", codes(Q, flipped(0x80)), "signs", True),
    "codes of another layer": ("vllm-fp8", swap(Q, K), "codes-other", True),
}  # fmt: skip


def halves(packed: np.ndarray) -> np.ndarray:
    """Codes j and j + 16 of a block in one byte, as GGUF has them."""
    blocks = c.unpacked(packed).reshape(len(packed), -1, 32)
    return (blocks[..., :16] | blocks[..., 16:] << 4).reshape(packed.shape).astype(np.uint8)


def turned(packed: np.ndarray) -> np.ndarray:
    """The first of four codes in the highest bits of its three bytes."""
    bits = np.unpackbits(packed, axis=-1, bitorder="little").reshape(len(packed), -1, 6)
    return np.packbits(bits[..., ::-1].reshape(len(packed), -1), axis=-1, bitorder="big")


def made(name: str) -> Checkpoint:
    if name == "unfused":
        return c.nvfp4("modelopt", fused=False)
    if name == "square":
        found = CHECKPOINTS["block-fp8"][0]()
        held = c.weights(3, rows=256)
        for n, w in held.items():
            s = c.amax(w, 128, 128) / F32(448)
            found.tensors |= {n: c.e4m3(w.astype(F32) / c.spread(s, 128, 128)), n + "_scale_inv": s}
        found.original = held
        return found
    return CHECKPOINTS[name][0]()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption(name: str, tmp_path: Path) -> None:
    base, change, kind, needs = CORRUPTIONS[name]
    held = made(base)
    change(held)
    folder, original = held.write(tmp_path / "m")
    found = audit(folder, original if needs else None)
    faults = {f.kind: f for f in found.everything() if f.severity == "fault"}
    assert kind in faults
    assert "proj" in faults[kind].at
    if needs:
        assert list(faults) == [kind]
        assert audit(folder).clean  # nothing in the file alone shows it, and nothing else is accused
