"""The command line in this process, and through pipes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fp8ref.cli import main

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]


def fp8ref(capfdbinary: pytest.CaptureFixture[bytes], *args: object) -> tuple[int, bytes, str]:
    """Exit code, standard output, standard error."""
    before = sys.argv
    sys.argv = ["fp8ref", *map(str, args)]
    try:
        main.run()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = before
    sys.stdout.flush()
    out, err = capfdbinary.readouterr()
    return code, out, err.decode()


def pipe(*commands: list[str], given: bytes = b"", timeout: float = 60) -> tuple[list[int], bytes, str]:
    """Exit codes of a pipeline, what its last command wrote, and what all said on stderr."""
    running: list[subprocess.Popen[bytes]] = []
    for i, command in enumerate(commands):
        source = running[-1].stdout if running else subprocess.PIPE
        running.append(
            subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        )
        if i:
            running[-2].stdout.close()  # type: ignore[union-attr]
            running[-2].stdout = None
    first = running[0]
    if first is not running[-1]:
        assert first.stdin is not None
        first.stdin.write(given)
        first.stdin.close()
        first.stdin = None
        given_last = None
    else:
        given_last = given
    out, err = running[-1].communicate(given_last, timeout=timeout)
    said = err.decode()
    for process in running[:-1]:
        process.wait(timeout=timeout)
        assert process.stderr is not None
        said += process.stderr.read().decode()
        process.stderr.close()
    return [process.returncode for process in running], out, said
