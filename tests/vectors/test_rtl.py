"""The designs of `fp8ref new rtl`: the good ones conform in each of the three ways, the planted faults are found."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from vectors.forms.tabular import made

from fp8ref.vectors.files import write_file
from fp8ref.vectors.forms.registry import get_form

ROOT = Path(__file__).parents[2]
RUN = ROOT / "fp8ref" / "starters" / "rtl" / "run.py"


def _absent(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


needs_iverilog = _absent("iverilog", "vvp")
needs_verilator = _absent("verilator", "make", "g++")
needs_ghdl = _absent("ghdl")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rtl_run", RUN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rtl_run"] = module
    spec.loader.exec_module(module)
    return module


def verdicts(bench: ModuleType, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the line on each design."""
    code = bench.main(list(arguments))
    out = capsys.readouterr().out
    return code, [line for line in out.splitlines() if "cases differ" in line]


@needs_iverilog
@pytest.mark.parametrize(("overflow", "n"), [([], "65536"), (["--nonsat"], "4096")])
def test_good_designs_conform_to_the_words(
    bench: ModuleType, capsys: pytest.CaptureFixture[str], overflow: list[str], n: str
) -> None:
    """The converter on cases of every coverage bin, the multiplier on every pair."""
    code, lines = verdicts(bench, capsys, "iverilog", "-n", n, *overflow)
    assert (code, lines) == (
        0,
        [f"{name} conforms: 0 of {n} cases differ (iverilog)" for name in ("f32_to_e4m3fn", "mul_e4m3fn")],
    )


@needs_iverilog
@pytest.mark.parametrize("bug", ["1", "2"])
def test_planted_faults_are_found_by_the_words(bench: ModuleType, capsys: pytest.CaptureFixture[str], bug: str) -> None:
    code, lines = verdicts(bench, capsys, "iverilog", "-n", "3000", "--bug", bug)
    assert code == 1
    assert [line.split(" does not conform")[0] for line in lines] == ["f32_to_e4m3fn", "mul_e4m3fn"]


@needs_iverilog
def test_cocotb(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cocotb_tools", reason="cocotb is not installed: pip install '.[rtl]'")
    code, lines = verdicts(bench, capsys, "cocotb", "-n", "1000", "--design", "f32_to_e4m3fn")
    assert (code, lines) == (0, ["f32_to_e4m3fn conforms: 0 of 1000 cases differ (cocotb)"])
    code, lines = verdicts(bench, capsys, "cocotb", "-n", "1000", "--design", "mul_e4m3fn", "--bug", "1")
    assert code == 1
    assert lines[0].startswith("mul_e4m3fn does not conform: ")


@pytest.mark.full
@needs_iverilog
@pytest.mark.parametrize("bug", ["0", "1", "2"])
def test_cocotb_on_every_pair(bench: ModuleType, capsys: pytest.CaptureFixture[str], bug: str) -> None:
    pytest.importorskip("cocotb_tools", reason="cocotb is not installed: pip install '.[rtl]'")
    code, lines = verdicts(bench, capsys, "cocotb", "-n", "65536", "--bug", bug)
    assert (code, len(lines)) == (int(bug != "0"), 2)


@needs_verilator
def test_the_c_model_through_dpi(bench: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One build, which holds every variant."""
    build = ("verilator", "--build", str(tmp_path))
    for overflow in (["--nonsat"],):
        code, lines = verdicts(bench, capsys, *build, *overflow)
        assert (code, lines) == (
            0,
            [
                "f32_to_e4m3fn conforms: 0 of 262144 cases differ (verilator)",
                "mul_e4m3fn conforms: 0 of 65536 cases differ (verilator)",
            ],
        )
    for bug in ("2",):
        code, lines = verdicts(bench, capsys, *build, "--bug", bug)
        assert code == 1
        assert [line.split(" does not conform")[0] for line in lines] == ["f32_to_e4m3fn", "mul_e4m3fn"]


@needs_ghdl
@pytest.mark.parametrize(("bug", "n"), [("0", "3000"), ("1", "3000"), ("2", "3000")])
def test_the_vhdl_twins(bench: ModuleType, capsys: pytest.CaptureFixture[str], bug: str, n: str) -> None:
    for overflow in ([], ["--nonsat"]) if bug == "0" else ([],):
        code, lines = verdicts(bench, capsys, "ghdl", "-n", n, "--bug", bug, *overflow)
        assert code == int(bug != "0")
        assert [line.split(" conforms" if bug == "0" else " does not conform")[0] for line in lines] == [
            "f32_to_e4m3fn", "mul_e4m3fn",
        ]  # fmt: skip


@needs_iverilog
def test_by_default_the_first_way_whose_tools_are_there(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = verdicts(bench, capsys, "-n", "500", "--design", "mul_e4m3fn")
    assert (code, lines) == (0, ["mul_e4m3fn conforms: 0 of 500 cases differ (iverilog)"])


def test_a_missing_simulator_is_reported(
    bench: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.shutil, "which", lambda name: None)
    assert bench.main(["verilator"]) == 4
    assert capsys.readouterr().err == "verilator is not installed; on Debian: apt-get install iverilog verilator ghdl\n"


@needs_iverilog
def test_the_shipped_vectors(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("iverilog", "--nonsat", "--vectors", str(ROOT / "vectors"))
    code, lines = verdicts(bench, capsys, *given)
    assert code == 0
    assert [line.split(" conforms: 0 of ")[0] for line in lines] == ["f32_to_e4m3fn", "mul_e4m3fn"]
    assert " 0 of 65536 cases differ" in lines[1]
    code, lines = verdicts(bench, capsys, *given, "--bug", "2")
    assert code == 1
    assert all("does not conform" in line for line in lines)
    assert bench.main(["iverilog", "--design", "mul_e4m3fn", *given[2:]]) == 4
    assert "holds no cases of mul/e4m3fn.e4m3fn/e4m3fn/rne.sat;flags=1" in capsys.readouterr().err


@needs_iverilog
def test_vectors_from_a_file(bench: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Any form will do; one answer of the file is wrong, and the design that contradicts it is named."""
    section, block = made("convert/f32/e4m3fn/rne.sat", 200)
    block.result[17] ^= 1
    write_file(tmp_path / "v.fpv", get_form("testfloat"), [(section, iter([block]))])
    block.result[17] ^= 1
    given = ("iverilog", "--design", "f32_to_e4m3fn", "--vectors", str(tmp_path / "v.fpv"))
    code, lines = verdicts(bench, capsys, *given)
    assert (code, lines) == (1, ["f32_to_e4m3fn does not conform: 1 of 200 cases differ (iverilog)"])
