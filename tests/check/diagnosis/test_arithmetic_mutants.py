"""The checker on planted faults of arithmetic: each caught at level 1 and named, correct ones never accused."""

import pytest
from short import every, some

from fp8ref.adapters.mutants.arithmetic import ARITHMETIC_MUTANTS, CORRECT
from fp8ref.check.compare import Options
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict

FAULTY = [name for name, mutant in ARITHMETIC_MUTANTS.items() if mutant.diagnosis]


def reports(name: str, step: int = 1, **changed: object) -> list[Report]:
    with Run(Request(f"mini:{name}", **changed)) as run:  # type: ignore[arg-type]
        run.claims = run.claims[::step]
        return list(run.reports())


SLOW = ("layernorm-by-sample-variance",)  # of rows, RMSNorm is in the short run


@pytest.mark.parametrize(  # every fifth one every day, all of them with --full
    "name", every(5, [name for name in FAULTY if name not in SLOW]) + some(SLOW, [])
)
def test_level_1_catches_the_fault_and_says_what_it_is(name: str) -> None:
    planted = ARITHMETIC_MUTANTS[name]
    findings = [finding for report in reports(name) for finding in report.findings]
    assert findings, "not caught"
    named_as = [(finding.diagnosis.rule, finding.diagnosis.where) for finding in findings]
    assert any(rule == planted.diagnosis and planted.where in where for rule, where in named_as), named_as


def test_there_are_enough_faults_of_every_kind() -> None:
    named = [name for name in FAULTY if ARITHMETIC_MUTANTS[name].diagnosis != "unexplained"]
    assert len(named) >= 25
    assert len(FAULTY) - len(named) >= 3
    families = {claim.partition("/")[0] for name in FAULTY for claim in ARITHMETIC_MUTANTS[name].claims}
    assert families >= {"add", "sub", "mul", "div", "sqrt", "fma", "min", "lt", "neg", "int"}
    causes = {
        (ARITHMETIC_MUTANTS[name].diagnosis, ARITHMETIC_MUTANTS[name].where, ARITHMETIC_MUTANTS[name].claims)
        for name in named
    }
    assert len(causes) == len(named), "two planted faults are the same rule"


@pytest.mark.parametrize(("seed", "flagged"), [(0, False), (1, True)])
def test_a_correct_implementation_is_never_accused(seed: int, flagged: bool, pytestconfig: pytest.Config) -> None:
    """Under several policies, with flags and without; nothing needs an excuse either."""
    step = 1 if pytestconfig.getoption("--full") else 3
    some = [op for op in CORRECT if ("flags=1" in op) == flagged][::step]
    pattern = {"select" if flagged else "skip": ("*flags=1*",)}
    found = reports("correct-arithmetic", step, options=Options(seed=seed), **pattern)
    assert len(found) == len(some) > 40 // step
    assert {(report.op, report.verdict) for report in found} == {(op, Verdict.PASS) for op in some}


def test_a_free_mode_is_found_out_for_sums_and_fma() -> None:
    found = {report.claim: report.op for report in reports("correct-arithmetic-unasked")}
    assert found["add/e5m2.e5m2/e5m2/*"] == "add/e5m2.e5m2/e5m2/rtz.nonsat"
    assert found["fma/e5m2.e5m2.e5m2/e5m2/*"] == "fma/e5m2.e5m2.e5m2/e5m2/rtz.nonsat"


def test_the_smallest_counterexample_of_two_operands() -> None:
    """1.125 times 2.75 is the planted entry; both operands are shown, and the exact product lies between 3 and 3.25."""
    ((finding,),) = [report.findings for report in reports("one-pair-wrong")]
    assert finding.inputs == (0x39, 0x43)
    assert finding.want ^ finding.got == 1
    assert finding.count == 1
    assert finding.length == 1


def test_flags_that_differ_are_shown() -> None:
    ((finding,),) = [report.findings for report in reports("divide-by-zero-is-invalid")]
    assert (finding.want_status, finding.got_status) == (8, 16)
    assert finding.want == finding.got
