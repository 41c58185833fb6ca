"""What a file declares about its quantisation: its config and metadata, brought to one form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .files.stored import Files

METHODS = {
    "fp8": "fp8", "compressed-tensors": "compressed-tensors", "compressed_tensors": "compressed-tensors",
    "modelopt": "modelopt", "modelopt_fp4": "modelopt", "modelopt_fp8": "modelopt", "fbgemm_fp8": "fbgemm_fp8",
    "mxfp4": "mxfp4", "nvfp4": "nvfp4", "mxfp8": "mxfp8", "quark": "quark", "quanto": "quanto", "torchao": "torchao",
    "auto-round": "auto-round", "auto_round": "auto-round", "intel/auto-round": "auto-round", "gptq": "gptq",
    "awq": "awq", "bitsandbytes": "bitsandbytes", "hqq": "hqq",
}  # fmt: skip
QUARK = {"fp8_e4m3": "e4m3fn", "fp8_e5m2": "e5m2", "fp6_e3m2": "e3m2fn", "fp6_e2m3": "e2m3fn", "fp4": "e2m1fn"}
BITS = {"e4m3fn": 8, "e4m3fnuz": 8, "e5m2": 8, "e5m2fnuz": 8, "e2m1fn": 4, "e3m2fn": 6, "e2m3fn": 6}


@dataclass(frozen=True)
class Scheme:
    """How some weights are quantised: bits of an element, ``int`` or ``float``, strategy, block; None: not said."""

    bits: int | None = None
    kind: str | None = None
    strategy: str | None = None
    block: tuple[int, int] | None = None


@dataclass(frozen=True)
class Declared:
    """``method``: who quantised.  ``element``: the format of codes.  ``block``: rows and columns under a scale.
    ``powers``: scales are powers of two.  ``ignored``: modules that are not quantised.  ``at``: where it stands."""

    method: str | None = None
    element: str | None = None
    schemes: tuple[Scheme, ...] = ()
    block: tuple[int, int] | None = None
    powers: bool = False
    ignored: frozenset[str] = frozenset()
    at: str = ""


def declared(files: Files) -> Declared:
    """What the config and the metadata of a file say."""
    config = files.config
    method = config.get("quant_method")
    name = METHODS.get(method.lower(), method.lower()) if isinstance(method, str) else None
    if name is None and ("_quantization_metadata" in files.metadata or any(
        n == "scaled_fp8" or n.endswith((".scaled_fp8", ".comfy_quant")) for n in files.tensors
    )):  # fmt: skip
        name = "comfyui"
    block = _block(config.get("weight_block_size"))
    schemes = tuple(_schemes(config))
    if block is None and len(schemes) == 1:
        block = schemes[0].block
    ignored = [
        config.get(key) for key in ("ignore", "exclude_modules", "modules_to_not_convert", "ignored_layers", "exclude")
    ]
    names = frozenset(n for group in ignored if isinstance(group, list) for n in group if isinstance(n, str))
    return Declared(
        name,
        _element(config) or _quark_element(config),
        schemes,
        block,
        config.get("scale_fmt") == "ue8m0",
        names,
        files.told or ("metadata" if name else ""),
    )


def _element(config: dict[str, Any]) -> str | None:
    fmt = config.get("fmt", config.get("weight_format"))
    if isinstance(fmt, str):
        return {"e4m3": "e4m3fn", "float8_e4m3fn": "e4m3fn", "e5m2": "e5m2", "float8_e5m2": "e5m2"}.get(fmt.lower())
    return None


def _quark_element(config: dict[str, Any]) -> str | None:
    """The element of every weight, where no layer differs."""
    if config.get("layer_quant_config") or config.get("layer_type_quant_config"):
        return None
    every = config.get("global_quant_config")
    weight = every.get("weight") if isinstance(every, dict) else None
    dtype = weight.get("dtype") if isinstance(weight, dict) else None
    return QUARK.get(dtype) if isinstance(dtype, str) else None


def _block(x: Any) -> tuple[int, int] | None:
    if isinstance(x, list) and len(x) == 2 and all(isinstance(n, int) and 0 < n < 1 << 20 for n in x):
        return (x[0], x[1])
    return None


def _schemes(config: dict[str, Any]) -> Iterator[Scheme]:
    groups = config.get("config_groups")
    if isinstance(groups, dict):
        for group in groups.values():
            weights = group.get("weights") if isinstance(group, dict) else None
            if isinstance(weights, dict):
                yield _scheme(weights)
    weights = config.get("global_quant_config") if not config.get("layer_quant_config") else None
    if isinstance(weights, dict) and isinstance(weights.get("weight"), dict):
        dtype = str(weights["weight"].get("dtype", ""))
        kind = "float" if "fp" in dtype else "int" if "int" in dtype else None
        match = re.search(r"(\d+)", dtype)
        yield Scheme(int(match[1]) if match else None, kind)
    algorithm = config.get("quant_algo")
    if isinstance(algorithm, str):
        bits = 4 if "FP4" in algorithm else 8 if "FP8" in algorithm else None
        if not bits and ("INT" in algorithm or "AWQ" in algorithm or "GPTQ" in algorithm):
            yield Scheme(None, "int")
        group = {"NVFP4": (1, 16), "W4A16_NVFP4": (1, 16), "MXFP8": (1, 32), "MXFP4": (1, 32)}.get(algorithm)
        if bits:
            yield Scheme(bits, "float", None, group)


def _scheme(weights: dict[str, Any]) -> Scheme:
    bits, kind, strategy = weights.get("num_bits"), weights.get("type"), weights.get("strategy")
    block = _block(weights.get("block_structure"))
    size = weights.get("group_size")
    if block is None and isinstance(size, int) and size > 0 and strategy in ("group", "tensor_group", None):
        block = (1, size)
    return Scheme(
        bits if isinstance(bits, int) else None,
        kind if kind in ("int", "float") else None,
        strategy if isinstance(strategy, str) else None,
        block,
    )


STRATEGIES = {"tensor": "tensor", "channel": "row"}


def contradiction(said: Declared, element: str, grain: tuple[int, int], name: str, rows: int, columns: int) -> str:
    """How a tensor contradicts every scheme of the config; empty where it does not."""
    r, c = grain
    if said.schemes and all(s.kind == "int" for s in said.schemes):
        return f"{said.at} declares integers, and the codes are {element}"
    floats = [s for s in said.schemes if s.kind != "int"]
    if floats and all(s.bits is not None and s.bits != BITS[element] for s in floats):
        return f"{said.at} declares {floats[0].bits} bits, and codes of {element} have {BITS[element]}"
    fitting = [s for s in floats if s.bits in (None, BITS[element])]
    if said.block and not fitting and (BITS[element] == 8 or said.block[0] == 1):
        fitting = [Scheme(block=said.block)]
    wrong = ""
    for s in fitting:
        if s.block is not None and not _same((r, c), s.block, rows, columns):
            wrong = f"{said.at} declares groups of {s.block[0]}x{s.block[1]}, and {name} have a scale for {r}x{c}"
        elif s.strategy == "tensor" and (r, c) != (rows, columns):
            wrong = f"{said.at} declares a scale for the tensor, and {name} have one for {r}x{c}"
        elif s.strategy == "channel" and not (r == 1 and c == columns):
            wrong = f"{said.at} declares a scale for each row, and {name} have one for {r}x{c}"
        else:
            return ""
    return wrong


def _same(grain: tuple[int, int], block: tuple[int, int], rows: int, columns: int) -> bool:
    """Blocks larger than the matrix are as large as the matrix."""
    return all(g == b or (b >= n <= g) for g, b, n in zip(grain, block, (rows, columns)))
