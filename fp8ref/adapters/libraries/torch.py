"""PyTorch: eager ``tensor.to(dtype)``, and the few functions that exist on float8 tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, INTEGERS, WIDE, Operation, carrier_dtype
from ...spec.profiles.catalog import get_profile
from ..base import Codes, Unavailable, Unsupported
from ..claims import Claims, cast_claim, constant_claims, published, require
from . import torch_products
from .elementwise import SIXTEEN, Elementwise, Found, by_formula, elementwise_claims, functions_of, options

NARROW = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu")  # float4_e2m1fn_x2 is for storage: no cast exists
DTYPES = {
    **{name: f"float8_{name}" for name in NARROW},
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    **{name: f"{'u' if name[0] == 'u' else ''}int{name[1:]}" for name in INTEGERS},
}
FINFO = ("bits", "eps", "max", "min", "smallest_normal", "tiny")  # torch.finfo's, but for the approximate resolution


@cache
def known() -> tuple[Found, ...]:
    """What torch, torch.nn.functional and torch.special have.  Raises Unavailable without torch."""
    names = ("torch", "torch.nn.functional", "torch.special")
    homes = {name: require(name, "pip install torch") for name in names}
    gelu = homes["torch.nn.functional"].gelu
    found = functions_of(homes, by_formula("torch.nn.functional.gelu", gelu, "none", "tanh"))
    # its sign gives 0 for NaN and +0 for -0, its frac +0 for integers: not the functions of NumPy and C
    return tuple(function for function in found if function.family not in ("sign", "frac"))


class Torch:
    """PyTorch's eager casts on a device, and the functions that this release has for a narrow type.

    ``device``: as torch names it, ``cpu`` or ``cuda``; ``product``: what answers dot and matrix products, ``scaled_mm``
    or ``addmm``; ``functions``, ``pairs``: :func:`.elementwise.options`.  Raises Unavailable without torch or without
    the device.
    """

    def __init__(
        self, device: str = "cpu", product: str = "scaled_mm", functions: str = "narrow", pairs: str = "narrow"
    ) -> None:
        sixteen, all_pairs = options(functions, pairs)
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
        self._functions = Elementwise(known())
        types = [name for name in here if name in NARROW or (sixteen and name in SIXTEEN)]
        asked = (op for name in types for op in elementwise_claims(self._functions.found, name, all_pairs, self._works))
        constants = constant_claims(FINFO, (name for name in here if name in NARROW))
        self._claims = Claims([*casts, *asked, *constants])

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
        if op in self._functions:
            said = ": says nothing of rounding" if op.mode == ANY_MODE else ""
            return f"PyTorch documentation, {self._functions[op].name}{said}"
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
        if op in self._functions:
            try:
                z = self._functions[op].call(*tensors)
            except NotImplementedError as error:  # mul of float8 has no kernel for one element
                raise Unsupported(str(error).splitlines()[0]) from error
        else:
            z = tensors[0].to(self._dtype(op.result))
        return z.view(getattr(self.torch, f"int{8 * codes.itemsize}")).cpu().numpy().view(codes)  # type: ignore[no-any-return]

    def _works(self, function: Found, op: Operation) -> bool:
        """Has this release the function for the type, with a result of the type?"""
        bits = getattr(self.torch, f"int{8 * carrier_dtype(op.operands[0]).itemsize}")
        some = [self.torch.zeros(2, dtype=bits, device=self.device).view(self._dtype(op.operands[0]))]
        try:
            found = function.call(*some * len(op.operands))
        except (RuntimeError, TypeError, NotImplementedError):
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
