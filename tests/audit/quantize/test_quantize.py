"""The reference producer against checkpoints that the tests write by arithmetic of their own: the same bytes."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit.checkpoints import BF16, F32, Checkpoint, ct_block, ct_channel, fp8, nvfp4, write_safetensors
from click.testing import CliRunner, Result

from fp8ref.cli.main import main

pytest.importorskip("safetensors")


def run(*words: Any) -> Result:
    return CliRunner().invoke(main, ["quantize", *map(str, words)])


def read(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """A safetensors file by hand."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    table = json.loads(raw[8 : 8 + size])
    table.pop("__metadata__", None)
    return {
        name: (t["dtype"], tuple(t["shape"]), raw[8 + size :][slice(*t["data_offsets"])]) for name, t in table.items()
    }


def trtllm_channel() -> Checkpoint:
    """amax / 448 in binary32, quotients in binary32: what diffusers' recipe is where no scale is tiny."""
    return fp8((1, 0), suffix="_scale")


CASES = {
    "channels": (ct_channel, "ct-fp8-bf16", None),
    "blocks": (ct_block, "ct-fp8-bf16 128x128", "compressed-tensors FP8"),
    "rows": (trtllm_channel, "bfl-fp8-row", "FP8 with weight_scale"),
    "two levels": (nvfp4, "ct-nvfp4 scale_in=f32", "compressed-tensors NVFP4"),
    "two levels, a multiplier": (lambda: nvfp4("modelopt"), "modelopt-nvfp4", None),
    "the high nibble first, tiles": (lambda: nvfp4("comfy", fused=False), "modelopt-nvfp4", "ComfyUI NVFP4"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_bytes(name: str, tmp_path: Path) -> None:
    make, recipe, convention = CASES[name]
    folder, original = make().write(tmp_path / "theirs")
    more = ["--convention", convention] if convention else []
    done = run(original, tmp_path / "ours", "--recipe", recipe, *more)
    assert done.exit_code == 0, done.output
    theirs, ours = read(folder / "model.safetensors"), read(tmp_path / "ours" / "model.safetensors")
    assert set(ours) == set(theirs)
    for tensor, (dtype, shape, raw) in theirs.items():
        assert ours[tensor][0] == dtype, tensor
        assert (ours[tensor][1], ours[tensor][2]) == (shape, raw), tensor


def test_the_manifest_the_config_and_what_is_copied(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    tensors = {
        "model.embed_tokens.weight": rng.standard_normal((64, 64)).astype(BF16),
        "model.norm.weight": np.ones(64, BF16),
        "a.q_proj.weight": rng.standard_normal((64, 64)).astype(BF16),
        "steps": np.arange(3, dtype=np.int32),
    }
    source = tmp_path / "in"
    source.mkdir()
    write_safetensors(source / "model.safetensors", tensors)
    (source / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": {"old": 1}}))
    for out in ("one", "two"):
        assert run(source, tmp_path / out, "--recipe", "ct-fp8-bf16").exit_code == 0
    one = tmp_path / "one"
    assert [(one / n).read_bytes() for n in ("model.safetensors", "fp8ref-manifest.json", "config.json")] == [
        (tmp_path / "two" / n).read_bytes() for n in ("model.safetensors", "fp8ref-manifest.json", "config.json")
    ]
    held = read(one / "model.safetensors")
    for name in ("model.embed_tokens.weight", "model.norm.weight", "steps"):
        assert held[name][2] == tensors[name].tobytes()
    manifest = json.loads((one / "fp8ref-manifest.json").read_text())
    made = manifest["tensors"]["a.q_proj.weight"]
    assert made["from"] == hashlib.sha256(tensors["a.q_proj.weight"].tobytes()).hexdigest()
    assert made["tensors"] == {
        name: hashlib.sha256(held[name][2]).hexdigest() for name in ("a.q_proj.weight", "a.q_proj.weight_scale")
    }
    assert set(manifest["copied"]) == {"model.embed_tokens.weight", "model.norm.weight", "steps"}
    config = json.loads((one / "config.json").read_text())
    assert config["model_type"] == "llama"
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
    assert config["quantization_config"]["ignore"] == ["model.embed_tokens"]
    again = run(source, one, "--recipe", "ct-fp8-bf16")
    assert again.exit_code == 4
    assert "--force replaces it" in again.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipe", "ct-fp8-bf61"], "ct-fp8-bf16"),
        (["--recipe", "ct-fp8-bf16", "--convention", "ModelOpt NVFP5"], "did you mean 'ModelOpt NVFP4'"),
        (["--recipe", "ct-fp8-bf16", "--convention", "ModelOpt NVFP4"], "cannot hold"),
        (["--recipe", "gguf-mxfp4 group=1x64"], "no convention"),
    ],
)
def test_what_cannot_be_written(words: list[str], said: str, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "in.safetensors", {"a.weight": np.ones((4, 64), F32)})
    done = run(tmp_path / "in.safetensors", tmp_path / "out", *words)
    assert done.exit_code == 4
    assert said in done.output
    assert not (tmp_path / "out").exists()


def test_a_file_without_matrices(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "in.safetensors", {"norm.weight": np.ones(4, F32)})
    done = run(tmp_path / "in.safetensors", tmp_path / "out", "--recipe", "ct-fp8-bf16")
    assert done.exit_code == 4
    assert "no matrix of floating point" in done.output
