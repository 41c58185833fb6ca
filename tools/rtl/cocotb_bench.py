"""The cocotb test of the unit: every case of the vector file that the environment names, in its mode."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from fp8ref.testing.bench import Bench


@cocotb.test()  # type: ignore[untyped-decorator]
async def conforms(dut: Any) -> None:
    bench = Bench(os.environ["FP8REF_VECTORS"])
    dut.rm.value = int(os.environ["FP8REF_RM"])
    cases, wrong, lines = 0, 0, []
    for case in bench.cases():
        for name in "abc":
            getattr(dut, name).value = case.packed(name)
        await Timer(1, unit="ns")
        z, flags = int(dut.z.value), int(dut.flags.value)
        cases += 1
        wrong += not bench.answer(case, z, flags)
        (a0, a1), (b0, b1) = case.codes("a"), case.codes("b")
        lines.append(f"{a0:02X} {b0:02X} {a1:02X} {b1:02X} {case.packed('c'):04X} {z:04X} {flags:02X}\n")
    Path(os.environ["FP8REF_ANSWERS"]).write_text("".join(lines), encoding="ascii")
    dut._log.info(f"{wrong} of {cases} cases differ")
