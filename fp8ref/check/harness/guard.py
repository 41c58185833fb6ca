"""Ends an implementation's processes when the process that started them is gone, however it went.

This file runs as a program of its own, beside each session: the one who must act when a process was killed by SIGKILL
cannot be that process, nor one that hangs in C.  It needs nothing but the standard library, and starts in 10 ms.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

POLL = 0.5  # seconds; the end of the pipe shows sooner, unless a fork of the parent holds its other end open


class Guard:
    """A guard of one child at a time, for as long as this process lives."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    def watch(self, leader: int) -> None:
        """Guard the session that a process leads; 0: none any more."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"%d\n" % leader)

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()


def open_standard_streams() -> None:
    """Where standard input, output or error is closed, open the null device there.

    A file or pipe would get that number else, and be lost when the child's own streams are put in place; and Python has
    no ``sys.stdout`` where it was closed at the start.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # Python leaves it out where its number was closed
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", encoding="utf-8", closefd=False))


def end_session(leader: int) -> None:
    """Kill a process and everything of its session: also programs that it started in process groups of their own."""
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(10):  # again, because they may start others meanwhile
        found = [pid for pid in processes() if session_of(pid) == leader]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def processes() -> list[int]:
    """Every process here; none on systems without /proc."""
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return []


def session_of(pid: int) -> int | None:
    """The session of a process that is alive; None for a dead one."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
        return int(session) if state not in (b"Z", b"X") else None
    return None


def main() -> None:
    """``guard.py PARENT``: reads leaders of sessions, one a line; ends the last one's when PARENT is gone."""
    parent, received = int(sys.argv[1]), b""
    while os.getppid() == parent:
        if select.select([0], [], [], POLL)[0]:
            data = os.read(0, 4096)
            if not data:
                break
            received = (received + data)[-64:]
    lines = received.split(b"\n")[:-1]
    leader = int(lines[-1]) if lines else 0
    if leader:
        end_session(leader)


if __name__ == "__main__":
    main()
