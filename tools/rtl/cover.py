"""Coverage of the unit of this folder in one: the suite's bins and what Verilator counted.

    python tools/rtl/cover.py [-n CASES] [-o FILE]

Verilator simulates the unit in its five modes on the words of the shipped vectors, the first CASES of each mode, and
counts bins, lines, branches and toggles; `fp8ref vectors coverage` merges that with the bins of all the cases.  FILE is
what the coverage page draws, docs/data/coverage.json.  Exit code 4: a tool is missing, or failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from run import HERE, MODES, operation, tool

from fp8ref.outputs import atomically
from fp8ref.vectors.files import found_in, sections_of
from fp8ref.vectors.forms.memh import write
from fp8ref.vectors.forms.registry import Sections
from fp8ref.vectors.merging.database import Database, merged, written
from fp8ref.vectors.merging.reading import coverage_of
from fp8ref.vectors.source import open_source

ROOT = HERE.parents[1]
SHIPPED = ROOT / "vectors" / "dot" / "e5m2_modes.jsonl.gz"
TOOLS = ("verilator", "make", "g++")


def sections(mode: str) -> Sections:
    """The shipped cases of a mode, with their bins."""
    for section, blocks in sections_of(found_in(open_source(SHIPPED)), tagged=True):
        if section.operation.id == operation(mode):
            yield section, blocks
            return


def measured(folder: Path, most: int) -> Database:
    """The merged coverage.  Raises RuntimeError where a tool fails."""
    for mode in MODES:
        write(sections(mode), folder / f"{mode}.memh", force=True)
    sources = [f"{mode}_{part}.sv" for part in ("pkg", "cover") for mode in MODES]
    quickly = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # compiling takes longer than running
    command = ["verilator", "--binary", "-j", "1", "--coverage", "--top-module", "bench", "-Wno-fatal", "-Wno-WIDTH"]
    command += ["--Mdir", "sim", "-MAKEFLAGS", quickly, *sources]
    tool([*command, *(str(HERE / name) for name in ("exsdotp.sv", "bench_cover.sv", "coverage.cpp"))], folder)
    print(tool([str(folder / "sim" / "Vbench"), f"+most={most}"], folder), end="")
    simulated = coverage_of(folder / "coverage.dat")
    simulated.sources = [simulated.sources[0]._replace(name="coverage.dat")]
    return merged([coverage_of(SHIPPED), simulated])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=1 << 16, metavar="CASES", help="of each mode, the first so many")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "data" / "coverage.json")
    args = parser.parse_args(arguments)
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing:
        print(f"{missing[0]} is not installed; on Debian: apt-get install verilator", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = measured(Path(folder), args.n)
        except (RuntimeError, ValueError, OSError) as error:
            print(error, file=sys.stderr)
            return 4
    with atomically(args.output, force=True) as file:
        file.write(written(found).encode())
    print(args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
