"""Every wrong answer of a run in one table: CSV, or Parquet with pyarrow."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from ...check.failing import COLUMNS
from ...check.verdict import Report
from ...escapes import plain
from ...extras import install

FORMS = (".csv", ".parquet")


def lines_of(reports: Sequence[Report]) -> Iterator[list[Any]]:
    """The rows of ``COLUMNS``."""
    for report in reports:
        if report.failing is not None:
            yield from report.failing.lines(report.op)


def left_out(reports: Sequence[Report]) -> int:
    """How many wrong answers had no room."""
    return sum(report.failing.more for report in reports if report.failing is not None)


def as_csv(reports: Sequence[Report]) -> bytes:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([plain(cell) if isinstance(cell, str) else cell for cell in line] for line in lines_of(reports))
    return out.getvalue().encode()


def as_parquet(reports: Sequence[Report]) -> bytes:
    """Raises ValueError without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ValueError(f"parquet needs pyarrow: {install('parquet')}") from None
    columns = list(zip(*lines_of(reports))) or [()] * len(COLUMNS)
    types = [pyarrow.int64() if name in ("position", "length") else pyarrow.string() for name in COLUMNS]
    arrays = [pyarrow.array(column, type_) for column, type_ in zip(columns, types)]
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(COLUMNS)), out, compression="zstd")
    return out.getvalue()


def rendered(reports: Sequence[Report], suffix: str) -> bytes:
    return as_parquet(reports) if suffix == ".parquet" else as_csv(reports)
