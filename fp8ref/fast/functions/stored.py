"""Tables kept in the user's cache folder, ``$XDG_CACHE_HOME/fp8ref/tables``; what cannot be trusted is made anew.

A file holds the arrays' bytes behind a SHA-256 digest of them, of the table's name and of the specification's own
source, so that neither a torn file nor one of another version is taken for the table.  Nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import spec
from ...outputs import atomically

Arrays = Sequence[NDArray[np.generic]]


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fp8ref" / "tables"


@cache
def _specification() -> bytes:
    """The digest of the source of the specification: all that decides what is in a table."""
    found = hashlib.sha256()
    root = Path(spec.__file__).parent
    for path in sorted(root.rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.digest()


def _digest(name: str, body: bytes) -> bytes:
    return hashlib.sha256(_specification() + name.encode() + b"\0" + body).digest()


def stored(name: str, like: Arrays, make: Callable[[], Arrays]) -> Arrays:
    """The arrays of a name, of the shapes and dtypes of ``like``: read from a sound file, else made and kept."""
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
    out, at = [], 32
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
