"""What is answered beside the results: status with ``;flags=1``, the amax of a product with ``;amax=1``.

amax is one binary32 number: for ``dot`` of each sum (n), for ``matmul`` of all of D (1).  It is the largest magnitude
of the results before ``scale_result`` and the output's conversion, or where the epilogue says ``amax``; of an exact
sum with C rounded to binary32 to nearest.  ``;amax=number`` leaves NaNs out, ``;amax=nan`` gives NaN where there is
one; ``;amax=1`` leaves open which of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.decode import decode_codes
from ...fast.environment import exact_floats
from ...spec.catalog import get_format
from ...spec.matrix.epilogue import steps_to_amax
from ...spec.matrix.units import Finished
from ..operation import Operation
from .questions import addend_type, has_output_scale, is_product, model_of, status_shape

Codes = NDArray[Any]
Singles = NDArray[np.float32]
F32, NAN = get_format("f32"), np.uint32(0x7FC00000)


@dataclass(frozen=True)
class Beside:
    """A second answer: its name, the key that asks for it, the dtype and the shape of its array."""

    name: str
    key: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def second_of(op: Operation) -> tuple[str, str] | None:
    """Name and type of the column of what is answered beside the results."""
    return ("flags", "u8") if op.flags else ("amax", "f32") if is_product(op) and has_amax(op) else None


def has_amax(op: Operation) -> bool:
    """Is the amax of a product asked for?"""
    return bool(op.key("amax"))


def beside(op: Operation, n: int) -> Beside | None:
    """What n cases are answered with beside their results."""
    if op.flags:
        return Beside("status", "flags=1", np.dtype(np.uint8), status_shape(op, n))
    if is_product(op) and has_amax(op):
        return Beside("amax", "amax", np.dtype(np.uint32), (n,) if op.family == "dot" else (1,))
    return None


def keyed(op: Operation, **keys: str) -> Operation:
    """The operation with other keys; an empty one is left out."""
    found = {**dict(op.keys), **keys}
    return replace(op, keys=tuple(sorted((name, value) for name, value in found.items() if value)))


def without_amax(op: Operation) -> Operation:
    """The question after D alone."""
    return keyed(op, amax="") if has_amax(op) else op


def before_output(op: Operation) -> tuple[Operation, bool]:
    """The question whose results amax is the largest of, and whether it takes scale_result, too."""
    own, model = addend_type(op), model_of(op)
    result, mode, scaled = "f32", "exact", False
    if model is not None:
        result, mode = model.result, model.name
        if isinstance(model, Finished):
            steps = steps_to_amax(model.steps)
            scaled = "scale_result" in steps
            head = (op.mode or "").partition("+out.")[0]
            mode = f"{head}+out.{'.'.join(steps)}" if steps else head
        else:
            mode = op.mode or mode
    asked = replace(keyed(op, amax="", zero="", scale_result="1" if scaled else ""), result=result, mode=mode)
    return (asked if addend_type(asked) == own else keyed(asked, bias=own)), scaled


def to_amax(op: Operation, operands: Sequence[Codes]) -> tuple[Operation, Sequence[Codes]]:
    """The same with the operands that it takes."""
    asked, scaled = before_output(op)
    return asked, operands if scaled or not has_output_scale(op) else operands[:-1]


@exact_floats
def singles(codes: Codes, name: str) -> Singles:
    """Codes of at most 32 bits as binary32 values, which hold them exactly."""
    if name == "f32":
        return np.ascontiguousarray(codes, np.uint32).view(np.float32)
    found: Singles = decode_codes(np.ascontiguousarray(codes), get_format(name), F32).view(np.float32)
    return found


def amax_codes(op: Operation, x: Singles, nan: bool | None = None) -> Codes:
    """amax of values (n) of sums, or (n, N) of a matrix product: codes (n) or (1).

    ``nan``: does a NaN make it one?  As the operation says; left out where it leaves that open.
    """
    nan = op.key("amax") == "nan" if nan is None else nan
    size = np.abs(x)
    none = np.isnan(size)
    size = np.where(none, np.float32(0), size)
    if op.family != "dot":
        size, none = size.max(initial=np.float32(0)).reshape(1), none.any().reshape(1)
    return np.where(none & nan, NAN, size.view(np.uint32)).astype(np.uint32)
