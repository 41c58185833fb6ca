"""The recipes in use, one entry each: the name, the factors, where they are written, and the versions that have them.

A recipe is a line of text (``recipe.py`` says what the words mean); a line may begin with an earlier name and say only
what is different.  The names are those by which people know the library's function.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .recipe import Recipe, parse, sentence


@dataclass(frozen=True)
class Named:
    """A recipe in use.

    ``stack``: whose it is.  ``source``: the file or function that says it.  ``versions``: which releases, as far as
    known.  ``note``: what a user of it should know.
    """

    name: str
    stack: str
    recipe: Recipe
    source: str
    versions: str = ""
    note: str = ""


VLLM_GROUP = "vLLM per_token_group_quant.cu"
SGLANG = "SGLang per_token_group_quant_8bit and per_token_quant_fp8"
TRT, TRT_BLOCK = "TensorRT-LLM quantization.cuh, cudaFp8Utils.cu", "TensorRT-LLM scale_1x128 and scale_128x128 kernels"
TE, TE_NVFP4 = "TransformerEngine recipe and transpose kernels", "TransformerEngine core_nvfp4, quantize_nvfp4"
AO_MX, AO_NVFP4 = "torchao mx_formats to_mx, ScaleCalculationMode", "torchao nvfp4_quantize"
CT = "compressed-tensors quantization lifecycle"
FBGEMM = "FBGEMM fp8_gemm.py, _kernel_quantize_fp8_row"
GGML = "llama.cpp ggml-quants.c"
GPT_OSS = "triton_kernels numerics_details mxfp.py, downcast_to_mxfp_torch"
CUDNN = "cuDNN documentation, Block Scale Quantize"

# name, stack, recipe, source, versions, note
_LINES: tuple[tuple[str, ...], ...] = (
    # -- FP8 with scales in binary32
    ("vllm-tensor", "vLLM", "e4m3fn tensor elements=mul nan=+max", "vLLM common.cu, scaled_fp8_quant", "",
     "a tensor of zeros has NaN codes before the clamp: 7E"),
    ("vllm-token", "vLLM", "e4m3fn row floor=s:step nan=+max", "vLLM common.cu, dynamic per token", "now",
     "earlier releases: vllm-token-old"),
    ("vllm-token-old", "vLLM", "vllm-token elements=mul", "vLLM common.cu, dynamic per token", "earlier releases"),
    ("vllm-token-fnuz", "vLLM", "e4m3fnuz row floor=s:step aim=224 nan=+max", "vLLM common.cuh, ROCm gfx94", "",
     "224, not the format's 240"),
    ("vllm-group", "vLLM", "e4m3fn 1x128 floor=a:1e-10 nan=-max", VLLM_GROUP),
    ("vllm-group-ue8m0", "vLLM", "vllm-group floor=a:1e-10+s:1e-10 power=log2.ceil limits=free", VLLM_GROUP),
    ("vllm-group-triton-ue8m0", "vLLM", "vllm-group power=log2.ceil limits=free nan=nan", "vLLM fp8_utils.py (Triton)",
     "", "the formula that the source intends; what Triton compiles was not measured"),
    ("vllm-group-packed", "vLLM", "vllm-group floor=a:1e-10+s:1e-10 power=up stored=e8m0fnu top=inf elements=mul "
     "layout=int32", VLLM_GROUP),
    ("sglang-tensor", "SGLang", "e4m3fn tensor elements=mul nan=+max", "SGLang per_tensor_quant_fp8"),
    ("sglang-token", "SGLang", "e4m3fn row elements=mul small=zero nan=+max", SGLANG, "0.5.23",
     "the warp kernel; the block kernel divides by 0"),
    ("sglang-group", "SGLang", "e4m3fn 1x128 floor=a:1e-10 scale=mul elements=direct", SGLANG, "0.5.23",
     "the source's quotient; the kernel is compiled with fast division"),
    ("sglang-group-ue8m0", "SGLang", "e4m3fn 1x128 floor=a:1e-10T scale=mul power=up stored=e8m0fnu elements=bits "
     "elements_in=T layout=int32", SGLANG, "0.5.23"),
    ("trtllm-tensor", "TensorRT-LLM", "e4m3fn tensor floor=s:step elements=mul", TRT),
    ("trtllm-channel", "TensorRT-LLM", "e4m3fn row floor=s:step", TRT),
    ("trtllm-token", "TensorRT-LLM", "e4m3fn row floor=a:1e-6T elements=direct", TRT),
    ("trtllm-group", "TensorRT-LLM", "e4m3fn 1x128 floor=a:1e-10T scale=rdiv elements=direct layout=columns",
     TRT_BLOCK),
    ("trtllm-group-ue8m0", "TensorRT-LLM", "trtllm-group power=rp elements=mul", TRT_BLOCK),
    ("deepseek-v3", "DeepSeek", "e4m3fn 1x128 floor=a:1e-4", "DeepSeek-V3 kernel.py act_quant (Triton)", "9b4e978",
     "earlier commits have no floor: 0 / 0"),
    ("deepseek-v3-nofloor", "DeepSeek", "deepseek-v3 floor=none", "DeepSeek-V3 kernel.py act_quant", "earlier commits"),
    ("deepseek-v3-ue8m0", "DeepSeek", "deepseek-v3 power=log2.ceil limits=free", "DeepSeek-V3.1 kernel.py, ue8m0"),
    ("deepgemm", "DeepGEMM", "e4m3fn 1x128 amax=keep floor=a:1e-4 elements=mul", "DeepGEMM math.py on the CPU",
     "54e2261"),
    ("deepgemm-cuda", "DeepGEMM", "deepgemm scale=mul", "DeepGEMM math.py on a GPU", "54e2261",
     "torch divides a CUDA tensor by a Python number through its reciprocal"),
    ("deepgemm-ue8m0", "DeepGEMM", "deepgemm power=up limits=1-254 nan_scale=bits layout=int32", "DeepGEMM math.py"),
    ("deepep", "DeepEP", "e4m3fn 1x128 floor=a:1e-4 scale=mul elements=direct", "DeepEP low-latency dispatch",
     "dd758ca"),
    ("deepep-round", "DeepEP", "e4m3fn 1x128 floor=a:1e-4 scale=mul power=up elements=bits",
     "DeepEP low-latency dispatch, round_scale"),
    ("deepep-python", "DeepEP", "e4m3fn 1x128 amax=keep floor=a:1e-4 elements=rdirect", "DeepEP tests, per_token_cast",
     "", "it differs from DeepEP's own kernel: torch's scalar / tensor is reciprocal times scalar"),
    ("te-current", "TransformerEngine", "e4m3fn tensor scale=rdiv cap=f32 zero=finite elements=direct", TE),
    ("te-block", "TransformerEngine", "e4m3fn 1x128 scale=rdiv cap=bf16 zero=finite elements=direct layout=columns", TE,
     "", "the cap is that of the source's type, here bfloat16"),
    ("te-block-pow2", "TransformerEngine", "te-block power=q.drop", TE, "", "the default of blockwise scaling"),
    ("te-block-128x128", "TransformerEngine", "te-block-pow2 128x128", TE),
    ("torchao-tensor", "torchao", "e4m3fn tensor amax=keep floor=a:1e-12 scale=wide keeps=multiplier elements=direct",
     "torchao float8 amax_to_scale"),
    ("torchao-row", "torchao", "torchao-tensor row", "torchao float8 amax_to_scale", "0.18"),
    ("torchao-row-pow2", "torchao", "torchao-row power=q.log2", "torchao float8, round_scales_to_power_of_2", "0.18"),
    ("torchao-infer", "torchao", "e4m3fn row amax=keep scale_in=T", "torchao quantization, PerRow", "0.18"),
    ("torchao-infer-bf16", "torchao", "torchao-infer scale_in=bf16", "torchao quantization, PerRow", "0.18"),
    ("ct-fp8", "compressed-tensors", "e4m3fn row amax=keep scale_in=T zero=eps elements_in=T zeros=plus", CT, "0.20"),
    ("ct-fp8-bf16", "compressed-tensors", "ct-fp8 scale_in=bf16 elements_in=bf16", CT, "0.20"),
    ("modelopt-fp8", "ModelOpt", "e4m3fn tensor amax=keep scale_in=T elements_in=T", "ModelOpt FP8QTensor", "0.47",
     "torch's cast saturates; under an earlier torch: modelopt-fp8-nonsat"),
    ("modelopt-fp8-nonsat", "ModelOpt", "modelopt-fp8 overflow=nonsat", "ModelOpt FP8QTensor", "with earlier torch"),
    ("modelopt-fp8-bf16", "ModelOpt", "modelopt-fp8 row scale_in=bf16 elements_in=bf16", "ModelOpt FP8QTensor", "0.47"),
    ("hf-fp8", "transformers", "e4m3fn 128x128 amax=keep scale=rmul zero=positive elements=direct",
     "transformers finegrained_fp8, Fp8Quantize", "5.24"),
    ("hf-fp8-ue8m0", "transformers", "hf-fp8 floor=s:2^-126 power=log2.ceil limits=0-nan elements=mul",
     "transformers finegrained_fp8, scale_fmt ue8m0", "5.24", "before PR 46763: hf-fp8-ue8m0-old"),
    ("hf-fp8-ue8m0-old", "transformers", "hf-fp8-ue8m0 elements=direct", "transformers finegrained_fp8",
     "before PR 46763", "the rounded scale is stored and the unrounded one used"),
    ("fbgemm-row", "FBGEMM", "e4m3fn row floor=a:1e-12 scale=rdiv elements=direct nan=-max", FBGEMM),
    ("quanto", "optimum-quanto", "e4m3fn row amax=keep scale_in=T elements_in=T", "optimum-quanto absmax_scale",
     "0.2.7"),
    ("quanto-bf16", "optimum-quanto", "quanto scale_in=bf16 elements_in=bf16", "optimum-quanto absmax_scale", "0.2.7"),
    ("bfl-fp8-row", "diffusers", "e4m3fn row floor=s:1e-12", "diffusers BFL fp8r"),
    ("autoround-fp8", "auto-round", "e4m3fn row amax=keep floor=s:step zeros=none", "auto-round FP8", "0.16",
     "a fake quantiser; its straight-through estimator makes every zero positive"),
    ("brevitas-fp8", "brevitas", "e4m3fn row amax=keep floor=a:1e-10", "brevitas float_quant_ocp, "
     "Fp8e4m3OCPWeightPerChannelFloat", "0.13", "a fake quantiser"),
    ("quark-fp8", "Quark", "e4m3fn 1x128 amax=keep zero=2^-23", "Quark FP8", "0.13"),
    ("quark-fp8-fnuz", "Quark", "e4m3fnuz 1x128 amax=keep aim=224 zero=2^-23", "Quark FP8, FNUZ paths", "0.13"),
    ("aqt", "AQT", "e4m3fn row zero=one", "aqtp absmax calibration", "0.9"),
    ("qwix", "Qwix", "e4m3fn row scale=mul zero=small", "Qwix absmax, compiled by XLA", "0.1.8",
     "XLA divides by a constant through its reciprocal"),
    ("vllm-group-e5m2", "vLLM", "vllm-group element=e5m2", VLLM_GROUP),
    # -- MX
    ("te-mxfp8", "TransformerEngine", "e4m3fn 1x32 scale=mul power=rp stored=e8m0fnu limits=0-254 elements=mul "
     "layout=128x4", "TransformerEngine MXFP8 kernels"),
    ("te-mxfp8-e5m2", "TransformerEngine", "te-mxfp8 element=e5m2", "TransformerEngine MXFP8 kernels"),
    ("torchao-mxfp8-floor", "torchao", "e4m3fn 1x32 amax=keep scale=emax power=floor stored=e8m0fnu top=inf "
     "small=normal", AO_MX, "0.18"),
    ("torchao-mxfp8-ceil", "torchao", "torchao-mxfp8-floor power=up", AO_MX, "0.18"),
    ("torchao-mxfp8-even", "torchao", "torchao-mxfp8-floor power=even", AO_MX, "0.18"),
    ("torchao-mxfp8-rceil", "torchao", "e4m3fn 1x32 amax=keep power=log2.ceil stored=e8m0fnu limits=0-254 small=one "
     "elements=mul", AO_MX, "0.18"),
    ("modelopt-mxfp8", "ModelOpt", "e4m3fn 1x32 amax=keep power=log2.ceil stored=e8m0fnu limits=0-254 nan_scale=zero "
     "elements=mul", "ModelOpt MXFP8QTensor", "0.47"),
    ("ct-mxfp8", "compressed-tensors", "e4m3fn 1x32 amax=keep scale=emax power=even1 stored=e8m0fnu nan_scale=zero "
     "top=inf elements_in=T zeros=plus", CT, "0.20"),
    ("torchao-mxfp4-floor", "torchao", "torchao-mxfp8-floor element=e2m1fn", AO_MX, "0.18"),
    ("torchao-mxfp4-ceil", "torchao", "torchao-mxfp8-ceil element=e2m1fn", AO_MX, "0.18"),
    ("torchao-mxfp4-even", "torchao", "torchao-mxfp8-even element=e2m1fn", AO_MX, "0.18"),
    ("torchao-mxfp4-rceil", "torchao", "torchao-mxfp8-rceil element=e2m1fn", AO_MX, "0.18"),
    ("torchao-mxfp6-e3m2", "torchao", "torchao-mxfp8-floor element=e3m2fn", AO_MX, "0.18"),
    ("torchao-mxfp6-e2m3", "torchao", "torchao-mxfp8-floor element=e2m3fn", AO_MX, "0.18"),
    ("ct-mxfp4", "compressed-tensors", "ct-mxfp8 element=e2m1fn", CT, "0.20"),
    ("modelopt-mxfp4", "ModelOpt", "e2m1fn 1x32 amax=keep power=log2.ceil stored=e8m0fnu limits=wrap-stored "
     "rounding=down nan=zero zeros=minus", "ModelOpt MXFP4QTensor", "0.47", "every exact zero becomes the code 8"),
    ("vllm-mxfp4", "vLLM", "e2m1fn 1x32 scale=emax power=even stored=e8m0fnu small=blank elements=mul",
     "vLLM MXFP4 kernel"),
    ("gguf-mxfp4", "llama.cpp", "e2m1fn 1x32 scale=emax power=log2.floor stored=e8m0fnu limits=wrap nan=zero "
     "rounding=first layout=gguf", GGML, "01243c58"),
    ("gguf-mxfp4-python", "llama.cpp", "gguf-mxfp4 amax=keep", "gguf quants.py, MXFP4.quantize_blocks", "0.19",
     "a block with a NaN has the exponent byte 0; the C function passes over it"),
    ("autoround-mxfp4", "auto-round", "e2m1fn 1x32 amax=keep scale=emax power=log2.floor stored=e8m0fnu limits=0-254 "
     "zero=half zeros=plus", "auto-round MXFP4", "0.16",
     "a fake quantiser; a block with an infinity becomes NaN there"),
    ("autoround-mxfp8", "auto-round", "autoround-mxfp4 element=e4m3fn", "auto-round MXFP8", "0.16"),
    ("quark-mxfp4", "Quark", "torchao-mxfp4-even power=even.log2 limits=0-254 small=exact zeros=none",
     "Quark MX, even_round", "0.13", "a fake quantiser, whose zeros are positive"),
    ("quark-mxfp6-e3m2", "Quark", "quark-mxfp4 element=e3m2fn", "Quark MX, even_round", "0.13"),
    ("quark-mxfp6-e2m3", "Quark", "quark-mxfp4 element=e2m3fn", "Quark MX, even_round", "0.13"),
    ("aiter-mxfp4", "aiter", "e2m1fn 1x32 scale=emax power=even.log2 stored=e8m0fnu limits=0-254 elements=mul "
     "layout=32x8", "aiter fp4_utils.py, dynamic_mxfp4_quant (Triton)", "582ae3f, scaling_mode even",
     "the formula that the source intends; what Triton compiles was not measured"),
    ("aiter-mxfp4-up", "aiter", "e2m1fn 1x32 amax=keep power=up stored=e8m0fnu", "aiter fp4_utils.py, "
     "f32_to_mx_e8m0_scale", "0b3d716, MxScaleRoundMode.RoundUp"),
    ("aiter-mxfp8-up", "aiter", "aiter-mxfp4-up element=e4m3fn", "aiter fp4_utils.py, f32_to_mx_e8m0_scale", "0b3d716"),
    ("gpt-oss-mxfp4", "gpt-oss", "e2m1fn 1x32 amax=keep power=up stored=e8m0fnu nan_scale=zero top=inf small=zero "
     "elements=mul", GPT_OSS, "Triton 018a674", "earlier: gpt-oss-mxfp4-old"),
    ("gpt-oss-mxfp4-old", "gpt-oss", "gpt-oss-mxfp4 rounding=rna", GPT_OSS, "earlier; Quark 0.13 ships a copy",
     "one bit is added below the last one that stays: ties away from zero"),
    ("gpt-oss-mxfp8", "gpt-oss", "gpt-oss-mxfp4 element=e4m3fn", GPT_OSS),
    ("brevitas-mxfp8", "brevitas", "e4m3fn 1x32 amax=keep floor=a:1e-10 scale=emax power=log2.floor limits=free",
     "brevitas mx_quant_ocp, MXFloat8e4m3Weight", "0.13", "a fake quantiser; where the largest magnitude is below "
     "2^-33, its scale is 1e-10 / 2^emax, no power of two"),
    ("brevitas-mxfp4", "brevitas", "brevitas-mxfp8 element=e2m1fn", "brevitas mx_quant_ocp, elements of 4 bits",
     "0.13", "a fake quantiser; small blocks as in brevitas-mxfp8, and an infinity becomes NaN"),
    ("cudnn-mxfp8", "cuDNN", "e4m3fn 1x32 power=rp stored=e8m0fnu limits=0-254", CUDNN, "9.7",
     "read in the documentation, which leaves zeros, infinities and NaNs open"),
    ("cudnn-mxfp8-e5m2", "cuDNN", "cudnn-mxfp8 element=e5m2", CUDNN, "9.7", "as cudnn-mxfp8"),
    ("mlx-mxfp8", "mlx", "e4m3fn 1x32 amax=keep zero=one power=up stored=e8m0fnu limits=0-254 top=inf",
     "mlx.core.quantize, mode mxfp8, on the CPU", "0.32", "found from its answers; NaNs in a block were not settled"),
    ("mlx-mxfp4", "mlx", "mlx-mxfp8 element=e2m1fn rounding=down zeros=none", "mlx.core.quantize, mode mxfp4", "0.32",
     "found from its answers; NaNs and infinities in a block were not settled"),
    ("qwix-mxfp8", "Qwix", "e4m3fn 1x32 scale=mul zero=small power=log2.ceil stored=e8m0fnu top=inf", "Qwix mxfp8",
     "0.1.8", "with an exact logarithm; jax's is inexact at some powers of two, where the scale is twice as large"),
    ("qwix-mxfp4", "Qwix", "qwix-mxfp8 element=e2m1fn", "Qwix mxfp4", "0.1.8", "with an exact logarithm"),
    ("deepgemm-fp4-ue8m0", "DeepGEMM", "e2m1fn 1x32 amax=keep floor=a:1e-4 power=up limits=1-254 nan_scale=bits "
     "elements=mul rounding=down nan=zero zeros=none", "DeepGEMM math.py, per_token_cast_to_fp4"),
    # -- NVFP4
    ("te-nvfp4", "TransformerEngine", "e2m1fn 1x16 tensor=te scale=g.te cap=f32 stored=e4m3fn elements=g.mul "
     "layout=128x4", TE_NVFP4, "", "weights: te-nvfp4 16x16; wgrad: transform=rht16; gradients: rounding=sr-ptx"),
    ("te-nvfp4-2d", "TransformerEngine", "te-nvfp4 16x16", TE_NVFP4),
    ("te-nvfp4-rht", "TransformerEngine", "te-nvfp4 transform=rht16", TE_NVFP4),
    ("te-nvfp4-sr", "TransformerEngine", "te-nvfp4 rounding=sr-ptx", TE_NVFP4),
    ("te-nvfp4-4over6", "TransformerEngine", "te-nvfp4 scale=g.div choose=mae", TE_NVFP4),
    ("te-nvfp4-4over6-mse", "TransformerEngine", "te-nvfp4-4over6 choose=mse", TE_NVFP4),
    ("te-nvfp4-4over6-256", "TransformerEngine", "te-nvfp4-4over6 aim=max.256", TE_NVFP4),
    ("vllm-nvfp4", "vLLM", "e2m1fn 1x16 tensor=div scale=g.mul stored=e4m3fn small=zero elements=g.mul layout=128x4",
     "vLLM nvfp4_utils.cuh; SGLang and TensorRT-LLM alike", "",
     "with exact reciprocals; the kernels take rcp.approx.ftz"),
    ("torchao-nvfp4", "torchao", "e2m1fn 1x16 amax=keep floor=s:2^-6 tensor=p scale=p.div stored=e4m3fn "
     "elements=p.mul", AO_NVFP4, "0.18"),
    ("torchao-nvfp4-1level", "torchao", "e2m1fn 1x16 amax=keep floor=s:2^-6 stored=e4m3fn elements=mul", AO_NVFP4,
     "0.18"),
    ("ct-nvfp4", "compressed-tensors", "e2m1fn 1x16 amax=keep tensor=rmul scale=g.div scale_in=T zero=eps "
     "stored=e4m3fn elements=g.div zeros=plus", CT, "0.20", "the stored global scale is g, a divisor"),
    ("modelopt-nvfp4", "ModelOpt", "e2m1fn 1x16 amax=keep floor=s:2^-9 tensor=p scale=p.joint zero=one stored=e4m3fn "
     "elements=p.div zeros=plus", "ModelOpt NVFP4QTensor", "0.47"),
    ("fireworks-nvfp4", "fireworks-prequant", "e2m1fn 1x16 amax=keep tensor=rmul0 scale=g.div stored=e4m3fn "
     "small=zero elements=pre", "fireworks-prequant", "0.2"),
    ("autoround-nvfp4", "auto-round", "e2m1fn 1x16 amax=keep tensor=rmul0 scale=g.mul stored=e4m3fn small=product "
     "elements=g.mul values=back zeros=plus", "auto-round NVFP4", "0.16", "a fake quantiser"),
    ("qwix-nvfp4", "Qwix", "e2m1fn 1x16 scale=mul zero=small stored=e4m3fn", "Qwix nvfp4", "0.1.8"),
    ("cudnn-nvfp4", "cuDNN", "e2m1fn 1x16 stored=e4m3fn.up", CUDNN, "9.7",
     "read in the documentation, which leaves zeros, infinities and NaNs open; NVIDIA/cudnn-frontend issue 148 reports "
     "scales twice as large"),
    ("gguf-nvfp4", "llama.cpp", "e2m1fn 1x16 stored=e4m3fn.gguf nan=zero rounding=first layout=gguf", GGML,
     "01243c58", "the tensor's factor lies beside the blocks"),
)  # fmt: skip


@lru_cache(maxsize=1)
def named() -> dict[str, Named]:
    """Every recipe in use, by name."""
    found: dict[str, Named] = {}
    by_name: dict[str, Recipe] = {}
    for name, stack, text, source, *more in _LINES:
        by_name[name] = parse(text, by_name)
        found[name] = Named(name, stack, by_name[name], source, *more)
    return found


@lru_cache(maxsize=1)
def _canonical() -> dict[Recipe, Recipe]:
    return {entry.recipe: entry.recipe for entry in reversed(named().values())}


@lru_cache(maxsize=1024)
def get_recipe(text: str | Recipe) -> Recipe:
    """The recipe of a name, or of a text of factors.

    >>> get_recipe("vllm-group") is get_recipe("e4m3fn 1x128 floor=a:1e-10 nan=-max")
    True

    Raises ValueError that says which word is wrong and what would be right.
    """
    found = text if isinstance(text, Recipe) else parse(text, {name: entry.recipe for name, entry in named().items()})
    return _canonical().get(found, found)


def recipes() -> tuple[str, ...]:
    """The names of all recipes in use."""
    return tuple(named())


def names_of(r: Recipe) -> list[str]:
    """The names of a recipe: none, one, or several where stacks do the same."""
    return [entry.name for entry in named().values() if entry.recipe == r]


def nearest(
    r: Recipe, unseen: tuple[str, ...] = (), shapes: tuple[tuple[int, int], ...] = ()
) -> tuple[Named, dict[str, str]]:
    """The recipe in use with the fewest other factors, the first of several; and this recipe's choices of those.

    ``unseen``: factors that do not count.  Of several, one with groups of such ``shapes`` goes first.
    """

    def differing(entry: Named) -> dict[str, str]:
        found = entry.recipe.differences(r).items()
        return {factor: theirs for factor, (_, theirs) in found if factor not in unseen}

    entry = min(named().values(), key=lambda entry: (len(differing(entry)), entry.recipe.shape not in shapes))
    return entry, differing(entry)


@lru_cache(maxsize=1024)
def short_text(r: Recipe) -> str:
    """The first name of a recipe, or the nearest name and the factors that differ."""
    entry, factors = nearest(r)
    return " ".join([entry.name, *(f"{factor}={choice}" for factor, choice in factors.items())])


def in_words(r: Recipe) -> str:
    """A recipe as a sentence: its names, or the nearest one and what differs.

    >>> in_words(get_recipe("vllm-group floor=s:1e-12"))
    'vllm-group, but the floor is 1e-12 on the scale'
    """
    if names := names_of(r):
        return " = ".join(names)
    entry, factors = nearest(r)
    return f"{entry.name}, but {' and '.join(sentence(factor, choice) for factor, choice in factors.items())}"
