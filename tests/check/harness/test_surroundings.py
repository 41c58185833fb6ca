"""Nothing around an implementation is held against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FP8REF = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]
OP = "convert/f32/e4m3fn/rne.sat"


@pytest.mark.parametrize("command", [["check", OP, "--jobs", "1"], ["smoke"]])
def test_a_closed_standard_input_is_no_crash(command: list[str], tmp_path: Path) -> None:
    """The first pipe would get its number."""
    done = subprocess.run(
        [*FP8REF, *command, "--impl", "mini:prints-garbage"],
        cwd=tmp_path, timeout=120, check=False, preexec_fn=lambda: os.close(0),
    )  # fmt: skip
    assert done.returncode == 0


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
