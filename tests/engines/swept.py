"""An implementation for tests of long runs: a few claims, a fault that only a sweep meets, and a tally of calls."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation

CLAIMS = [
    "convert/bf16/e4m3fn/rne.sat",
    "fma/e4m3fn.e4m3fn.binary5p3se/e4m3fn/rne.sat",  # 2^21 cases: two shards of a sweep, of a block each
    *(f"mul/e4m3fn.e5m2/bf16/{rounding}.nonsat" for rounding in ("rne", "rtz")),
    "add/e4m3fn.e5m2/e4m3fn/rtz.nonsat",
]
WRONG = (0x3B, 0xC5, 0x01)  # one of 2^21 triples, and not of those asked before the sweep


class Swept:
    def identify(self) -> dict[str, str]:
        return {"name": "swept", "version": "1"}

    def capabilities(self) -> list[str]:
        return CLAIMS

    def run(self, op: Operation, *operands: Any) -> Any:
        if "FP8REF_TALLY" in os.environ:
            with open(os.environ["FP8REF_TALLY"], "a") as file:
                file.write(f"{op.id} {operands[0].size}\n")
        codes = expect(op, operands).codes
        if op.family == "fma":
            hit = np.logical_and.reduce([x == code for x, code in zip(operands, WRONG)])
            codes = np.where(hit, codes ^ codes.dtype.type(1), codes)
        return codes
