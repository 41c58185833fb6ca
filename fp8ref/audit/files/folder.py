"""A path of any kind: a file of one form, an index of shards, or a folder with a model; and the config beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...arrays.recipe_files import once
from .archives import read_npz, read_torch
from .gguf import read_gguf
from .onnx import read_onnx
from .safetensors import read_safetensors
from .stored import BadFile, Files, regular

INDEX = ".safetensors.index.json"
LONGEST = 1 << 26  # bytes of an index or a config
MOST_SHARDS = 1 << 14
READERS: dict[str, Callable[[Path, Files], object]] = {
    ".safetensors": read_safetensors,
    ".gguf": read_gguf,
    ".npz": read_npz,
    ".onnx": read_onnx,
    ".pt": read_torch,
    ".pth": read_torch,
    ".bin": read_torch,
}
# files that say how tensors were quantised, and the key under which they do (none: the whole file)
CONFIGS = (
    ("config.json", "quantization_config"),
    ("config.json", "compression_config"),
    ("hf_quant_config.json", "quantization"),
    ("quantization_config.json", ""),
    ("quantize_config.json", ""),
    ("quanto_qmap.json", "*"),
)


def open_files(path: Path) -> Files:
    """The tensors of a path, with what is declared beside them.

    Raises BadFile, one line with the place, for whatever cannot be read, and for a folder without a model.
    """
    path = Path(path)
    files = Files(path)
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise BadFile(path, f"it cannot be read: {error}") from None
    if is_folder:
        _folder(path, files)
    elif path.name.endswith(INDEX):
        _index(path, files)
    else:
        _file(path, files)
    _configs(path if is_folder else path.parent, files)
    return files


def _file(path: Path, files: Files) -> None:
    reader = READERS.get(path.suffix.lower())
    regular(path)
    if reader is None:
        raise BadFile(path, f"models are read from {', '.join(READERS)}, *{INDEX} and folders of these")
    files.form = path.suffix.lower().lstrip(".")
    files.sources.append(path)
    reader(path, files)
    if files.path == path:
        for index in sorted(path.parent.glob(f"*{INDEX}"))[:1]:
            table = read_json(index).get("weight_map")
            files.elsewhere = frozenset(table) if isinstance(table, dict) else frozenset()


def _folder(path: Path, files: Files) -> None:
    try:
        names = sorted(p.name for p in path.iterdir())
    except OSError as error:
        raise BadFile(path, f"it cannot be read: {error}") from None
    indexes = [name for name in names if name.endswith(INDEX)]
    if len(indexes) > 1:
        raise BadFile(path, f"several indexes: {', '.join(indexes[:4])}; name the one that is meant")
    if indexes:
        _index(path / indexes[0], files)
        return
    for suffix in READERS:
        found = [name for name in names if name.lower().endswith(suffix)]
        if len(found) > MOST_SHARDS:
            raise BadFile(path, f"more than {MOST_SHARDS} files")
        for name in found:
            _file(path / name, files)
        if found:
            return
    raise BadFile(path, f"no model lies here: no *{', *'.join(READERS)}")


def _index(path: Path, files: Files) -> None:
    data = read_json(path)
    table = data.get("weight_map")
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
        raise BadFile(path, "weight_map: a table of tensors and their files is missing")
    shards = sorted(set(table.values()))
    if len(shards) > MOST_SHARDS:
        raise BadFile(path, f"weight_map: more than {MOST_SHARDS} files")
    files.form = "safetensors"
    for shard in shards:
        if Path(shard).name != shard or "\\" in shard or shard in ("", ".", ".."):
            raise BadFile(path, f"weight_map: the file {shard!r:.120} does not lie beside the index")
        if not shard.endswith(".safetensors"):
            raise BadFile(path, f"weight_map: {shard!r:.120} is no safetensors file")
        files.sources.append(path.parent / shard)
        for name in read_safetensors(path.parent / shard, files, shard):
            if table.get(name) != shard:
                files.notes.append(("leftover", f"{shard} has it, and the index does not", name))
    for name, shard in table.items():
        if name not in files.tensors:
            raise BadFile(path, f"weight_map: tensor {name!r:.120} is not in {shard}")


def read_json(path: Path) -> dict[str, Any]:
    """A table of a JSON file of a bounded size.  Raises BadFile."""
    size = regular(path)
    if size > LONGEST:
        raise BadFile(path, f"{size} bytes of JSON; at most {LONGEST} are read")
    try:
        found = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise BadFile(path, f"byte {error.start} is no UTF-8") from None
    except RecursionError:
        raise BadFile(path, "it is nested too deeply") from None
    except (ValueError, OSError) as error:
        raise BadFile(path, f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadFile(path, f"a table is expected, not {type(found).__name__}")
    return found


def _configs(folder: Path, files: Files) -> None:
    for name, key in CONFIGS:
        path = folder / name
        if not os.path.isfile(path):
            continue
        data = read_json(path)
        found = data.get(key) if key not in ("", "*") else data
        if isinstance(found, dict) and found:
            if key == "*":
                found = {"quant_method": "quanto", "map": found}
            if name == "hf_quant_config.json":
                found = {"quant_method": "modelopt", **found, "producer": data.get("producer")}
            files.config = {**found, **files.config}
            files.told = files.told or name
    if (folder / "recipe.yaml").is_file():
        files.config.setdefault("recipe.yaml", True)
