"""One small function a producer: it reads a checkpoint, quantises it, and writes what that producer writes.

``python makers.py PRODUCER SCHEME ORIGINAL OUT``, in an environment that has the producer (``producers.toml``).
Every call is the one that the producer's own documentation shows; nothing is patched, nothing chosen beside the scheme.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MAKERS: dict[str, Callable[[str, Path, Path], None]] = {}


def producer(function: Callable[[str, Path, Path], None]) -> Callable[[str, Path, Path], None]:
    """Registers a function ``(scheme, original folder, folder to write)`` under its name."""
    MAKERS[function.__name__.replace("_", "-")] = function
    return function


def _model(original: Path, **more: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(original, dtype=torch.bfloat16, **more)


def _calibrate(model: Any) -> None:
    import torch

    with torch.no_grad():
        model(torch.arange(64).reshape(2, 32) % model.config.vocab_size)


def _tensors(original: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(original / "model.safetensors")
    return found


def _linears(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in tensors.items() if x.ndim == 2 and "proj" in name}


@producer
def llm_compressor(scheme: str, original: Path, out: Path) -> None:
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier

    model = _model(original)
    oneshot(model=model, recipe=QuantizationModifier(targets="Linear", scheme=scheme, ignore=["lm_head"]))
    model.save_pretrained(out, save_compressed=True)


@producer
def torchao(scheme: str, original: Path, out: Path) -> None:
    """Its tensors of each kind, kept by its own support of safetensors.

    Its configurations for FP8 activations refuse a machine without a GPU; the tensors that they make do not.
    """
    import torch
    from safetensors.torch import save_file
    from torchao.prototype.mx_formats.mx_tensor import MXTensor, ScaleCalculationMode
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Float8Tensor, PerBlock, PerRow, PerTensor

    floor, rceil, even = ScaleCalculationMode.FLOOR, ScaleCalculationMode.RCEIL, ScaleCalculationMode.EVEN
    fp4 = torch.float4_e2m1fn_x2
    kinds: dict[str, Any] = {
        "float8-row": lambda x: Float8Tensor.from_hp(x, granularity=PerRow()),
        "float8-tensor": lambda x: Float8Tensor.from_hp(x, granularity=PerTensor()),
        "float8-block": lambda x: Float8Tensor.from_hp(x, granularity=PerBlock([128, 128])),
        "mxfp8-floor": lambda x: MXTensor.to_mx(x, torch.float8_e4m3fn, 32, floor),
        "mxfp8-rceil": lambda x: MXTensor.to_mx(x, torch.float8_e4m3fn, 32, rceil, is_swizzled_scales=True),
        "mxfp4-even": lambda x: MXTensor.to_mx(x, fp4, 32, even),
        "nvfp4": lambda x: NVFP4Tensor.to_nvfp4(
            x, per_tensor_scale=per_tensor_amax_to_scale(x.abs().max()), is_swizzled_scales=True
        ),
        "nvfp4-one-level": lambda x: NVFP4Tensor.to_nvfp4(x),
    }
    tensors = _tensors(original)
    tensors.update({name: kinds[scheme](x) for name, x in _linears(tensors).items()})
    flatten: Any = flatten_tensor_state_dict
    flat, metadata = flatten(tensors)
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in flat.items()}, out / "model.safetensors", metadata)
    (out / "config.json").write_bytes((original / "config.json").read_bytes())


@producer
def modelopt(scheme: str, original: Path, out: Path) -> None:
    import modelopt.torch.quantization as mtq
    from modelopt.torch.export import export_hf_checkpoint

    model = _model(original)
    model = mtq.quantize(model, getattr(mtq, scheme), _calibrate)
    export_hf_checkpoint(model, export_dir=out)


@producer
def quark(scheme: str, original: Path, out: Path) -> None:
    import torch
    from quark.torch import LLMTemplate, ModelQuantizer, export_safetensors

    model = _model(original)
    config = LLMTemplate.get("llama").get_config(scheme=scheme, exclude_layers=["lm_head"])
    quantizer = ModelQuantizer(config)
    model = quantizer.quantize_model(model, [torch.arange(32).reshape(1, 32)])
    model = quantizer.freeze(model)
    with torch.no_grad():
        export_safetensors(model, str(out))


@producer
def auto_round(scheme: str, original: Path, out: Path) -> None:
    """Plain rounding, without its learned one, and without data: a scheme and a form of files, ``MXFP4:auto_round``."""
    scheme, _, form = scheme.partition(":")
    work = out.parent / (out.name + ".work")
    command = [
        sys.executable, "-m", "auto_round", str(original), "--scheme", scheme, "--iters", "0", "--disable_opt_rtn",
        "--model_free", "--act_bits", "16", "--format", form or "auto_round", "--output_dir", str(work),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    found = next(path.parent for path in sorted(work.rglob("*.safetensors")))
    found.rename(out)
    shutil.rmtree(work, ignore_errors=True)


@producer
def quanto(scheme: str, original: Path, out: Path) -> None:
    import optimum.quanto as quanto
    from safetensors.torch import save_file

    model = _model(original)
    quanto.quantize(model, weights=getattr(quanto, scheme), exclude="lm_head")
    quanto.freeze(model)
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, out / "model.safetensors", {"format": "pt"})
    (out / "quanto_qmap.json").write_text(json.dumps(quanto.quantization_map(model), indent=1))
    (out / "config.json").write_bytes((original / "config.json").read_bytes())


@producer
def transformers(scheme: str, original: Path, out: Path) -> None:
    """Its loader refuses a machine without a GPU; the operation that it runs on each weight does not."""
    from safetensors.torch import save_file
    from transformers import FineGrainedFP8Config
    from transformers.integrations.finegrained_fp8 import Fp8Quantize

    options: dict[str, dict[str, Any]] = {"ue8m0": {"scale_fmt": "ue8m0"}, "tensor": {"weight_block_size": None}}
    config: Any = FineGrainedFP8Config(**options.get(scheme, {}))
    quantise = Fp8Quantize(SimpleNamespace(quantization_config=config))
    tensors = _tensors(original)
    for name, x in _linears(tensors).items():
        tensors.update(quantise.convert({name: x}))
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: x.contiguous() for k, x in tensors.items()}, out / "model.safetensors", {"format": "pt"})
    described = json.loads((original / "config.json").read_text()) | {"quantization_config": config.to_dict()}
    (out / "config.json").write_text(json.dumps(described, indent=2, default=str))


@producer
def fireworks_prequant(scheme: str, original: Path, out: Path) -> None:
    """It takes the experts of mixtures alone: the projections of each layer's MLP go in as its expert 0."""
    from fireworks_prequant import quantize_checkpoint_dir
    from safetensors.torch import save_file

    named = out.parent / (out.name + ".original")
    named.mkdir(parents=True, exist_ok=True)
    tensors = {k.replace(".mlp.", ".mlp.experts.0."): x for k, x in _tensors(original).items()}
    save_file(tensors, named / "model.safetensors", {"format": "pt"})
    (named / "config.json").write_bytes((original / "config.json").read_bytes())
    quantize_checkpoint_dir(named, out, fmt=scheme, device="cpu")


