"""Drives the unit of this folder, E5M2 x E5M2 twice and C in binary16, in its five modes with flags.

    python tools/rtl/run.py iverilog|verilator|cocotb|ghdl [--bug 1..5]

iverilog and ghdl read the words of a file (ghdl those of the VHDL twin), cocotb the vectors through fp8ref, verilator
calls the golden model in C through DPI-C.  What the unit answers is then held against the reference, and the mistake
that explains all of it is named.  Exit codes: 0 conforms in every mode, 1 does not, 4 a tool is missing, or failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from fp8ref.testing.bench import Verdict, verdict
from fp8ref.vectors.c_model.generate import c_model
from fp8ref.vectors.files import found_in, sections_of
from fp8ref.vectors.forms.memh import write
from fp8ref.vectors.forms.registry import Sections, get_form
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Block, Section
from fp8ref.vectors.source import open_source

HERE = Path(__file__).resolve().parent
MODES = ("rne", "rtz", "rtn", "rtp", "rna")  # by RISC-V's frm
TOTALS = re.compile(r"(\d+) of (\d+) cases differ")
BUGS = ("none", "zeros gate their lane", "the products are rounded before C", "no sticky bit upward",
        "no underflow downward", "the lanes of b are exchanged")  # fmt: skip
TIMEOUT = 600  # seconds
Ran = tuple[str, Path]  # what the simulator printed of a mode, and the file of the unit's answers


def operation(mode: str) -> str:
    return f"dot/e5m2.e5m2/f16/exact.{mode}.nonsat;flags=1;k=2;zero=ieee"


def tool(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """What a command printed.  Raises RuntimeError where it fails."""
    env = os.environ | (environment or {})
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, env=env)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{command[0]} took longer than {TIMEOUT} seconds") from None
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def words(mode: str, folder: Path, vectors: Path | None) -> Path:
    """The cases of a mode for $readmemh: of every bin, or of a file of vectors."""
    path = folder / "vectors.memh"
    if not write(_sections(Section.of(operation(mode)), vectors), path, force=True):
        raise RuntimeError(f"{vectors} holds no cases of {operation(mode)}")
    return path


def _sections(wanted: Section, vectors: Path | None) -> Sections:
    if vectors is None:
        recipe = Recipe.of(wanted.operation)
        yield recipe.section(bins=False), generate(recipe, bins=False)
        return
    for section, blocks in sections_of(found_in(open_source(vectors))):
        if section.operation == wanted.operation:
            yield section, blocks
            return


def iverilog(bug: int, folder: Path, vectors: Path | None) -> Iterator[Ran]:
    for rm, mode in enumerate(MODES):
        words(mode, folder, vectors)
        sources = ["vectors_pkg.sv", str(HERE / "exsdotp.sv"), str(HERE / "bench_words.sv")]
        tool(["iverilog", "-g2012", f"-Pbench.BUG={bug}", "-s", "bench", "-o", "bench.vvp", *sources], folder)
        yield tool(["vvp", "-n", "bench.vvp", f"+rm={rm}", "+answers=answers.txt"], folder), folder / "answers.txt"


def verilator(bug: int, folder: Path, vectors: Path | None) -> Iterator[Ran]:
    program = folder / "sim" / "Vbench"
    if not program.exists():  # it holds the unit with every fault
        for name, text in c_model(["e5m2"]).items():
            (folder / name).write_text(text, encoding="utf-8")
        sources = ["fp8ref_model_pkg.sv", str(HERE / "exsdotp.sv"), str(HERE / "bench_dpi.sv"), "fp8ref_model.c"]
        quickly = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # compiling takes longer than running
        command = ["verilator", "--binary", "-j", "1", "--top-module", "bench", "-Wno-WIDTH"]
        tool([*command, "--Mdir", "sim", "-MAKEFLAGS", quickly, *sources], folder)
    output = tool([str(program), f"+bug={bug}", "+answers=answers"], folder)
    yield from ((said, folder / f"answers.{rm}") for rm, said in enumerate(output.split("rm=")[1:]))


def with_cocotb(bug: int, folder: Path, vectors: Path | None) -> Iterator[Ran]:
    for rm, mode in enumerate(MODES):
        path = words(mode, folder, vectors)
        script = (
            "from cocotb_tools.runner import get_runner\n"
            "runner = get_runner('icarus')\n"
            f"runner.build(sources=[{str(HERE / 'exsdotp.sv')!r}], hdl_toplevel='exsdotp', build_dir='sim',\n"
            f"             parameters={{'BUG': {bug}}}, timescale=('1ns', '1ps'))\n"
            "runner.test(hdl_toplevel='exsdotp', test_module='cocotb_bench', build_dir='sim', test_dir='sim',\n"
            f"            extra_env={{'FP8REF_VECTORS': {str(path)!r}, 'FP8REF_RM': '{rm}',\n"
            f"                       'FP8REF_ANSWERS': {str(folder / 'answers.txt')!r}}})\n"
        )
        paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
        said = tool([sys.executable, "-c", script], folder, {"PYTHONPATH": paths, "COCOTB_ANSI_OUTPUT": "0"})
        yield said, folder / "answers.txt"


def ghdl(bug: int, folder: Path, vectors: Path | None) -> Iterator[Ran]:
    for name in ("exsdotp.vhd", "bench_words.vhd"):
        tool(["ghdl", "-a", "--std=08", str(HERE / name)], folder)
    tool(["ghdl", "-e", "--std=08", "bench"], folder)
    for rm, mode in enumerate(MODES):
        words(mode, folder, vectors)
        yield tool(["ghdl", "-r", "--std=08", "bench", f"-gBUG={bug}", f"-gRM={rm}"], folder), folder / "answers.txt"


WAYS: dict[str, tuple[tuple[str, ...], Callable[[int, Path, Path | None], Iterator[Ran]]]] = {
    "iverilog": (("iverilog", "vvp"), iverilog),
    "verilator": (("verilator", "make", "g++"), verilator),
    "cocotb": (("iverilog", "vvp"), with_cocotb),
    "ghdl": (("ghdl",), ghdl),
}


def judged(mode: str, ran: Ran) -> Verdict:
    """What came of a mode.  Raises RuntimeError where nothing was checked, or bench and reference disagree."""
    output, answers = ran
    section = Section.of(operation(mode))
    totals = TOTALS.findall(output)
    if not totals or totals[-1][1] == "0":
        raise RuntimeError(f"{mode}: nothing was checked\n{output[-2000:]}")
    pieces = [*get_form("testfloat").reader(open_source(answers, section))]
    found = verdict(section, Block.joined(piece.block for piece in pieces),
                    (f"case {line}" for piece in pieces for line in piece.lines.tolist()))  # fmt: skip
    if (found.wrong, found.cases) != tuple(map(int, totals[-1])):
        raise RuntimeError(f"{mode}: the bench counts {totals[-1][0]} of {totals[-1][1]} wrong, the reference "
                           f"{found.wrong} of {found.cases}")  # fmt: skip
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--bug", type=int, default=0, choices=range(len(BUGS)), help="a planted fault, 1 to 5")
    parser.add_argument("--vectors", type=Path, help="a vector file; by default cases of every bin are made")
    parser.add_argument("--build", type=Path, help="build here and keep it; by default a temporary folder")
    args = parser.parse_args(arguments)
    tools, way = WAYS[args.way]
    missing = [name for name in tools if shutil.which(name) is None]
    if missing:
        print(f"{missing[0]} is not installed; on Debian: apt-get install iverilog verilator ghdl", file=sys.stderr)
        return 4
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.build or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        verdicts = []
        try:
            for mode, ran in zip(MODES, way(args.bug, folder, args.vectors and args.vectors.resolve())):
                found = judged(mode, ran)
                verdicts.append(found)
                named = f": {'; or '.join(found.mistakes) or 'no known mistake'}" if found.wrong else ""
                print(f"exsdotp {mode}: {found.wrong} of {found.cases} cases differ{named}")
                for line in found.shown[:1]:
                    print(f"  {line}")
        except (RuntimeError, ValueError, OSError) as error:
            print(f"{args.way}: {error}", file=sys.stderr)
            return 4
    worst = int(any(found.wrong for found in verdicts))
    bug = f" (BUG={args.bug}: {BUGS[args.bug]})" if args.bug else ""
    print(f"exsdotp {'does not conform' if worst else 'conforms'}: {args.way}{bug}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
