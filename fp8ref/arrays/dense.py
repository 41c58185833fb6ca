"""What is given for an array, as a plain one of numpy: nothing that codes cannot carry is lost in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def dense(x: Any, what: str = "the array") -> NDArray[Any]:
    """The elements of an array, list or number.

    Raises TypeError that says what to do for masked elements, missing values of pandas, sparse matrices, records, and
    quantities with a unit: bit patterns have no place for any of it.
    """
    if type(x) is np.ndarray and x.dtype.names is None:
        return x
    _refuse_meaning(x, what)
    if isinstance(x, Sequence):
        for one in x:
            if not isinstance(one, (int, float, str)):
                _refuse_meaning(one, what)
    array = np.asarray(x)
    if array.dtype.names is not None:
        raise TypeError(f"{what} has fields {', '.join(map(str, array.dtype.names))}: give one of them, x[name]")
    return array


def _refuse_meaning(x: Any, what: str) -> None:
    if isinstance(x, np.ma.MaskedArray):
        masked = int(np.ma.getmaskarray(x).sum())
        if masked:
            raise TypeError(
                f"{what} has {masked} masked elements, which no code stands for: fill them, x.filled(value)"
            )
        return
    kinds = [x.dtype] if hasattr(x, "dtype") else list(getattr(x, "dtypes", [None]))
    if callable(getattr(x, "isna", None)) and not all(isinstance(kind, np.dtype) for kind in kinds):
        missing = int(np.sum(np.asarray(x.isna())))
        if missing:
            raise TypeError(
                f"{what} has {missing} missing values, which no code stands for: fill them, x.fillna(value)"
            )
    if type(x).__name__ == "NAType":
        raise TypeError(f"{what} has a missing value, which no code stands for")
    if hasattr(x, "nnz") and hasattr(x, "toarray"):
        raise TypeError(f"{what} is sparse: say x.toarray()")
    if getattr(x, "is_sparse", False) is True:
        raise TypeError(f"{what} is sparse: say x.to_dense()")
    if getattr(x, "is_quantized", False) is True:
        raise TypeError(f"{what} has scales of its own: say x.int_repr() or x.dequantize()")
    for name in ("unit", "units"):
        unit = getattr(x, name, None)
        if unit is not None and not callable(unit) and hasattr(x, "__array__"):
            raise TypeError(f"{what} has the unit {str(unit)[:40]!r}, which codes do not keep: give its numbers")
