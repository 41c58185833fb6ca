"""Tensors of files that strangers made: npy, npz, and safetensors where that package is installed.

``FILE`` or ``FILE:NAME``; a file with one tensor needs no name.  Nothing is unpickled, and sizes are checked first.
"""

from __future__ import annotations

import importlib
import os
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..extras import install
from .errors import BadInput

MOST = 1 << 33  # bytes of a file and of what it unpacks to
DTYPES: dict[str, Any] = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "U8": np.uint8, "I8": np.int8,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2, "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz, "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz, "I32": np.int32,
}  # fmt: skip


def read_tensor(text: str) -> NDArray[Any]:
    """The tensor of ``FILE`` or ``FILE:NAME``.  Raises BadInput that says what is wrong and what is there."""
    path, name = Path(text), ""
    if not os.path.exists(path) and ":" in text:
        before, _, name = text.rpartition(":")
        path = Path(before)
    if not os.path.isfile(path):
        raise BadInput(f"{text}: there is no such file")
    if path.stat().st_size > MOST:
        raise BadInput(f"{path}: a file of {path.stat().st_size} bytes; at most {MOST} are read")
    readers = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}
    if path.suffix not in readers:
        raise BadInput(f"{path}: a tensor is read from {', '.join(readers)}")
    try:
        return readers[path.suffix](path, name)
    except BadInput:
        raise
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: it cannot be read: {error}") from None


def _npy(path: Path, name: str) -> NDArray[Any]:
    return _known(np.load(path, allow_pickle=False))


def _npz(path: Path, name: str) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > MOST:
            raise BadInput(f"{path}: it unpacks to more than {MOST} bytes")
    with np.load(path, allow_pickle=False) as found:
        return _known(found[_chosen(path, name, list(found))])


def _known(x: NDArray[Any]) -> NDArray[Any]:
    """numpy writes types of ml_dtypes as raw bytes: two of them are bfloat16."""
    if x.dtype.kind != "V":
        return x
    return x.view(ml_dtypes.bfloat16) if x.dtype.itemsize == 2 else x.view(np.uint8)


def _safetensors(path: Path, name: str) -> NDArray[Any]:
    try:
        safetensors: Any = importlib.import_module("safetensors")
    except ImportError:
        raise BadInput(f"{path}: safetensors is not installed: {install('safetensors')}") from None
    try:
        found: dict[str, dict[str, Any]] = dict(safetensors.deserialize(path.read_bytes()))
    except safetensors.SafetensorError as error:
        raise BadInput(f"{path}: it cannot be read: {error}") from None
    entry = found[_chosen(path, name, list(found))]
    if entry["dtype"] not in DTYPES:
        raise BadInput(f"{path}: tensors of {entry['dtype']} are not read; {', '.join(DTYPES)} are")
    return np.frombuffer(entry["data"], DTYPES[entry["dtype"]]).reshape(entry["shape"])


def _chosen(path: Path, name: str, names: list[str]) -> str:
    if not name and len(names) == 1:
        return names[0]
    if name not in names:
        there = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
        raise BadInput(f"{path}: {f'no tensor {name!r}' if name else 'which tensor? say FILE:NAME'}; there is {there}")
    return name
