"""Tables that come with the package, and those kept in the user's cache folder, ``$XDG_CACHE_HOME/fp8ref/tables``.

A file of the cache holds the arrays' bytes behind a SHA-256 digest of them, of the table's name and of the source of
what decides them in the specification, so that neither a torn file nor one of another version is taken for the table.
The file of the package (``tools/functions/tables.py`` writes it) begins with such a digest, too.  What cannot be
trusted is made anew.  Nothing is executed.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import spec
from ...outputs import atomically

Arrays = Sequence[NDArray[np.generic]]
SHIPPED = Path(__file__).with_name("tables.xz")


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fp8ref" / "tables"


def deciding() -> list[Path]:
    """The files that decide what is in a table: numbers, formats and functions of the specification."""
    root = Path(spec.__file__).parent
    return sorted([*root.glob("*.py"), *root.glob("functions/*.py"), root / "operations" / "definition.py"])


@cache
def _specification() -> bytes:
    """The digest of their source."""
    found = hashlib.sha256()
    root = Path(spec.__file__).parent
    for path in deciding():
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.digest()


def _digest(name: str, body: bytes) -> bytes:
    return hashlib.sha256(_specification() + name.encode() + b"\0" + body).digest()


def pack(tables: Mapping[str, Arrays]) -> bytes:
    """The file of the package: digest, and compressed an index (a line of JSON) and the bytes of all arrays."""
    bodies = {name: b"".join(np.ascontiguousarray(a).tobytes() for a in arrays) for name, arrays in tables.items()}
    index = json.dumps({name: len(body) for name, body in bodies.items()}).encode() + b"\n"
    packed = lzma.compress(index + b"".join(bodies.values()), preset=9)
    return _digest("package", packed) + packed


@cache
def _shipped() -> Mapping[str, bytes]:
    """The tables that come with the package; none where the file is of another specification, or damaged."""
    try:
        data = SHIPPED.read_bytes()
    except OSError:
        return {}
    if data[:32] != _digest("package", data[32:]):
        return {}
    index, _, body = lzma.decompress(data[32:]).partition(b"\n")
    found, at = {}, 0
    for name, size in json.loads(index).items():
        found[name] = body[at : at + size]
        at += size
    return found


def stored(name: str, like: Arrays, make: Callable[[], Arrays]) -> Arrays:
    """The arrays of a name, of the shapes and dtypes of ``like``: read from a sound file, else made and kept."""
    body = _shipped().get(name)
    if body is not None and len(body) == sum(a.nbytes for a in like):
        return _arrays(body, 0, like)
    path = folder() / f"{hashlib.sha256(_specification() + name.encode()).hexdigest()}.bin"
    found = _read(path, name, like)
    if found is not None:
        return found
    made = make()
    _keep(path, name, b"".join(np.ascontiguousarray(a).tobytes() for a in made))
    return made


def _read(path: Path, name: str, like: Arrays) -> Arrays | None:
    size = 32 + sum(a.nbytes for a in like)
    try:
        if path.stat().st_size != size:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) != size or data[:32] != _digest(name, data[32:]):
        return None
    return _arrays(data, 32, like)


def _arrays(data: bytes, at: int, like: Arrays) -> Arrays:
    out = []
    for a in like:
        out.append(np.frombuffer(data, a.dtype, a.size, at).reshape(a.shape))
        at += a.nbytes
    return out


def _keep(path: Path, name: str, body: bytes) -> None:
    """Written beside and moved into place; a folder that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomically(path, force=True, durable=False) as file:
            file.write(_digest(name, body) + body)
    except OSError:
        return
