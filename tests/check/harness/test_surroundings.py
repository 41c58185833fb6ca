"""Nothing around an implementation is held against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FP8REF = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]
OP = "convert/f32/e4m3fn/rne.sat"


COMMANDS = (["check", OP, "--jobs", "1"], ["check", OP, "--jobs", "2"], ["smoke"])


def closed_at_the_start(descriptors: tuple[int, ...], *command: str, folder: Path) -> int:
    def close() -> None:
        for fd in descriptors:
            os.close(fd)

    return subprocess.run([*FP8REF, *command], cwd=folder, timeout=120, check=False, preexec_fn=close).returncode


@pytest.mark.parametrize("descriptors", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_standard_streams_change_no_verdict(descriptors: tuple[int, ...], tmp_path: Path) -> None:
    """The first pipe, or file, would get their numbers, and Python has no stream there."""
    for command in COMMANDS if len(descriptors) > 1 else COMMANDS[:1]:
        assert closed_at_the_start(descriptors, *command, "--impl", "mini:prints-garbage", folder=tmp_path) == 0, (
            command
        )
    record = tmp_path / "run.jsonl"
    wrong = ["check", OP, "--impl", "mini:truncates", "--jobs", "1", "-o", str(record)]
    assert closed_at_the_start(descriptors, *wrong, folder=tmp_path) == 1
    assert '"verdict":"fail"' in record.read_text().replace(" ", "")
    assert closed_at_the_start(descriptors, "show", "e4m3fn", "38", folder=tmp_path) == 0
    assert closed_at_the_start(descriptors, "list", "nonesuch", folder=tmp_path) == 4


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
