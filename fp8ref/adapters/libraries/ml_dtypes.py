"""ml_dtypes: array casts between NumPy's types and its narrow ones, and NumPy's functions on these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ...arrays.conversion import FLOAT_DTYPES, OWN_FORMAT
from ...cases.operation import ANY_MODE, INTEGERS, WIDE, Operation, carrier_dtype
from ...spec.catalog import get_format
from ...spec.profiles.catalog import get_profile
from ...spec.profiles.constants import CONSTANTS
from ..base import Codes
from ..claims import Claims, cast_claim, constant_claims, published
from .elementwise import Elementwise, Found, elementwise_claims, functions_of, options

DTYPES = {f.name: dtype for dtype, f in OWN_FORMAT.items()}
NARROW = tuple(sorted(DTYPES, key=lambda name: (get_format(name).k < 8, DTYPES[name].name)))  # 8 bits first


def known() -> tuple[Found, ...]:
    return functions_of({"numpy": np})


FUNCTIONS = Elementwise(known())


def has_loop(function: Found, op: Operation) -> bool:
    """Has a NumPy function a loop of its own for the types of an operation?"""
    types = [numpy_dtype(name) for name in op.operands]
    result = np.dtype(bool) if op.result == "bool" else numpy_dtype(op.result)
    ufunc: np.ufunc = getattr(np, function.name.removeprefix("numpy."))
    try:
        return ufunc.resolve_dtypes((*types, *(None,) * ufunc.nout))[len(types)] == result
    except TypeError:
        return False


def operations(sixteen: bool = False, pairs: bool = False) -> Iterator[Operation]:
    """What NumPy's functions answer on the types of ml_dtypes, where the specification defines it.

    Left out: ``spacing`` and the exponent of ``frexp``, which have no definition that says what becomes of the ends.
    """
    for name in (*NARROW, *(("bf16",) if sixteen else ())):
        yield from elementwise_claims(FUNCTIONS.found, name, pairs, has_loop)
        if get_format(name).zero:
            yield Operation("scaleb", (name, "i32"), name, ANY_MODE)


class MlDtypes:
    """``array.astype`` into and out of the dtypes of ml_dtypes, NumPy's functions on arrays of these, and ``finfo``.

    The README (of 0.7.0) specifies the formats and what an overflowing Python scalar becomes, but neither rounding nor
    overflow of arrays' casts and arithmetic, so every such mode is "find out".

    ``functions``, ``pairs``: :func:`.elementwise.options`; of 16 bits it has bfloat16.
    """

    def __init__(self, functions: str = "narrow", pairs: str = "narrow") -> None:
        chosen = options(functions, pairs)
        self.profile = get_profile("ml_dtypes")
        casts = (
            cast_claim(source, result, self.profile)
            for source in (*WIDE, *INTEGERS, *NARROW)
            for result in (*NARROW, *(WIDE if source in NARROW else ()))
            if source != result and not unregistered(source, result)
        )
        self._claims = Claims([*casts, *operations(*chosen), *constant_claims(CONSTANTS, NARROW)])

    def identify(self) -> Mapping[str, str]:
        return {"name": "ml_dtypes", "version": ml_dtypes.__version__, "device": "cpu", "numpy": np.__version__}

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        if op.family == "decode":
            return "ml_dtypes README: the format's specification"
        if op.family == "finfo":
            return f"NumPy reference, numpy.finfo.{op.mode}, whose attributes ml_dtypes.finfo has"
        if op.family != "convert":
            name = "numpy.ldexp" if op.family == "scaleb" else FUNCTIONS[op].name
            return f"NumPy reference, {name}" + (": says nothing of rounding" if op.mode == ANY_MODE else "")
        return "ml_dtypes README: specifies the formats, says nothing of how an array's cast rounds or overflows"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        arrays = [x.view(numpy_dtype(name, x.dtype.isnative)) for x, name in zip(operands, op.operands)]
        if op.family == "finfo":
            return published(op, operands[0], ml_dtypes.finfo(arrays[0].dtype))
        with np.errstate(all="ignore"):  # a float64 beyond float32 warns of its overflow
            if op.family not in ("convert", "decode"):
                found = np.ldexp(*arrays) if op.family == "scaleb" else FUNCTIONS[op].call(*arrays)
                return found.view(carrier_dtype(op.result))  # type: ignore[no-any-return]
            (x,) = arrays
            return x.astype(numpy_dtype(op.result)).view(carrier_dtype(op.result))


def unregistered(source: str, result: str) -> bool:
    """Is there no cast between two types?  Until 0.6.0 none is registered between E8M0 and another narrow type."""
    return not np.can_cast(numpy_dtype(source), numpy_dtype(result), "unsafe")


def numpy_dtype(name: str, native: bool = True) -> np.dtype[Any]:
    """The NumPy dtype of an operand type, in native byte order or in the other."""
    if name in INTEGERS:
        dtype: np.dtype[Any] = np.dtype(carrier_dtype(name))
    elif name in FLOAT_DTYPES:
        dtype = FLOAT_DTYPES[name]
    else:
        dtype = DTYPES[name]
    return dtype if native else dtype.newbyteorder()
