"""Mutants that misbehave, besides giving the wrong answers of a twin: to see that no finding is lost on the way.

Some do so now and then, by the number of calls that their process has answered, and so not when the same call is the
first of a fresh process.  ``seed=`` chooses other calls, ``chance=`` how many.  Others always do so under one
circumstance, in conversions to or from E4M3 alone; what they answer of E5M2 is as good as their twin's.  ``tally=FILE``
gets a byte for each time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ..base import Adapter, Codes, Unsupported

MIB = 1 << 20
LEAK = 2 * MIB
LONG = 1000
NEGATIVE_NAN = 0xFF  # in E4M3

Misbehave = Callable[["Unruly", Operation, Codes], Any]  # what it returns that is not None is the answer


@dataclass
class Unruly:
    """``twin``: who answers where this one does; ``verdict``: of its operations on E4M3; ``smallest``: as reported."""

    twin: str
    misbehave: Misbehave
    verdict: str = "fail"
    smallest: str = ""
    name: str = ""
    adapter: Adapter | None = None
    chance: float = 0.01
    seed: int = 0
    tally: str = ""
    calls: int = 0
    kept: list[Codes] = field(default_factory=list)

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        assert self.adapter is not None
        return self.adapter.capabilities()

    def run(self, op: Operation, *operands: Codes) -> Any:
        assert self.adapter is not None
        self.calls += 1
        answer = self.misbehave(self, op, operands[0])
        return self.adapter.run(op, *operands) if answer is None else answer

    def now(self) -> bool:
        """Is it time to misbehave?  Never at the first call of a process."""
        if self.calls == 1 or np.random.default_rng([self.seed, self.calls]).random() >= self.chance:
            return False
        self.count()
        return True

    def count(self) -> None:
        if self.tally:
            with open(self.tally, "ab") as file:
                file.write(b".")


def connect(name: str, twin: Adapter, seed: str = "0", chance: str = "0.01", tally: str = "") -> Unruly:
    """The mutant of a name, fresh.  Raises ValueError for options that are no numbers."""
    plan = UNRULY[name]
    return replace(plan, name=name, adapter=twin, kept=[], seed=int(seed), chance=float(chance), tally=tally)


# -- now and then -----------------------------------------------------------------------------------------------------
def crash(self: Unruly, op: Operation, x: Codes) -> None:
    if self.now():
        os.kill(os.getpid(), signal.SIGSEGV)


def hang(self: Unruly, op: Operation, x: Codes) -> None:
    if self.now():
        time.sleep(3600)


def garbage(self: Unruly, op: Operation, x: Codes) -> Any:
    """Another dtype, another shape, no array, or an exception."""
    if not self.now():
        return None
    kind = (self.calls + x.size) % 4
    if kind == 0:
        raise RuntimeError("transient error of the device")
    return (x.astype(np.float64), x.reshape(-1, 1), "garbage")[kind - 1]


def leak(self: Unruly, op: Operation, x: Codes) -> None:
    self.count()
    self.kept.append(np.ones(LEAK, np.uint8))


# -- always, under one circumstance -----------------------------------------------------------------------------------
def on_e4m3(misbehave: Misbehave) -> Misbehave:
    return lambda self, op, x: misbehave(self, op, x) if "e4m3fn" in (op.result, *op.operands) else None


def crash_on_negative_nan(self: Unruly, op: Operation, x: Codes) -> None:
    if (x == NEGATIVE_NAN).any():
        self.count()
        os.kill(os.getpid(), signal.SIGSEGV)


def hang_when_long(self: Unruly, op: Operation, x: Codes) -> None:
    if x.size >= LONG:
        self.count()
        time.sleep(3600)


def print_without_end(self: Unruly, op: Operation, x: Codes) -> None:
    self.count()
    while True:
        os.write(1, b"still at it ... " * 4096)


def allocate_without_end(self: Unruly, op: Operation, x: Codes) -> None:
    if not os.path.exists("/proc/self/statm"):
        raise Unsupported("nobody watches the memory of this system")
    self.count()
    while True:
        self.kept.append(np.ones(16 * MIB, np.uint8))


UNRULY = {
    "crashes-now-and-then": Unruly("truncates", crash),
    "hangs-now-and-then": Unruly("ties-away", hang),
    "garbage-now-and-then": Unruly("flushes", garbage),
    "leaks": Unruly("nan-to-zero", leak),
    "crashes-on-negative-nan": Unruly(
        "decodes-no-subnormals", on_e4m3(crash_on_negative_nan), "crash", "killed by SIGSEGV; smallest: FF (1 element)"
    ),
    "hangs-when-long": Unruly("rounds-down", on_e4m3(hang_when_long), "timeout", "smallest: 1000 elements"),
    "prints-without-end": Unruly(
        "wrong-bias", on_e4m3(print_without_end), "crash", "printed more than 64 MiB; smallest: 00000000 (1 element)"
    ),
    "allocates-without-end": Unruly(
        "zero-sign-lost", on_e4m3(allocate_without_end), "crash", "of memory; smallest: 00000000 (1 element)"
    ),
}
