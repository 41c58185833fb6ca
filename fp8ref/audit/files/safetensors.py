"""safetensors: the package judges the header; the bytes of tensors are read when they are asked for."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from ...arrays.recipe_files import once
from ...extras import install
from .stored import MOST_AXES, BadFile, Files, Span, mapped, of_file

KINDS = {
    "F64": "f64", "F32": "f32", "F16": "f16", "BF16": "bf16", "F8_E4M3": "e4m3fn", "F8_E5M2": "e5m2",
    "F8_E8M0": "e8m0fnu", "F8_E4M3FNUZ": "e4m3fnuz", "F8_E5M2FNUZ": "e5m2fnuz", "U8": "u8", "I8": "i8",
    "BOOL": "bool", "I16": "i16", "U16": "u16", "I32": "i32", "U32": "u32", "I64": "i64", "U64": "u64",
}  # fmt: skip
LONGEST = 100_000_000  # bytes of a header: the format's own limit


def read_safetensors(path: Path, files: Files, place: str = "") -> list[str]:
    """Add the tensors of one file; their names.  Raises BadFile with the place of what is wrong."""
    data = mapped(path)
    header = _header(path, data)
    package: Any = _package(path)
    try:
        with package.safe_open(str(path), "np"):
            pass
    except package.SafetensorError as error:
        raise BadFile(path, f"its header: {error}") from None
    except OSError as error:
        raise BadFile(path, f"it cannot be read: {error}") from None
    start = 8 + int(data[:8].view("<u8")[0])
    metadata = header.pop("__metadata__", None) or {}
    for key, value in metadata.items():
        files.metadata.setdefault(key, str(value))
    for name, about in header.items():
        shape = tuple(int(n) for n in about["shape"])
        if len(shape) > MOST_AXES:
            raise BadFile(path, f"tensor {name!r} has {len(shape)} axes; at most {MOST_AXES} are read")
        i, j = about["data_offsets"]
        kind = KINDS.get(about["dtype"], about["dtype"].lower())
        if kind == "f4" and shape and shape[-1] % 2 == 0:  # two a byte
            kind, shape = "e2m1fn", (*shape[:-1], shape[-1] // 2)
        files.add(of_file(name, kind, shape, Span(path, start + i, j - i), place or path.name))
    return list(header)


def _package(path: Path) -> Any:
    try:
        return importlib.import_module("safetensors")
    except ImportError:
        raise BadFile(path, f"safetensors is not installed: {install('models')}") from None


def _header(path: Path, data: Any) -> dict[str, Any]:
    """The header as a table.  What the package does not refuse is refused here: a name that stands twice."""
    if data.size < 8:
        raise BadFile(path, f"{data.size} bytes: no safetensors file is shorter than its 8 bytes of header length")
    length = int(data[:8].view("<u8")[0])
    if length > LONGEST:
        raise BadFile(path, f"bytes 0 to 7: a header of {length} bytes; at most {LONGEST} are read")
    if 8 + length > data.size:
        raise BadFile(path, f"bytes 0 to 7: a header of {length} bytes in a file of {data.size}")
    try:
        found = json.loads(data[8 : 8 + length].tobytes().decode("utf-8"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise BadFile(path, f"byte {8 + error.start} of the header is no UTF-8") from None
    except RecursionError:
        raise BadFile(path, "its header is nested too deeply") from None
    except ValueError as error:
        raise BadFile(path, f"its header: {error}") from None
    if not isinstance(found, dict):
        raise BadFile(path, f"its header is a table of tensors, not {type(found).__name__}")
    return found
