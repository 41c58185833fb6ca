"""The verdicts on real libraries: each known finding is still found, and nothing else is accused.

The findings were verified by hand against exact arithmetic; ``test_findings_are_true`` does it again, in Fractions.
"""

import math
import struct
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from fp8ref.cases.operation import INTEGERS, Operation
from fp8ref.check.expected import Entry, Expectations, load, may_name
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict

EXPECTED = Path(__file__).parent / "expected"


def known(name: str) -> Path:
    return EXPECTED / f"{name}-{version(name).split('+')[0]}.toml"


@pytest.fixture
def everything(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="module", params=["ml_dtypes", "torch"])
def library(request: pytest.FixtureRequest) -> tuple[str, list[Report]]:
    """A library and the reports on it, which the tests below look at in turn."""
    return request.param, run(request.param, request.config.getoption("--full"))


def known_entries(name: str, everything: bool) -> tuple[Entry, ...]:
    """The known findings; in the short run those of one operation of each family, source and cause."""
    entries = load(known(name)).entries
    kinds = {(*entry.operation.split("/")[:2], entry.finding): entry.operation for entry in reversed(entries)}
    return tuple(entry for entry in entries if everything or entry.operation in kinds.values())


def run(name: str, everything: bool) -> list[Report]:
    """The reports on all operations; in the short run on those of the known entries and a few beside them.

    ``.ci/run`` asks everything of each library, with the same expectations.
    """
    try:
        found = version(name).split("+")[0]
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    if not known(name).exists():
        pytest.skip(f"the findings of {name} {found} are not known; known are {[p.stem for p in EXPECTED.iterdir()]}")
    with Run(Request(name)) as opened:
        if not everything:
            every = load(known(name)).entries
            faulty = [c for c in opened.claims if any(may_name(entry, c.id) for entry in every)]
            chosen = [c for c in faulty if any(may_name(entry, c.id) for entry in known_entries(name, False))]
            opened.claims = chosen + [c for c in opened.claims if c not in faulty][::50]
        return list(opened.reports())


def test_the_findings_are_the_known_ones(library: tuple[str, list[Report]], everything: bool) -> None:
    name, reports = library
    expectations = Expectations(known_entries(name, everything))
    copies = (replace(r, findings=list(r.findings)) for r in reports)
    assert [r.op for r in map(expectations.judge, copies) if r.verdict in (Verdict.FAIL, Verdict.XPASS)] == []
    assert expectations.stale([]) == []
    assert len(expectations.used) == len(expectations.entries) >= (14 if everything else 8)


def test_cuda_host_conforms(everything: bool) -> None:
    from fp8ref.check.harness.transport import NotStarted

    try:
        with Run(Request("cuda_host")) as opened:
            opened.claims = opened.claims[:: 1 if everything else 4]
            reports = list(opened.reports())
    except NotStarted as reason:
        pytest.skip(str(reason))
    assert {report.verdict for report in reports} <= {Verdict.PASS, Verdict.ALLOWED}
    assert len(reports) > (40 if everything else 10)


def e4m3(code: int) -> Fraction:
    e, m = code >> 3 & 15, code & 7
    return (-1) ** (code >> 7) * Fraction(m if e == 0 else 8 + m, 8) * Fraction(2) ** (max(e, 1) - 7)


def e5m2(code: int) -> Fraction:
    e, m = code >> 2 & 31, code & 3
    return (-1) ** (code >> 7) * Fraction(m if e == 0 else 4 + m, 4) * Fraction(2) ** (max(e, 1) - 15)


E4M3 = {e4m3(code) for code in range(256) if code & 0x7F != 0x7F}
E5M2 = {e5m2(code) for code in range(256) if code & 0x7F < 0x7C}
E8M0 = {Fraction(2) ** (e - 127) for e in range(255)}


def exact(op: Operation, code: int) -> Fraction:
    """The value to be rounded, read by struct or as an integer: no code of fp8ref is asked."""
    source = op.operands[0]
    if op.family == "deg2rad":  # of a power of two: far from every midpoint
        return Fraction(2) ** (code - 127) * Fraction(math.pi) / 180
    if source in INTEGERS:
        bits = int(source[1:])
        return Fraction(code - (1 << bits) if source[0] == "i" and code >> (bits - 1) else code)
    if source == "bf16":
        return Fraction(struct.unpack(">f", (code << 16).to_bytes(4, "big"))[0])
    size, letter = {"f16": (2, "e"), "f32": (4, "f"), "f64": (8, "d")}[source]
    return Fraction(struct.unpack(">" + letter, code.to_bytes(size, "big"))[0])


def test_findings_are_true(library: tuple[str, list[Report]]) -> None:
    """Every counterexample of a plain format returns a value that is farther from the operand than another one is."""
    checked = 0
    for report in library[1]:
        for finding in report.findings:
            op = Operation.parse(finding.op)
            values = {"e4m3fn": E4M3, "e5m2": E5M2, "e8m0fnu": E8M0}.get(op.result)
            if values is None or not (op.mode or "").startswith(("rne", "rna")):
                continue
            x = exact(op, finding.inputs[0])
            got = {"e4m3fn": e4m3, "e5m2": e5m2, "e8m0fnu": lambda c: Fraction(2) ** (c - 127)}[op.result](finding.got)
            nearest = min(abs(x - v) for v in values)
            assert abs(x - got) > nearest, finding.signature
            checked += 1
    assert checked >= 6


def test_findings_of_sign_bits_and_classes_are_true(library: tuple[str, list[Report]], everything: bool) -> None:
    """The codes themselves show it: a copied sign made a NaN of zero, |-0| kept its sign, a NaN is called finite."""
    checked = 0
    for report in library[1]:
        for finding in report.findings:
            family, _, rest = finding.op.partition("/")
            if family == "copysign":  # FNUZ: 00 is zero, 80 the one NaN; any other b is a number of its sign bit
                a, b = finding.inputs
                assert "fnuz" in rest
                assert (a, finding.want, finding.got) == (0x00, 0x00, 0x80)
                assert b > 0x80
            elif family == "abs":
                assert (finding.inputs, finding.want, finding.got) == ((0x80,), 0x00, 0x80)
            elif family == "isfinite":
                assert (rest, finding.inputs, finding.got) == ("e8m0fnu/bool", (0xFF,), 1)
            else:
                continue
            checked += 1
    assert checked == 3 if everything else 1 <= checked <= 3
