"""How producers store quantised tensors: one row a convention, as data.

A row says how the names of codes and scales are spelled, in which types they stand, which elements share a scale, and
what a second scale of the tensor means.  ``recognise.py`` looks a file up in it; nothing here is code.
"""

from __future__ import annotations

from dataclasses import dataclass

CHECKPOINTS = "observed in published checkpoints"


@dataclass(frozen=True)
class Convention:
    """One way of storing.

    ``weight``: how the name of the codes ends; what is before it is the stem.  ``codes``: kinds of the stored codes.
    ``element``: their format, where the kind does not say it.  ``pack``: how codes lie in bytes (low, high: two a byte,
    the first in that nibble; dense: four of six bits in three bytes, the first lowest; gguf: with their scales; "": one
    a byte).  ``declared``: holds only where a config declares the element, since the bytes do not show it.  ``scale``:
    ends of the names of scales after the stem, the usual one first.  ``scales``: kinds of scales, ``kind`` or
    ``kind=format``.  ``grains``: tensor, row, RxC.  ``whole``: the end of the name of the tensor's scale; ``divides``:
    values are divided by it.  ``methods``: what a config declares.  ``stacks``: whose recipes make such files.
    ``fuses``: q, k, v and gate, up share the tensor's scale.  ``layouts``: of scales.  ``judged``: no, where codes are
    of a code book that fp8ref does not know.
    """

    name: str
    producers: tuple[str, ...]
    source: str
    weight: str = ""
    codes: tuple[str, ...] = ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz")
    element: str = ""
    pack: str = ""
    declared: bool = False
    scale: tuple[str, ...] = ("_scale",)
    scales: tuple[str, ...] = ("f32",)
    grains: tuple[str, ...] = ("tensor", "row", "128x128")
    whole: str = ""
    divides: bool = False
    methods: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    fuses: bool = False
    layouts: tuple[str, ...] = ("rows",)
    judged: bool = True


FLOAT_SCALES = ("f32", "bf16", "f16")
E8M0 = ("u8=e8m0fnu", "e8m0fnu")
KERNELS = ("vLLM", "SGLang", "TensorRT-LLM", "DeepGEMM", "DeepEP", "TransformerEngine", "diffusers", "aiter", "cuDNN")

