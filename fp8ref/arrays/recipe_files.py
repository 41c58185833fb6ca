"""Recipes of one's own in a small file, TOML or JSON: a base by name, and the factors that differ.

::

    name = "ours"              # optional, as are source and note
    base = "vllm-group"        # or element and group
    floor = "s:1e-12"
"""

from __future__ import annotations

import difflib
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from ..spec.scaling.named import get_recipe
from ..spec.scaling.recipe import FACTORS, Recipe

LARGEST = 1 << 16  # bytes of a file
TEXTS = ("name", "source", "note", "schema")  # keys that are no factors
SCHEMA = "fp8ref/recipe/1"


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe of a file: ``base``, a name of :func:`fp8ref.recipes` or a text, and factors as keys.

    The same object as :func:`fp8ref.get_recipe` of the same factors.  Raises ValueError that says which key of which
    file is wrong and what would be right, OSError where the file cannot be read.
    """
    path = Path(path)
    data = _table(path)
    schema = data.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise ValueError(f"{path}: schema {schema!r:.60}: this version reads {SCHEMA}")
    for key, value in data.items():
        if key not in (*FACTORS, *TEXTS, "base"):
            near = difflib.get_close_matches(key, (*FACTORS, *TEXTS, "base"), n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"choose from base, {', '.join((*TEXTS, *FACTORS))}"
            raise ValueError(f"{path}: unknown key {key!r:.40}; {hint}")
        if not isinstance(value, str):
            raise ValueError(f"{path}: {key} is a text in quotes, not {value!r:.40}")
    factors = {key: value for key, value in data.items() if key in FACTORS}
    if ("base" in data) == ("element" in data):
        raise ValueError(f"{path}: say either base, a recipe's name, or element, the format of the codes")
    try:
        return get_recipe(get_recipe(data["base"] if "base" in data else factors["element"]).but(**factors))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _table(path: Path) -> dict[str, Any]:
    """The keys of a file.  Nothing is read from what is no regular file of at most :data:`LARGEST` bytes."""
    if path.suffix not in (".toml", ".json"):
        raise ValueError(f"{path}: a recipe lies in a .toml or .json file")
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{path}: it is no file of its own")
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"{path}: a recipe's file has at most {LARGEST} bytes")
    try:
        text = raw.decode("utf-8")
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text, object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is no UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path}: no {path.suffix[1:].upper()}: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: a recipe is a table of keys, not {type(found).__name__}")
    return found


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of JSON; ValueError for a key that is given twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r:.40} is given twice")
        found[key] = value
    return found
