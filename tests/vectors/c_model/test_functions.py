"""Elementary functions of the C model, compiled, against MPFR: codes and flags, every mode and overflow rule."""

from __future__ import annotations

import ctypes
import subprocess

import pytest
from second_oracles.exact import TABLES
from second_oracles.naive_arithmetic import deliver
from vectors.c_model.model_calls import OVERFLOWS, ROUNDINGS, STRICT, needs_gcc

from fp8ref.cases.families import FUNCTIONS
from fp8ref.vectors.c_model.generate import c_model

FORMATS = ("e4m3fn", "e5m2", "e4m3fnuz", "e2m3fn")
NAMES = ("exp", "log", "tanh", "softplus", "rsqrt", "square")  # softplus(448) lies e^-448 above 448


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("functions")
    for name, text in c_model(FORMATS, NAMES).items():
        (folder / name).write_text(text)
    made = folder / "model.so"
    source = str(folder / "fp8ref_model.c")
    subprocess.run(["gcc", *STRICT, "-O1", "-shared", "-fPIC", "-o", str(made), source], check=True)
    return ctypes.CDLL(str(made))


def wrong(library: ctypes.CDLL, name: str, op: str) -> tuple[int, list[tuple[int, str, str]]]:
    """How many answers were compared with the oracle, and which differ."""
    outcomes = pytest.importorskip("second_oracles.test_functions").outcomes
    table, call, out = TABLES[name], getattr(library, f"fp8ref_{name}_{op}"), ctypes.c_uint8()
    asked, found = 0, []
    for code, outcome in enumerate(outcomes(name, op)):
        if outcome is None:
            continue
        for rm, rounding in enumerate(ROUNDINGS):
            for overflow, number in OVERFLOWS.items():
                status = call(code, rm, number, 0, ctypes.byref(out))
                want, flags = deliver(table, outcome[0], rounding, overflow)
                asked += 1
                if (out.value, status) != (want, flags | outcome[1]):
                    found.append((code, rounding, overflow))
    return asked, found


@needs_gcc
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("op", NAMES)
def test_the_functions_of_the_model(library: ctypes.CDLL, name: str, op: str) -> None:
    asked, found = wrong(library, name, op)
    assert asked > 500
    assert found == []


def test_functions_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'expp' is no function of one operand; choose from all, exp"):
        c_model(["e4m3fn"], ["expp"])


def test_every_function_is_in_the_package_of_imports() -> None:
    package = c_model(["e2m1fn"], ["all"])["fp8ref_model_pkg.sv"]
    assert all(f"function int fp8ref_e2m1fn_{name}(" in package for name in FUNCTIONS)
