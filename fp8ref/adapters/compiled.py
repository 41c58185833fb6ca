"""Sources that an adapter brings along, compiled once for each compiler and each set of inputs.

What was built is kept in the user's cache folder, ``$XDG_CACHE_HOME/fp8ref``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .base import Unavailable

SHARED = ("-O2", "-shared", "-fPIC")
CXX = ("g++", "c++", "clang++")
CC = ("gcc", "cc", "clang")


@dataclass(frozen=True)
class Compiler:
    """``path``, and the first line of what ``--version`` prints."""

    path: str
    version: str


def find_compiler(names: Sequence[str] = CXX, variable: str = "CXX") -> Compiler:
    """The compiler that an environment variable names, else the first of some.  Raises Unavailable without one."""
    named = os.environ.get(variable) if variable else None
    names = [named] if named else names
    for name in names:
        path = shutil.which(name)
        if path is not None:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            return Compiler(path, (done.stdout.splitlines() or [name])[0])
    raise Unavailable(f"no compiler ({', '.join(names)}) on PATH: install one, or name it in {variable}")


def build(source: Path, compiler: Compiler, flags: Sequence[str], mend: str, inputs: bytes = b"") -> Path:
    """A shared object of one source file.

    ``inputs``: whatever else decides the result, such as headers; ``mend``: what to do where it does not compile.
    Raises Unavailable where it does not, or where the cache folder cannot be written.
    """
    what = [source.read_bytes(), inputs, compiler.version.encode(), *map(str.encode, (*SHARED, *flags))]
    digest = hashlib.sha256(b"\0".join(what)).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fp8ref"
    built = folder / f"{source.stem}-{digest}.so"
    if built.exists():
        return built
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            fresh = Path(scratch) / built.name
            command = [compiler.path, *SHARED, str(source), "-o", str(fresh), *flags]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Unavailable(f"{compiler.path} cannot compile {source.name} ({_first_error(done.stderr)}): {mend}")
            os.replace(fresh, built)  # another process may have built the same in the meantime
    except OSError as error:
        raise Unavailable(f"the cache folder {folder} cannot be written ({error}): set XDG_CACHE_HOME") from error
    return built


def _first_error(text: str) -> str:
    lines = text.strip().splitlines()
    return next((line.strip() for line in lines if "error" in line), lines[0] if lines else "no message")
