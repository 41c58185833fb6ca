"""``fp8ref.code_table``: every code of a format with its value and class."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.conversion import decode
from ..display import Shown
from ..report.findings.draw import class_name
from ..report.findings.neighbours import code_text
from ..spec.catalog import get_format
from ..spec.formats import Format

WIDEST = 16  # bits
LINES = 16  # of the repr


@dataclass(frozen=True, eq=False)
class CodeTable(Shown, kind="codes"):
    """Every code of a format: three arrays of one length, 2^k.

    ``codes``: uint8 or uint16, 0 upward; ``values``: float64, exact; ``classes``: texts, such as ``subnormal``.
    """

    format: Format
    codes: NDArray[Any]
    values: NDArray[np.float64]
    classes: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.codes)

    def to_frame(self) -> Any:
        """The table as a DataFrame of pandas, or of polars where only that is installed; ImportError without."""
        columns = {"code": self.codes, "value": self.values, "class": self.classes.tolist()}
        for name in ("pandas", "polars"):
            try:
                return importlib.import_module(name).DataFrame(columns)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
        raise ImportError("a table needs pandas or polars: pip install pandas")

    def __repr__(self) -> str:
        rows = [
            f"{code_text(int(code), self.format.k)}  {value:<14.8g}  {name}"
            for code, value, name in zip(self.codes[:LINES], self.values, self.classes)
        ]
        more = [f"... {len(self) - LINES} more codes"] if len(self) > LINES else []
        return "\n".join([f"{self.format.name}: {len(self)} codes", *rows, *more])


def code_table(format: str | Format) -> CodeTable:
    """Every code of a format of at most 16 bits with its value and class; in a notebook a map coloured by both.

    >>> table = code_table("e2m1fn")
    >>> table.values[:8].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]

    Raises ValueError for a name that no format has, or for a wider format.
    """
    f = get_format(format) if isinstance(format, str) else format
    if f.k > WIDEST:
        raise ValueError(f"{f.name} has 2^{f.k} codes; a table has those of formats of at most {WIDEST} bits")
    codes = np.arange(1 << f.k, dtype=np.uint8 if f.k <= 8 else np.uint16)
    classes = np.array([class_name(code, f) for code in range(1 << f.k)])
    return CodeTable(f, codes, decode(codes, f, dtype=np.float64), classes)
