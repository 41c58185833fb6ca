"""The example of another project's tests, run as that project would run them: it passes, and finds planted bugs."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import warm
from short import some

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tools" / "examples" / "foreign_project"
INSTALLED = any(point.value == "fp8ref.testing.options" for point in entry_points(group="pytest11"))
PLUGIN = [] if INSTALLED else ["-p", "fp8ref.testing.options"]
TIES_AWAY = ("(magnitude >> np.uint32(20) & np.uint32(1))", "np.uint32(1)")
E4M3 = [c / 512 if c < 8 else (8 + c % 8) * 2.0 ** (c // 8 - 10) for c in range(127)]  # OCP 8-bit 5.2: S.1111.110 = 448
LOSES_NAN = ("np.where(magnitude > np.uint32(0x7F800000), np.uint32(0x7F), code)", "code")


OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a folder, as a fork of this process (``warm.py``)."""
    environment = {"COLUMNS": "150", "PYTHONDONTWRITEBYTECODE": "1"}
    args = [*OPTIONS, *arguments]
    return warm.run(lambda: sys.exit(pytest.main(args)), ["pytest", *args], folder, environment)


# the assertion, each claim, and two of the properties, which test_assertions.py asks of other functions
SHORT = ("-k", "saturates or TestEveryClaim or round_trip or each_element")


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own."""
    command = [sys.executable, "-m", "pytest", *OPTIONS, *arguments]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "150", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


def plant(project: Path, bug: tuple[str, str]) -> None:
    text = (project / "kernel.py").read_text()
    assert text.count(bug[0]) == 1
    (project / "kernel.py").write_text(text.replace(*bug))


@pytest.mark.parametrize(
    ("arguments", "passed"),
    some([((), 15), (SHORT, 6)], [(SHORT, 6)]),
)
def test_the_correct_kernel_passes(project: Path, arguments: tuple[str, ...], passed: int) -> None:
    done = start(project, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"\b{passed} passed", done.stdout)


def test_a_planted_bug_is_found_and_shrunk(project: Path) -> None:
    plant(project, TIES_AWAY)
    done = run(project, "-k", "equals_the_reference or saturates")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "why    ties go away from zero" in done.stdout
    # the drawn counterexample: one element, halfway between two codes of which the even one is right
    found = set(re.findall(r"case=array\(\[(\d+)\], dtype=uint32\)", done.stdout))  # pytest's summary may repeat it
    assert len(found) == 1, done.stdout
    x = abs(struct.unpack("<f", struct.pack("<I", int(found.pop())))[0])
    assert any(2 * x == E4M3[even] + E4M3[even + 1] for even in range(0, 126, 2)), done.stdout
    pair = re.search(r"case=\((\d+), (\d+)\)", done.stdout)
    assert pair is not None, done.stdout
    total = abs(sum(-E4M3[c - 128] if c >= 128 else E4M3[c] for c in map(int, pair.groups())))
    assert any(2 * total == E4M3[even] + E4M3[even + 1] for even in range(0, 126, 2)), done.stdout
    assert "All traceback" not in done.stderr


@pytest.mark.full  # test_assertions.py plants one for each property
def test_a_planted_bug_of_nan_breaks_the_special_values_alone(project: Path) -> None:
    plant(project, LOSES_NAN)
    done = run(project, "-k", "TestToE4M3 and not equals")
    assert done.returncode == 1
    failed = set(re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.M))
    assert failed == {"test_zeros_infinities_and_nans"}


# -- the plugin -------------------------------------------------------------------------------------------------------
def test_the_plugin_collects_a_test_for_each_claim(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    done = run(tmp_path, *PLUGIN, "--fp8ref-impl", "mini:ties-away", "--fp8ref-impl", "mini:raises", "-rA")
    assert done.returncode == 1
    assert "1 passed" in done.stdout
    assert "4 failed" in done.stdout
    assert "FAILED fp8ref:mini:ties-away::convert/f32/e4m3fn/rne.sat" in done.stdout
    assert "why    ties go away from zero" in done.stdout
    assert "crash" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_plugin_selects_and_knows_failures(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    entry = '[[expected]]\noperation = "{}"\nfinding = "{}"\nreason = "known"\n'
    known.write_text(
        'schema = "fp8ref/expected/1"\n'
        + entry.format("convert/f32/e4m3fn/rne.sat", "rounding-rna")
        + entry.format("convert/bf16/e4m3fn/rne.sat", "rounding-rna")
    )
    impls = [*PLUGIN, "--fp8ref-impl", "mini:ties-away", "--fp8ref-expect", "known.toml", "-rxX"]
    done = run(tmp_path, *impls, "--fp8ref-select", "convert/f32/e4m3fn")
    assert (done.returncode, "1 xfailed" in done.stdout, "expected: known" in done.stdout) == (0, True, True)
    impls[len(PLUGIN) + 1] = "mini:correct"
    done = run(tmp_path, *impls, "--fp8ref-select", "convert/bf16/e4m3fn", "-k", "rne.sat")
    assert (done.returncode, "1 xpassed" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fp8ref-impl", "nonesuch"], "unknown implementation 'nonesuch'"),
        (["--fp8ref-impl", "mini:correct", "--fp8ref-select", "sqrt"], "nothing claimed matches 'sqrt'"),
        (["--fp8ref-impl", "mini:correct", "--fp8ref-expect", "absent"], "--fp8ref-expect"),
    ],
)
def test_the_plugin_refuses_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path, *PLUGIN, *arguments)
    assert done.returncode == 4
    assert said in done.stderr
    assert "Traceback" not in done.stderr


ALL_THAT_STARTS = {
    "fp8ref",
    "fp8ref.lazy",
    "fp8ref.version",
    "fp8ref.display",
    "fp8ref.testing",
    "fp8ref.testing.options",
}


def test_an_unused_plugin_imports_next_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n"
        f"    assert {{m for m in sys.modules if m.split('.')[0] == 'fp8ref'}} == {ALL_THAT_STARTS}\n"
        "    assert not [m for m in sys.modules if m.split('.')[0] in ('numpy', 'ml_dtypes')]\n"
    )
    done = start(tmp_path, *PLUGIN)
    assert done.returncode == 0, done.stdout


def test_the_plugin_leaves_the_package_to_coverage_tools(tmp_path: Path) -> None:
    """pytest-cov starts after the plugins: a module that they had imported would lack the lines of its import."""
    pytest.importorskip("pytest_cov", reason="pytest-cov is an extra: test")
    (tmp_path / "test_own.py").write_text(
        "import fp8ref\n\n\ndef test_own():\n    assert fp8ref.spec.get_format('e4m3fn').max == 448\n"
    )
    cov = ["--cov=fp8ref.spec", "--cov-report=json"]
    done = start(tmp_path, *PLUGIN, *cov)  # in a fork the package is there already
    assert done.returncode == 0, done.stdout + done.stderr
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    (rounding,) = [found for name, found in files.items() if Path(name).parts[-2:] == ("spec", "rounding.py")]
    lines = (ROOT / "fp8ref" / "spec" / "rounding.py").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.startswith("def "))
    assert first in rounding["executed_lines"]
