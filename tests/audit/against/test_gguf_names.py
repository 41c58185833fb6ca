"""The original of a GGUF file has the names of transformers, and its queries and keys in another order of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audit.checkpoints import BF16, F32, write_safetensors

from fp8ref.audit.run import audit

gguf = pytest.importorskip("gguf")
pytest.importorskip("safetensors")


def permuted(w: np.ndarray, heads: int) -> np.ndarray:
    """convert_hf_to_gguf.py of llama.cpp, LlamaModel.permute."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


@pytest.mark.parametrize("other", [False, True])
def test_names_and_rows(other: bool, tmp_path: Path) -> None:
    """``other``: one tensor of the file is made of other weights, which no order of rows explains."""
    rng = np.random.default_rng(3)
    names = {"attn_q": "self_attn.q_proj", "attn_v": "self_attn.v_proj", "ffn_down": "mlp.down_proj"}
    weights = {own: (rng.standard_normal((128, 256)) * 0.05).astype(BF16) for own in names}
    write_safetensors(
        tmp_path / "o.safetensors", {f"model.layers.7.{hf}.weight": weights[own] for own, hf in names.items()}
    )
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    for own, w in weights.items():
        x = permuted(w, 2).astype(F32) if own == "attn_q" else w.astype(F32)
        x = x[::-1] if other and own == "attn_q" else x
        kind = gguf.GGMLQuantizationType.MXFP4
        writer.add_tensor(f"blk.7.{own}.weight", gguf.quants.quantize(np.ascontiguousarray(x), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = {t["name"]: t for t in audit(tmp_path / "m.gguf", tmp_path / "o.safetensors").document()["tensors"]}
    assert len(found) == 3
    for name, tensor in found.items():
        right = not (other and "attn_q" in name)
        assert ("gguf-mxfp4" in tensor["recipes"]) == right, name
        assert all(f["severity"] != "fault" for f in tensor["findings"])
