"""PyTorch: eager ``tensor.to(dtype)``, and the few functions that exist on float8 tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...cases.operation import INTEGERS, WIDE, Operation, carrier_dtype
from ...spec.profiles.catalog import get_profile
from ..base import Codes, Unavailable
from ..claims import Claims, cast_claim, claims_of, constant_claims, published, require
from . import torch_products

NARROW = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu")  # float4_e2m1fn_x2 is for storage: no cast exists
DTYPES = {
    **{name: f"float8_{name}" for name in NARROW},
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    **{name: f"{'u' if name[0] == 'u' else ''}int{name[1:]}" for name in INTEGERS},
}
# family -> function of one narrow type into itself or into bool, and the mode; ``*``: nothing says how it rounds
FUNCTIONS = {
    **{name: (name, "*") for name in ("add", "sub", "mul", "div", "sqrt")},
    "min": ("minimum", "rne.nonsat"), "max": ("maximum", "rne.nonsat"),
    "neg": ("neg", None), "abs": ("abs", None), "copysign": ("copysign", None), "nextafter": ("nextafter", None),
    **{name: (name, None) for name in ("eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite")},
    "issignminus": ("signbit", None),
}  # fmt: skip
FINFO = ("bits", "eps", "max", "min", "smallest_normal", "tiny")  # torch.finfo's, but for the approximate resolution


class Torch:
    """PyTorch's eager casts on a device, and those of FUNCTIONS that this release has for a float8 type.

    ``device``: as torch names it, ``cpu`` or ``cuda``; ``product``: what answers dot and matrix products, ``scaled_mm``
    or ``addmm``.  Raises Unavailable without torch or without the device.
    """

    def __init__(self, device: str = "cpu", product: str = "scaled_mm") -> None:
        self.torch = require("torch", "pip install torch")
        try:
            self.device = self.torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise Unavailable(f"torch has no device {device!r} here ({reason}): try device=cpu") from error
        self.products = torch_products.Products(self.torch, self.device, product)
        # E4M3 saturates since 2.13, everywhere from the same header [pytorch/pytorch pull request 178817]
        release = tuple(int(part) for part in self.torch.__version__.split(".")[:2])
        self.profile = get_profile("torch-since-2.13" if release >= (2, 13) else "torch-until-2.12")
        here = [name for name, dtype in DTYPES.items() if hasattr(self.torch, dtype)]
        casts = (
            cast_claim(source, result, self.profile)
            for source in here
            for result in here
            if source != result and (result in NARROW or (source in NARROW and result in WIDE))
        )
        modes = {family: mode for family, (_, mode) in FUNCTIONS.items()}
        functions = (op for name in here if name in NARROW for op in claims_of(modes, name) if self._has(op))
        constants = constant_claims(FINFO, (name for name in here if name in NARROW))
        self._claims = Claims([*casts, *functions, *constants])

    def identify(self) -> Mapping[str, str]:
        found = {"name": "torch", "version": self.torch.__version__, "device": str(self.device)}
        if self.device.type == "cpu":
            return {**found, "simd": self.torch.backends.cpu.get_cpu_capability()}
        return (
            {**found, "model": self.torch.cuda.get_device_name(self.device)}
            if self.torch.cuda.is_available()
            else found
        )

    def capabilities(self) -> Sequence[str]:
        return [*self._claims.ids, *self.products.claims()]

    def source(self, op: Operation) -> str:
        if op.asked.kind == "dot":
            return self.products.source(op)
        if op.family in FUNCTIONS:
            said = ": says nothing of float8" if op.mode else ""
            return f"PyTorch documentation, torch.{FUNCTIONS[op.family][0]}{said}"
        if op.family == "finfo":
            return f"PyTorch documentation, torch.finfo: {op.mode}"
        rule = self.profile.rule(op.operands[0], op.result)
        if op.family == "decode":
            return "torch.dtype documentation: the format"
        return (rule.promised if rule else "") or "the documentation says nothing of rounding or overflow here"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.asked.kind == "dot":
            return self.products.run(op, *operands)
        self._claims.covering(op)
        if op.family == "finfo":
            return published(op, operands[0], self.torch.finfo(self._dtype(op.operands[0])))
        tensors = [self._tensor(x).view(self._dtype(name)).to(self.device) for x, name in zip(operands, op.operands)]
        codes = carrier_dtype(op.result)
        if op.family in FUNCTIONS:
            z = getattr(self.torch, FUNCTIONS[op.family][0])(*tensors)
        else:
            z = tensors[0].to(self._dtype(op.result))
        return z.view(getattr(self.torch, f"int{8 * codes.itemsize}")).cpu().numpy().view(codes)  # type: ignore[no-any-return]

    def _has(self, op: Operation) -> bool:
        """Does this release have the function for this type, with a result of the type?"""
        some = [self.torch.zeros(1, dtype=self.torch.uint8, device=self.device).view(self._dtype(op.operands[0]))]
        try:
            found = getattr(self.torch, FUNCTIONS[op.family][0])(*some * len(op.operands))
        except (RuntimeError, TypeError):
            return False
        return bool(found.dtype == (self.torch.bool if op.result == "bool" else self._dtype(op.result)))

    def _dtype(self, name: str) -> Any:
        return getattr(self.torch, DTYPES[name])

    def _tensor(self, x: Codes) -> Any:
        """The same memory as a tensor of signed integers; a copy only where torch cannot represent the layout."""
        if not (x.dtype.isnative and x.flags.aligned) or any(step < 0 or step % x.itemsize for step in x.strides):
            x = np.array(x, x.dtype.newbyteorder("="), order="C")
        return self.torch.from_numpy(_writable(x).view(f"i{x.itemsize}"))


def _writable(x: Codes) -> Codes:
    """The same memory, marked writable: torch warns of read-only arrays, and nothing here writes."""
    if x.flags.writeable:
        return x
    interface = {**x.__array_interface__, "data": (x.__array_interface__["data"][0], False)}
    return np.asarray(SimpleNamespace(__array_interface__=interface, owner=x))
