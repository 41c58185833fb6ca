"""The commands: pipes through a converter in C, exits, writing whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from short import some
from vectors.running import COMMAND, ROOT, fp8ref, pipe

Fd = pytest.CaptureFixture[bytes]
CC = shutil.which("cc")
STREAM = [*COMMAND, "vectors", "generate", "f32_to_e4m3fn", "--as", "testfloat"]
VERIFY = [*COMMAND, "vectors", "verify", "-", "--op", "f32_to_e4m3fn"]


def compiled(directory: Path, *options: str) -> str:
    if CC is None:
        pytest.skip("there is no C compiler")
    program = directory / f"dut{''.join(options)}"
    source = ROOT / "tools" / "vectors" / "dut.c"
    subprocess.run(
        [CC, "-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", *options, "-o", str(program), str(source)], check=True
    )
    return str(program)


def test_a_converter_in_c_conforms_through_pipes(tmp_path: Path) -> None:
    codes, out, _ = pipe([*STREAM, "-n", "20000", "--seed", "5"], [compiled(tmp_path)], VERIFY)
    assert codes == [0, 0, 0]
    assert b"conforms: 20000 cases of 1 operation" in out


def test_its_planted_bug_is_found(tmp_path: Path) -> None:
    codes, out, _ = pipe(STREAM, [compiled(tmp_path, "-DBUG")], VERIFY)
    assert codes == [0, 0, 1]
    assert b"does not conform" in out
    place, field, *_ = out.decode().splitlines()[0].split(": ")
    assert place.startswith("-:")
    assert field.startswith("result is ")


def test_forever_ends_with_the_reader(tmp_path: Path) -> None:
    codes, out, said = pipe([*STREAM, "--forever"], ["head", "-40000"], [compiled(tmp_path)], VERIFY)
    assert codes[2:] == [0, 0]
    assert b"conforms: 39999 cases" in out  # head took the header, too
    assert "Traceback" not in said


def test_nothing_checked_is_no_pass() -> None:
    codes, out, said = pipe(VERIFY)
    assert codes == [5]
    assert b"conforms" not in out
    assert "nothing was verified" in said
    assert pipe([*COMMAND, "vectors", "verify", "-"])[0] == [5]


def test_a_stream_of_json_lines_is_verified() -> None:
    codes, out, _ = pipe([*COMMAND, "vectors", "generate", "e4m3fn_add", "-n", "3000"], [*VERIFY[:-2]])
    assert codes == [0, 0]
    assert b"3000" in out


def test_lines_come_as_they_are_made() -> None:
    """The verifier sees the first answers while the generator goes on for ever."""
    child = subprocess.Popen([*STREAM, "--forever"], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline().startswith(b"@ f32_to_e4m3fn rm=RNE")
    assert len([child.stdout.readline() for _ in range(1000)][-1]) == 15
    child.stdout.close()
    assert child.wait(timeout=30) == 2


def test_a_file_is_not_replaced_without_force(tmp_path: Path, capfdbinary: Fd) -> None:
    path = tmp_path / "a.jsonl"
    assert fp8ref(capfdbinary, "vectors", "generate", "e4m3fn_add", "-n", 10, "-o", path)[0] == 0
    before = path.read_bytes()
    code, _, said = fp8ref(capfdbinary, "vectors", "generate", "e4m3fn_add", "-n", 20, "-o", path)
    assert code == 4
    assert said == f"Error: {path} exists; --force replaces it\n"
    assert path.read_bytes() == before
    assert fp8ref(capfdbinary, "vectors", "generate", "e4m3fn_add", "-n", 20, "-o", path, "--force")[0] == 0
    assert json.loads(path.read_bytes().splitlines()[0])["count"] == 20


@pytest.mark.parametrize("name", some(["a.jsonl", "a.jsonl.gz", "a.fpv"], ["a.jsonl.gz"]))
def test_killed_while_writing_it_leaves_the_old_file_or_none(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for old in (None, b"old\n"):
        if old is not None:
            path.write_bytes(old)
        command = [*COMMAND, "vectors", "generate", "f32_to_e4m3fn", "-n", "50000000", "-o", str(path), "--force"]
        child = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + 30
        while not [p for p in tmp_path.iterdir() if p.name.endswith(".part")] and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert (path.read_bytes() if path.exists() else None) == old
        for part in tmp_path.glob(".*.part"):
            part.unlink()


@pytest.mark.parametrize(
    "args",
    [
        ["generate", "nonsense"],
        ["generate", "convert/f32/e4m3fn/*"],
        ["generate", "matmul/e4m3fn.e4m3fn/f32/exact"],
        ["generate", "f32_to_e4m3fn", "--as", "jsnol"],
        ["generate", "f32_to_e4m3fn", "--rounding", "up"],
        ["generate", "f32_to_e4m3fn", "--profile", "nobody"],
        ["generate", "f32_to_e4m3fn", "--forever", "-o", "x.jsonl"],
        ["generate", "f32_to_e4m3fn", "-o", "/nonexistent/x.jsonl"],
        ["generate", "dot/e4m3fn.e4m3fn/f32/exact", "--select", "every"],
        ["verify", "/nonexistent"],
        ["verify", "-", "--rounding", "rtz"],
        ["list", "/nonexistent"],
        ["export", "/nonexistent", "--as", "jsonl"],
    ],
    ids=lambda args: " ".join(args)[:40],
)
def test_wrong_usage_takes_one_line(args: list[str], capfdbinary: Fd) -> None:
    code, out, said = fp8ref(capfdbinary, "vectors", *args)
    assert (code, out) == (4, b"")
    assert said.count("\n") == 1 or "Usage" in said
    assert "Traceback" not in said


def test_options_replace_parts_of_the_mode(capfdbinary: Fd) -> None:
    def operation(*options: str) -> str:
        _, out, _ = fp8ref(capfdbinary, "vectors", "generate", "f32_to_e4m3fn", "-n", 1, *options)
        return str(json.loads(out.splitlines()[0])["operation"])

    assert operation("--rounding", "rtp", "--overflow", "nonsat") == "convert/f32/e4m3fn/rtp.nonsat;flags=1"
    assert operation("--tininess", "before") == "convert/f32/e4m3fn/rne.sat;flags=1;tininess=before"
    assert operation("--profile", "ocp-nonsat") == "convert/f32/e4m3fn/rne.nonsat;flags=1"


def test_forms_of_a_file_agree(tmp_path: Path, capfdbinary: Fd) -> None:
    a, b, c = tmp_path / "a.jsonl.gz", tmp_path / "b.fpv", tmp_path / "c.jsonl.gz"
    fp8ref(capfdbinary, "vectors", "generate", "f16_mulAdd", "dot/e5m2.e5m2/f32/exact;k=4", "-n", 300, "-o", a)
    assert fp8ref(capfdbinary, "vectors", "export", a, "--as", "testfloat", "-o", b)[0] == 0
    assert fp8ref(capfdbinary, "vectors", "export", b, "--as", "jsonl", "-o", c)[0] == 0
    for path in (a, b, c):
        code, out, _ = fp8ref(capfdbinary, "vectors", "verify", path)
        assert (code, out.decode().splitlines()[-1]) == (0, "conforms: 600 cases of 2 operations")
    code, out, _ = fp8ref(capfdbinary, "vectors", "list", c)
    assert out.count(b" 300  ") == 2


def test_the_coverage_table(capfdbinary: Fd) -> None:
    code, out, _ = fp8ref(capfdbinary, "vectors", "generate", "f16_to_e5m2", "--bins")
    lines = out.decode().splitlines()
    assert code == 0
    assert "  minsub=+1/2                         1  these are all, of 65536 cases" in lines
    assert "  to=+inf                             0  overflow and infinities saturate" in lines
    assert lines[-1] == "78 of 85 bins hit by 65536 cases; 7 have none, each with its reason"


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak of memory is read from /proc")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Cases by the hundred thousand through generate and verify, each within 300 MiB."""
    # VmHWM, not ru_maxrss: that outlives exec and tells of the process that started this one
    script = (
        "import re, sys; from fp8ref.cli.main import run\n"
        "try: run()\n"
        "finally: print('kB', re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )
    measured = [COMMAND[0], "-c", script]
    codes, _, said = pipe([*measured, *STREAM[3:], "-n", "600000"], [*measured, *VERIFY[3:]])
    assert codes == [0, 0]
    peaks = [int(kb) / 1024 for kb in re.findall(r"kB (\d+)", said)]
    assert len(peaks) == 2
    assert max(peaks) < 300
