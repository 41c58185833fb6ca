"""Elementary functions of narrow formats in the C model: for each code the true value, and what it raises.

The value, a binary64, is rounded to odd at 53 bits, so that rounding it to a result of at most 24 bits is rounding the
true value once [Boldo and Melquiond, IEEE Trans. Computers 57(4), 2008]; exponents beyond every format's are held at
``FAR``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...cases.families import FUNCTIONS
from ...fast.arithmetic import Task, compute_arrays
from ...fast.functions.outcomes import table
from ...fast.kernel import floor_log2_u64
from ...spec.formats import Format
from ...spec.operations.definition import Semantics
from ...spec.projection import get_projection
from ...spec.status import Status

FAR = 600  # a power of two beyond every format of at most 8 bits and its thresholds, within binary64
OF_OPERANDS = int(Status.INVALID | Status.DIVIDE_BY_ZERO)  # raised whatever the rounding


def require_functions(names: Iterable[str]) -> tuple[str, ...]:
    """Functions of one operand, ``all`` for every one.  Raises ValueError for others."""
    said = tuple(dict.fromkeys(names))
    if said == ("all",):
        return tuple(FUNCTIONS)
    for name in said:
        if name not in FUNCTIONS:
            raise ValueError(f"{name!r:.40} is no function of one operand; choose from all, {', '.join(FUNCTIONS)}")
    return said


def values_of(name: str, f: Format) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """A binary64 code for each code of a format, and the invalid and divideByZero that it raises."""
    found = table(name, (f,), Semantics.IEEE)
    sig = np.where(found.sig == 0, np.uint64(1), found.sig)
    top = floor_log2_u64(sig)
    down = np.maximum(top - 52, 0).astype(np.uint64)
    kept = sig >> down
    kept |= (kept << down != sig).astype(np.uint64)  # odd where something was lost
    kept <<= np.maximum(52 - top, 0).astype(np.uint64)
    exponent = np.clip(found.exp.astype(np.int64) + top, -FAR, FAR)
    number = (kept & np.uint64((1 << 52) - 1)) | ((exponent + 1023).astype(np.uint64) << np.uint64(52))
    number = np.where(found.sig == 0, np.uint64(0), number)
    number = np.where(found.infinite, np.uint64(0x7FF << 52), number)
    number |= found.negative.astype(np.uint64) << np.uint64(63)
    codes = np.arange(1 << f.k, dtype=np.uint8)
    status = compute_arrays(Task(name, (f,), f, get_projection(f, "rne", "nonsat")), [codes], True)[1]
    assert status is not None
    return np.where(found.nan | ~found.known, np.uint64(0x7FF8 << 48), number), status & np.uint8(OF_OPERANDS)


def c_tables(name: str, f: Format) -> str:
    """Both tables as C."""
    values, raised = values_of(name, f)
    rows = [", ".join(f"0x{v:016X}u" for v in values[i : i + 4].tolist()) for i in range(0, values.size, 4)]
    flags = [", ".join(map(str, raised[i : i + 32].tolist())) for i in range(0, raised.size, 32)]
    symbol = f"{f.name}_{name}"
    return (
        f"static const uint64_t values_{symbol}[{values.size}] = {{\n    " + ",\n    ".join(rows) + "\n};\n"
        f"static const unsigned char raised_{symbol}[{raised.size}] = {{\n    " + ",\n    ".join(flags) + "\n};"
    )
