"""ONNX: initialisers, and which of them DequantizeLinear ties to which scales.  Nothing of a graph is run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from ...extras import install
from .stored import BadFile, Files, Held, Span, Stored, of_array, of_file, regular

# TensorProto.DataType: kind, bits of a unit
TYPES = {
    1: ("f32", 32), 2: ("u8", 8), 3: ("i8", 8), 4: ("u16", 16), 5: ("i16", 16), 6: ("i32", 32), 7: ("i64", 64),
    9: ("bool", 8), 10: ("f16", 16), 11: ("f64", 64), 12: ("u32", 32), 13: ("u64", 64), 16: ("bf16", 16),
    17: ("e4m3fn", 8), 18: ("e4m3fnuz", 8), 19: ("e5m2", 8), 20: ("e5m2fnuz", 8), 21: ("uint4", 4), 22: ("int4", 4),
    23: ("e2m1fn", 4), 24: ("e8m0fnu", 8),
}  # fmt: skip
LARGEST = 1 << 31  # bytes of a file: what a message of protobuf can hold


def read_onnx(path: Path, files: Files) -> None:
    """Add the initialisers of a model, also those in files beside it."""
    if regular(path) > LARGEST:
        raise BadFile(path, f"more than {LARGEST} bytes")
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError:
        raise BadFile(path, f"onnx is not installed: {install('models')}") from None
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors have no base that onnx exports
        raise BadFile(path, f"onnx does not read it: {str(error).strip() or type(error).__name__}") from None
    if not model.graph.initializer and not model.graph.node:
        raise BadFile(path, "no graph is in it")
    for entry in model.metadata_props:
        files.metadata.setdefault(entry.key, entry.value)
    files.metadata.setdefault("producer", model.producer_name)
    for tensor in model.graph.initializer:
        files.add(_tensor(onnx, path, tensor))
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) >= 2 and node.input[0] in files.tensors:
            about = {a.name: int(a.i) for a in node.attribute if a.name in ("axis", "block_size")}
            zero = node.input[2] if len(node.input) > 2 else ""
            files.links[node.input[0]] = {"scale": node.input[1], "zero": zero, **about}


def _tensor(onnx: Any, path: Path, tensor: Any) -> Stored:
    name, shape = tensor.name, tuple(int(n) for n in tensor.dims)
    if any(n < 0 for n in shape):
        raise BadFile(path, f"tensor {name!r:.80} has the shape {shape}")
    kind, bits = TYPES.get(tensor.data_type, (f"type {tensor.data_type}", 0))
    size = int(np.prod(shape, dtype=object)) if shape else 1
    length = -(-size * bits // 8)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _beside(path, tensor, kind, shape, length)
    if tensor.HasField("raw_data"):
        raw = np.frombuffer(tensor.raw_data, np.uint8)
        if bits and raw.size != length:
            raise BadFile(
                path, f"tensor {name!r:.80}: {raw.size} bytes for shape {shape} of {kind}, which takes {length}"
            )
        return _stored(name, kind, shape, Held(raw), path.name)
    if kind == "type 8":
        return Stored(name, "string", shape, lambda i, j: np.zeros(0, np.uint8), path.name)
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # whatever a wrong count of values becomes there
        raise BadFile(path, f"tensor {name!r:.80}: onnx does not read it: {error}") from None
    if kind == "e2m1fn":
        return _stored(name, kind, shape, Held(_packed(np.asarray(array).view(np.uint8).reshape(-1))), path.name)
    return of_array(name, array, path.name, kind)


def _stored(name: str, kind: str, shape: tuple[int, ...], raw: Span | Held, place: str) -> Stored:
    if kind == "e2m1fn" and shape and shape[-1] % 2 == 0:  # two a byte, the first in the low nibble
        shape = (*shape[:-1], shape[-1] // 2)
    return of_file(name, kind, shape, raw, place)


def _packed(codes: Any) -> Any:
    padded = np.concatenate([codes, np.zeros(codes.size % 2, np.uint8)]).reshape(-1, 2)
    return (padded[:, 0] & 15) | (padded[:, 1] << 4)


def _beside(path: Path, tensor: Any, kind: str, shape: tuple[int, ...], length: int) -> Stored:
    about = {entry.key: entry.value for entry in tensor.external_data}
    where = about.get("location", "")
    if Path(where).name != where or where in ("", ".", "..") or "\\" in where:
        raise BadFile(path, f"tensor {tensor.name!r:.80}: the file {where!r:.120} does not lie beside the model")
    try:
        offset, told = int(about.get("offset", 0)), int(about.get("length", length))
    except ValueError:
        raise BadFile(path, f"tensor {tensor.name!r:.80}: its offset or length is no number") from None
    size = regular(path.parent / where)
    if offset < 0 or told != length or offset + length > size:
        raise BadFile(
            path, f"tensor {tensor.name!r:.80}: {told} bytes at {offset} of {where} with {size}; it takes {length}"
        )
    return _stored(tensor.name, kind, shape, Span(path.parent / where, offset, length), where)
