"""Exact sums with status, without C, in fixed point: right units pass, planted faults are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from adapters.devices import judged, script

import fp8ref
from fp8ref.adapters.captures.files import read, write
from fp8ref.adapters.mutants.matrices import SUM_MUTANTS
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.capturing import capture
from fp8ref.check.harness.transport import Session
from fp8ref.check.matrix.delivered import as_number
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.report.runs.text import drawing

DAILY = ("dot-sum-ieee-zeros-correct", "dot-sum-gates-zeros", "dot-sum-starts-at-zero")
BARE = "dot/e4m3fn.e4m3fn/f32/exact;c=none;k=4"
UNIT = """
import sys


def value(code, w, t, bias):  # units of 2**(1 - bias - t); None: not finite
    field, rest = code >> t & (1 << w) - 1, code & (1 << t) - 1
    if field == (1 << w) - 1:
        return None
    m = rest if field == 0 else (rest + (1 << t)) << (field - 1)
    return -m if code >> (w + t) else m

def nan(code, w, t):
    return (code & (1 << (w + t)) - 1) > ((1 << w) - 1) << t

def answer(a, b, c):  # two products of E5M2 and C of binary16, toward zero; NX UF OF NV
    flags = 0
    signs = [(x ^ y) >> 7 for x, y in zip(a, b)] + [c >> 15]
    infinite, none, invalid = [], nan(c, 5, 10), nan(c, 5, 10) and not c & 0x200
    for x, y, s in zip(a, b, signs):
        for z in (x, y):
            invalid |= nan(z, 5, 2) and not z & 2
        none |= nan(x, 5, 2) or nan(y, 5, 2)
        if nan(x, 5, 2) or nan(y, 5, 2):
            continue
        if None in (value(x, 5, 2, 15), value(y, 5, 2, 15)):
            if GATE:
                return 0x7E00, 16
            infinite.append(s)
    if value(c, 5, 10, 15) is None and not nan(c, 5, 10):
        infinite.append(c >> 15)
    if none:
        return 0x7E00, 16 if invalid or UNDEFINED else 0
    if len(set(infinite)) == 2:
        return 0x7E00, 16
    if infinite:
        return 0x7C00 | infinite[0] << 15, 16 if invalid else 0
    total = sum(value(x, 5, 2, 15) * value(y, 5, 2, 15) for x, y in zip(a, b)) + (value(c, 5, 10, 15) << 8)
    if total == 0:
        zeros = all(value(x, 5, 2, 15) * value(y, 5, 2, 15) == 0 for x, y in zip(a, b)) and c & 0x7FFF == 0
        return (0x8000 if zeros and all(signs) else 0), 0
    sign, m = (0x8000, -total) if total < 0 else (0, total)
    e = max(m.bit_length() - 11, 8)  # units of 2**-32; the quantum of binary16 is at least 2**-24
    kept, lost = m >> e, m & (1 << e) - 1
    code = kept + ((e - 8) << 10) if kept >> 10 or e > 8 else kept
    if code >= 0x7C00:
        return sign | 0x7BFF, 5
    return sign | code, (1 | (2 if kept >> 10 == 0 else 0)) if lost else 0

for line in sys.stdin:
    a, b, c = line.split()
    rows = [bytes.fromhex(x) for x in (a, b)]
    code, flags = answer(*rows, int(c, 16))
    print(f"{code:04X} {flags:02X}")
"""
# an infinity times a zero, which is in no sum of UNIT's
GATED = "any(None in (value(x, 5, 2, 15), value(y, 5, 2, 15)) and 0 in (x & 127, y & 127) for x, y in [(x, y)])"
ANY = "any({x & 127, y & 127} == {0x7C, 0} for x, y in zip(a, b))"


def report(name: str) -> list[Report]:
    with Run(Request(f"mini:{name}")) as run:
        return list(run.reports())


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in DAILY else [pytest.mark.full]) for n in SUM_MUTANTS])
def test_right_units_pass_and_planted_faults_are_named(name: str) -> None:
    mutant = SUM_MUTANTS[name]
    for found in report(name):
        if not mutant.diagnosis:
            assert found.verdict in (Verdict.PASS, Verdict.ALLOWED)
            continue
        assert found.verdict is Verdict.FAIL
        (finding,) = found.findings
        assert finding.diagnosis.rule == mutant.diagnosis
        assert "why      " in drawing(finding, f"mini:{name}")
        assert json.loads(json.dumps(finding.as_json()))["count"] == found.failed


def unit(folder: Path, undefined: str = ANY, old: str = "", new: str = "") -> str:
    text = UNIT.replace("GATE", GATED).replace("UNDEFINED", undefined)
    assert old in text
    op = "dot/e5m2.e5m2/f16/exact.rtz.nonsat;k=2;flags=1;zero=ieee"
    return f"exec:{script(folder, text.replace(old, new) if old else text)},op={op}"


def test_a_program_with_status(tmp_path: Path) -> None:
    """Integers of 2**-32, written apart from the reference; then two faults of it."""
    good = judged(unit(tmp_path))
    assert (good.verdict, good.failed) == (Verdict.PASS, 0), good.reason
    bad = judged(unit(tmp_path, old="return sign | 0x7BFF, 5", new="return sign | 0x7BFF, 1"))
    assert [finding.diagnosis.rule for finding in bad.findings] == ["overflow-missing"]
    bad = judged(unit(tmp_path, old="zeros and all(signs)", new="zeros and c"))
    assert bad.verdict is Verdict.FAIL


def in_float64(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Four products of E4M3, 36 bits and two carries: float64 adds them exactly, -0 included."""
    with np.errstate(invalid="ignore"):
        p = a.astype(np.float64) * b.astype(np.float64)
        return (p[:, 0] + p[:, 1] + p[:, 2] + p[:, 3]).astype(np.float32)


def test_a_function_without_c() -> None:
    right = [fp8ref.judge(in_float64, op, isolate=False).verdict for op in (f"{BARE};zero=ieee", BARE)]
    assert right == ["conforms", "conforms"]
    wrong = fp8ref.judge(lambda a, b: in_float64(a, b) + np.float32(0), f"{BARE};zero=ieee", isolate=False)
    assert wrong.verdict == "fail"


@pytest.mark.parametrize("op", [BARE, "dot/e4m3fn.e4m3fn/fx90.40/exact.rtz.sat;k=4"])
def test_a_capture_is_replayed(op: str, tmp_path: Path) -> None:
    with Session("mini:dot-sum-correct") as session:
        made = capture(session, Operation.parse(op), 1, 0, tmp_path / "part")
    write(tmp_path / "good.jsonl", made)
    assert (read(tmp_path / "good.jsonl").answers == made.answers).all()
    assert judged(f"replay:{tmp_path}/good.jsonl").verdict in (Verdict.PASS, Verdict.ALLOWED)
    made.answers[made.answers.astype(bool).reshape(made.count, -1).any(axis=1)] ^= np.array(1, made.answers.dtype)
    write(tmp_path / "bad.jsonl", made)
    assert judged(f"replay:{tmp_path}/bad.jsonl").verdict is Verdict.FAIL


def test_words_as_one_number() -> None:
    assert as_number(np.array([1, 2], np.uint64)) == (1 << 64) + 2
    assert as_number(np.array(0xFF, np.uint8)) == 0xFF
