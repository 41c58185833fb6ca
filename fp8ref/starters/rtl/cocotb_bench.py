"""The cocotb test of a design: every case of the vector file that the environment names, result and flags."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from fp8ref.vectors.files import found_in
from fp8ref.vectors.source import open_source

SHOWN = 5


@cocotb.test()  # type: ignore[untyped-decorator]
async def conforms(dut: Any) -> None:
    cases = wrong = 0
    path = Path(os.environ["FP8REF_VECTORS"])
    for found in found_in(open_source(path)):
        block = found.block
        assert block.status is not None
        for line, *operands, z, flags in zip(found.lines, *block.operands, block.result, block.status):
            for name, code in zip("ab", operands):
                getattr(dut, name).value = int(code)
            await Timer(1, unit="ns")
            got = (int(dut.z.value), int(dut.flags.value))
            cases += 1
            if got != (int(z), int(flags)):
                wrong += 1
                if wrong <= SHOWN:
                    inputs = " ".join(f"{int(code):02x}" for code in operands)
                    dut._log.error(
                        f"{path.name}:{line}: {inputs} gives {got[0]:02x} flags {got[1]:02x}, "
                        f"not {int(z):02x} {int(flags):02x}"
                    )
    dut._log.info(f"{wrong} of {cases} cases differ")
    assert cases, "the file holds no case"
    assert not wrong, f"{wrong} of {cases} cases differ"
