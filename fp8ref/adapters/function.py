"""A plain function of arrays as an implementation: what it is given, and how its answers become codes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..arrays.conversion import FLOAT_DTYPES, OWN_FORMAT
from ..arrays.dense import dense
from ..cases.operation import INTEGERS, UNITS, Operation, carrier_dtype
from ..cases.products.questions import operand_types
from ..extras import install
from ..spec.catalog import get_format
from ..spec.formats import Format
from .base import Unavailable

Codes = NDArray[Any]
Function = Callable[..., Any]
Arrays = Literal["values", "codes", "torch"]
ARRAYS = ("values", "codes", "torch")
SIGNED = {2: np.int16, 4: np.int32, 8: np.int64}  # torch's integers by their bytes


@dataclass(frozen=True)
class FunctionAdapter:
    """A plain function as an adapter of some operations.

    ``arrays``: what the function is given for operands of at most 8 bits.  ``values``: arrays of ml_dtypes' type, where
    it has one; ``codes``: arrays of codes; ``torch``: tensors of torch's type, where it has one.  Wide operands are
    arrays or tensors of floats and integers in any case.
    """

    function: Function
    operations: tuple[Operation, ...]
    arrays: Arrays = "values"

    def identify(self) -> Mapping[str, str]:
        return {"name": getattr(self.function, "__name__", type(self.function).__name__)}

    def capabilities(self) -> Sequence[str]:
        return [op.id for op in self.operations]

    def run(self, op: Operation, *operands: Codes) -> Any:
        answer = self.function(*(handed(codes, name, self.arrays) for codes, name in zip(operands, operand_types(op))))
        if op.flags:
            found, status = answer
            return carried(found, op.result), dense(on_the_host(status), "the status")
        return carried(answer, op.result)


class Importable(FunctionAdapter):
    """The same function, found by ``module:name`` in another process; ``operations`` are joined by ``|``."""

    def __init__(self, function: str, operations: str, arrays: str = "values") -> None:
        module, _, name = function.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise Unavailable(f"the function {name} of {module} is not found in another process: {error}") from error
        claims = tuple(map(Operation.parse_claim, operations.split("|")))
        super().__init__(found, claims, arrays)  # type: ignore[arg-type]


def handed(codes: Codes, type_name: str, arrays: Arrays = "values") -> Any:
    """Codes as a function is given them."""
    if arrays == "torch":
        return _tensor(codes, type_name)
    if arrays == "values" and (narrow := _narrow_dtype(type_name)) is not None:
        return codes.view(narrow)
    return natural(codes, type_name)


def natural(codes: Codes, type_name: str) -> Codes:
    """Floats for f16 bf16 f32 f64, integers and narrow codes as they are."""
    return codes.view(FLOAT_DTYPES[type_name]) if type_name in FLOAT_DTYPES else codes


def _narrow_dtype(type_name: str) -> np.dtype[Any] | None:
    """ml_dtypes' type of a narrow format, one byte an element."""
    f = None if type_name in FLOAT_DTYPES else _format(type_name)
    return next((dtype for dtype, own in OWN_FORMAT.items() if own == f), None)


def _format(type_name: str) -> Format | None:
    """None for integers, truth values, classes, and what a quantiser gives."""
    if type_name in (*INTEGERS, *UNITS):
        return None
    try:
        return get_format(type_name)
    except ValueError:
        return None


def _tensor(codes: Codes, type_name: str) -> Any:
    """A tensor of torch that shares the memory where torch has such strides.  Raises Unavailable without torch."""
    try:
        import torch
    except ImportError as error:
        raise Unavailable(f"tensors need torch: {install('torch')}") from error
    plain = codes if all(step >= 0 for step in codes.strides) else codes.copy()
    if codes.dtype.kind == "u" and codes.dtype.itemsize > 1 and type_name not in INTEGERS:
        plain = plain.view(SIGNED[codes.dtype.itemsize])
    name = FLOAT_DTYPES.get(type_name) or _narrow_dtype(type_name)
    kind = getattr(torch, name.name, None) if name is not None else None
    tensor = torch.from_numpy(plain)
    return tensor if kind is None else tensor.view(kind)


def on_the_host(answer: Any) -> Any:
    """A tensor of torch, or an array on a device, as an array of numpy; whatever else, as it is."""
    if type(answer).__module__.partition(".")[0] == "torch" and hasattr(answer, "detach"):
        import torch

        tensor = answer.detach().cpu().contiguous()
        name = str(tensor.dtype).removeprefix("torch.")
        dtype = getattr(ml_dtypes, name, None)
        if dtype is None:
            return tensor.numpy()
        whole = torch.int16 if tensor.element_size() == 2 else torch.uint8
        return tensor.view(whole).numpy().view(dtype)
    if hasattr(answer, "__cuda_array_interface__") and callable(getattr(answer, "get", None)):
        return answer.get()
    return answer


def carried(answer: Any, type_name: str) -> Codes:
    """An answer as codes: floats and ml_dtypes arrays by their bits, booleans and small integers as codes.

    What is neither stays as it is; who asked reports its dtype.
    """
    found = dense(on_the_host(answer), "the answer")
    dtype = np.dtype(carrier_dtype(type_name)) if type_name not in UNITS else np.dtype(np.uint8)
    if found.dtype == dtype:
        return found
    own = OWN_FORMAT.get(found.dtype)
    if own is not None and own != _format(type_name):
        return found  # of another format
    if found.dtype.itemsize == dtype.itemsize and found.dtype.kind not in "iu" and type_name not in INTEGERS:
        return np.ascontiguousarray(found).view(dtype)
    if found.dtype.kind in "iub" and type_name not in FLOAT_DTYPES and np.array_equal(found, found.astype(dtype)):
        return found.astype(dtype)
    return found
