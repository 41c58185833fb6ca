"""Ask every implementation of ``implementations.toml``, each in an environment of its own, and keep the records.

``python tools/matrix/ask.py [-o DIR] [NAME...]`` writes one run record an implementation into DIR and, from all that
are there, ``matrix.html``.  An implementation whose record is there already is not asked again (``--again`` does); one
that will not install or start is a row of the matrix with its reason.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
CACHE = Path.home() / ".cache" / "fp8ref" / "matrix"
INSTALL_LIMIT = 1800  # seconds
JUDGED = (0, 1)  # exit codes of `fp8ref check` that leave a verdict


class Failed(Exception):
    """An implementation could not be asked; the message says why, in one line."""


@dataclass(frozen=True)
class Implementation:
    """One row: see ``implementations.toml``."""

    impl: str
    requires: tuple[str, ...]
    timeout: float = 10.0
    alone: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name of its record."""
        return re.sub(r"[^a-z0-9]+", "-", self.impl.lower()).strip("-")


def implementations(path: Path = HERE / "implementations.toml") -> list[Implementation]:
    """The rows of a file.  Raises ValueError for an unknown key."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["implementation"]
    try:
        return [
            Implementation(**{**row, "requires": tuple(row["requires"]), "alone": tuple(row.get("alone", ()))})
            for row in rows
        ]
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from None


def folder_of(one: Implementation) -> Path:
    """Where the environment of an implementation lies."""
    return CACHE / hashlib.sha256("\n".join((sys.version, *one.requires, *one.alone)).encode()).hexdigest()[:12]


def environment(one: Implementation) -> Path:
    """The Python of an environment with fp8ref and what an implementation requires; made where it is not there."""
    command = one.needs.get("command", "")
    if command and shutil.which(command) is None:
        raise Failed(f"no {command} on PATH: apt-get install {one.needs['package']}")
    folder = folder_of(one)
    python = folder / "bin" / "python"
    uv = shutil.which("uv")
    if not (folder / "complete").exists() or not (uv or (folder / "bin" / "pip").exists()):
        # one that uv made has no pip, and is made anew where uv is not on PATH
        shutil.rmtree(folder, ignore_errors=True)
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)] if uv else
             [sys.executable, "-m", "venv", str(folder)])  # fmt: skip
        _install(python, *one.requires, f"fp8ref @ {fp8ref_wheel().as_uri()}")
        if one.alone:
            _install(python, "--no-deps", *one.alone)
        (folder / "complete").touch()
    _install(python, "--upgrade", "--force-reinstall", "--no-deps", str(fp8ref_wheel()))
    return python


def cases_of(one: Implementation, kept: Path = REPOSITORY / "docs" / "data" / "matrix") -> int:
    """How many cases it was asked last time, 0 for a new one: the cheap ones go first."""
    path = kept / f"{one.stem}.jsonl.gz"
    if not path.exists():
        return 0
    end = gzip.decompress(path.read_bytes()).rstrip().rpartition(b"\n")[2]
    return int(json.loads(end)["cases"])


def _install(python: Path, *what: str) -> None:
    """By uv where it is on PATH, which links what it has once unpacked, else by pip."""
    if uv := shutil.which("uv"):
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *what])
    else:
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what])


@functools.cache
def fp8ref_wheel() -> Path:
    """This fp8ref as a wheel, made once a command."""
    folder = CACHE / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    uv = shutil.which("uv")
    _run([*([uv, "build", "--quiet", "--wheel", "-o", str(folder)] if uv else pip), str(REPOSITORY)])
    return next(folder.glob("*.whl"))


def ask(one: Implementation, level: int, record: Path, patience: float = 1) -> str:
    """Judge one implementation; the last line that ``fp8ref check`` prints.  Raises Failed without a verdict."""
    python = environment(one)
    command = [str(python.parent / "fp8ref"), "check", "--impl", one.impl, "--level", str(level)]
    command += ["--timeout", f"{300 * patience:g}", "--force", "-o", str(record)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 * patience * one.timeout, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"not done within {patience * one.timeout:g} minutes") from None
    said = (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()[-1]
    if done.returncode not in JUDGED and not record.exists():
        raise Failed(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else said)
    return said


def not_asked(one: Implementation, level: int, reason: str) -> str:
    """The record of an implementation that could not be asked."""
    header = {
        "kind": "run", "schema": "fp8ref/run/1", "impl": one.impl, "level": level, "seed": 0, "nan": "class",
        "flag": "", "fp8ref": "", "operations": [],
        "implementation": {"name": one.impl, "version": ", ".join(one.requires)},
    }  # fmt: skip
    end = {
        "kind": "end", "finished": False, "reason": reason, "verdicts": {}, "cases": 0, "failed": 0, "allowed": {}
    }  # fmt: skip
    return "".join(json.dumps(line, sort_keys=True) + "\n" for line in (header, end))


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command[2:5])} took more than {INSTALL_LIMIT // 60} minutes") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise Failed((lines or ["it failed without a word"])[-1].removeprefix("ERROR: ")[:300])


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these, as implementations.toml has them")
    parser.add_argument("-o", "--output", type=Path, default=Path("matrix"), help="the folder of records")
    parser.add_argument("--level", type=int, choices=(1, 2), default=1)
    parser.add_argument("--no-page", action="store_true", help="make no page of the records")
    parser.add_argument("--patience", type=float, default=1, help="a factor of all time limits, for a busy machine")
    parser.add_argument("--again", action="store_true", help="ask those again whose record is there")
    options = parser.parse_args()
    everyone = implementations()
    chosen = [one for one in everyone if not options.names or one.impl in options.names or one.stem in options.names]
    if unknown := set(options.names) - {n for one in everyone for n in (one.impl, one.stem)}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(one.impl for one in everyone)}")
    chosen.sort(key=cases_of)
    options.output.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True, highlight=False)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bar:
        for one in chosen:
            record = options.output / f"{one.stem}.jsonl"
            if record.exists() and not options.again:
                console.print(f"{one.impl}: kept, {record}")
                continue
            task = bar.add_task(one.impl)
            started = time.monotonic()
            try:
                said = ask(one, options.level, record, options.patience)
            except Failed as error:
                record.write_text(not_asked(one, options.level, str(error)), encoding="utf-8")
                said = f"not asked: {error}"
            console.print(f"{time.strftime('%H:%M:%S')} {one.impl}, {time.monotonic() - started:.0f} s: {said}")
            bar.remove_task(task)
    if options.no_page:
        return 0
    page = options.output / "matrix.html"
    records = [str(path) for path in sorted(options.output.glob("*.jsonl"))]
    report = [sys.executable, "-m", "fp8ref", "report", *records, "--as", "html", "-o", str(page), "--force"]
    return subprocess.run(report, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
