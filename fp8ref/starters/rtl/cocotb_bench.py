"""The cocotb test of a design: every case of the vector file that the environment names, result and flags."""

from __future__ import annotations

import os
from typing import Any

import cocotb
from cocotb.triggers import Timer

from fp8ref.testing.bench import Bench


@cocotb.test()  # type: ignore[untyped-decorator]
async def conforms(dut: Any) -> None:
    bench = Bench(os.environ["FP8REF_VECTORS"])
    for case in bench.cases():
        for column in case.section.operand_columns:
            getattr(dut, column.name).value = case.packed(column.name)
        await Timer(1, unit="ns")
        bench.answer(case, int(dut.z.value), int(dut.flags.value))
    if "FP8REF_COVERAGE" in os.environ:
        bench.write_coverage(os.environ["FP8REF_COVERAGE"])
    for verdict in bench.verdicts():
        for line in verdict.shown:
            dut._log.error(line)
        dut._log.info(f"{verdict.wrong} of {verdict.cases} cases differ")
    bench.require_conforming()
