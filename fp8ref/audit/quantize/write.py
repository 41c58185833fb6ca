"""The files of a quantised checkpoint: safetensors in one file, the config, and a manifest of what was made of what.

The same input gives the same bytes: tensors are sorted by name, and nothing says when or where.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ... import outputs
from ...spec.scaling.named import short_text
from ...spec.scaling.recipe import Recipe
from ...version import __version__
from ..conventions import FUSED, Convention
from ..files.folder import open_files
from ..files.stored import FLOATS, Files, Stored
from .configs import metadata, quantization_config
from .tensors import stored

SCHEMA = "fp8ref/quantize/1"
MODEL, CONFIG, MANIFEST = "model.safetensors", "config.json", "fp8ref-manifest.json"
KEPT = ("embed_tokens", "lm_head", "norm", "embeddings")  # parts of names that are copied as they are
DTYPES = {
    "f64": "F64", "f32": "F32", "f16": "F16", "bf16": "BF16", "e4m3fn": "F8_E4M3", "e5m2": "F8_E5M2",
    "e4m3fnuz": "F8_E4M3FNUZ", "e5m2fnuz": "F8_E5M2FNUZ", "e8m0fnu": "F8_E8M0", "u8": "U8", "i8": "I8", "bool": "BOOL",
    "i16": "I16", "u16": "U16", "i32": "I32", "u32": "U32", "i64": "I64", "u64": "U64",
}  # fmt: skip
TYPES: dict[str, Any] = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float32}


@dataclass
class Written:
    """What was made: names of quantised weights, and of tensors that were copied, each with why."""

    quantised: list[str] = field(default_factory=list)
    copied: dict[str, str] = field(default_factory=dict)


def quantize(
    source: str | Path,
    folder: str | Path,
    recipe: Recipe,
    row: Convention,
    *,
    kept: Sequence[str] = KEPT,
    force: bool = False,
    progress: Callable[[str, int, int], None] = lambda name, done, of: None,
) -> Written:
    """Write a folder with the weights of ``source`` quantised by ``recipe`` in the convention ``row``.

    Matrices of floating point are quantised, but for those with one of the texts ``kept`` in their names; all other
    tensors are copied.  Raises :class:`fp8ref.audit.files.stored.BadFile` where the source cannot be read, ValueError
    where it holds no matrix that can be quantised, FileExistsError, OSError.
    """
    files = open_files(Path(source))
    folder = Path(folder)
    found = Written()
    for t in files.tensors.values():
        why = _copied(t, kept, recipe)
        if why is None:
            found.quantised.append(t.name)
        else:
            found.copied[t.name] = why
    if not found.quantised:
        raise ValueError(f"{source}: no matrix of floating point is there to be quantised")
    tops = _tops(files, found.quantised, row) if row.whole else {}
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, tuple[str, tuple[int, ...], NDArray[np.uint8]]] = {}
    digests: dict[str, dict[str, Any]] = {}
    names = sorted(files.tensors)
    for n, name in enumerate(names):
        progress(name, n, len(names))
        t = files.tensors[name]
        if name in found.copied:
            made[name] = (t.kind, t.shape, np.ascontiguousarray(t.all()).reshape(-1).view(np.uint8))
            continue
        x = np.asarray(t.all()).astype(TYPES[t.kind])
        parts = stored(name, x, recipe, row, tops.get(name))
        digests[name] = {"from": _digest(x), "shape": list(t.shape), "tensors": {}}
        for own, (kind, array) in parts.items():
            raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            made[own] = (kind, tuple(array.shape), raw)
            digests[name]["tensors"][own] = hashlib.sha256(raw.tobytes()).hexdigest()
    ignored = sorted(n.removesuffix(".weight") for n, why in found.copied.items() if why == "kept")
    config = quantization_config(row, recipe, ignored)
    manifest = {"schema": SCHEMA, "fp8ref": __version__, "recipe": short_text(recipe), "convention": row.name,
                "shares": "largest magnitudes of fused layers" if row.whole and row.fuses else None,
                "tensors": digests, "copied": found.copied}  # fmt: skip
    with outputs.together(force) as place:
        with place.file(folder / MODEL) as file:
            stems = [name.removesuffix(".weight") for name in found.quantised]
            for piece in safetensors(made, metadata(row, recipe, stems)):
                file.write(piece)
        described = _config(files, config)
        if described is not None:
            with place.file(folder / CONFIG) as file:
                file.write((json.dumps(described, indent=2) + "\n").encode())
        with place.file(folder / MANIFEST) as file:
            file.write((json.dumps(manifest, indent=1) + "\n").encode())
    return found


def _copied(t: Stored, kept: Sequence[str], recipe: Recipe) -> str | None:
    """Why a tensor is copied; None: it is quantised."""
    if t.kind not in FLOATS:
        return t.kind
    if len(t.shape) != 2 or not t.size:
        return "no matrix"
    if any(text in t.name for text in kept):
        return "kept"
    per = {4: 2, 6: 4}.get(recipe.format.k, 1)
    if t.columns % per:
        return "an odd number of columns" if per == 2 else f"columns that are no multiple of {per}"
    return None


def _tops(files: Files, names: Sequence[str], row: Convention) -> dict[str, float]:
    """Of each weight the largest magnitude that its tensor's scale is made of: that of all layers fused with it."""
    own = {name: float(np.abs(np.asarray(files.tensors[name].all(), np.float32)).max(initial=0)) for name in names}
    if not row.fuses:
        return own
    found = dict(own)
    for name in names:
        head, _, last = name.removesuffix(".weight").rpartition(".")
        for members in FUSED:
            if last in members:
                end = ".weight" if name.endswith(".weight") else ""
                found[name] = max(own.get(f"{head}.{other}{end}", 0.0) for other in members)
    return found


def _digest(x: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()


def _config(files: Files, quantization: dict[str, Any] | None) -> dict[str, Any] | None:
    """The config of the source with what is said of the quantisation; None where there is neither."""
    path = (files.path if files.path.is_dir() else files.path.parent) / CONFIG
    found: dict[str, Any] = {}
    if path.is_file() and path.stat().st_size < 1 << 24:
        read = json.loads(path.read_text(encoding="utf-8"))
        found = read if isinstance(read, dict) else {}
    found.pop("quantization_config", None)
    if quantization is not None:
        found["quantization_config"] = quantization
    return found or None


def safetensors(
    made: dict[str, tuple[str, tuple[int, ...], NDArray[np.uint8]]], said: dict[str, str] | None = None
) -> Iterator[bytes]:
    """The file: eight bytes of length, a table padded with spaces to a multiple of eight, the tensors in its order."""
    table: dict[str, Any] = {"__metadata__": said or {"format": "pt"}}
    at = 0
    for name in sorted(made):
        kind, shape, raw = made[name]
        table[name] = {"dtype": DTYPES[kind], "shape": list(shape), "data_offsets": [at, at + raw.size]}
        at += raw.size
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    yield struct.pack("<Q", len(header)) + header
    for name in sorted(made):
        yield made[name][2].tobytes()
