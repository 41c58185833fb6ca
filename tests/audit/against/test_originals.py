"""Against their originals clean checkpoints are complete roundings by known recipes, and nothing accuses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit.checkpoints import CHECKPOINTS

from fp8ref.audit.run import audit

pytest.importorskip("safetensors")

# a recipe that must be among those that give every bit
RECIPES = {
    "ct-channel": "ct-fp8-bf16",
    "ct-tensor": "ct-fp8-bf16",
    "ct-block": "ct-fp8-bf16",
    "block-fp8": "vllm-group",
    "block-ue8m0": "deepseek-v3-ue8m0",
    "modelopt-fp8": "vllm-token",
    "vllm-fp8": "vllm-token",
    "quanto": "quanto-bf16",
    "comfy": "vllm-token",
    "ct-mxfp4": "torchao-mxfp4-floor",
    "gpt-oss": "torchao-mxfp4-floor",
    "ct-nvfp4": "ct-nvfp4",
    "modelopt-nvfp4": "modelopt-nvfp4",
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_clean_checkpoint(name: str, tmp_path: Path) -> None:
    make, convention = CHECKPOINTS[name]
    found = audit(*make().write(tmp_path / "m"))
    document = found.document()
    assert [(f.kind, f.text) for f in found.everything() if f.severity == "fault"] == []
    for tensor in document["tensors"]:
        assert tensor["convention"] == convention
        assert tensor["codes"]["rounded"] is True
        assert tensor["codes"]["differ"] == 0
        assert tensor["scales"]["by_recipe"] is True
        assert tensor["scales"]["differ"] == 0
        assert RECIPES.get(name, tensor["recipes"][0]) in tensor["recipes"]
