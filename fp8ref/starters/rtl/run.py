"""Runs the designs of this folder against fp8ref, in one of four ways; by default in the first that can be.

    python run.py iverilog      a plain test bench reads the words of a file with $readmemh
    python run.py verilator     the C golden model is called through DPI-C
    python run.py cocotb        a cocotb test reads the vectors through fp8ref, simulated by iverilog
    python run.py ghdl          a VHDL test bench reads the words of a file with textio

Exit codes: 0 every design conforms, 1 one does not, 4 a simulator is missing or a tool failed, 5 nothing was checked.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fp8ref.cases.operation import Operation
from fp8ref.vectors.c_model.generate import c_model
from fp8ref.vectors.files import found_in, sections_of
from fp8ref.vectors.forms.memh import write
from fp8ref.vectors.forms.registry import Sections
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Section
from fp8ref.vectors.source import open_source

HERE = Path(__file__).resolve().parent
CONFORMS, FAILS, TROUBLE, NOTHING = 0, 1, 4, 5
TIMEOUT = 900  # seconds
TOTALS = re.compile(r"(\d+) of (\d+) cases differ")


@dataclass(frozen=True)
class Design:
    """A design of this folder: its name, what it computes under each overflow rule, its cases among the shipped
    vectors, and the macros of its benches."""

    name: str
    operation: str
    shipped: str
    macros: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        return HERE / f"{self.name}.sv"

    @property
    def vhdl(self) -> Path:
        return HERE / f"{self.name}.vhd"


DESIGNS = (
    Design("f32_to_e4m3fn", "convert/f32/e4m3fn/rne", "convert/f32_to_e4m3fn.jsonl.gz"),
    Design("mul_e4m3fn", "mul/e4m3fn.e4m3fn/e4m3fn/rne", "arithmetic/e4m3fn_mul.fpv.gz", ("BINARY",)),
)


@dataclass(frozen=True)
class Job:
    """One run: a design, its parameters, where to build, and which cases."""

    design: Design
    folder: Path
    bug: int
    saturate: int
    count: int
    vectors: Path | None

    @property
    def parameters(self) -> dict[str, int]:
        return {"SATURATE": self.saturate, "BUG": self.bug}

    @property
    def operation(self) -> Operation:
        return Section.of(f"{self.design.operation}.{'sat' if self.saturate else 'nonsat'}").operation

    def words(self) -> Path:
        """The cases as words for $readmemh, of the file that was given or made by the recipe."""
        path = self.folder / "vectors.memh"
        if not write(self._sections(), path, force=True):
            raise ValueError(f"{self._given} holds no cases of {self.operation}")
        return path

    @property
    def _given(self) -> Path | None:
        if self.vectors is not None and self.vectors.is_dir():
            return self.vectors / self.design.shipped
        return self.vectors

    def _sections(self) -> Sections:
        if self._given is None:
            recipe = Recipe.of(self.operation, n=self.count)
            yield recipe.section(bins=False), generate(recipe, bins=False)
            return
        for section, blocks in sections_of(found_in(open_source(self._given))):
            if section.operation == self.operation:
                yield section, blocks
                return


def tool(command: list[str], folder: Path) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def simulate(command: list[str], job: Job) -> str:
    """What a simulation printed, whatever its exit code."""
    done = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout + done.stderr


def iverilog(job: Job) -> str:
    job.words()
    macros = [f"-D{macro}" for macro in (*job.design.macros, f"DESIGN={job.design.name}")]
    values = [f"-Pbench.{name}={value}" for name, value in job.parameters.items()]
    sources = ["vectors_pkg.sv", str(job.design.file), str(HERE / "bench_readmemh.sv")]
    tool(["iverilog", "-g2012", *macros, *values, "-s", "bench", "-o", "bench.vvp", *sources], job.folder)
    return simulate(["vvp", "-n", "bench.vvp"], job)


def with_cocotb(job: Job) -> str:
    words = job.words()
    # in a process of its own: the runner prints, and leaves its environment behind
    script = (
        "from cocotb_tools.runner import get_runner\n"
        "runner = get_runner('icarus')\n"
        f"runner.build(sources=[{str(job.design.file)!r}], hdl_toplevel={job.design.name!r}, build_dir='sim',\n"
        f"             parameters={job.parameters!r}, timescale=('1ns', '1ps'))\n"
        f"runner.test(hdl_toplevel={job.design.name!r}, test_module='cocotb_bench', build_dir='sim', test_dir='sim',\n"
        f"            extra_env={{'FP8REF_VECTORS': {str(words)!r}}})\n"
    )
    paths = [str(HERE), *filter(None, sys.path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "COCOTB_ANSI_OUTPUT": "0"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, env=environment, timeout=TIMEOUT)
    return done.stdout + done.stderr


@cache
def dpi_bench(folder: Path) -> Path:
    """The program of the DPI-C bench, which holds every design and variant; built once."""
    folder.mkdir(exist_ok=True)
    for name, text in c_model(["e4m3fn"]).items():
        (folder / name).write_text(text, encoding="utf-8")
    sources = ["fp8ref_model_pkg.sv", *(str(d.file) for d in DESIGNS), str(HERE / "bench_dpi.sv"), "fp8ref_model.c"]
    quickly = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # compiling takes longer than running
    command = ["verilator", "--binary", "-j", "1", "--top-module", "bench", "--Mdir", "sim", "-MAKEFLAGS", quickly]
    tool([*command, *sources], folder)
    return folder / "sim" / "Vbench"


def verilator(job: Job) -> str:
    program = dpi_bench(job.folder.parent / "dpi")
    which = ["+mul"] if "BINARY" in job.design.macros else []
    return simulate([str(program), *which, f"+saturate={job.saturate}", f"+bug={job.bug}"], job)


def ghdl(job: Job) -> str:
    job.words()
    ports = "a => wanted.a, b => wanted.b" if "BINARY" in job.design.macros else "a => wanted.a"
    bench = (HERE / "bench_textio.vhd").read_text(encoding="utf-8")
    bench = bench.replace("@DESIGN@", job.design.name).replace("@PORTS@", ports)
    (job.folder / "bench.vhd").write_text(bench, encoding="utf-8")
    for file in ("vectors_pkg.vhd", str(job.design.vhdl), "bench.vhd"):
        tool(["ghdl", "-a", "--std=08", file], job.folder)
    tool(["ghdl", "-e", "--std=08", "bench"], job.folder)
    values = [f"-g{name}={value}" for name, value in job.parameters.items()]
    return simulate(["ghdl", "-r", "--std=08", "bench", *values], job)


@dataclass(frozen=True)
class Way:
    """A way to run a design: the programs and Python packages it needs, the bench that stands here, what runs it."""

    tools: tuple[str, ...]
    bench: str
    run: Callable[[Job], str]
    package: str = ""

    @property
    def missing(self) -> str:
        """What is not installed, the first of it; empty where all is."""
        found = next((name for name in self.tools if shutil.which(name) is None), "")
        return found or (self.package if self.package and importlib.util.find_spec(self.package) is None else "")


WAYS = {
    name: way
    for name, way in {
        "iverilog": Way(("iverilog", "vvp"), "bench_readmemh.sv", iverilog),
        "verilator": Way(("verilator", "make", "g++"), "bench_dpi.sv", verilator),
        "cocotb": Way(("iverilog", "vvp"), "cocotb_bench.py", with_cocotb, "cocotb"),
        "ghdl": Way(("ghdl",), "bench_textio.vhd", ghdl),
    }.items()
    if (HERE / way.bench).exists()
}


def judge(way: str, job: Job) -> int:
    """Run a design and print what came of it."""
    output = WAYS[way].run(job)
    totals = TOTALS.findall(output)
    if not totals:
        print(output[-4000:])
        print(f"{job.design.name}: the bench printed no total")
        return TROUBLE
    wrong, cases = map(int, totals[-1])
    for line in [line for line in output.splitlines() if " gives " in line][:5]:
        print("  " + re.sub(r"^.*ERROR\s+\S+\s+", "", line))  # what cocotb puts before a message
    verdict = "nothing was checked" if not cases else "does not conform" if wrong else "conforms"
    print(
        f"{job.design.name} {verdict}: {wrong} of {cases} cases differ ({way}{f', BUG={job.bug}' if job.bug else ''})"
    )
    return NOTHING if not cases else FAILS if wrong else CONFORMS


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("way", choices=WAYS, nargs="?", help="by default the first whose tools are installed")
    parser.add_argument("--design", choices=[d.name for d in DESIGNS], help="one design; by default each")
    parser.add_argument(
        "--bug",
        type=int,
        default=0,
        choices=[0, 1, 2],
        help="a planted fault: 1 ties go away, 2 the sticky bit is lost",
    )
    parser.add_argument("--nonsat", action="store_true", help="overflows become NaN")
    parser.add_argument("-n", type=int, default=20000, metavar="CASES", help="how many (a pair of codes has 65536)")
    parser.add_argument("--vectors", type=Path, help="a vector file, or the folder of shipped ones")
    parser.add_argument("--build", type=Path, help="build here and keep it; by default a temporary folder")
    args = parser.parse_args(arguments)
    chosen = args.way or next((name for name, way in WAYS.items() if not way.missing), next(iter(WAYS)))
    if missing := WAYS[chosen].missing:
        how = "pip install cocotb" if missing == "cocotb" else "on Debian: apt-get install iverilog verilator ghdl"
        print(f"{missing} is not installed; {how}", file=sys.stderr)
        return TROUBLE
    worst = CONFORMS
    with tempfile.TemporaryDirectory() as temporary:
        for design in DESIGNS:
            if args.design not in (None, design.name):
                continue
            folder = (args.build or Path(temporary)).resolve() / design.name
            folder.mkdir(parents=True, exist_ok=True)
            job = Job(design, folder, args.bug, int(not args.nonsat), args.n, args.vectors and args.vectors.resolve())
            try:
                worst = max(worst, judge(chosen, job))
            except (RuntimeError, ValueError, OSError) as error:
                print(f"{design.name}: {error}", file=sys.stderr)
                return TROUBLE
    return worst


if __name__ == "__main__":
    sys.exit(main())
