"""numpy's archives and torch's files, neither of which is unpickled."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ...extras import install
from .stored import BadFile, Files, Stored, kind_of, of_array, regular

MOST = 1 << 34  # bytes that an archive unpacks to


def read_npz(path: Path, files: Files) -> None:
    """Add the arrays of an archive; each is unpacked when it is read."""
    regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()]
            total = sum(info.file_size for info in archive.infolist())
            if total > MOST:
                raise BadFile(path, f"it unpacks to {total} bytes; at most {MOST} are read")
            for name in names:
                files.add(_member(path, archive, name))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(path, f"it cannot be read: {error}") from None


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Stored:
    if not name.endswith(".npy"):
        raise BadFile(path, f"member {name!r:.80} is no .npy")
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise BadFile(path, f"member {name!r:.80} holds Python objects, which are not read")
    told = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if told > size:
        raise BadFile(
            path, f"member {name!r:.80}: shape {shape} of {dtype} takes {told} bytes, of which {size} are there"
        )
    kept: list[Any] = []

    def load() -> Any:
        if not kept:
            with np.load(path, allow_pickle=False) as found:
                kept.append(_known(found[name.removesuffix(".npy")]).reshape(-1))
        return kept[0]

    kind = kind_of(dtype) if dtype.kind != "V" else {1: "u8", 2: "bf16"}.get(dtype.itemsize, dtype.name)
    return Stored(
        name.removesuffix(".npy"), kind, tuple(int(n) for n in shape), lambda i, j: load()[i:j], path.name, told
    )


def _known(x: Any) -> Any:
    """numpy writes types of ml_dtypes as raw bytes: two of them are bfloat16."""
    if x.dtype.kind != "V":
        return x
    return x.view(ml_dtypes.bfloat16) if x.dtype.itemsize == 2 else x.view(np.uint8)


def read_torch(path: Path, files: Files) -> None:
    """Add the tensors of a file of torch.save: tables of tensors, read with weights_only, and nothing else."""
    regular(path)
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        raise BadFile(path, f"torch is not installed: {install('torch')}") from None
    try:
        found = torch.load(str(path), map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch has no base of its own errors
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadFile(path, f"torch does not read it with weights_only: {first}") from None
    _take(torch, path, files, "", found, 0)
    if not files.tensors:
        raise BadFile(path, "no tensor is in it")


def _take(torch: Any, path: Path, files: Files, name: str, x: Any, depth: int) -> None:
    if isinstance(x, torch.Tensor):
        if x.is_sparse or x.is_quantized:
            raise BadFile(path, f"tensor {name!r:.80}: {x.layout}, {x.dtype} is not read")
        kind = str(x.dtype).removeprefix("torch.")
        plain = x.detach().contiguous()
        if plain.dtype.itemsize == 1 and plain.dtype not in (torch.uint8, torch.int8, torch.bool):
            array = plain.view(torch.uint8).numpy()
        elif plain.dtype == torch.bfloat16:
            array = plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        else:
            array = plain.numpy()
        files.add(of_array(name, array, path.name, {"bool": "bool"}.get(kind, _kind(kind))))
    elif isinstance(x, dict) and depth < 16:
        for key, value in x.items():
            if isinstance(key, str):
                _take(torch, path, files, f"{name}.{key}" if name else key, value, depth + 1)


def _kind(name: str) -> str:
    try:
        return kind_of(np.dtype(name))
    except TypeError:
        return kind_of(np.dtype(getattr(ml_dtypes, name))) if hasattr(ml_dtypes, name) else name
