"""The UVM package of an RTL start: Verilator reads it, and its scoreboard finds what is wrong.

No simulator here has UVM; ``uvm_stub`` stands in for its classes.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fp8ref.vectors.c_model.generate import c_model

ROOT = Path(__file__).resolve().parents[2]
STUB = Path(__file__).with_name("uvm_stub")
PACKAGE = ROOT / "fp8ref" / "starters" / "rtl" / "convert_uvm_pkg.svh"
LINT = ("-Wall", "-Wno-UNUSED", "-Wno-UNDRIVEN", "-Wno-DECLFILENAME")  # members are a class's, the file a package's

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator on this machine")


def verilator(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    for name, text in c_model(["e4m3fn"]).items():
        (folder / name).write_text(text, encoding="utf-8")
    sources = (f"-I{STUB}", str(STUB / "uvm_pkg.sv"), "fp8ref_model_pkg.sv", str(PACKAGE))
    command = ["verilator", *arguments[:-1], *sources, *arguments[-1].split()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_verilator_reads_it(tmp_path: Path) -> None:
    done = verilator(tmp_path, "--lint-only", *LINT, "")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.full
def test_the_scoreboard_finds_what_is_wrong(tmp_path: Path) -> None:
    top = f"{STUB / 'top.sv'} fp8ref_model.c"
    done = verilator(tmp_path, "--binary", "-Wno-fatal", "--top-module", "top", "-CFLAGS", "-O0", "-o", "t", top)
    assert done.returncode == 0, done.stderr
    said = subprocess.run(["obj_dir/t"], cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert said[:5] == [
        "ERROR NOTHING: nothing was checked",
        "ERROR MISMATCH: 3f880000 rm 0 gives 39 flags 01, not 38 01",
        "ERROR MISMATCH: 43e88000 rm 0 gives 7e flags 04, not 7e 05",
        "ERROR MODE: no such mode: 3f800000 rm 7 gives 38 flags 00",
        "INFO FP8REF: 3 of 7 cases differ",
    ]
