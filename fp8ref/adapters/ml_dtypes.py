"""ml_dtypes: array casts between NumPy's types and its narrow ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ..arrays.conversion import FLOAT_DTYPES
from ..cases.operation import INTEGERS, WIDE, Operation, carrier_dtype
from ..spec.catalog import get_format
from ..spec.profiles import get_profile
from .base import Codes
from .claims import Claims, cast_claim

# fmt: off
NARROW = ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu",
          "e2m1fn", "e2m3fn", "e3m2fn")
# fmt: on


class MlDtypes:
    """``array.astype`` into and out of the dtypes of ml_dtypes.

    The README (of 0.6.0) specifies the formats but neither rounding nor overflow of a cast, so every mode is "find
    out".
    """

    def __init__(self) -> None:
        self.profile = get_profile("ml_dtypes")
        self._claims = Claims(
            cast_claim(source, result, self.profile)
            for source in (*WIDE, *INTEGERS, *NARROW)
            for result in (*NARROW, *(WIDE if source in NARROW else ()))
            if source != result and not _unregistered(source, result)
        )

    def identify(self) -> Mapping[str, str]:
        return {"name": "ml_dtypes", "version": ml_dtypes.__version__, "device": "cpu", "numpy": np.__version__}

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        if op.family == "decode":
            return "ml_dtypes README: the format's specification"
        return "ml_dtypes README: specifies the formats, says nothing of how a cast rounds or overflows"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        x = operands[0].view(numpy_dtype(op.operands[0], operands[0].dtype.isnative))
        with np.errstate(all="ignore"):  # a float64 beyond float32 warns of its overflow
            return x.astype(numpy_dtype(op.result)).view(carrier_dtype(op.result))


def _unregistered(source: str, result: str) -> bool:
    """ml_dtypes registers no cast between E8M0 and another narrow type."""
    return "e8m0fnu" in (source, result) and {source, result} <= set(NARROW)


def numpy_dtype(name: str, native: bool = True) -> np.dtype[Any]:
    """The NumPy dtype of an operand type, in native byte order or in the other."""
    if name in INTEGERS:
        dtype: np.dtype[Any] = np.dtype(carrier_dtype(name))
    elif name in FLOAT_DTYPES:
        dtype = FLOAT_DTYPES[name]
    else:
        dtype = np.dtype(getattr(ml_dtypes, f"float{get_format(name).k}_{name}"))
    return dtype if native else dtype.newbyteorder()
