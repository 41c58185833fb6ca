"""Small checkpoints in every convention, written by arithmetic of their own: numpy and ml_dtypes, none of fp8ref's."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

F32 = np.float32
BF16 = ml_dtypes.bfloat16
NAMES = {
    "float32": "F32", "bfloat16": "BF16", "float16": "F16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
    "uint8": "U8", "int8": "I8", "float8_e8m0fnu": "F8_E8M0", "float8_e4m3fnuz": "F8_E4M3FNUZ", "int32": "I32",
    "float64": "F64",
}  # fmt: skip
LAYERS = ("q_proj", "k_proj", "v_proj")
ROWS, COLUMNS = 128, 256


@dataclass
class Checkpoint:
    """Tensors by name, the config beside them, and the original weights."""

    tensors: dict[str, np.ndarray]
    original: dict[str, np.ndarray]
    config: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The folder of the checkpoint and the file of its original."""
        folder.mkdir(parents=True, exist_ok=True)
        write_safetensors(folder / "model.safetensors", self.tensors, self.metadata)
        if self.config:
            (folder / "config.json").write_text(json.dumps({"quantization_config": self.config}))
        original = folder.parent / f"{folder.name}.original.safetensors"
        write_safetensors(original, self.original)
        return folder, original


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """The format by hand: eight bytes of length, a table, and the bytes."""
    table: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at, parts = 0, []
    for name, x in tensors.items():
        raw = np.ascontiguousarray(x).tobytes()
        table[name] = {"dtype": NAMES[x.dtype.name], "shape": list(x.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        parts.append(raw)
    header = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(parts))


def weights(seed: int = 7, dtype: Any = BF16, rows: int = ROWS, columns: int = COLUMNS) -> dict[str, np.ndarray]:
    """Weights of three layers, as a trained model's are: narrow, with some that stand out, and of unequal size."""
    rng = np.random.default_rng(seed)
    found = {}
    for i, name in enumerate(LAYERS):
        x = rng.standard_normal((rows, columns)) * 0.02 * (1 + 0.7 * i)
        x *= np.exp(rng.standard_normal((rows, 1)) * 0.3)
        found[f"model.layers.0.self_attn.{name}.weight"] = x.astype(F32).astype(dtype)
    return found


def e4m3(y: np.ndarray) -> np.ndarray:
    return np.clip(y.astype(F32), -448, 448).astype(ml_dtypes.float8_e4m3fn)


def e2m1(y: np.ndarray) -> np.ndarray:
    """Codes, one a byte."""
    return np.clip(y, -6, 6).astype(ml_dtypes.float4_e2m1fn).view(np.uint8) & 15


def packed(codes: np.ndarray, high: bool = False) -> np.ndarray:
    a, b = codes[..., 0::2], codes[..., 1::2]
    return (b | a << 4 if high else a | b << 4).astype(np.uint8)


def unpacked(raw: np.ndarray) -> np.ndarray:
    return np.stack([raw & 15, raw >> 4], -1).reshape(*raw.shape[:-1], -1)


def amax(x: np.ndarray, r: int, c: int) -> np.ndarray:
    m, n = x.shape[0] // r, x.shape[1] // c
    return np.abs(x.astype(F32)).reshape(m, r, n, c).max(axis=(1, 3))


def spread(s: np.ndarray, r: int, c: int) -> np.ndarray:
    return np.repeat(np.repeat(s, r, 0), c, 1)


def tiles(s: np.ndarray) -> np.ndarray:
    """The 128 by 4 tiles of cuBLAS, written out: rows of 32 side by side."""
    m, n = s.shape
    return s.reshape(m // 128, 4, 32, n // 4, 4).transpose(0, 3, 2, 1, 4).reshape(m, n)


# -- conventions -------------------------------------------------------------------------------------------------------

CT = {"quant_method": "compressed-tensors"}


def _ct_config(form: str, bits: int, strategy: str, **more: Any) -> dict[str, Any]:
    scheme = {"num_bits": bits, "type": "float", "symmetric": True, "strategy": strategy, **more}
    return {**CT, "format": form, "config_groups": {"group_0": {"targets": ["Linear"], "weights": scheme}}}


def fp8(
    grain: tuple[int, int] | None = None, suffix: str = "_scale", kept: Any = F32, arithmetic: Any = F32,
    config: dict[str, Any] | None = None, shape: Callable[[np.ndarray], np.ndarray] = lambda s: s, seed: int = 7,
) -> Checkpoint:  # fmt: skip
    """FP8 codes under amax / 448.  ``grain``: rows and columns of a group, 0 for all; None: the tensor."""
    held = weights(seed)
    tensors = {}
    for name, w in held.items():
        r, c = grain or (0, 0)
        r, c = r or w.shape[0], c or w.shape[1]
        s = (amax(w, r, c) / F32(448)).astype(kept)
        x = w.astype(arithmetic)
        y = (x / spread(s, r, c).astype(arithmetic)).astype(arithmetic)
        tensors[name] = e4m3(y)
        tensors[name + suffix] = shape(s)
    return Checkpoint(tensors, held, config or {})


def ct_channel() -> Checkpoint:
    return fp8((1, 0), kept=BF16, arithmetic=BF16, config=_ct_config("float-quantized", 8, "channel"))


def ct_tensor() -> Checkpoint:
    return fp8(None, kept=BF16, arithmetic=BF16, config=_ct_config("float-quantized", 8, "tensor"),
               shape=lambda s: s.reshape(1))  # fmt: skip


def ct_block() -> Checkpoint:
    config = _ct_config("float-quantized", 8, "block", block_structure=[128, 128])
    return fp8((128, 128), kept=BF16, arithmetic=BF16, config=config)


def block_fp8() -> Checkpoint:
    config = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
    return fp8((128, 128), "_scale_inv", config=config)


def block_ue8m0() -> Checkpoint:
    found = block_fp8()
    found.config["scale_fmt"] = "ue8m0"
    for name, w in found.original.items():
        s = np.exp2(np.ceil(np.log2(amax(w, 128, 128).astype(np.float64) / 448))).astype(F32)
        found.tensors[name] = e4m3(w.astype(F32) / spread(s, 128, 128))
        found.tensors[name + "_scale_inv"] = s
    return found


def modelopt_fp8() -> Checkpoint:
    config = {"quant_method": "modelopt", "quant_algo": "FP8"}
    return fp8(None, config=config, shape=lambda s: s.reshape(()))


def quanto() -> Checkpoint:
    found = fp8((1, 0), kept=BF16, arithmetic=BF16)
    tensors = {name.replace("weight_scale", "weight._scale"): x for name, x in found.tensors.items()}
    tensors = {name + "._data" if name.endswith("weight") else name: x for name, x in tensors.items()}
    return Checkpoint(tensors, found.original)


def comfy() -> Checkpoint:
    found = fp8(None, shape=lambda s: s.reshape(()))
    tensors = {name.replace("weight_scale", "scale_weight").replace("weight.scale", "scale"): x
               for name, x in found.tensors.items()}  # fmt: skip
    tensors["scaled_fp8"] = np.zeros(0, ml_dtypes.float8_e4m3fn)
    return Checkpoint(tensors, found.original)


def mxfp4(name_of: str = "ct") -> Checkpoint:
    held = weights()
    tensors = {}
    for name, w in held.items():
        a = amax(w, 1, 32)
        byte = (np.floor(np.log2(a)) - 2 + 127).astype(np.uint8)  # the floor of OCP MX 6.3
        s = np.exp2(byte.astype(F32) - 127)
        codes = e2m1(w.astype(F32) / spread(s, 1, 32))
        if name_of == "gpt-oss":
            stem = name.replace("weight", "gate_up_proj")
            tensors[stem + "_blocks"] = packed(codes).reshape(ROWS, COLUMNS // 32, 16)
            tensors[stem + "_scales"] = byte
        else:
            tensors[name + "_packed"] = packed(codes)
            tensors[name + "_scale"] = byte
    if name_of == "gpt-oss":
        held = {name.replace("weight", "gate_up_proj"): w for name, w in held.items()}
        return Checkpoint(tensors, held, {"quant_method": "mxfp4"})
    return Checkpoint(tensors, held, _ct_config("mxfp4-pack-quantized", 4, "group", group_size=32))


def six(codes: np.ndarray) -> np.ndarray:
    """Four codes of six bits in three bytes, the first in the lowest bits: bit by bit."""
    bits = codes[..., None] >> np.arange(6) & 1
    return np.packbits(bits.reshape(*codes.shape[:-1], -1).astype(np.uint8), axis=-1, bitorder="little")


def mxfp6(name_of: str = "quark", element: str = "e3m2") -> Checkpoint:
    held = weights()
    tensors = {}
    dtype, emax, top = {
        "e3m2": (ml_dtypes.float6_e3m2fn, 4, 28), "e2m3": (ml_dtypes.float6_e2m3fn, 2, 7.5)
    }[element]  # fmt: skip
    for name, w in held.items():
        byte = (np.floor(np.log2(amax(w, 1, 32))) - emax + 127).astype(np.uint8)
        y = w.astype(F32) / spread(np.exp2(byte.astype(F32) - 127), 1, 32)
        codes = np.clip(y, -top, top).astype(dtype).view(np.uint8) & 63
        tensors[name + ("_packed" if name_of == "ct" else "")] = six(codes)
        tensors[name + "_scale"] = byte
    if name_of == "ct":
        return Checkpoint(tensors, held, _ct_config("mxfp6-pack-quantized", 6, "group", group_size=32))
    weight = {"dtype": f"fp6_{element}", "group_size": 32, "scale_format": "e8m0"}
    return Checkpoint(tensors, held, {"quant_method": "quark", "global_quant_config": {"weight": weight}})


def nvfp4(name_of: str = "ct", fused: bool = True) -> Checkpoint:
    """Two levels: the tensor's scale from the largest of the fused layers."""
    held = weights()
    tensors = {}
    top = max(float(np.abs(w.astype(F32)).max()) for w in held.values())
    for name, w in held.items():
        largest = F32(top if fused else np.abs(w.astype(F32)).max())
        g = F32(F32(1) / largest) * F32(2688) if name_of == "ct" else largest / F32(2688)
        block = e4m3(F32(g) * (amax(w, 1, 16) / F32(6)) if name_of == "ct" else amax(w, 1, 16) / (F32(6) * g))
        d = block.astype(F32)
        factor = d / g if name_of == "ct" else d * g
        codes = e2m1(w.astype(F32) / spread(factor, 1, 16))
        if name_of == "ct":
            tensors[name + "_packed"] = packed(codes)
            tensors[name + "_scale"] = block
            tensors[name + "_global_scale"] = np.array([g], F32)
        else:
            tensors[name] = packed(codes, high=name_of == "comfy")
            tensors[name + "_scale"] = tiles(block) if name_of == "comfy" else block
            tensors[name + "_scale_2"] = np.array(g, F32)
    if name_of == "ct":
        return Checkpoint(tensors, held, _ct_config("nvfp4-pack-quantized", 4, "tensor_group", group_size=16))
    if name_of == "comfy":
        return Checkpoint(tensors, held, {}, {"_quantization_metadata": "{}"})
    return Checkpoint(tensors, held, {"quant_method": "modelopt", "quant_algo": "NVFP4"})


CHECKPOINTS: dict[str, tuple[Callable[[], Checkpoint], str]] = {
    "ct-channel": (ct_channel, "compressed-tensors FP8"),
    "ct-tensor": (ct_tensor, "compressed-tensors FP8"),
    "ct-block": (ct_block, "compressed-tensors FP8"),
    "block-fp8": (block_fp8, "block FP8"),
    "block-ue8m0": (block_ue8m0, "block FP8"),
    "modelopt-fp8": (modelopt_fp8, "ModelOpt FP8"),
    "vllm-fp8": (lambda: fp8((1, 0)), "FP8 with weight_scale"),
    "quanto": (quanto, "optimum-quanto"),
    "comfy": (comfy, "ComfyUI scaled FP8"),
    "ct-mxfp4": (mxfp4, "compressed-tensors MXFP4"),
    "gpt-oss": (lambda: mxfp4("gpt-oss"), "gpt-oss MXFP4"),
    "ct-mxfp6": (lambda: mxfp6("ct", "e2m3"), "compressed-tensors MXFP6"),
    "quark-mxfp6-e3m2": (mxfp6, "Quark MXFP6 E3M2"),
    "quark-mxfp6-e2m3": (lambda: mxfp6("quark", "e2m3"), "Quark MXFP6 E2M3"),
    "ct-nvfp4": (nvfp4, "compressed-tensors NVFP4"),
    "modelopt-nvfp4": (lambda: nvfp4("modelopt"), "ModelOpt NVFP4"),
    "comfy-nvfp4": (lambda: nvfp4("comfy"), "ComfyUI NVFP4"),
}
