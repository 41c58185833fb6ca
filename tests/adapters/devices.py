"""Building the devices of `fp8ref new adapter`, as they are and with a fault planted by changing their text."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fp8ref.check.compare import Options
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report

ROOT = Path(__file__).parents[2]
DEVICES = ROOT / "fp8ref" / "starters" / "adapter"
INCLUDE = ROOT / "fp8ref" / "adapters" / "programs"
GCC = ["gcc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror"]
CONVERT = "convert/f32/e4m3fn/rne.sat"


def build(name: str, folder: Path, old: str = "", new: str = "") -> Path:
    """A device, compiled where it needs to be; every ``old`` in its sources is replaced by ``new`` first."""
    texts = {path: path.read_text() for path in (DEVICES / name, DEVICES / "e4m3fn.h")}
    assert not old or any(old in text for text in texts.values())
    for path, text in texts.items():
        (folder / path.name).write_text(text.replace(old, new) if old else text)
    source, made = folder / name, folder / name.replace(".", "_")
    if name.endswith(".py"):
        return source
    if name.endswith(".rs"):
        command = [found("rustc"), "--edition", "2021", "-O", str(source), "-o", str(made)]
    else:
        found("gcc")
        shared = ["-shared", "-fPIC", f"-I{INCLUDE}"] if name == "cabi.c" else []
        made = made.with_suffix(".so") if shared else made
        command = [*GCC, *shared, str(source), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


def found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"no {tool} on PATH")
    if subprocess.run([path, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{tool} does not run here")
    return path


def judged(connectable: str, *select: str, flag: str = "", **changed: float) -> Report:
    """The report on the one operation that is claimed."""
    with Run(Request(connectable, select, options=Options(flag=flag), **changed)) as run:  # type: ignore[arg-type]
        (report,) = run.reports()
    return report


def script(folder: Path, text: str, name: str = "dut.py") -> str:
    """A Python program as a command in quotes for a connectable."""
    path = folder / name
    path.write_text(text)
    return f"{sys.executable} {path}".replace(":", "\\:").replace(",", "\\,")
