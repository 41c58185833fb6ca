"""The checker is judged by what it catches, by what it says of it, and by what it never accuses."""

from collections.abc import Iterator

import pytest
from short import every, some

from fp8ref.adapters.mutants.arithmetic import ARITHMETIC_MUTANTS
from fp8ref.adapters.mutants.connect import FAULTY as EVERY_FAULT
from fp8ref.adapters.mutants.connect import MUTANTS, connect
from fp8ref.adapters.mutants.conversions import MISBEHAVING
from fp8ref.adapters.mutants.habits import HABIT_MUTANTS, NAN_BITS
from fp8ref.check.compare import Options
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict

FAULTY = [name for name in EVERY_FAULT if name not in (*ARITHMETIC_MUTANTS, *HABIT_MUTANTS)]  # those have files


def reports(name: str, part: slice = slice(None), **changed: object) -> list[Report]:
    with Run(Request(f"mini:{name}", **changed)) as run:  # type: ignore[arg-type]
        run.claims = run.claims[part]
        return list(run.reports())


@pytest.mark.parametrize(  # every fifth one every day, all of them with --full
    "name", every(5, FAULTY)
)
def test_level_1_catches_the_fault_and_says_what_it_is(name: str) -> None:
    findings = [finding for report in reports(name) for finding in report.findings]
    assert findings, "not caught"
    planted = MUTANTS[name]
    named_as = [(finding.diagnosis.rule, finding.diagnosis.where) for finding in findings]
    assert any(rule == planted.diagnosis and planted.where in where for rule, where in named_as), named_as


def test_there_are_enough_faults_of_every_kind() -> None:
    named = [name for name in FAULTY if MUTANTS[name].diagnosis != "unexplained"]
    unexplained = [name for name in FAULTY if MUTANTS[name].diagnosis == "unexplained"]
    assert len(FAULTY) >= 40
    assert len(named) >= 28
    assert len(unexplained) >= 8
    causes = {(MUTANTS[name].diagnosis, MUTANTS[name].where, MUTANTS[name].claims) for name in named}
    assert len(causes) == len(named), "two planted faults are the same rule"


@pytest.mark.parametrize(
    ("seed", "name"),
    some(
        [(seed, name) for seed in (0, 1) for name in ("correct", "correct-unasked", "prints-garbage")],
        [(0, "correct"), (1, "correct-unasked"), (0, "prints-garbage")],
    ),
)
def test_a_correct_implementation_is_never_accused(name: str, seed: int, pytestconfig: pytest.Config) -> None:
    """Of the hundreds of claims of the one, a few of each family in the short run."""
    step = 5 if name == "correct" and not pytestconfig.getoption("--full") else 1
    found = reports(name, slice(None, None, step), options=Options(seed=seed))
    assert found
    assert step == 1 or len(found) > 40
    assert {report.verdict for report in found} <= {Verdict.PASS, Verdict.ALLOWED}
    assert all(set(report.allowed) <= {"e8m0-infinity"} for report in found)


def test_a_free_mode_is_found_out_and_named() -> None:
    found = {report.claim: report.op for report in reports("correct-unasked")}
    assert found["convert/f32/e5m2/*"] == "convert/f32/e5m2/rtz.nonsat"
    assert found["convert/f32/e4m3fn/*"] == "convert/f32/e4m3fn/rtz.nonsat"


SAID = {
    "raises": "RuntimeError: the device is on fire (answers.py:",
    "wrong-shape": "codes have shape (1,",
    "wrong-dtype": "codes have dtype int32, not uint8",
    "wrong-length": "codes have shape (",
    "returns-list": "run() must return codes as a numpy array, not list",
    "exits": "its process ended with exit code 7",
    "segfaults": "killed by SIGSEGV",
    "hangs": "no answer within 0.3 s",
}


@pytest.mark.parametrize("name", MISBEHAVING)
def test_misbehaviour_becomes_a_verdict_that_says_what_happened(name: str) -> None:
    """With the smallest input; and the run goes on."""
    select = () if name == "exits" else ("convert/f32/e4m3fn",)
    found = reports(name, timeout=0.3, select=select)
    assert len(found) == (1 if select else len(MUTANTS[name].claims))
    for report in found:
        assert report.verdict is (Verdict.TIMEOUT if name == "hangs" else Verdict.CRASH)
        assert report.reason.startswith(SAID[name])
        assert report.reason.endswith("; smallest: 00000000 (1 element)")


def test_side_by_side_gives_the_same_reports() -> None:
    select = ("convert/f32/e4m3fn", "decode")
    alone, together = ([r.as_json() for r in reports("correct", select=select, jobs=jobs)] for jobs in (1, 2))
    assert alone == together


def test_unknown_mutants_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean truncates"):
        connect("truncate")


def every_case() -> Iterator[str]:
    yield from MUTANTS


def test_every_mutant_is_either_correct_faulty_or_misbehaving() -> None:
    correct = {"correct", "correct-unasked", "prints-garbage", "correct-arithmetic", "correct-arithmetic-unasked",
               "softmax-in-double"}  # fmt: skip
    assert set(every_case()) == correct | set(EVERY_FAULT) | set(MISBEHAVING) | set(NAN_BITS)
