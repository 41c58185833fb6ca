"""The conversions of arrays give the reference's answers on every run of inputs with one answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from fast.runs import Mode, Run, disagreement, every_code, every_run, nan_answer, samples
from numpy.typing import NDArray
from second_oracles.exact import ROUNDINGS
from short import some

from fp8ref import spec
from fp8ref.spec import Format

Record = Callable[[str, object], None]
MODES = tuple(product(ROUNDINGS, ("sat", "satprop", "nonsat")))
EVERY = tuple(f.name for f in spec.formats() if f.k <= 8)
CHOSEN = (
    *("e4m3fn", "e5m2", "e3m4", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz", "e8m0fnu"),
    *("ue5m3", "e2m3fn", "e2m1fn", "mxint8", "binary8p4se", "binary8p1uf", "binary7p6ue"),
)
HALVES = ("e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e8m0fnu", "e3m2fn", "mxint8", "binary8p1se")


def ask(source: str, name: str, modes: Sequence[Mode], record: Record) -> None:
    """Every mode on the runs of both signs and on NaNs; on all codes where the source has few."""
    f, x = spec.get_format(name), spec.get_format(source)
    few = x.k <= 16
    rng = np.random.default_rng(len(name))
    cases = 0
    found, calls = every_run(source, name, modes)
    for (mode, negative), runs in found.items():
        assert_runs_are_whole(runs, x.infinity_code)
        magnitudes, want = every_code(runs) if few else samples(runs, 4, rng)
        nans = np.arange(x.infinity_code + 1, x.magnitude_mask + 1) if few else nan_samples(x, rng)
        magnitudes, want = np.append(magnitudes, nans), np.append(want, np.full(nans.size, nan_answer(f)))
        assert not disagreement(source, f, mode, negative, magnitudes, want)
        cases += magnitudes.size
    record("cases", cases)
    record("reference calls", calls)


def nan_samples(x: Format, rng: np.random.Generator) -> NDArray[Any]:
    quiet = x.infinity_code | 1 << (x.t - 1)
    edges = [x.infinity_code + 1, quiet - 1, quiet, quiet + 1, x.magnitude_mask]
    return np.append(edges, rng.integers(x.infinity_code + 1, x.magnitude_mask + 1, 20))


def assert_runs_are_whole(runs: Sequence[Run], last: int) -> None:
    """They follow each other without a gap, and neighbours differ."""
    assert (runs[0].first, runs[-1].last) == (0, last)
    for run, after in pairwise(runs):
        assert run.last + 1 == after.first
        assert run.code != after.code


NONSAT = tuple(mode for mode in MODES if mode[1] == "nonsat")  # the rule with the most cases
OCP = ("e4m3fn", "e5m2")


def everyday(name: str, modes: Sequence[Mode]) -> Sequence[Mode]:
    """Of all modes for formats that are not OCP's every second, in which each rounding and each overflow rule is."""
    return modes[::2] if modes is MODES and name not in OCP else modes


SOURCES = {"f32": MODES, "f64": NONSAT, "f16": MODES, "bf16": NONSAT}
# of float64, which takes the same way as float32 with other constants, and of the halves, formats that differ in kind
DOUBLES = ("e4m3fn", "e5m2fnuz", "e8m0fnu", "mxint8", "e2m1fn", "binary8p1uf")
F16S = ("e4m3fn", "e5m2fnuz", "e8m0fnu", "e3m2fn", "mxint8")
BF16S = ("e5m2", "e4m3", "e4m3fnuz", "binary8p1se")


@pytest.mark.parametrize(
    ("name", "source"),
    some(product(CHOSEN, ("f32", "f64")), [*product(CHOSEN, ["f32"]), *product(DOUBLES, ["f64"])], "-".join),
)
def test_chosen_formats(name: str, source: str, record_property: Record) -> None:
    ask(source, name, everyday(name, SOURCES[source]), record_property)


@pytest.mark.parametrize(
    ("name", "source"),
    some(product(HALVES, ("f16", "bf16")), [*product(F16S, ["f16"]), *product(BF16S, ["bf16"])], "-".join),
)
def test_all_halves(name: str, source: str, record_property: Record) -> None:
    ask(source, name, everyday(name, SOURCES[source]), record_property)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in CHOSEN])
def test_the_other_formats_in_turn(name: str, record_property: Record) -> None:
    """One of the 18 modes and one of the four sources each; all of them with --full."""
    n = EVERY.index(name)
    ask(("f32", "f64", "f16", "bf16")[n % 4], name, [MODES[n * 5 % 18]], record_property)


@pytest.mark.full
@pytest.mark.parametrize("source", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("name", EVERY)
def test_every_format(name: str, source: str, record_property: Record) -> None:
    ask(source, name, MODES, record_property)


EXHAUSTIVE = [(name, (rounding, "nonsat")) for name in ("e4m3fn", "e5m2") for rounding in ROUNDINGS]
EXHAUSTIVE += [(name, ("rne", "sat")) for name in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu", "e2m1fn")]


@pytest.mark.full
@pytest.mark.parametrize(("name", "mode"), EXHAUSTIVE, ids=lambda v: v if isinstance(v, str) else ".".join(v))
def test_all_2_to_the_32(name: str, mode: Mode, record_property: Record) -> None:
    """Every one of the 2**32 float32 codes; a NaN is the canonical one."""
    f = spec.get_format(name)
    step, cases = 1 << 22, 0
    for (_, negative), runs in every_run("f32", name, [mode])[0].items():
        runs = [*runs, Run(runs[-1].last + 1, (1 << 31) - 1, nan_answer(f))]
        first = np.array([run.first for run in runs])
        codes = np.array([run.code for run in runs], np.uint8)
        for start in range(0, 1 << 31, step):
            edges = np.append(np.maximum(first, start), 1 << 31).clip(start, start + step)
            want = np.repeat(codes, np.diff(edges))
            magnitudes = np.arange(start, start + step, dtype=np.uint32)
            assert not disagreement("f32", f, mode, negative, magnitudes, want)
            cases += step
    assert cases == 1 << 32
    record_property("cases", cases)
