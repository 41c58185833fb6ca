"""Write fp8ref/fast/functions/tables.xz: every function of one operand on every 8-bit format of ml_dtypes.

``python tools/functions/tables.py``: half a minute.  The file saves the first ``fp8ref check`` that time; it is of the
specification as it stands, and one of another specification is not read.
"""

from __future__ import annotations

import itertools
from dataclasses import fields

from fp8ref.fast.functions.outcomes import made
from fp8ref.fast.functions.stored import SHIPPED, pack
from fp8ref.spec import Format, get_format
from fp8ref.spec.functions.catalog import FUNCTIONS
from fp8ref.spec.operations.definition import Semantics

FORMATS = ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz")


def names() -> list[tuple[str, Format, Semantics]]:
    """The tables of the file."""
    unary = [op for op, function in FUNCTIONS.items() if function.arity == 1 and not function.integer]
    usual = [(op, get_format(name), Semantics.IEEE) for op, name in itertools.product(unary, FORMATS)]
    return usual + [(op, get_format("e8m0fnu"), Semantics.SCALES) for op in unary]


def main() -> None:
    """The command."""
    tables = {}
    for op, f, semantics in names():
        name, table = made(op, (f,), semantics)
        tables[name] = [getattr(table, field.name) for field in fields(table)]
    SHIPPED.write_bytes(pack(tables))
    print(f"{len(tables)} tables, {SHIPPED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
