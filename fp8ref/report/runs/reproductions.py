"""Scripts that show a wrong answer with the library alone: a table of how each library is asked.

A script makes the operands from their codes, asks once, and prints the codes of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...adapters.base import Unavailable
from ...adapters.libraries import (
    apytypes,
    gfloat,
    jax,
    ml_dtypes,
    mlx,
    onnx,
    openvino,
    paddle,
    pychop,
    tensorflow,
    tinygrad,
)
from ...adapters.libraries import torch as torch_adapter
from ...adapters.libraries import triton as triton_adapter
from ...adapters.libraries.elementwise import Elementwise, Found, usual_name
from ...cases.operation import INTEGERS, UNITS, Operation
from ...check.verdict import Finding
from ...spec.catalog import get_format

NAMES = ("x", "y", "z")
FLOATS = {"f16": "np.float16", "bf16": "ml_dtypes.bfloat16", "f32": "np.float32", "f64": "np.float64"}


@dataclass(frozen=True)
class Recipe:
    """How a library is asked.  Every text is a template.

    ``operand``: an array from ``{codes}`` (a list of Python integers), ``{bits}`` a code, and ``{type}``, the library's
    name of the type.  ``ask``: family -> expression of ``{args}`` and of ``{result}``, the result type; the family
    ``*`` answers for convert and decode.  ``codes``: the unsigned codes of ``{answer}``, ``{bits}`` each, as an object
    with ``tolist``.  ``types``: the library's names; ``more``: further fields, from the operation and its options.
    ``functions``: its element-wise functions, where it is installed.
    """

    setup: str
    operand: str
    ask: Mapping[str, str]
    codes: str
    types: Callable[[str], str]
    more: Callable[[Operation, Mapping[str, str]], Mapping[str, str]] = field(default=lambda op, options: {})
    functions: Callable[[], tuple[Found, ...]] = tuple


def _numpy(name: str) -> str:
    if name in INTEGERS:
        return f"np.{'u' if name[0] == 'u' else ''}int{name[1:]}"
    return FLOATS.get(name) or f"ml_dtypes.float{get_format(name).k}_{name}"


def _plain(name: str) -> str:
    return name


def _mode(op: Operation) -> tuple[str, str]:
    rounding, _, overflow = (op.mode or "").partition(".")
    return rounding, overflow


ARRAY = "np.array({codes}, np.uint{bits}).view({type})"
VIEW = "np.asarray({answer}).view(np.uint{bits})"
NUMPY = "import ml_dtypes\nimport numpy as np"


def _onnx_fields(op: Operation, options: Mapping[str, str]) -> Mapping[str, str]:
    rounding, overflow = _mode(op)
    attributes = "" if op.family == "decode" else f", saturate={int(overflow != 'nonsat')}"
    if op.result == "e8m0fnu":
        attributes += f', round_mode="{onnx.ROUND_MODES[rounding]}"'
    return {
        "attributes": attributes,
        "from": f"T.{onnx.TYPES[op.operands[0]]}",
        "to": f"T.{onnx.TYPES[op.result]}",
    }


ONNX = """
T, h = onnx.TensorProto, onnx.helper
node = h.make_node("Cast", ["x"], ["z"], to={to}{attributes})
ends = [h.make_tensor_value_info("x", {from}, ["n"])], [h.make_tensor_value_info("z", {to}, ["n"])]
graph = h.make_graph([node], "cast", *ends)
"""
MODEL = 'model = h.make_model(graph, opset_imports=[h.make_opsetid("", {opset})], ir_version={ir})\n'


def _gfloat_fields(op: Operation, options: Mapping[str, str]) -> Mapping[str, str]:
    rounding, overflow = _mode(op)
    name = op.result if op.family == "convert" else op.operands[0]
    if name in gfloat.FORMATS:
        info = f"formats.{gfloat.FORMATS[name]}"
    else:  # binary8p3se
        signed, extended = ("Signed" if name[-2] == "s" else "Unsigned"), ("Extended" if name[-1] == "e" else "Finite")
        f = get_format(name)
        info = f"formats.format_info_p3109({f.k}, {f.p}, gfloat.Signedness.{signed}, gfloat.Domain.{extended})"
    return {
        "info": info,
        "rounding": f"gfloat.RoundMode.{gfloat.ROUNDINGS.get(rounding, 'TiesToEven')}",
        "sat": str(overflow == "sat"),
    }


def _pychop_fields(op: Operation, options: Mapping[str, str]) -> Mapping[str, str]:
    rounding, overflow = _mode(op)
    f = get_format(op.operands[0] if op.family == "decode" else op.result)
    domain = "extended" if f.infinities else "finite"
    return {
        "format": f'pychop.P3109Format({f.k}, {f.p}, {f.signed}, "{domain}")',
        "rounding": pychop.ROUNDINGS.get(rounding, ""),
        "saturate": pychop.SATURATIONS.get(overflow, ""),
    }


def _apytypes_fields(op: Operation, options: Mapping[str, str]) -> Mapping[str, str]:
    mode = apytypes.QUANTIZATIONS.get(_mode(op)[0], "TIES_EVEN")
    w, t = (get_format(op.result).w, get_format(op.result).t) if op.result not in UNITS else (0, 0)
    return {"quantization": f"apytypes.QuantizationMode.{mode}", "w": str(w), "t": str(t)}


def _widths(name: str) -> str:
    f = get_format(name)
    return f"{f.w}, {f.t}"


_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=",
              "gt": ">", "ge": ">="}  # fmt: skip
_APYTYPES = {
    **{family: f"{{x}} {sign} {{y}}" for family, sign in _OPERATORS.items()},
    "neg": "-{x}", "abs": "abs({x})", "*": "{x}.cast({w}, {t}, quantization={quantization})",
}  # fmt: skip


def _tensorflow_fields(op: Operation, options: Mapping[str, str]) -> Mapping[str, str]:
    mode = options.get("mode", "eager")
    name = {**tensorflow.NARROW, **tensorflow.OTHERS}[op.result]
    to = f"tf.dtypes.experimental.{name}" if op.result in tensorflow.NARROW else f"tf.{name}"
    wrap = {"function": "tf.function({})", "xla": "tf.function({}, jit_compile=True)"}.get(mode, "({})")
    return {"cast": wrap.format(f"lambda x: tf.cast(x, {to})")}


TRITON = """import os
os.environ["TRITON_INTERPRET"] = "{interpret}"
import torch
import triton
import triton.language as tl

