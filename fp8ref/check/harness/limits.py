"""What an implementation under test may use: seconds for a question, memory, output."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from .guard import processes, session_of

POSIX = os.name == "posix"  # where implementations run in processes that are watched
MEMORY = "FP8REF_MEMORY"  # GiB; replaces the default
GIB, MIB = 1 << 30, 1 << 20
IDLE = 20  # times as long as a look at every process took, until the next


def default_memory() -> int:
    """Bytes: what the environment variable ``FP8REF_MEMORY`` says in GiB, else 3/4 of what is installed."""
    with contextlib.suppress(ValueError, OverflowError):
        return int(float(os.environ.get(MEMORY, "")) * GIB)
    return installed() * 3 // 4


NOMINAL = 0.01  # seconds that the work of ``slowness`` takes on an idle processor of today
SLOWEST = 10.0


@cache
def slowness() -> float:
    """How many times longer work takes here and now than on an idle processor: 1 to 10, measured once a process."""
    started = time.perf_counter()
    x = np.arange(1 << 14, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for i in range(20):  # what kernels do, and what an interpreter does
        np.sort(x ^ np.uint64(i))
        sum(j * j for j in range(5000))
    return min(max((time.perf_counter() - started) / NOMINAL, 1.0), SLOWEST)


@dataclass(frozen=True)
class Limits:
    """Limits of one session.

    ``seconds`` for a question, of an idle processor: on a slow or loaded machine they last longer; resident ``memory``
    in bytes, of the process and of those that it started; ``output``: bytes that it may print during a question.
    Memory is not watched on systems without /proc.
    """

    seconds: float = 60.0
    memory: int = field(default_factory=default_memory)
    output: int = 64 * MIB

    def exceeded(self, memory: int, output: int) -> str:
        """Which limit is, in words; nothing where none is."""
        if output > self.output:
            return f"printed more than {_size(self.output)}"
        if memory > self.memory:
            return f"used more than {_size(self.memory)} of memory"
        return ""


class Usage:
    """The memory of a process and of all that it started, which are its session."""

    def __init__(self, leader: int) -> None:
        self._leader, self._members, self._next = leader, [leader], 0.0

    def resident(self) -> int:
        """Bytes; 0 where all are gone, and on systems without /proc."""
        now = time.monotonic()
        if now >= self._next:
            self._members = [pid for pid in processes() if session_of(pid) == self._leader]
            self._next = now + IDLE * (time.monotonic() - now)
        return sum(map(resident, self._members))


def resident(pid: int) -> int:
    """Resident bytes of one process; 0 for none."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def installed() -> int:
    """Bytes of memory of this machine, or of the container where that has less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text()))
    return min(found)


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"
