"""Several causes in one implementation: each is named, with its own circumstance and its own smallest case."""

import random

import numpy as np
import pytest
from short import every

from fp8ref.adapters.mutants.connect import MUTANTS, connect, joinable
from fp8ref.adapters.mutants.habits import HABIT_MUTANTS, NAN_BITS
from fp8ref.adapters.mutants.mutant import SAT
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.check.compare import Options
from fp8ref.check.diagnosis.rule import either
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Finding, Report, Verdict


def report_on(name: str, nan: str = "class") -> Report:
    with Run(Request(f"mini:{name}", options=Options(nan=nan))) as run:
        return next(iter(run.reports()))


def named(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.diagnosis.rule, finding.diagnosis.where) for finding in findings]


# What public reports describe: two or three faults in one kernel, the worse one first.
SEVERAL = {
    "top-binade-lost+ties-away": [("top-binade-max", ""), ("rounding-rna", "")],
    "low-payload-to-max+tail-truncates": [
        ("rounding-rtz", "in the tail after blocks of 8 elements"), ("nan-leading-10-zero-signed-max", ""),
    ],
    "shift-modulo-32+underflow-sign-lost": [("shift-modulo-32", ""), ("underflow-sign-lost", "")],
    "minus-zero-lost+top-binade-lost": [("top-binade-max", ""), ("minus-zero-lost", "")],
    "helper-of-1-4-3": [
        ("top-binade-infinity-of-e4m3", ""), ("flush-tiny", ""), ("rounding-rtz", ""),
    ],
    "ties-away-and-flushes": [("flush-to-zero", ""), ("rounding-rna", "")],
    "large-truncate-small-ties-away": [
        ("rounding-rtz", "for inputs of magnitude 16 and more"), ("rounding-rna", "for inputs of magnitude below 16"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", every(2, SEVERAL))
def test_each_of_several_causes_is_a_finding(name: str) -> None:
    report = report_on(name)
    assert report.verdict is Verdict.FAIL
    assert named(report.findings) == SEVERAL[name]
    assert sum(finding.count for finding in report.findings) >= report.failed
    for finding in report.findings:
        assert finding.want != finding.got
        assert finding.count < report.failed


def test_the_smallest_case_shows_its_own_cause() -> None:
    first, second = report_on("minus-zero-lost+top-binade-lost").findings
    assert 256 <= abs(np.array(first.inputs[0], np.uint32).view(np.float32)) < 448
    assert first.got == 0x7E
    assert (second.inputs, second.want, second.got) == ((0x80000000,), 0x80, 0x00)


def test_what_nothing_explains_stays_unexplained() -> None:
    """Overflow to zero is in no catalogue; that the negative half looks rectified is no cause."""
    assert {rule for rule, _ in named(report_on("overflow-to-zero").findings)} == {"unexplained"}


def test_a_true_cause_stands_beside_an_unexplained_rest_and_after_it() -> None:
    assert [rule for rule, _ in named(report_on("negative-tail-rounds-down").findings)] == ["unexplained", "nan-zero"]


@pytest.mark.parametrize("name", every(3, HABIT_MUTANTS))
def test_habits_of_kernels_are_named(name: str) -> None:
    with Run(Request(f"mini:{name}")) as run:
        for report in run.reports():
            assert report.verdict is Verdict.FAIL
            assert MUTANTS[name].diagnosis in {rule for rule, _ in named(report.findings)}, named(report.findings)


SAID = {
    "nan-keeps-sign": "the sign of a NaN is kept",
    "nan-signalling": "the NaN is signalling",
    "nan-payload-shifted": "the payload is shifted: its low bits are kept as they are",
    "nan-sign-dropped": "the sign bit of the code is dropped",
}


@pytest.mark.parametrize("name", NAN_BITS)
def test_the_bits_of_nans_are_named_where_they_are_compared(name: str) -> None:
    assert report_on(name).verdict is Verdict.PASS
    (finding,) = report_on(name, nan="bits").findings
    assert finding.diagnosis.rule == NAN_BITS[name].diagnosis
    assert SAID[name] in str(finding.diagnosis)


def test_rules_that_predict_the_same_are_named_together() -> None:
    """Whether binary16 or TF32 lies on the way shows in no E4M3 code that is asked."""
    (finding,) = report_on("via-f16").findings
    assert finding.diagnosis.rule == "via-f16"
    assert finding.diagnosis.fits == ("via-tf32",)
    assert str(finding.diagnosis) == "double rounding via f16 or tf32"
    assert Finding.from_json(finding.as_json()).diagnosis == finding.diagnosis


def test_joining_is_refused_where_it_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="'nonsense' cannot be joined"):
        connect("truncates+nonsense")
    with pytest.raises(ValueError, match="no operation in common"):
        connect("truncates+decodes-no-subnormals")


# -- pairs ------------------------------------------------------------------------------------------------------------
def drawn(size: int, count: int, seed: int) -> list[tuple[str, ...]]:
    """Faults that show beside each other: most answers that one changes are changed by none before it."""
    (x,) = cases(Operation.parse(SAT), 1, 0)
    want = expect(Operation.parse(SAT), [x]).codes
    pool = {name: m for name, m in joinable(MUTANTS).items() if SAT in m.claims}
    with np.errstate(all="ignore"):
        changed = {name: np.asarray(m.answer(Operation.parse(SAT), x)) != want for name, m in pool.items()}
    rng = random.Random(seed)
    found: list[tuple[str, ...]] = []
    while len(found) < count:
        names = tuple(rng.sample(sorted(pool), size))
        taken = np.zeros(x.size, bool)
        shows = names not in found and len({pool[name].diagnosis for name in names}) == size
        for name in names:
            own = changed[name]
            shows &= bool(own.any() and 2 * (own & ~taken).sum() > own.sum())
            taken |= own
        if shows:
            found.append(names)
    return found


def all_named(names: tuple[str, ...]) -> bool:
    findings = report_on("+".join(names)).findings
    said = {rule for f in findings for one in (f.diagnosis.rule, *f.diagnosis.fits) for rule in one.split("+")}
    return all(MUTANTS[name].diagnosis in said for name in names)


@pytest.mark.parametrize("names", [
    ("nan-to-zero", "ties-away"), ("max-too-low", "flushes"), ("via-bf16", "nan-like-infinity"),
], ids="+".join)  # fmt: skip
def test_both_of_a_pair_are_named(names: tuple[str, ...]) -> None:
    assert all_named(names)


@pytest.mark.full
@pytest.mark.parametrize(("size", "count", "least"), [(2, 60, 59), (3, 20, 16)])
def test_faults_drawn_at_random_are_named(size: int, count: int, least: int) -> None:
    every = drawn(size, count, 11)
    missed = [names for names in every if not all_named(names)]
    assert count - len(missed) >= least, missed


@pytest.mark.parametrize(
    ("sentences", "said"),
    [
        (["a"], "a"),
        (["a", "b"], "a, or b"),
        (["a; and b", "a; and c"], "a; and b, or c"),
        (["a; and b; and c", "a; and x; and c", "a; and b"], "a; and b; and c, or x; and c, or b"),
        (["a; and b", "x; and b", "a"], "a; and b, or x; and b, or a"),
    ],
)
def test_what_alternatives_begin_with_is_said_once(sentences: list[str], said: str) -> None:
    assert either(sentences) == said