@triton.jit
def cast(x_ptr, z_ptr, n, ROUNDING: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at < n)
    tl.store(z_ptr + at, x.to(z_ptr.dtype.element_ty, fp_downcast_rounding=ROUNDING), mask=at < n)

def run(x):
    z = torch.zeros(x.numel(), dtype={to}, device=x.device)
    cast[(1,)](x, z, x.numel(), {rounding}, 1024)
    return z

"""


def _triton_fields(op: Operation, options: Mapping[str, str]) -> Mapping[str, str]:
    device = options.get("device", "cpu")
    return {
        "interpret": str(int(device == "cpu")),
        "to": _torch(op.result),
        "rounding": '"rtne"' if op.family == "convert" else "None",
        "device": device,
    }


def _torch(name: str) -> str:
    return f"torch.{torch_adapter.DTYPES[name]}"


TORCH_CODES = "{answer}.view(torch.uint{bits}).cpu()"
RECIPES = {
    "ml_dtypes": Recipe(
        NUMPY,
        ARRAY,
        {
            "*": "x.astype({result})",
            "finfo": "np.array([ml_dtypes.finfo(x.dtype).{constant}], {result})",
        },
        VIEW,
        _numpy,
        functions=ml_dtypes.known,
    ),
    "torch": Recipe(
        "import torch",
        'torch.tensor({codes}, dtype=torch.uint{bits}, device="{device}").view({type})',
        {
            "*": "x.to({result})",
            "finfo": "torch.tensor([torch.finfo(x.dtype).{constant}], dtype={result})",
        },
        TORCH_CODES,
        _torch,
        lambda op, options: {"device": options.get("device", "cpu")},
        torch_adapter.known,
    ),
    "triton": Recipe(
        TRITON,
        'torch.tensor({codes}, dtype=torch.uint{bits}, device="{device}").view({type})',
        {"*": "run(x)"},
        TORCH_CODES,
        lambda name: "torch." + (triton_adapter.WIDE.get(name) or f"float8_{name}"),
        _triton_fields,
    ),
    "jax": Recipe(
        f'import jax\nimport jax.numpy as jnp\n{NUMPY}\njax.config.update("jax_enable_x64", True)',
        f"jnp.asarray({ARRAY})",
        {
            "*": "x.astype({result})",
            "finfo": "np.array([jnp.finfo(x.dtype).{constant}], {result})",
        },
        VIEW,
        _numpy,
        functions=jax.known,
    ),
    "tensorflow": Recipe(
        f"{NUMPY}\nimport tensorflow as tf", ARRAY, {"*": "({cast})(tf.constant(x)).numpy()"}, VIEW, _numpy,
        _tensorflow_fields,
    ),
    "onnx": Recipe(
        f"{NUMPY}\nimport onnx\nfrom onnx.reference import ReferenceEvaluator\n{ONNX}"
        + MODEL.format(opset=onnx.OPSET, ir=onnx.IR_VERSION),
        ARRAY, {"*": 'ReferenceEvaluator(model).run(None, {{"x": x}})[0]'}, VIEW, _numpy, _onnx_fields,
    ),
    "onnxruntime": Recipe(
        "import ctypes\nimport numpy as np\nimport onnx\nimport onnxruntime as ort\n" + ONNX
        + MODEL.format(opset=23, ir=11)
        + """
