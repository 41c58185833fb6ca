"""An AMX-FP8 tile in plain NumPy is judged: the right one conforms, each planted fault of one does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from short import every

import fp8ref

CLAIM = "dot/e5m2.e5m2/f32/x86.amx.fp8.f32;k=16"
Floats = NDArray[np.float32]
TINY = np.float32(2.0**-126)


def zeroed(x: Floats, least: np.float32) -> Floats:
    """As the instruction has it under DAZ."""
    return np.where(np.abs(x) < least, np.copysign(np.float32(0), x), x)


def numbers(codes: NDArray[np.uint8], daz: bool = True) -> Floats:
    x = (codes.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    return zeroed(x, np.float32(2.0**-14)) if daz else x


def tile(a: Floats, b: Floats, c: Floats, fault: str = "") -> Floats:
    """Places 0 and 1 of every four go to the first register, 2 and 3 to the second."""
    with np.errstate(all="ignore"):
        p = a * b
        if fault == "lanes":  # even places to the first
            p = p[:, [i // 4 * 4 + (0, 2, 1, 3)[i % 4] for i in range(p.shape[1])]]
        t = np.zeros((2, len(p)), np.float32)
        t[0] = c if fault == "c first" else 0
        for i in range(0, p.shape[1], 2):
            which = 0 if fault == "one chain" else i // 2 % 2
            if fault == "no pairs":
                t[which] = t[which] + p[:, i]
                t[which] = t[which] + p[:, i + 1]
            else:
                t[which] = t[which] + (p[:, i] + p[:, i + 1])
        total = t[0] + t[1]
        return total if fault == "c first" else c + total


def unit(fault: str) -> Callable[..., NDArray[np.uint32]]:
    def run(a: NDArray[np.uint8], b: NDArray[np.uint8], c: Floats) -> NDArray[np.uint32]:
        daz = fault != "E5M2 subnormals"
        keeps = fault == "binary32 subnormals"
        c = c if keeps else zeroed(c, TINY)
        d = tile(numbers(a, daz), numbers(b, daz), c, fault)
        return (d if keeps else zeroed(d, TINY)).view(np.uint32)

    return run


FAULTS = ("lanes", "c first", "one chain", "no pairs", "E5M2 subnormals", "binary32 subnormals")


@pytest.mark.parametrize("fault", ["", *every(3, FAULTS)])
def test_a_tile(fault: str) -> None:
    report = fp8ref.judge(unit(fault), CLAIM, arrays="codes")
    assert (report.verdict == "conforms") is (fault == ""), fault
