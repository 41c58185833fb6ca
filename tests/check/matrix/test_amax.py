"""The amax beside a product: right ones pass, a wrong one is named by what it was taken of."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.devices import judged, script
from short import some

import fp8ref
from fp8ref.adapters.captures.files import read, write
from fp8ref.adapters.mutants.amaxes import AMAX_MUTANTS
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.check.compare import Options
from fp8ref.check.harness.capturing import capture
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import judge
from fp8ref.check.verdict import Finding, Verdict
from fp8ref.report.runs.text import drawing
from fp8ref.spec.datum import Datum
from fp8ref.spec.matrix.epilogue import amax

DAILY = ("dot-amax-after-scale-dot",)
DOT = "dot/e4m3fn.e4m3fn/e5m2/exact;amax=1;k=2;scale=f32;scale_result=1"


@pytest.mark.parametrize("name", some(AMAX_MUTANTS, DAILY))
def test_right_ones_pass_and_planted_faults_are_named(name: str) -> None:
    mutant = AMAX_MUTANTS[name]
    for claim in mutant.claims:
        report = judge(Here(mutant), Operation.parse(claim), Options())
        if not mutant.diagnosis:
            assert report.verdict in (Verdict.PASS, Verdict.ALLOWED)
            assert report.chosen == ({"amax-of-nan": "NaN"} if "nan" in name and "amax=1" in claim else {})
            continue
        assert report.verdict is Verdict.FAIL
        assert report.findings[0].diagnosis.rule == mutant.diagnosis
        assert len(report.findings) == 1 or name == "dot-amax-c-ignored"
        last = report.findings[-1]
        assert last.want_amax != last.got_amax
        assert f"amax   want 0x{last.want_amax:08X}" in drawing(last)
        assert Finding.from_json(json.loads(json.dumps(last.as_json()))) == last


def test_what_is_found_is_judged_with_its_amax_and_a_bound_has_none() -> None:
    def of(mode: str) -> Any:
        class Unit:
            def identify(self) -> dict[str, str]:
                return {"name": "unit", "version": "1", "device": "cpu"}

            def capabilities(self) -> list[str]:
                return ["dot/e4m3fn.e4m3fn/f32/*;amax=1;k=16"]

            def run(self, op: Operation, *operands: Any) -> Any:
                found = expect(Operation.parse(op.id.replace("*", mode).replace("amax=1", "amax=number")), operands)
                return found.codes, found.amax

        return judge(Here(Unit()), Operation.parse("dot/e4m3fn.e4m3fn/f32/*;amax=1;k=16"), Options())

    found = of("hopper.mma.fp8.f32")
    assert found.verdict is Verdict.PASS
    assert "hopper.mma.fp8.f32" in found.op
    assert "amax=1" in found.op


@pytest.mark.parametrize(
    ("text", "said"),
    [("dot/e5m2.e5m2/f32/within.f32;amax=1", "no error bound"), ("dot/e5m2.e5m2/f32/exact;amax=1;flags=1", "or flags"),
     ("dot/e5m2.e5m2/f32/exact;amax=1;c=none", "with C"), ("dot/e5m2.e5m2/fx24.8/exact;amax=1", "float format"),
     ("dot/f64.f64/f64/f64.fma;amax=1", "adds in f64"), ("dot/e5m2.e5m2/f32/exact;amax=2", "one of 1, number, nan"),
     ("dot/e5m2.e5m2/f32/ada.mma.fp8.f32+out.gelu;amax=1", "GELU"), ("add/e5m2.e5m2/e5m2/rne.sat;amax=1", "no amax")],
)  # fmt: skip
def test_what_has_no_amax_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Operation.parse(text)


def test_by_the_definition() -> None:
    one, big, none = Datum.finite(Fraction(1, 3)), Datum.finite(-2), Datum.nan()
    assert amax([one, big, none]) == Datum.finite(2)
    assert amax([one, none], nan=True).is_nan
    assert amax([big, Datum.infinity(1)]) == Datum.infinity()
    assert amax([]) == amax([none]) == Datum.finite(0)


@pytest.mark.parametrize(("key", "nan"), [("1", False), ("number", False), ("nan", True)])
def test_arrays_are_as_fractions_say(key: str, nan: bool) -> None:
    """D = s (AB + C) with amax before s, for codes of small and special numbers."""
    op = Operation.parse(DOT.replace("amax=1", f"amax={key}"))
    codes = np.array([*itertools.product([0, 0x38, 0xC9, 0x7F], repeat=4)], np.uint8)
    c = np.resize(np.array([0, -1.5, np.inf, 3], np.float32), len(codes))
    s = np.resize(np.array([2, 0.5], np.float32), (len(codes), 1))
    sr = np.full(len(codes), -4, np.float32)
    given = [codes[:, :2], codes[:, 2:], *(x.view(np.uint32) for x in (c, s, s, sr))]
    got = expect(op, given).amax
    assert got is not None
    value = {0: Fraction(0), 0x38: Fraction(1), 0xC9: Fraction(-9, 2)}
    for row, addend, scale, found in zip(codes.tolist(), c.tolist(), s[:, 0].tolist(), got.view(np.float32).tolist()):
        if 0x7F in row:
            assert np.isnan(found) if nan else found == 0
        elif np.isinf(addend):
            assert found == np.inf
        else:
            total = sum(value[x] * value[y] for x, y in zip(row[:2], row[2:]))
            assert found == abs(total * Fraction(scale) ** 2 + Fraction(addend))


def test_of_a_matrix_it_is_that_of_output_amax() -> None:
    op = Operation.parse("matmul/e4m3fn.e4m3fn/f16/ada.mma.fp8.f32+out.relu;amax=1;k=3;n=2")
    a, b = np.array([[0x38, 0xC8, 0x30]], np.uint8), np.array([[0x38, 0x7E], [0x38, 0x40], [0, 0xC0]], np.uint8)
    c = np.zeros((1, 2), np.float32)
    amax = expect(op, [a, b, c.view(np.uint32)]).amax
    right = fp8ref.output_amax(a, b, "e4m3fn", accumulator="ada.mma.fp8.f32+out.relu")
    assert amax is not None
    assert amax.view(np.float32).tolist() == [right]


PROGRAM = """
import math, struct, sys

