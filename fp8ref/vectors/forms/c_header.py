"""A C header with a section's cases as tables: ``NAME_a``, ``NAME_b``, ... ``NAME_z`` and the status ``NAME_x``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...outputs import together
from ..section import Column, Section, by_case
from .jsonl import case_columns
from .registry import Sections
from .tables import digest, gathered, identifier, numbered

IN_A_LINE = 100  # characters


def write(sections: Sections, path: Path, force: bool = False) -> list[Path]:
    """One header for each section, its names made of the file's; returns them.

    Raises FileExistsError unless ``force``.
    """
    written = []
    with together(force) as files:
        for file, section, blocks in numbered(path, sections):
            section, table = gathered(section, blocks)
            with files.file(file) as out:
                out.write("\n".join(_lines(section, table, identifier(file.stem))).encode())
            written.append(file)
    return written


def _lines(section: Section, table: dict[str, NDArray[Any]], name: str) -> Iterator[str]:
    guard = f"{name.upper()}_H"
    yield f"/* {section.operation.id}: {section.count} cases, {section.selection}, seed {section.seed}."
    yield f" * z are the results, x the status: NX 1, UF 2, OF 4, DZ 8, NV 16.  sha256 {digest(table)}. */"
    yield f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n"
    yield f"#define {name.upper()}_COUNT {section.count}"
    yield f"#define {name.upper()}_OPERATION {json.dumps(section.operation.id)}\n"
    for column in case_columns(section):
        shape = f"[{section.count}]" + (f"[{math.prod(column.stored)}]" if column.stored else "")
        yield f"static const {_type(column)} {name}_{column.name}{shape} = {{"
        yield from _rows(by_case(table[column.name]), column)
        yield "};\n"
    yield f"#endif /* {guard} */\n"


def _type(column: Column) -> str:
    return f"{'int' if column.dtype.kind == 'i' else 'uint'}{8 * column.dtype.itemsize}_t"


def _rows(codes: NDArray[Any], column: Column) -> Iterator[str]:
    if column.dtype.kind == "i":
        cases = [[str(code) for code in row] for row in codes.tolist()]
    else:
        cases = [[f"0x{code:0{min(column.digits, 16)}X}" for code in row] for row in codes.tolist()]
    texts = [row[0] if column.stored == () else "{" + ", ".join(row) + "}" for row in cases]
    each = max(1, IN_A_LINE // (len(texts[0]) + 2)) if texts else 1
    for start in range(0, len(texts), each):
        yield "    " + ", ".join(texts[start : start + each]) + ","