@producer
def convert_to_quant(scheme: str, original: Path, out: Path) -> None:
    """A scheme is the options of its command, joined by commas."""
    out.mkdir(parents=True, exist_ok=True)
    options = [word for option in scheme.split(",") for word in f"--{option}".split("=")]
    command = [
        sys.executable, "-c", "from convert_to_quant.convert_to_quant import main; main()",
        "-i", str(original / "model.safetensors"), "-o", str(out / "model.safetensors"),
        "--comfy_quant", "--save-quant-metadata", "--device", "cpu", *options,
    ]  # fmt: skip
    subprocess.run(command, check=True)


@producer
def gguf(scheme: str, original: Path, out: Path) -> None:
    """gguf-py's own quantisers."""
    import gguf as library

    kind = getattr(library.GGMLQuantizationType, scheme)
    out.mkdir(parents=True, exist_ok=True)
    writer = library.GGUFWriter(out / "model.gguf", "llama")
    writer.add_block_count(2)
    for name, x in _tensors(original).items():
        x = x.float().numpy()
        if x.ndim == 2:
            writer.add_tensor(name, library.quants.quantize(x, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, x)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@producer
def onnxruntime(scheme: str, original: Path, out: Path) -> None:
    """A chain of MatMul over the projections, quantised statically, as the tool's examples do."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [{"x": np.linspace(-1, 1, 4 * 256, dtype=np.float32).reshape(4, 256)}]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    out.mkdir(parents=True, exist_ok=True)
    nodes, constants, outputs = [], [], []
    for name, x in _linears(_tensors(original)).items():
        if x.shape[1] != 256:
            continue
        constants.append(numpy_helper.from_array(np.ascontiguousarray(x.float().numpy().T), name))
        nodes.append(helper.make_node("MatMul", ["x", name], [name + ".out"], name=name))
        outputs.append(helper.make_tensor_value_info(name + ".out", TensorProto.FLOAT, [None, x.shape[0]]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 256])]
    graph = helper.make_graph(nodes, "projections", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    model.ir_version = 9
    plain = out.parent / (out.name + ".original.onnx")
    onnx.save(model, plain)
    kind = getattr(QuantType, scheme)
    method = CalibrationMethod.Distribution if "FLOAT8" in scheme else CalibrationMethod.MinMax
    quantize_static(
        plain, out / "model.onnx", Reader(), quant_format=QuantFormat.QDQ, activation_type=kind, weight_type=kind,
        calibrate_method=method,
    )  # fmt: skip


@producer
def bitsandbytes(scheme: str, original: Path, out: Path) -> None:
    import torch
    from transformers import BitsAndBytesConfig

    options: dict[str, dict[str, Any]] = {
        "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.bfloat16},
        "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_compute_dtype": torch.bfloat16},
    }
    model = _model(original, quantization_config=BitsAndBytesConfig(**options[scheme]), device_map="cpu")
    model.save_pretrained(out)


if __name__ == "__main__":
    name, scheme, original, out = sys.argv[1:]
    MAKERS[name](scheme, Path(original), Path(out))
