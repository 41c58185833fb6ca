"""Declarations judged: a true one conforms, a false one is found, and nothing else is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from cases.declared.texts import FILES, write
from click.testing import CliRunner

from fp8ref.adapters.base import Codes
from fp8ref.cases.answers import expect
from fp8ref.cases.declared.claims import claims_of
from fp8ref.cases.declared.documents import read
from fp8ref.cases.operation import Operation
from fp8ref.check.compare import Options
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import judge
from fp8ref.check.verdict import Report, Verdict
from fp8ref.cli.check import check


class Unit:
    """Right but for its ExpFast, which flushes subnormal results."""

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    def identify(self) -> Mapping[str, str]:
        return {"name": "unit", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return []

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self.asked.append(op.id)
        codes = expect(op, operands).codes
        if op.key("as") == "ExpFast":
            codes = np.where((codes > 0) & (codes < 4), 0, codes)
        return codes.astype(np.uint8)


def judged(folder: Path) -> tuple[Unit, dict[str, Report]]:
    unit, reports = Unit(), {}
    for claim in claims_of(read(folder)).operations:
        if not claim.startswith(("convert", "decode")):
            reports[claim] = judge(Here(unit), Operation.parse(claim), Options())
    return unit, reports


def test_a_true_declaration_conforms(tmp_path: Path) -> None:
    unit, reports = judged(write(tmp_path / "d"))
    assert {report.verdict for report in reports.values()} == {Verdict.PASS}
    assert len(reports) == 4
    assert not any("kappa" in op for op in unit.asked)  # the judge's affair


@pytest.mark.parametrize(
    "kappas",
    [
        FILES["Kappas"].replace("kappa: 1", "kappa: 0"),  # e^-12 is the least subnormal
        FILES["Kappas"].replace("-11", "-13"),  # the same: exact above -13, it says
    ],
)
def test_a_false_declaration_is_found(kappas: str, tmp_path: Path) -> None:
    _, reports = judged(write(tmp_path / "d", Kappas=kappas))
    wrong = [claim for claim, report in reports.items() if report.verdict is Verdict.FAIL]
    assert [claim.partition("/")[0] for claim in wrong] == ["exp"]


def test_the_command(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    found = CliRunner().invoke(check, ["--declaration", str(folder / "Constraints.yaml"), "--dry-run"])
    assert found.exit_code == 0, found.output
    assert found.stdout.split() == [
        "add/binary4p2se.binary4p2se/binary4p2se/rne.nonsat;semantics=p3109",
        "add/binary4p2se.binary4p2se/binary4p2se/rtp.sat;semantics=p3109",
        "isone/binary8p3se/bool",
    ]
    assert "declared: 3 operations" in found.stderr
    for path in (tmp_path / "nowhere", write(tmp_path / "e", Profiles="Inference: {formats: [Posit8]}")):
        found = CliRunner().invoke(check, ["--declaration", str(path), "--dry-run"])
        assert found.exit_code == 4
        assert found.stderr.count("\n") == 1
        assert found.stderr.startswith("Error: --declaration")
