"""The way of ``exec:`` through the command line: what is typed wrongly, exit codes, and that nothing survives."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
import warm
from adapters.devices import script

from fp8ref.adapters import Unavailable
from fp8ref.adapters.connect import connect
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.transport import Session, TimedOut

CODES = np.array([0x00, 0x3C, 0xC0, 0x7B], np.uint8)


@pytest.mark.parametrize(
    ("connectable", "said"),
    [
        ("exec", "a program is missing"),
        ("exec:./dut,level=0", "level 0 needs op=OPERATION"),
        ("exec:./dut,keep=1", "level 0 needs op=OPERATION"),
        ("exec:./dut,level=7", "level is 0, 1, 2, not '7'"),
        ("exec:./dut,keep=yes,op=e5m2_add", "keep is 0 or 1, not 'yes'"),
        ("exec:./dut,start=never", "start is a number of seconds"),
        ("exec:./dut,start=nan", "start is a number of seconds"),
        ("exec:./dut,level=2,op=e5m2_add", "op= is for level 0"),
        ("exec:./dut,op=e5m2_ad", "unknown family"),
        ("exec:./dut,op=matmul/e4m3fn.e4m3fn/f32/exact", "a device is asked single cases"),
        ("exec:./dut,op=convert/q*/f32", "no operation matches"),
        ("exec:'./dut,op=e5m2_add", "No closing quotation"),
        ("exec:./dut,colour=red,op=e5m2_add", "unexpected keyword argument 'colour'"),
    ],
)
def test_a_connectable_that_is_wrong_is_refused(connectable: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        connect(connectable)
    assert "\n" not in str(error.value)


def test_exit_codes(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    (tmp_path / "hangs").write_text("echo still waiting >&2; sleep 60")
    for path, why in (("/nonexistent/dut", "is not there"), (plain, "is not executable")):
        with pytest.raises(Unavailable, match=f"{path} {why}"):
            connect(f"exec:{path},op=e5m2_add")
    for connectable, code, said in (
        ("exec:./dut,level=0", 4, "level 0 needs op="),
        (f"exec:sh {tmp_path / 'hangs'},op=e5m2_sqrt", 6, "no answer within 0.3 s"),
    ):
        done = warm.fp8ref("check", "--impl", connectable, "--timeout", "0.3")
        assert done.returncode == code, (connectable, done)
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        if code == 4:
            assert len(done.stderr.strip().splitlines()) == 1


def test_nothing_of_a_program_survives_a_timeout(tmp_path: Path) -> None:
    """Neither the program, nor what it forked, in whatever process group."""
    body = f"""
import os, time
if not os.fork(): os.setpgid(0, 0)
open(os.path.join({str(tmp_path)!r}, str(os.getpid())), "w").close()
while True: time.sleep(0.1)
"""
    with (
        Session(f"exec:{script(tmp_path, body)},op=e5m2_sqrt", timeout=0.3) as session,
        pytest.raises(TimedOut),
    ):
        session.ask(Operation.parse("e5m2_sqrt"), [([CODES], "plain")])
    pids = [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]
    assert len(pids) >= 2  # of each try
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
