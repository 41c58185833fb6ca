"""What the config beside a checkpoint says of its quantisation, by the method that a convention declares."""

from __future__ import annotations

import json
from typing import Any

from ...spec.scaling.recipe import Recipe
from ..conventions import Convention
from ..declared import QUARK

FP8 = {"tensor": "FP8", "row": "FP8_PER_CHANNEL_PER_TOKEN", "128x128": "FP8_PB_WO"}  # ModelOpt's names
MX = {8: "MXFP8", 4: "MXFP4"}


def metadata(row: Convention, recipe: Recipe, stems: list[str]) -> dict[str, str]:
    """What the header of the file says beside its tensors."""
    found = {"format": "pt"}
    if row.methods[:1] == ("comfyui",):
        form = "nvfp4" if row.whole else "mxfp8" if recipe.stored == "e8m0fnu" else "float8_e4m3fn"
        layers = {stem: {"format": form} for stem in stems}
        found["_quantization_metadata"] = json.dumps({"format_version": "1.0", "layers": layers})
    return found


def quantization_config(row: Convention, recipe: Recipe, ignored: list[str]) -> dict[str, Any] | None:
    """The table ``quantization_config`` of a config.json; None where the convention has none."""
    method = row.methods[0] if row.methods else ""
    r, _, c = recipe.group.partition("x")
    if method == "fp8":
        found: dict[str, Any] = {
            "quant_method": "fp8",
            "activation_scheme": "dynamic",
            "modules_to_not_convert": ignored,
        }
        if recipe.element.startswith("e4m3"):
            found["fmt"] = "e4m3"
        if c:
            found["weight_block_size"] = [int(r), int(c)]
        if recipe.stored == "e8m0fnu" or recipe.power != "none":
            found["scale_fmt"] = "ue8m0"
        return found
    if method == "compressed-tensors":
        return _compressed_tensors(row, recipe, ignored, r, c)
    if method == "modelopt":
        algorithm = "NVFP4" if row.whole else MX[recipe.format.k] if recipe.stored == "e8m0fnu" else FP8[recipe.group]
        return {"quant_method": "modelopt", "quant_algo": algorithm, "ignore": ignored}
    if method in ("comfyui", "torchao", ""):
        return None
    if method == "quark":
        weight = {"dtype": next(name for name, f in QUARK.items() if f[:4] == recipe.element[:4])}
        return {"quant_method": method, "global_quant_config": {"weight": weight}, "exclude": ignored}
    return {"quant_method": method, "modules_to_not_convert": ignored}


def _compressed_tensors(row: Convention, recipe: Recipe, ignored: list[str], r: str, c: str) -> dict[str, Any]:
    form = {
        "compressed-tensors NVFP4": "nvfp4-pack-quantized", "compressed-tensors MXFP4": "mxfp4-pack-quantized",
        "compressed-tensors MXFP6": "mxfp6-pack-quantized", "compressed-tensors MXFP8": "mxfp8-quantized",
    }.get(row.name, "float-quantized")  # fmt: skip
    strategy = {"tensor": "tensor", "row": "channel", "128x128": "block"}.get(recipe.group, "group")
    scheme: dict[str, Any] = {"num_bits": recipe.format.k, "type": "float", "symmetric": True,
                              "strategy": "tensor_group" if row.whole else strategy}  # fmt: skip
    if strategy == "group":
        scheme["group_size"] = int(c)
    if strategy == "block":
        scheme["block_structure"] = [int(r), int(c)]
    groups = {"group_0": {"targets": ["Linear"], "weights": scheme}}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": groups, "ignore": ignored}