def value(code):
    e, t = code >> 3 & 15, code & 7
    if code & 127 == 127:
        return math.nan
    return (-1) ** (code >> 7) * (math.ldexp(t, -9) if e == 0 else math.ldexp(8 + t, e - 10))

for line in sys.stdin:
    a, b, c = line.split()
    (c,) = struct.unpack(">f", bytes.fromhex(c))
    x = value(int(a, 16)) * value(int(b, 16)) + c  # exact enough in binary64: the products have 8 bits
    try:
        d = struct.pack(">f", x)
    except OverflowError:
        d = struct.pack(">f", math.copysign(math.inf, x))
    m = struct.pack(">f", 0.0 if math.isnan(x) else abs(struct.unpack(">f", d)[0]) SCALE)
    print(d.hex(), m.hex())
"""


def test_a_program_delivers_it(tmp_path: Path) -> None:
    op = "dot/e4m3fn.e4m3fn/f32/exact;k=1;amax=1"
    good = judged(f"exec:{script(tmp_path, PROGRAM.replace('SCALE', ''))},op={op}")
    assert good.verdict in (Verdict.PASS, Verdict.ALLOWED), good.findings or good.reason


SCALED = """
import struct, sys

def single(text):
    return struct.unpack(">f", bytes.fromhex(text))[0]

for line in sys.stdin:
    *_, a, b, c, sa, sb, sr = line.split()
    print("00", sr)
"""


def test_a_program_is_handed_the_outputs_scale(tmp_path: Path) -> None:
    """A program that answers with it: its amax is the scale itself, which is wrong, but it was there."""
    op = "dot/e4m3fn.e4m3fn/e5m2/exact;k=1;amax=1;scale=f32;scale_result=1"
    report = judged(f"exec:{script(tmp_path, SCALED)},op={op}")
    assert report.verdict is Verdict.FAIL, report.reason
    finding = report.findings[-1]
    assert finding.got_amax == finding.inputs[-1] != finding.want_amax


@pytest.mark.parametrize("claim", [DOT, "dot/e5m2.e5m2/f16/exact.rtz.nonsat;k=2;flags=1;zero=ieee"])
def test_a_capture_holds_what_is_beside(tmp_path: Path, claim: str) -> None:
    class Unit:
        def identify(self) -> dict[str, str]:
            return {"name": "unit", "version": "1", "device": "cpu"}

        def capabilities(self) -> list[str]:
            return [claim]

        def run(self, op: Operation, *operands: Any) -> Any:
            found = expect(op, operands)
            assert found.beside is not None
            return found.codes, found.beside ^ found.beside.dtype.type(bad)

    for bad in (0, 1):
        taken = capture(Here(Unit()), Operation.parse(claim), 1, 0, tmp_path / f"part{bad}")
        path = tmp_path / f"{bad}.jsonl"
        write(path, taken)
        back = read(path)
        assert back.beside is not None
        assert taken.beside is not None
        assert np.array_equal(back.beside, taken.beside)
        report = judged(f"replay:{path}")
        assert report.verdict is (Verdict.FAIL if bad else Verdict.PASS), report.reason
    text = path.read_text()
    path.write_text(text.replace('"amax":', '"amx":').replace('"flags":', '"flgs":'))
    with pytest.raises(ValueError, match=r"amax|flags"):
        read(path)


def test_explain_says_it() -> None:
    case = f"{DOT.replace(';k=2', ';block=2;k=2')}#3838.3840.3F800000.40000000.40000000.40000000"
    found = fp8ref.explain(case)  # (1 + 2) 2 2 + 1, twice that is D
    assert "amax     0x41500000   +13" in str(found)
