"""What runs without POSIX: arrays, show, explain, vectors and judge in one process; and what says that it needs it."""

import subprocess
import sys
from pathlib import Path

import pytest
import warm

from fp8ref.check.harness import transport

ALL_CASES = True  # see tests/conftest.py

WITHOUT_POSIX = """
import sys
POSIX = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in POSIX:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
for name in POSIX & set(sys.modules):
    del sys.modules[name]

import ml_dtypes, numpy as np, fp8ref
assert fp8ref.encode(np.float32([3.3]), "e4m3fn").tolist() == [0x45]
assert "465" in str(fp8ref.explain("convert/f32/e4m3fn/rne.sat#43E88000"))
judged = fp8ref.judge(lambda x: x.astype(ml_dtypes.float8_e4m3fn), "convert/f16/e4m3fn/rne.nonsat;nan=keep-sign")
assert judged.verdict == "conforms", judged

from click.testing import CliRunner
from fp8ref.cli.main import COMMANDS, main
for name in COMMANDS:
    main.get_command(None, name)
runner = CliRunner()
for words in (["show", "e4m3fn", "0x7E"], ["explain", "convert/f32/e4m3fn/rne.sat#43E88000"], ["list", "formats"],
              ["vectors", "generate", "convert/f16/e4m3fn/rne.sat", "-n", "9", "-o", "x.jsonl"]):
    done = runner.invoke(main, words)
    assert done.exit_code == 0, (words, done.output, done.exception)
"""


def test_arrays_show_explain_vectors_and_judge_need_no_posix(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    code = f"import sys; sys.path.insert(0, {str(root)!r})\n{WITHOUT_POSIX}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr


def test_child_processes_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "POSIX", False)
    done = warm.fp8ref("check", "--impl", "mini:correct", "convert/f16/e4m3fn/rne.sat", "--jobs", "1")
    assert done.returncode == 6
    assert "need POSIX: Linux or macOS, on Windows WSL" in done.stderr
    assert "fp8ref.judge(function, operation)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
