"""Nothing around an implementation is held against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fp8ref.report.runs import record

FP8REF = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]
OP = "convert/f32/e4m3fn/rne.sat"


RIGHT, WRONG = ("check", OP, "--impl", "mini:prints-garbage"), ("check", OP, "--impl", "mini:truncates")
ENDS = {
    ((0,), (*RIGHT, "--jobs", "1")): 0,
    ((0,), ("smoke", "--impl", "mini:prints-garbage")): 0,
    ((1,), ("show", "e4m3fn", "38")): 0,
    ((2,), ("list", "nonesuch")): 4,
    ((2,), (*WRONG, "--jobs", "1", "-o", "run.jsonl")): 1,
    ((0, 1, 2), (*RIGHT, "--jobs", "2", "-o", "run.jsonl")): 0,
}


def closed_at_the_start(descriptors: tuple[int, ...], *command: str, folder: Path) -> int:
    def close() -> None:
        for fd in descriptors:
            os.close(fd)

    return subprocess.run([*FP8REF, *command], cwd=folder, timeout=120, check=False, preexec_fn=close).returncode


@pytest.mark.parametrize(("descriptors", "command"), ENDS)
def test_closed_standard_streams_change_no_verdict(
    descriptors: tuple[int, ...], command: tuple[str, ...], tmp_path: Path
) -> None:
    """The first pipe, or file, would get their numbers, and Python has no stream there."""
    assert closed_at_the_start(descriptors, *command, folder=tmp_path) == ENDS[descriptors, command]
    if "-o" in command:
        found = record.read(tmp_path / "run.jsonl")
        assert [o["verdict"] for o in found["operations"]] == ["fail" if command[:4] == WRONG else "pass"]


EXCLUSIVE = """
import numpy as np, os
import fp8ref
HELD = {held!r}
class Kernel:
    def __init__(self):
        from fp8ref.adapters.base import Unavailable
        try: os.mkdir(HELD)
        except FileExistsError: raise Unavailable("the device is in use")
    def identify(self): return {{"name": "kernel", "version": "1", "device": "one"}}
    def capabilities(self): return ["convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.sat", "decode/e5m2/f32"]
    def run(self, op, x): return fp8ref.encode(x.view(np.float32), op.result)
"""


def test_an_exclusive_device_hints_at_one_process(tmp_path: Path) -> None:
    (tmp_path / "exclusive.py").write_text(EXCLUSIVE.format(held=str(tmp_path / "held")))
    done = subprocess.run(
        [*FP8REF, "check", "convert/*", "--impl", "py:exclusive:Kernel", "--jobs", "3"],
        cwd=tmp_path, timeout=120, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "the device is in use" in done.stderr
    assert "--jobs 1" in done.stderr