CONVENTIONS: tuple[Convention, ...] = (
    # -- FP8, scales in floating point
    Convention(
        "block FP8", ("DeepSeek", "transformers fine-grained FP8"), "DeepSeek-V3 fp8_cast_bf16.py; transformers "
        "finegrained_fp8: weight_scale_inv multiplies, whatever its name says", scale=("_scale_inv",),
        scales=("f32", "bf16", "e8m0fnu"), grains=("128x128", "tensor", "RxC"), methods=("fp8",),
        stacks=("DeepSeek", "transformers", "DeepGEMM", "vLLM", "SGLang"),
    ),
    Convention(
        "FP8 with weight_scale", ("vLLM", "AutoFP8", "diffusers", "ComfyUI"), "vLLM Fp8LinearMethod; AutoFP8",
        scale=("_scale",), scales=FLOAT_SCALES, grains=("tensor", "row", "128x128", "RxC"), methods=("fp8",),
        stacks=("vLLM", "SGLang", "TensorRT-LLM", "diffusers"),
    ),
    Convention(
        "compressed-tensors FP8", ("compressed-tensors", "llm-compressor"), "compressed-tensors float-quantized",
        scale=("_scale",), scales=FLOAT_SCALES, grains=("tensor", "row", "128x128", "RxC"),
        methods=("compressed-tensors",), stacks=("compressed-tensors",),
    ),
    Convention(
        "ModelOpt FP8", ("ModelOpt",), "ModelOpt export, hf_quant_config.json", scale=("_scale",), scales=FLOAT_SCALES,
        grains=("tensor", "row", "128x128", "RxC"), methods=("modelopt",), stacks=("ModelOpt",),
    ),
    Convention(
        "FBGEMM FP8", ("FBGEMM",), "transformers integrations fbgemm_fp8", scale=("_scale",), grains=("row",),
        methods=("fbgemm_fp8",), stacks=("FBGEMM",),
    ),
    Convention(
        "Quark FP8", ("amd-quark",), "Quark export of safetensors", scale=("_scale",), scales=FLOAT_SCALES,
        grains=("tensor", "row", "RxC"), methods=("quark",), stacks=("Quark",),
    ),
    Convention(
        "auto-round FP8", ("auto-round",), "auto-round export", scale=("_scale", "_scale_inv"), scales=FLOAT_SCALES,
        grains=("tensor", "row", "RxC"), methods=("auto-round",), stacks=("auto-round",),
    ),
    Convention(
        "optimum-quanto", ("optimum-quanto",), "optimum-quanto QTensor state_dict", weight="._data", scale=("._scale",),
        scales=FLOAT_SCALES, grains=("tensor", "row"), methods=("quanto",), stacks=("optimum-quanto",),
    ),
    Convention(
        "torchao", ("torchao",), "torchao Float8Tensor, flattened to safetensors", weight="_qdata",
        scale=("_scale",), scales=FLOAT_SCALES, grains=("tensor", "row", "128x128", "RxC"), methods=("torchao",),
        stacks=("torchao",),
    ),
    Convention(
        "ComfyUI scaled FP8", ("ComfyUI",), "ComfyUI, marker scaled_fp8: stable-diffusion.cpp PR 1898",
        weight=".weight", scale=(".scale_weight",), scales=FLOAT_SCALES, grains=("tensor", "row", "RxC"),
        methods=("comfyui",), stacks=("ComfyUI", "vLLM", "torchao"),
    ),
    Convention(
        "ComfyUI FP8", ("ComfyUI", "convert-to-quant"), "ComfyUI quant_ops.py, comfy_quant beside each tensor",
        weight=".weight", scale=(".weight_scale",), scales=FLOAT_SCALES, grains=("tensor", "row", "128x128", "RxC"),
        methods=("comfyui",), stacks=("ComfyUI", "vLLM", "torchao"),
    ),
    Convention(
        "DeepSeek-V4 FP8", ("DeepSeek",), "DeepSeek-V4 checkpoints: vllm PR 51946, colibri PR 779", weight=".weight",
        scale=(".scale",), scales=("e8m0fnu", "f32"), grains=("128x128", "RxC"), methods=("fp8",),
        stacks=("DeepSeek", "DeepGEMM"),
    ),
    Convention(
        "DeepSeek-V4 FP4", ("DeepSeek",), "DeepSeek-V4 checkpoints, experts: vllm PR 51946", weight=".weight",
        codes=("i8", "u8", "e2m1fn"), element="e2m1fn", pack="low", scale=(".scale",), scales=("e8m0fnu", "f32"),
        grains=("1x32",), methods=("fp8",), stacks=("DeepSeek", "DeepGEMM"),
    ),
    # -- MX
    Convention(
        "compressed-tensors MXFP8", ("compressed-tensors", "llm-compressor"), "compressed-tensors mxfp8-quantized",
        scale=("_scale",), scales=E8M0, grains=("1x32",), methods=("compressed-tensors",),
        stacks=("compressed-tensors",),
    ),
    Convention(
        "MXFP8", ("ModelOpt", "torchao", "auto-round", "amd-quark", "ComfyUI"), "ModelOpt MXFP8QTensor",
        scale=("_scale",), scales=E8M0, grains=("1x32",),
        methods=("modelopt", "auto-round", "quark", "mxfp8", "comfyui"),
        stacks=("ModelOpt", "torchao", "auto-round", "Quark", "TransformerEngine"), layouts=("rows", "128x4"),
    ),
    Convention(
        "MXFP8 with weight_scale_inv", ("fireworks-prequant", "MiniMax"), "omlx PR 2159; fireworks-prequant",
        scale=("_scale_inv",), scales=E8M0, grains=("1x32",), methods=("mxfp8", "fp8"),
        stacks=("fireworks-prequant", "SGLang", "TransformerEngine"), layouts=("rows", "128x4"),
    ),
    Convention(
        "compressed-tensors MXFP4", ("compressed-tensors", "llm-compressor"), "compressed-tensors mxfp4-pack-quantized",
        weight="_packed", codes=("u8",), element="e2m1fn", pack="low", scale=("_scale",), scales=E8M0, grains=("1x32",),
        methods=("compressed-tensors",), stacks=("compressed-tensors",),
    ),
    Convention(
        "MXFP4 with weight_scale", ("ModelOpt", "amd-quark", "torchao"), "ModelOpt MXFP4QTensor; Quark export",
        codes=("u8", "e2m1fn"), element="e2m1fn", pack="low", scale=("_scale",), scales=E8M0, grains=("1x32",),
        methods=("modelopt", "quark", "auto-round", "torchao"), stacks=("ModelOpt", "Quark", "torchao", "auto-round"),
        layouts=("rows", "128x4"),
    ),
    Convention(
        "compressed-tensors MXFP6", ("compressed-tensors",), "compressed-tensors 0.20 mxfp6-pack-quantized: E2M3",
        weight="_packed", codes=("u8",), element="e2m3fn", pack="dense", scale=("_scale",), scales=E8M0,
        grains=("1x32",), methods=("compressed-tensors",), stacks=("compressed-tensors",),
    ),
    Convention(
        "Quark MXFP6 E3M2", ("amd-quark",), "Quark 0.13 export, fp6_e3m2: the order of the bytes is MFMA's",
        codes=("u8",), element="e3m2fn", pack="dense", declared=True, scale=("_scale",), scales=E8M0, grains=("1x32",),
        methods=("quark",), stacks=("Quark",),
    ),
    Convention(
        "Quark MXFP6 E2M3", ("amd-quark",), "Quark 0.13 export, fp6_e2m3", codes=("u8",), element="e2m3fn",
        pack="dense", declared=True, scale=("_scale",), scales=E8M0, grains=("1x32",), methods=("quark",),
        stacks=("Quark",),
    ),
    Convention(
        "torchao MXFP8", ("torchao",), "torchao MXTensor, flattened to safetensors", weight="_qdata", scale=("_scale",),
        scales=E8M0, grains=("1x32",), methods=("torchao",), stacks=("torchao",), layouts=("rows", "128x4"),
    ),
    Convention(
        "torchao MXFP4", ("torchao",), "torchao MXTensor, flattened to safetensors", weight="_qdata",
        codes=("u8", "e2m1fn"), element="e2m1fn", pack="low", scale=("_scale",), scales=E8M0, grains=("1x32",),
        methods=("torchao",), stacks=("torchao",), layouts=("rows", "128x4"),
    ),
    Convention(
        "gpt-oss MXFP4", ("gpt-oss",), "transformers integrations mxfp4: codes [.., K/32, 16], rows of gate and up "
        "interleaved", weight="_blocks", codes=("u8",), element="e2m1fn", pack="low", scale=("_scales",), scales=E8M0,
        grains=("1x32",), methods=("mxfp4",), stacks=("gpt-oss",),
    ),
    # -- NVFP4
    Convention(
        "compressed-tensors NVFP4", ("compressed-tensors", "llm-compressor"), "compressed-tensors "
        "nvfp4-pack-quantized: weight_global_scale divides", weight="_packed", codes=("u8",), element="e2m1fn",
        pack="low", scale=("_scale",), scales=("e4m3fn",), grains=("1x16",), whole="_global_scale", divides=True,
        methods=("compressed-tensors",), stacks=("compressed-tensors", "auto-round"), fuses=True,
    ),
    Convention(
        "ModelOpt NVFP4", ("ModelOpt", "diffusers"), "ModelOpt NVFP4QTensor: weight_scale_2 multiplies",
        codes=("u8", "e2m1fn"), element="e2m1fn", pack="low", scale=("_scale",), scales=("e4m3fn", "u8=e4m3fn"),
        grains=("1x16",), whole="_scale_2", methods=("modelopt",), stacks=("ModelOpt", *KERNELS), fuses=True,
        layouts=("rows", "128x4"),
    ),
    Convention(
        "Quark NVFP4", ("amd-quark",), "Quark 0.13 export, fp4 with scales in fp8_e4m3", codes=("u8", "e2m1fn"),
        element="e2m1fn", pack="low", scale=("_scale",), scales=("e4m3fn",), grains=("1x16",), whole="_scale_2",
        methods=("quark",), stacks=("Quark", "ModelOpt", "TransformerEngine"),
    ),
    Convention(
        "ComfyUI NVFP4", ("ComfyUI", "convert-to-quant"), "ComfyUI float.py: the high nibble first, tiles",
        codes=("u8",), element="e2m1fn", pack="high", scale=("_scale",), scales=("e4m3fn", "u8=e4m3fn"),
        grains=("1x16",), whole="_scale_2", methods=("comfyui",), stacks=("ComfyUI", *KERNELS),
        layouts=("128x4", "rows"),
    ),
    Convention(
        "fireworks NVFP4", ("fireworks-prequant",), "fireworks-prequant: weight_scale_global multiplies",
        codes=("u8", "e2m1fn"), element="e2m1fn", pack="low", scale=("_scale_inv",), scales=("e4m3fn",),
        grains=("1x16",), whole="_scale_global", methods=("nvfp4",), stacks=("fireworks-prequant",),
        layouts=("rows", "128x4"),
    ),
    Convention(
        "torchao NVFP4", ("torchao",), "torchao NVFP4Tensor, flattened to safetensors", weight="_qdata",
        codes=("u8", "e2m1fn"), element="e2m1fn", pack="low", scale=("_scale",), scales=("e4m3fn",), grains=("1x16",),
        whole="_per_tensor_scale", methods=("torchao",), stacks=("torchao",), layouts=("rows", "128x4"),
    ),
    # -- GGUF: codes and scales together
    Convention(
        "GGUF MXFP4", ("llama.cpp",), "ggml block_mxfp4, type 39", codes=("gguf.mxfp4",), element="e2m1fn", pack="gguf",
        scale=(), scales=(), grains=("1x32",), stacks=("llama.cpp", "gpt-oss"), layouts=("gguf",),
    ),
    Convention(
        "GGUF NVFP4", ("llama.cpp",), "ggml block_nvfp4, type 40; a factor of the tensor in .scale beside it",
        weight=".weight", codes=("gguf.nvfp4",), element="e2m1fn", pack="gguf", scale=(), scales=(), grains=("1x16",),
        whole=".scale", stacks=("llama.cpp", "ModelOpt"), layouts=("gguf",),
    ),
)  # fmt: skip

