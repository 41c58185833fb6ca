"""Files with experts, in graphs, turned originals, tuned weights: nothing is accused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from audit import checkpoints as c
from audit.checkpoints import BF16, CHECKPOINTS, F32, Checkpoint
from fp8ref.audit.run import audit

pytest.importorskip("safetensors")


def faults(*paths: Path) -> list[tuple[str, str]]:
    return [(f.kind, f.text) for f in audit(*paths).everything() if f.severity == "fault"]


def experts() -> Checkpoint:
    """Two experts in one tensor, a block scale of each."""
    held, tensors = {}, {}
    rng = np.random.default_rng(5)
    w = (rng.standard_normal((2, 256, 128)) * 0.02).astype(F32).astype(BF16)
    s = np.stack([c.amax(x, 128, 128) / F32(448) for x in w])
    tensors["model.experts.gate_up_proj"] = np.stack(
        [c.e4m3(x.astype(F32) / c.spread(y, 128, 128)) for x, y in zip(w, s)]
    )
    tensors["model.experts.gate_up_proj_scale_inv"] = s
    held["model.experts.gate_up_proj"] = w
    return Checkpoint(tensors, held, {"quant_method": "fp8", "weight_block_size": [128, 128]})


def test_experts(tmp_path: Path) -> None:
    folder, original = experts().write(tmp_path / "m")
    assert faults(folder) == faults(folder, original) == []
    tensor = audit(folder, original).document()["tensors"][0]
    assert tensor["codes"]["rounded"] is True
    assert tensor["granularity"] == "128x128"
    held = experts()
    held.tensors["model.experts.gate_up_proj_scale_inv"] = held.tensors["model.experts.gate_up_proj_scale_inv"][
        ::-1
    ].copy()
    assert [kind for kind, _ in faults(*held.write(tmp_path / "n"))] in (["scale-exchanged"], ["scale-stale"])


@pytest.mark.parametrize("rows", [c.ROWS, c.COLUMNS])
def test_an_original_that_stands_turned(rows: int, tmp_path: Path) -> None:
    held = CHECKPOINTS["vllm-fp8"][0]()
    held.original = c.weights(9, rows=rows)
    for n, w in held.original.items():
        s = c.amax(w, 1, c.COLUMNS) / F32(448)
        held.tensors |= {n: c.e4m3(w.astype(F32) / s), n + "_scale": s}
    held.original = {n: np.ascontiguousarray(w.T) for n, w in held.original.items()}
    found = audit(*held.write(tmp_path / "m")).document()
    assert all(t["codes"]["rounded"] and t["scales"]["by_recipe"] for t in found["tensors"])


def test_weights_that_were_tuned_before(tmp_path: Path) -> None:
    """Scaled by column as AWQ does, and rotated: a warning at most."""
    held = CHECKPOINTS["vllm-fp8"][0]()
    rng = np.random.default_rng(6)
    names = list(held.original)
    held.original[names[0]] = (held.original[names[0]].astype(F32) * rng.uniform(0.5, 2, c.COLUMNS)).astype(BF16)
    rotation = np.linalg.qr(rng.standard_normal((c.COLUMNS, c.COLUMNS)))[0]
    held.original[names[1]] = (held.original[names[1]].astype(F32) @ rotation).astype(BF16)
    held.original[names[2]] = held.original[names[2]][rng.permutation(c.ROWS)]
    assert faults(*held.write(tmp_path / "m")) == []


@pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="gguf is not installed")
@pytest.mark.parametrize("kind", ["mxfp4", "nvfp4"])
def test_gguf(kind: str, tmp_path: Path) -> None:
    import gguf

    rng = np.random.default_rng(8)
    w = (rng.standard_normal((64, 256)) * 0.02).astype(F32)
    block, per = (32, 1) if kind == "mxfp4" else (16, 4)
    a = c.amax(w, 1, block)
    if kind == "mxfp4":
        scale = (np.floor(np.log2(a)) - 2 + 127).astype(np.uint8)
        s = np.exp2(scale.astype(F32) - 127)
    else:
        held = c.e4m3(a / F32(6))
        scale, s = held.view(np.uint8), held.astype(F32)
    with np.errstate(all="ignore"):
        y = np.where(c.spread(s, 1, block) > 0, w / c.spread(s, 1, block), 0)
    codes = c.e2m1(y.astype(F32)).reshape(64, -1, per, 2, block // 2)
    quads = (codes[..., 0, :] | codes[..., 1, :] << 4).reshape(64, -1, per * block // 2)
    raw = np.concatenate([scale.reshape(64, -1, per), quads], axis=2).astype(np.uint8).reshape(64, -1)
    path, original = tmp_path / "m.gguf", tmp_path / "o.safetensors"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tensor("blk.0.ffn_up.weight", raw, raw_dtype=getattr(gguf.GGMLQuantizationType, kind.upper()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    c.write_safetensors(original, {"blk.0.ffn_up.weight": w})
    found = audit(path, original)
    assert [f for f in found.everything() if f.severity == "fault"] == []
    tensor = found.document()["tensors"][0]
    assert tensor["shape"] == [64, 256]
    assert tensor["codes"]["rounded"] is True
    c.write_safetensors(original, {"blk.0.ffn_up.weight": np.roll(w, 8, axis=1)})
    assert not audit(path, original).document()["tensors"][0]["codes"]["rounded"]


def test_npz(tmp_path: Path) -> None:
    held = CHECKPOINTS["ct-mxfp4"][0]()
    path, original = tmp_path / "m.npz", tmp_path / "o.npz"
    np.savez(path, **held.tensors)
    np.savez(original, **{n: w.astype(F32) for n, w in held.original.items()})
    found = audit(path, original).document()
    assert found["clean"]
    assert len(found["tensors"]) == 3
    assert all(t["codes"]["rounded"] for t in found["tensors"])


@pytest.mark.parametrize("scale", ["float16", "float32", "bfloat16"])
@pytest.mark.parametrize("config", [{}, {"quant_method": "modelopt", "quant_algo": "W4A16_AWQ"}])
def test_integers_in_bytes_are_no_fp4(scale: str, config: dict[str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors = {
        "a.weight": rng.integers(0, 256, (64, 64)).astype(np.uint8),
        "a.weight_scale": rng.uniform(0.001, 0.01, (64, 2)).astype(F32).astype(BF16 if scale == "bfloat16" else scale),
        "a.weight_zero_point": rng.integers(0, 16, (64, 2)).astype(np.uint8),
        "token_scales": np.ones(4, F32),
    }
    folder, _ = Checkpoint(tensors, {}, dict(config)).write(tmp_path / "m")
    found = audit(folder)
    assert [f for f in found.everything() if f.severity == "fault"] == []
    assert sum(found.document()["code_books"].values()) == 1


def test_an_original_with_infinities_accuses_nobody(tmp_path: Path) -> None:
    held = CHECKPOINTS["vllm-fp8"][0]()
    for w in held.original.values():
        w[3, 3], w[4, 4] = np.inf, np.nan
    assert faults(*held.write(tmp_path / "m")) == []
