"""Checkpoints made by producers that nobody here wrote, on a CPU: what `fp8ref audit` is tried on.

``python tools/producers/produce.py [-o DIR] [NAME...]`` makes the original (``model.py``) in ``DIR/original`` and from
it, with each producer of ``producers.toml`` in an environment of its own, ``DIR/PRODUCER-SCHEME`` (of the plain
weights) and ``DIR/PRODUCER-SCHEME-edges``.  What is there already is kept (``--again`` makes it anew); what will not
install or run is reported, and the others go on.  With the extra ``minilm`` installed, ``--minilm`` makes a third kind
from the matrices of its checkpoint.

A producer that is installed somewhere already: ``--python NAME=PATH`` (or ``--python PATH`` for all).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path.home() / ".cache" / "fp8ref" / "producers"
INSTALL_LIMIT, MAKE_LIMIT = 3600, 600  # seconds


class Failed(Exception):
    """A producer could not be installed or run; the message says why, in one line."""


@dataclass(frozen=True)
class Producer:
    """One row: see ``producers.toml``."""

    name: str
    requires: tuple[str, ...]
    schemes: dict[str, str]


def producers(path: Path = HERE / "producers.toml") -> list[Producer]:
    """The rows of a file."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["producer"]
    return [Producer(row["name"], tuple(row["requires"]), dict(row["schemes"])) for row in rows]


def environment(one: Producer) -> Path:
    """The Python of an environment with what a producer requires; made where it is not there.  Raises Failed."""
    digest = hashlib.sha256("\n".join((sys.version, *one.requires)).encode()).hexdigest()[:12]
    folder = CACHE / digest
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        python = str(folder / "bin" / "python")
        if shutil.which("uv"):
            _run(["uv", "venv", "-q", str(folder)], INSTALL_LIMIT)
            _run(["uv", "pip", "install", "-q", "--python", python, *one.requires], INSTALL_LIMIT)
        else:
            _run([sys.executable, "-m", "venv", str(folder)], INSTALL_LIMIT)
            _run([python, "-m", "pip", "install", "-q", *one.requires], INSTALL_LIMIT)
        (folder / "complete").touch()
    return folder / "bin" / "python"


def make(python: Path, one: Producer, scheme: str, original: Path, out: Path) -> None:
    """One checkpoint.  What was half made is removed.  Raises Failed."""
    shutil.rmtree(out, ignore_errors=True)
    try:
        _run([str(python), str(HERE / "makers.py"), one.name, scheme, str(original), str(out)], MAKE_LIMIT)
    except Failed:
        shutil.rmtree(out, ignore_errors=True)
        raise


def _run(command: Sequence[str], limit: float) -> None:
    """A command, with no GPU and no network in sight; the last line of what it said where it fails."""
    env = dict(os.environ, CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=limit, env=env)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {limit:g} seconds") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Failed(f"exit {done.returncode}: {lines[-1].strip() if lines else 'it said nothing'}"[:300])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="producers; all of them by default")
    parser.add_argument("-o", "--output", type=Path, default=Path("produced"))
    parser.add_argument("--again", action="store_true", help="make what is there, too")
    parser.add_argument("--minilm", action="store_true", help="from MiniLM's weights, too (the extra of that name)")
    parser.add_argument("--python", action="append", default=[], metavar="[NAME=]PATH", help="an environment to use")
    options = parser.parse_args(arguments)
    rows = producers()
    unknown = set(options.names) - {one.name for one in rows}
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(one.name for one in rows)}")
    given = dict(text.rpartition("=")[::2] for text in options.python)
    kinds = ["plain", "edges", *(["minilm"] if options.minilm else [])]
    missing = 0
    for one in rows:
        if options.names and one.name not in options.names:
            continue
        try:
            python = Path(given.get(one.name) or given.get("") or environment(one))
            originals(python, options.output / "original", kinds)
        except Failed as error:
            print(f"{one.name}: not installed: {error}")
            missing += 1
            continue
        for name, scheme in one.schemes.items():
            for kind in kinds:
                out = options.output / (f"{one.name}-{name}" + ("" if kind == "plain" else f"-{kind}"))
                if out.exists() and not options.again:
                    continue
                try:
                    make(python, one, scheme, options.output / "original" / kind, out)
                    print(f"{out.name}: made")
                except Failed as error:
                    print(f"{out.name}: not made: {error}")
                    missing += 1
    return 1 if missing else 0


def originals(python: Path, folder: Path, kinds: Sequence[str]) -> None:
    """The checkpoints to quantise, made once, with the torch of any producer."""
    if not all((folder / kind / "model.safetensors").exists() for kind in kinds):
        _run([str(python), str(HERE / "model.py"), str(folder), *kinds], MAKE_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
