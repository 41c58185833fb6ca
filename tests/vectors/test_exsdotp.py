"""The unit of tools/rtl in its five modes with flags: the right one conforms, each fault is found."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "vectors" / "dot" / "e5m2_modes.jsonl.gz"
MODES = ["rne", "rtz", "rtn", "rtp", "rna"]
SEEN = {1: MODES, 2: MODES, 3: ["rtp"], 4: ["rtn"], 5: MODES}  # fault -> modes in which it shows
LEAST = 8  # cases in each of them
NAMED = {
    1: "a zero operand gates its lane: the NaN or infinity beside it is lost",
    2: "the sum of the products is rounded before C is added",
    3: "bits below the guard bit are lost: rounding sees no sticky bit",
    4: "UF is never raised",
    5: "the lanes of b are in reverse order",
}


@pytest.fixture(scope="module")
def driver() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rtl_driver", ROOT / "tools" / "rtl" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rtl_driver"] = module
    spec.loader.exec_module(module)
    return module


def wrong_cases(
    driver: ModuleType, capsys: pytest.CaptureFixture[str], way: str, bug: int, build: Path
) -> dict[str, int]:
    missing = [tool for tool in driver.WAYS[way][0] if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {missing[0]}")
    if way == "cocotb":
        pytest.importorskip("cocotb_tools", reason="cocotb is not installed: pip install '.[rtl]'")
    given = ["--build", str(build)] if way == "verilator" else ["--vectors", str(SHIPPED)]
    code = driver.main([way, "--bug", str(bug), *given])
    out, err = capsys.readouterr()
    assert code == int(bug > 0), err
    named = set(re.findall(r"cases differ: (.*)", out))
    assert named == ({NAMED[bug]} if bug else set())
    return {mode: int(n) for mode, n in re.findall(r"exsdotp (\w+): (\d+) of [1-9]\d* cases differ", out)}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build of Verilator's for every fault."""
    return tmp_path_factory.mktemp("verilator")


def check(driver: ModuleType, capsys: pytest.CaptureFixture[str], way: str, bug: int, build: Path) -> None:
    found = wrong_cases(driver, capsys, way, bug, build)
    assert list(found) == MODES
    assert {mode for mode, n in found.items() if n} == set(SEEN[bug] if bug else ())
    assert all(n >= LEAST for n in found.values() if n)


@pytest.mark.parametrize(("way", "bug"), [("iverilog", 0), ("iverilog", 3), ("ghdl", 0), ("ghdl", 4)])
def test_the_unit_and_a_fault_of_one_mode(
    driver: ModuleType, capsys: pytest.CaptureFixture[str], way: str, bug: int, build: Path
) -> None:
    check(driver, capsys, way, bug, build)


@pytest.mark.full
@pytest.mark.parametrize("bug", range(6))
@pytest.mark.parametrize("way", ["iverilog", "ghdl", "cocotb", "verilator"])
def test_every_fault_is_found_in_its_modes(
    driver: ModuleType, capsys: pytest.CaptureFixture[str], way: str, bug: int, build: Path
) -> None:
    check(driver, capsys, way, bug, build)


def test_a_missing_simulator_is_reported(
    driver: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.shutil, "which", lambda name: None)
    assert driver.main(["ghdl"]) == 4
    assert capsys.readouterr().err.startswith("ghdl is not installed")