# code books that are named and not judged: name, how a name ends, kinds, what must stand beside it (one of)
CODE_BOOKS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("GPTQ or AWQ", ".qweight", ("i32", "u32", "i16", "u8"), (".scales", ".qzeros")),
    ("bitsandbytes NF4 or FP4", ".weight", ("u8",), (".weight.absmax", ".weight.quant_map")),
    ("bitsandbytes int8", ".weight", ("i8",), (".SCB", ".weight.SCB")),
    ("compressed-tensors packed int", "_packed", ("i32",), ("_scale", "_shape")),
    ("optimum-quanto int", "._data", ("i8", "u8"), ("._scale",)),
    ("HQQ", ".W_q", ("u8", "i32", "f16", "f32"), (".meta", ".scale", ".zero")),
    ("torchao int", "_qdata", ("i8", "u8", "i32"), ("_scale", "_zero_point", "_scale_and_zero")),
    ("int8", "", ("i8",), ("_scale", "_scale_inv", ".scale", "_scale_2")),
)

# scales that stand beside weights without being theirs: ends of names
SATELLITES = (
    ".input_scale", ".activation_scale", ".act_scale", ".input_global_scale", ".output_scale", ".k_scale", ".v_scale",
    ".kv_scale", ".q_scale", ".prob_output_scale", ".input_scale_ub", ".scale_input", ".attn.k_scale", ".attn.v_scale",
    ".k_global_scale", ".v_global_scale", ".weight_zero_point", ".scaled_fp8",
)  # fmt: skip

# layers that a fused kernel loads under one scale of the tensor
FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"), ("w1", "w3"))
