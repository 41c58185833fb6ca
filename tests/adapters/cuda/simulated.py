"""A simulated H100: the adapter of CUDA over fp8ref's own models, so that a session can be rehearsed without a device.

It proves nothing about hardware, and nothing that it answers is ever shipped: its name says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fp8ref.adapters.cuda import device as cuda
from fp8ref.cases.answers import expect, product
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.questions import model_of

CAPABILITY = (9, 0)
NAME = "SIMULATED device, no hardware"


class SimulatedHopper:
    """What an H100 would claim, answered by the reference and the models.

    ``unit`` as for cuda.  ``fraction_bits`` or ``nan``: another number of bits, another NaN than the claimed models'.
    """

    def __init__(self, unit: str = "", fraction_bits: str = "", nan: str = "") -> None:
        self.units = (unit,) if unit else cuda.UNITS
        self.bits, self.nan = int(fraction_bits or 0), int(nan or "0", 16)

    def identify(self) -> Mapping[str, str]:
        return {
            "name": "simulated-hopper",
            "version": "1",
            "device": NAME,
            "units": " ".join(self.units),
            "compute_capability": "9.0",
        }

    def capabilities(self) -> Sequence[str]:
        known = ("e2m", "e3m2", "ue8m0")
        found = [op.id for op, kernel in cuda._conversions(self.units) if not any(n in kernel for n in known)]
        for op, unit in cuda._products(self.units, CAPABILITY):
            found += [f"{op.id};k={unit.length * n}" for n in cuda.CHAINS]
        return found

    def run(self, op: Operation, *operands: Any) -> Any:
        model = model_of(op) if op.asked.kind == "dot" else None
        if model is None or not (self.bits or self.nan):
            return expect(op, operands).codes
        changed: dict[str, Any] = {}
        if self.bits:
            changed["fraction_bits"] = self.bits
        d = product(op, operands, replace(model, **changed))
        if self.nan:
            d = np.where(d == model.nan, d.dtype.type(self.nan), d)
        return d


class SimulatedFunctions:
    """A device's approximate functions: the bases, but for a code more or less by the last bits of the argument."""

    def identify(self) -> Mapping[str, str]:
        return {"name": "simulated functions", "version": "1", "device": NAME, "compute_capability": "9.0"}

    def has(self, f: Any) -> bool:
        return not f.kernel.startswith("triton_")

    def run(self, f: Any, *arguments: Any) -> Any:
        found = f.base(*arguments)
        if "approx" in f.name:
            found = found + (arguments[0] % 7 == 3) - (arguments[0] % 11 == 5).astype(np.uint32)
        return found.astype(np.uint32)


class _Idle:
    """A device that has every kernel of an H100 and answers zeros at once."""

    capability = CAPABILITY

    def __init__(self) -> None:
        self.facts = {"model": NAME, "cuda_driver": "none", "compute_capability": "9.0"}

    def has(self, kernel: str) -> bool:
        return not any(name in kernel for name in ("e2m", "e3m2", "ue8m0"))

    def run(self, kernel: str, blocks: int, threads: int, operands: Any, out: Any, scalars: Any) -> Any:
        out[...] = 0
        return out


class HostSide(cuda.Cuda):
    """The adapter of CUDA over an idle device: what a session costs the host, laying out tiles included."""

    def _open(self, index: int) -> Any:
        self._headers = "not asked for"
        return _Idle()

    def _prove(self, unit: Any) -> None:
        pass