def run(codes):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy_with_onnx_type(codes, {from}))
    binding.bind_output("z", "cpu")
    session.run_with_iobinding(binding)
    z = binding.get_outputs()[0]
    return np.frombuffer(ctypes.string_at(z.data_ptr(), codes.size * {bytes}), np.uint8)

""",
        "np.array({codes}, np.uint{bits})", {"*": "run(x)"}, VIEW, _plain,
        lambda op, options: {**_onnx_fields(op, options), "bytes": str(_bits(op.result) // 8)},
    ),
    "openvino": Recipe(
        """import numpy as np
import openvino as ov
from openvino import opset15

def run(codes):
    p = opset15.parameter([-1], ov.Type.{from})
    model = ov.Core().compile_model(ov.Model([opset15.convert(p, ov.Type.{to})], [p]), "CPU")
    tensor = ov.Tensor(ov.Type.{from}, ov.Shape([codes.size]))
    tensor.data.view(codes.dtype)[...] = codes
    return model([tensor])[0]

""",
        "np.array({codes}, np.uint{bits})", {"*": "run(x)"}, VIEW, _plain,
        lambda op, options: {"from": openvino.NARROW.get(op.operands[0], op.operands[0]),
                             "to": openvino.NARROW.get(op.result, op.result)},
    ),
    "paddle": Recipe(
        "import numpy as np\nimport paddle\n",
        'paddle.to_tensor(np.array({codes}, np.uint{bits}).view(np.int{bits})).view("{type}")',
        {"*": 'x.astype("{result}")'}, '{answer}.view("int{bits}").numpy().view(np.uint{bits})',
        lambda name: paddle.FLOATS.get(name) or (
            f"{'u' if name[0] == 'u' else ''}int{name[1:]}" if name in INTEGERS else f"float8_{name}"),
    ),
    "mlx": Recipe(
        "import mlx.core as mx\nimport numpy as np\n\nmx.set_default_device(mx.cpu)",
        "mx.array(np.array({codes}, np.uint{bits})).view({type})",
        {"convert": "mx.to_fp8(x)", "decode": "mx.from_fp8(x, {result}).view(mx.uint{bits})"}, "np.array({answer})",
        lambda name: f"mx.{mlx.FLOATS.get(name, 'uint8')}",
    ),
    "tinygrad": Recipe(
        f"{NUMPY}\nfrom tinygrad import Tensor, dtypes",
        'Tensor(np.array({codes}, np.uint{bits}), device="{device}").bitcast({type})',
        {"*": "x.cast({result}).bitcast(dtypes.uint{bits})"}, "{answer}.numpy()",
        lambda name: f"dtypes.{({**tinygrad.NARROW, **tinygrad.WIDE})[name]}",
        lambda op, options: {"device": options.get("device", "PYTHON")},
    ),
    "gfloat": Recipe(
        "import gfloat\n" + NUMPY + "\nfrom gfloat import formats", "np.array({codes}, np.uint{bits}){as_values}",
        {
            "convert": "gfloat.encode_ndarray({info}, gfloat.round_ndarray({info}, x, {rounding}, {sat}))",
            "decode": "gfloat.decode_ndarray({info}, x)",
            "finfo": "[{info}.{constant}]",
        },
        "np.asarray({answer}).astype({carrier}).view(np.uint{bits})", _plain,
        lambda op, options: {
            **_gfloat_fields(op, options),
            "as_values": f".view({_numpy(op.operands[0])}).astype(np.float64)" if op.family == "convert" else "",
            "carrier": f"np.uint{_bits(op.result)}" if op.family == "convert" else _numpy(op.result),
        },
    ),
    "pychop": Recipe(
        "import numpy as np\nimport pychop", "np.array({codes}, np.uint{bits}){as_values}",
        {
            "convert": 'pychop.p3109_encode(x, {format}, rounding="{rounding}", saturate="{saturate}")',
            "decode": "pychop.p3109_decode(x, {format})",
        },
        "np.asarray({answer}).astype({carrier}).view(np.uint{bits})", _plain,
        lambda op, options: {
            **_pychop_fields(op, options),
            "as_values": f".view({_numpy(op.operands[0])})" if op.family == "convert" else "",
            "carrier": "np.float64" if op.family == "decode" else f"np.uint{_bits(op.result)}",
        },
    ),
    "apytypes": Recipe(
        "import apytypes\nimport numpy as np", "apytypes.APyFloatArray.from_bits({codes}, {type})", _APYTYPES,
        "np.asarray({answer}{to_bits})", _widths,
        lambda op, options: {**_apytypes_fields(op, options),
                             "to_bits": "" if op.result in UNITS else ".to_bits(numpy=True)"},
    ),
}  # fmt: skip
FAMILY_OF_ALL = ("convert", "decode")


def _bits(name: str) -> int:
    """The width of the unsigned integers in which codes of a type travel."""
    k = 8 if name in UNITS else int(name[1:]) if name in INTEGERS else get_format(name).k
    return next(bits for bits in (8, 16, 32, 64) if bits >= k)


def adapter_of(connectable: str) -> tuple[str, dict[str, str]]:
    """The name of a built-in adapter in a connectable, and its options; an empty name for any other.

    >>> adapter_of("tensorflow,mode=xla"), adapter_of("py:fp8ref.adapters.libraries.gfloat:Gfloat")
    (('tensorflow', {'mode': 'xla'}), ('gfloat', {}))
    """
    head, *pairs = connectable.split(",")
    spelled = re.fullmatch(r"py:fp8ref\.adapters\.(?:libraries\.)?(\w+):\w+", head)  # older records have no libraries.
    name = spelled[1] if spelled else head
    options = dict(pair.partition("=")[::2] for pair in pairs)
    safe = all(value.replace(":", "").isalnum() for value in options.values())  # they become part of a script
    return (name, options) if name in RECIPES and safe else ("", {})


def script(finding: Finding, connectable: str) -> str:
    """A Python script that shows a finding without fp8ref; empty where there is no recipe for it."""
    name, options = adapter_of(connectable)
    if not name or finding.layout != "plain":
        return ""
    recipe: Any = RECIPES[name]
    try:
        op = Operation.parse(finding.op)
        ask = recipe.ask.get("*", "") if op.family in FAMILY_OF_ALL else ""
        ask = recipe.ask.get(op.family) or ask or _function(recipe, op)
        if not ask or op.flags or len(finding.inputs) != len(op.operands):
            return ""
        more = recipe.more(op, options)
        operands = [_operand(recipe, *pair, finding.length, more) for pair in zip(finding.inputs, op.operands)]
        result = recipe.types(op.result) if op.result not in UNITS else op.result
    except (ValueError, KeyError):
        return ""
    names = NAMES[: len(operands)]
    fields = {**more, "result": result, "bits": _bits(op.result), "args": ", ".join(names),
              "constant": op.mode, **dict(zip(names, names))}  # fmt: skip
    answer = "answer"
    lines = [
        recipe.setup.format(**fields).rstrip() + "\n",
        *(f"{one} = {made}" for one, made in zip(names, operands)),
        f"{answer} = {ask.format(**fields)}",
        f"codes = {recipe.codes.format(**fields, answer=answer)}",
    ]
    seen, right = (f"0x{code:0{_bits(op.result) // 4}X}" for code in (finding.got, finding.want))
    which = "" if finding.length == 1 else f" as element {finding.position}"
    shown = f'print([f"0x{{code:0{_bits(op.result) // 4}X}}" for code in codes.tolist()])'
    code = "\n".join([*lines, f"{shown}  # seen: {seen}{which}; right: {right}"]) + "\n"
    return code if "ml_dtypes." in code else code.replace("import ml_dtypes\n", "")


def _function(recipe: Recipe, op: Operation) -> str:
    """What is written for an element-wise function: what the library calls it, or, where it is not there, libraries."""
    try:
        found = Elementwise(recipe.functions()).get(op)
    except Unavailable:
        name = usual_name(op)
        return f"{'jnp' if 'jnp' in recipe.setup else 'torch'}.{name}({{args}})" if name else ""
    return re.sub(r"^(jax\.)?numpy\.", lambda m: "jnp." if m[1] else "np.", found.name + found.how if found else "")


def _operand(recipe: Recipe, code: int, name: str, length: int, more: Mapping[str, str]) -> str:
    bits = _bits(name)
    one = f"[0x{code & ((1 << bits) - 1):0{bits // 4}X}]"
    codes = one if length == 1 else f"{one} * {length}"
    return recipe.operand.format(**{**more, "codes": codes, "bits": bits, "type": recipe.types(name)})
