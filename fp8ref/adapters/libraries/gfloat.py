"""gfloat: rounding, encoding and decoding of arrays in float64, in every rounding mode it has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ..base import Codes
from ..claims import constant_claims, published
from ..library import Library
from .ml_dtypes import numpy_dtype

# format -> attribute of gfloat.formats
FORMATS = {
    "e4m3fn": "format_info_ocp_e4m3", "e5m2": "format_info_ocp_e5m2", "e3m2fn": "format_info_ocp_e3m2",
    "e2m3fn": "format_info_ocp_e2m3", "e2m1fn": "format_info_ocp_e2m1", "f16": "format_info_binary16",
    "bf16": "format_info_bfloat16",
}  # fmt: skip
P3109 = ("se", "sf", "ue", "uf")  # of binary8p3 and binary8p4
ROUNDINGS = {
    "rne": "TiesToEven", "rna": "TiesToAway", "rtz": "TowardZero", "rtp": "TowardPositive", "rtn": "TowardNegative",
}  # fmt: skip
FINFO = (
    "bits", "eps", "epsneg", "iexp", "machep", "max", "maxexp", "min", "smallest_normal", "smallest_subnormal"
)  # fmt: skip
SOURCES = ("f64", "f32", "f16")  # numpy's own; gfloat computes in float64


class Gfloat(Library):
    """``round_ndarray`` then ``encode_ndarray``; ``sat`` true is sat, false nonsat."""

    module = "gfloat"
    said = (
        "gfloat, round_ndarray: the named rounding; with sat the largest float, else Inf where there is one, else NaN"
    )

    def operations(self) -> Iterator[Operation]:
        self._infos = self._found()
        for name, info in self._infos.items():
            yield Operation.decode(name, "f64")
            if name not in SOURCES and info.num_nans:  # without NaNs, a NaN operand raises, as documented
                modes = product(SOURCES, ROUNDINGS, ("sat", "nonsat"))
                yield from (Operation.convert(x, name, f"{rounding}.{overflow}") for x, rounding, overflow in modes)
        yield from constant_claims(FINFO, self._infos)

    def source(self, op: Operation) -> str:
        return f"gfloat, FormatInfo.{op.mode}" if op.family == "finfo" else super().source(op)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        if op.family == "finfo":
            return published(op, x, self._infos[op.operands[0]])
        if op.family == "decode":
            return self.lib.decode_ndarray(self._infos[op.operands[0]], x).astype(np.float64)
        rounding, _, overflow = (op.mode or "").partition(".")
        info = self._infos[op.result]
        mode = getattr(self.lib.RoundMode, ROUNDINGS[rounding])
        values = x.view(numpy_dtype(op.operands[0])).astype(np.float64)
        with np.errstate(all="ignore"):
            rounded = self.lib.round_ndarray(info, values, mode, overflow == "sat")
            return self.lib.encode_ndarray(info, rounded).astype(f"u{2 if info.k > 8 else 1}")

    def _found(self) -> dict[str, Any]:
        """Format infos of this release by our name."""
        from gfloat import formats

        found = {name: getattr(formats, attribute) for name, attribute in FORMATS.items()}
        make = getattr(formats, "format_info_p3109", None)
        signs, domains = getattr(self.lib, "Signedness", None), getattr(self.lib, "Domain", None)
        if make is not None and signs is not None and domains is not None:
            for p in (3, 4):
                for letters in P3109:
                    sign = signs.Signed if letters[0] == "s" else signs.Unsigned
                    domain = domains.Extended if letters[1] == "e" else domains.Finite
                    found[f"binary8p{p}{letters}"] = make(8, p, sign, domain)
        return found
