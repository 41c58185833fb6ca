"""C headers with cases as tables: a program that includes one prints the same cases."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from vectors.c_model.model_calls import needs_gcc
from vectors.forms.tabular import OPERATIONS, made, written

from fp8ref.vectors.forms.tables import arrays

pytestmark = needs_gcc
PROGRAM = """\
#include <stdio.h>
#include "some-cases.h"
#define PRINT(NAME, ELEMENTS, ELEMENT) \\
    for (j = 0; j < ELEMENTS; j++) printf("%llu ", (unsigned long long)some_cases_##NAME ELEMENT);
int main(void) {
    int i, j;
    puts(SOME_CASES_OPERATION);
    for (i = 0; i < SOME_CASES_COUNT; i++) {
        @PRINTS@
        puts("");
    }
    return 0;
}
"""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_program_reads_the_tables(tmp_path: Path, operation: str) -> None:
    written("c-header", tmp_path / "some-cases.h", operation, n=50)
    section, block = made(operation, 50)
    columns = arrays(section, block)
    names = [*(c.name for c in section.columns), "x" if block.amax is None else "amax"][: len(columns)]
    prints = [
        f"PRINT({name}, {array[0].size}, {'[i][j]' if array.ndim > 1 else '[i]'})"
        for name, array in zip(names, columns)
    ]
    (tmp_path / "main.c").write_text(PROGRAM.replace("@PRINTS@", "\n        ".join(prints)))
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, *lines = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert first == section.operation.id
    want = [[int(v) % (1 << 64) for a in columns for v in a[i].reshape(-1).tolist()] for i in range(block.size)]
    assert [[int(v) for v in line.split()] for line in lines] == want
