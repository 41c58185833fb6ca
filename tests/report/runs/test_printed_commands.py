"""Every command that a finding prints runs as it is printed, and shows the same answer."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from short import some

from fp8ref.adapters.mutants.connect import FAULTY, PLAIN
from fp8ref.adapters.mutants.dots import DOT_FAULTY
from fp8ref.adapters.mutants.matrices import MATRIX_MUTANTS
from fp8ref.adapters.mutants.scales import SCALE_FAULTY
from fp8ref.cases.operation import INTEGERS, UNITS, Operation
from fp8ref.cases.products.questions import is_product, with_length
from fp8ref.cases.scaling.questions import is_scale
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Finding
from fp8ref.cli.main import main
from fp8ref.report.runs.text import drawing
from fp8ref.spec.catalog import get_format

ALL_CASES = True  # see tests/conftest.py

DAILY = ("minus-zero-lost+top-binade-lost", "decodes-nan-as-zero", "multiplies-in-ieee", "scale-rounds-up",
         "dot-last-row-copied")  # fmt: skip
OTHERS = tuple(name for name in PLAIN if name in FAULTY or name in SCALE_FAULTY)
EVERY = tuple(dict.fromkeys([*DAILY, *OTHERS, *DOT_FAULTY, *MATRIX_MUTANTS]))


def findings(name: str) -> Iterator[Finding]:
    with Run(Request(f"mini:{name}", jobs=1)) as run:
        for report in run.reports():
            yield from report.findings


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        label, _, command = line.strip().partition(" ")
        if label in ("repro", "again") and command.strip().startswith("fp8ref "):
            yield label, shlex.split(command)


def invoke(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, args)
    return result.exit_code, result.stdout


def said(text: str) -> Operation:
    """An operation with K and block said."""
    op = Operation.parse(text)
    return with_length(op) if is_product(op) else op


def code_of(finding: Finding) -> str:
    """The right answer as pages print it; of a block nothing is looked for."""
    op = Operation.parse(finding.op)
    if is_scale(op):
        return ""
    if op.result in UNITS:
        return str(finding.want)
    k = int(op.result[1:]) if op.result in INTEGERS else get_format(op.result).k
    return f"0x{finding.want & ((1 << k) - 1):0{-(-k // 4)}X}"


@pytest.mark.parametrize("name", some(EVERY, DAILY))
def test_what_is_printed_runs_and_shows_the_same(name: str) -> None:
    impl, ran = f"mini:{name}", 0
    for finding in findings(name):
        for label, argv in commands(drawing(finding, impl)):
            ran += 1
            if label == "again":
                assert argv[:2] == ["fp8ref", "check"]
                assert argv[-2:] == ["--impl", impl]
                code, out = invoke(*argv[1:], "--dry-run")
                assert code == 0, (argv, out)
                (claim,) = out.split()
                assert said(claim) == said(finding.op)
                continue
            code, out = invoke(*argv[1:])
            assert code == 0, (argv, out)
            assert code_of(finding) in out, (argv, out)
    assert ran


def test_words_of_a_shell_are_quoted() -> None:
    """Keys have ; in them, and a connectable may have anything."""
    finding = next(findings("dot-c-ignored"))
    for _, argv in commands(drawing(finding, "exec:./a b; rm -r ~")):
        assert "rm" not in argv
        assert any(";" in word for word in argv)
