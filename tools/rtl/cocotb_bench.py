"""The cocotb test of the unit: every case of the vector file that the environment names, in its mode."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from fp8ref.vectors.files import found_in
from fp8ref.vectors.source import open_source

SHOWN = 3


@cocotb.test()  # type: ignore[untyped-decorator]
async def conforms(dut: Any) -> None:
    cases = wrong = 0
    path = Path(os.environ["FP8REF_VECTORS"])
    dut.rm.value = int(os.environ["FP8REF_RM"])
    for found in found_in(open_source(path)):
        block = found.block
        assert block.status is not None
        a, b, c = block.operands
        for line, x, y, addend, z, flags in zip(found.lines, a, b, c, block.result, block.status):
            dut.a.value, dut.b.value, dut.c.value = int(x[0]) << 8 | int(x[1]), int(y[0]) << 8 | int(y[1]), int(addend)
            await Timer(1, unit="ns")
            got = (int(dut.z.value), int(dut.flags.value))
            cases += 1
            if got != (int(z), int(flags)):
                wrong += 1
                if wrong <= SHOWN:
                    dut._log.error(f"{path.name}:{line}: gives {got[0]:04x} flags {got[1]:02x}, not {int(z):04x}")
    dut._log.info(f"{wrong} of {cases} cases differ")
    assert cases, "the file holds no case"
