"""ml_dtypes: array casts between NumPy's types and its narrow ones, and NumPy's functions on these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from ...arrays.conversion import FLOAT_DTYPES
from ...cases.families import FAMILIES, FUNCTIONS, FUNCTIONS_OF_TWO
from ...cases.operation import ANY_MODE, INTEGERS, WIDE, Operation, carrier_dtype
from ...cases.tuples import total_width
from ...spec.catalog import get_format
from ...spec.operations.arithmetic import DEFINITIONS
from ...spec.profiles.catalog import get_profile
from ...spec.profiles.constants import CONSTANTS
from ..base import Codes
from ..claims import Claims, cast_claim, claims_of, constant_claims, published

# fmt: off
NARROW = ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu",
          "e2m1fn", "e2m3fn", "e3m2fn")
# fmt: on


# family -> ufunc, of one narrow type into itself or into bool; ``*`` where nothing says how a result is rounded
OPERATIONS = {
    **{name: (ufunc, "*") for name, ufunc in {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "sqrt": np.sqrt,
    }.items()},
    **{name: (ufunc, "rne.nonsat") for name, ufunc in {  # one of the operands, whatever the mode
        "min": np.minimum, "max": np.maximum, "minnum": np.fmin, "maxnum": np.fmax,
    }.items()},
    **{name: (ufunc, None) for name, ufunc in {
        "neg": np.negative, "abs": np.absolute, "copysign": np.copysign, "nextafter": np.nextafter,
        "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
        "ge": np.greater_equal, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
        "issignminus": np.signbit, "and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor,
        "not": np.logical_not,
    }.items()},
    **{name: (ufunc, "*") for name, ufunc in {  # of modf and frexp the first result
        "sign": np.sign, "frac": np.modf, "significand": np.frexp, "floordiv": np.floor_divide, "mod": np.remainder,
        "fmod": np.fmod, "heaviside": np.heaviside,
    }.items()},
}  # fmt: skip
NUMPY_NAMES = {  # where they are not the specification's
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "atan2": "arctan2", "pow": "power",
}  # fmt: skip


def _loops(ufunc: object, name: str, arity: int) -> bool:
    """Has a NumPy function a loop of its own for a narrow type, into the same type?"""
    dtype = numpy_dtype(name)
    try:
        return isinstance(ufunc, np.ufunc) and ufunc.resolve_dtypes((dtype,) * arity + (None,))[-1] == dtype
    except TypeError:
        return False


def elementary() -> dict[str, np.ufunc]:
    """NumPy's elementary functions that the specification has, by family.

    Those of two operands are claimed where all pairs are few: a table of 65,536 true values takes seconds.
    """
    found = {family: getattr(np, NUMPY_NAMES.get(family, family), None) for family in (*FUNCTIONS, *FUNCTIONS_OF_TWO)}
    return {family: ufunc for family, ufunc in found.items() if isinstance(ufunc, np.ufunc)}


ELEMENTARY = elementary()
SCALES = (("semantics", "scales"),)
SIGNALS = (("snan", "quiet"),)  # C, whose functions NumPy calls, leaves signalling NaNs open [C23 F.2.1]
SLOW = frozenset({"floordiv", "mod", "fmod", "heaviside"})  # tables of all pairs, by the specification
INTEGRAL = {"rne.nonsat": np.rint, "rtz.nonsat": np.trunc, "rtn.nonsat": np.floor, "rtp.nonsat": np.ceil}


def operations(pairs: bool = False) -> Iterator[Operation]:
    """What NumPy's functions answer on narrow types, where the specification defines it.

    Left out: ``spacing`` and the exponent of ``frexp``, which have no definition that says what becomes of the ends.
    ``pairs``: functions of two operands on 8-bit types, too.
    """
    for name in NARROW:
        few = {f: mode for f, (_, mode) in OPERATIONS.items() if pairs or f not in SLOW or 2 * get_format(name).k <= 12}
        yield from claims_of(few, name)
        if get_format(name).zero:
            yield Operation("scaleb", (name, "i32"), name, ANY_MODE)
        for mode in INTEGRAL:
            yield from claims_of({"rint": mode}, name)
        if name == "e8m0fnu":  # arithmetic of which no standard speaks, as the specification's named choice
            asked = ("add", "sub", "mul", "div", "sqrt", *(f for f in ELEMENTARY if FAMILIES[f].arity == 1))
            yield from (Operation(f, (name,) * FAMILIES[f].arity, name, ANY_MODE, SCALES) for f in asked)
        for op in claims_of({f: "*" for f, u in ELEMENTARY.items() if _loops(u, name, FAMILIES[f].arity)}, name):
            if total_width(op) > 12 and not pairs:
                continue
            yield replace(op, keys=SIGNALS) if DEFINITIONS[op.asked.definition].despite_nan else op


class MlDtypes:
    """``array.astype`` into and out of the dtypes of ml_dtypes, NumPy's functions on arrays of these, and ``finfo``.

    The README (of 0.6.0) specifies the formats but neither rounding nor overflow of casts and arithmetic, so every
    such mode is "find out".

    ``pairs``: ``all`` asks functions of two operands on 8-bit types, too, whose 65,536 true values take minutes once.
    """

    def __init__(self, pairs: str = "narrow") -> None:
        if pairs not in ("narrow", "all"):
            raise ValueError(f"ml_dtypes has no pairs {pairs!r:.40}; choose from narrow, all")
        self.profile = get_profile("ml_dtypes")
        casts = (
            cast_claim(source, result, self.profile)
            for source in (*WIDE, *INTEGERS, *NARROW)
            for result in (*NARROW, *(WIDE if source in NARROW else ()))
            if source != result and not unregistered(source, result)
        )
        self._claims = Claims([*casts, *operations(pairs == "all"), *constant_claims(CONSTANTS, NARROW)])

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
            ufunc = ufunc_of(op).__name__
            return f"NumPy reference, numpy.{ufunc}" + (": says nothing of rounding" if op.mode == ANY_MODE else "")
        return "ml_dtypes README: specifies the formats, says nothing of how a cast rounds or overflows"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        arrays = [x.view(numpy_dtype(name, x.dtype.isnative)) for x, name in zip(operands, op.operands)]
        if op.family == "finfo":
            return published(op, operands[0], ml_dtypes.finfo(arrays[0].dtype))
        with np.errstate(all="ignore"):  # a float64 beyond float32 warns of its overflow
            if op.family not in ("convert", "decode"):
                found = ufunc_of(op)(*arrays)
                first = found[0] if isinstance(found, tuple) else found
                return first.view(carrier_dtype(op.result))  # type: ignore[no-any-return]
            (x,) = arrays
            return x.astype(numpy_dtype(op.result)).view(carrier_dtype(op.result))


def ufunc_named(family: str) -> np.ufunc:
    """The function of a family that has one whatever the mode."""
    return ELEMENTARY[family] if family in ELEMENTARY else OPERATIONS[family][0]


def ufunc_of(op: Operation) -> np.ufunc:
    """The function that an operation asks."""
    if op.family == "scaleb":
        return np.ldexp
    return INTEGRAL[op.mode or ""] if op.family == "rint" else ufunc_named(op.family)


def unregistered(source: str, result: str) -> bool:
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
