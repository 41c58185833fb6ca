"""``fp8ref capture``: what is recorded is judged elsewhere as the implementation itself is here."""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import warm

from fp8ref.adapters.captures import files as captures


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return warm.fp8ref(*arguments, timeout=100)


def verdict(*arguments: object) -> list[tuple[str, int]]:
    """The verdicts of a check, and how many operations got each."""
    found = run("check", "--json", *arguments)
    end = json.loads(found.stdout)["end"]
    return list(end["verdicts"].items())


@pytest.mark.parametrize(
    ("impl", "wanted"),
    [
        ("ml_dtypes", "convert/e4m3fn/e5m2"),
        ("mini:dot-f-12", "dot/e4m3fn.e4m3fn/f32/hopper*"),
        ("numpy", "dot/e5m2.e5m2/f32/*;k=32"),
    ],
)
def test_a_capture_gets_the_verdict_of_its_implementation(tmp_path: Path, impl: str, wanted: str) -> None:
    path = tmp_path / "a.jsonl.gz"
    found = run("capture", "--impl", impl, "-o", path, wanted)
    assert found.returncode == 0, found.stderr
    here = verdict("--impl", impl, wanted)
    assert here == verdict("--impl", f"replay:{path}")
    assert here == [("fail" if impl == "mini:dot-f-12" else "allowed" if impl == "numpy" else "pass", 1)]
    header = json.loads(gzip.decompress(path.read_bytes()).splitlines()[0])
    assert header["source"]["level"] == "1"
    assert header["source"]["name"]


def test_a_folder_is_resumed_and_never_mixed(tmp_path: Path) -> None:
    arguments = ("capture", "--impl", "ml_dtypes", "-o", tmp_path / "all", "decode/e5m2/*")
    first = run(*arguments)
    assert first.returncode == 0
    assert first.stdout.count("captured ") == len(list((tmp_path / "all").iterdir())) >= 3
    before = {path: path.read_bytes() for path in (tmp_path / "all").iterdir()}
    lost = next(iter(before))
    lost.unlink()
    again = run(*arguments)
    assert again.stdout.count("captured ") == 1
    assert again.stdout.count("kept ") == len(before) - 1
    assert {path: path.read_bytes() for path in (tmp_path / "all").iterdir()} == before
    other = run(*arguments, "--seed", 1)
    assert other.returncode == 4
    assert "has another seed" in other.stderr


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert run("capture", "--impl", "ml_dtypes", "-o", path, "decode/e5m2/f16").returncode == 0
    text = path.read_text()
    path.write_text(text.replace('"d": "3C00"', '"d": "3C01"').replace('"d":"3C00"', '"d":"3C01"'))
    assert path.read_text() != text
    found = run("check", "--impl", f"replay:{path}")
    assert found.returncode == 4
    assert "sha256" in found.stderr
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(text.encode())[:-20])
    assert "damaged" in run("check", "--impl", f"replay:{packed}").stderr


SLOW = """
import pathlib, time
import numpy as np
HERE = pathlib.Path(__file__).parent
class Slow:
    def identify(self): return {"name": "slow", "version": "1", "device": "cpu"}
    def capabilities(self): return ["dot/e4m3fn.e4m3fn/f32/*;k=4096"]
    def run(self, op, a, b, c):
        with (HERE / "asked").open("a") as file: print(len(c), file=file)
        while (HERE / "asked").read_text().count("\\n") == 3 and not (HERE / "go").exists(): time.sleep(0.05)
        return (a.astype(np.uint32) * b).sum(1, np.uint32)
"""


def test_a_capture_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    arguments = ["capture", "--impl", "py:slow:Slow", "-o", "a.jsonl.gz"]
    asked, part = tmp_path / "asked", tmp_path / "part-a.blocks"
    first = warm.begin(warm.command, ["fp8ref", *arguments])
    deadline = time.monotonic() + 60
    while not (asked.exists() and asked.read_text().count("\n") == 3) and time.monotonic() < deadline:
        time.sleep(0.05)
    first.kill()  # in the third call
    first.wait()
    (tmp_path / "go").touch()
    part.write_bytes(part.read_bytes()[:-3])  # the second answer is torn
    asked.unlink()
    assert run(*arguments, "--seed", 1).returncode == 4
    assert run(*arguments).returncode == 0
    capture = captures.read(tmp_path / "a.jsonl.gz")
    again = [int(n) for n in asked.read_text().split()]
    whole = again[0]  # of a call
    assert sum(again) == capture.count - whole  # all but the first call's
    assert not part.exists()
    a, b, _ = capture.operands
    assert np.array_equal(capture.answers, (a.astype(np.uint32) * b).sum(1, np.uint32))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--impl", "ml_dtypes", "-o", "x.jsonl", "decode/e5m2/*"), 4, "name a folder"),
        (("--impl", "ml_dtypes", "-o", "x.jsonl", "dot/*"), 5, "nothing ran"),
        (("--impl", "nothing", "-o", "x.jsonl"), 4, "unknown implementation"),
        (("--impl", "py:fp8ref.adapters.cuda.device:Cuda,device=99", "-o", "x"), 6, "would not start"),
        (("--impl", "ml_dtypes"), 4, "--output"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run("capture", *arguments)
    assert found.returncode == code
    assert said in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
