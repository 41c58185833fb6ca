"""Captures of element-wise operations are judged like the device itself: their inputs are the plan."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from adapters.devices import judged
from second_oracles.exact import TABLES

from fp8ref.check.verdict import Report, Verdict

ALL_CASES = True  # see tests/conftest.py


def captured(path: Path, operation: str, cases: list[tuple[str, ...]]) -> str:
    header = {"fp8ref": "capture", "schema": "fp8ref/capture/1", "operation": operation, "count": len(cases)}
    lines = [header, *({**dict(zip("abc", case[:-1])), "d": case[-1]} for case in cases)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"replay:{path}"


def replayed(path: Path, operation: str, cases: list[tuple[str, ...]], *, level: int = 1) -> Report:
    return judged(captured(path, operation, cases))


F16 = {  # binary16 -> E5M2, whose codes are its upper halves: rounded to the nearest by hand
    "3C00": "3C", "3C80": "3C", "3C81": "3D", "3D80": "3E", "BD7F": "BD", "7BFF": "7B", "0080": "00", "0081": "01",
}  # fmt: skip


def test_a_captured_conversion_is_judged_on_its_own_inputs(tmp_path: Path) -> None:
    cases = list(F16.items())
    report = replayed(tmp_path / "a", "convert/f16/e5m2/rne.sat", cases)
    assert (report.verdict, report.cases) == (Verdict.PASS, len(cases))
    report = replayed(tmp_path / "b", "convert/f16/e5m2/rne.sat", [*cases[:2], ("3C81", "3C"), *cases[3:]])
    assert (report.verdict, report.cases, report.failed) == (Verdict.FAIL, len(cases), 1)
    assert (report.findings[0].inputs, report.findings[0].want, report.findings[0].got) == ((0x3C81,), 0x3D, 0x3C)


def test_the_mode_of_a_capture_is_found(tmp_path: Path) -> None:
    cases = [(x, f"{int(x[:2], 16):02X}") for x in ("3C81", "3CFF", "BCFF", "7BFF", "0001", "8001", "7C00", "FC00")]
    report = replayed(tmp_path / "a", "convert/f16/e5m2/*", cases)
    assert report.verdict is Verdict.PASS
    assert report.op.startswith("convert/f16/e5m2/rtz.")


def test_a_captured_decoding_is_judged(tmp_path: Path) -> None:
    cases = [(f"{code:02X}", f"{code:02X}00") for code in range(0x7D)]
    assert replayed(tmp_path / "a", "decode/e5m2/f16", cases).verdict is Verdict.PASS
    cases[0x40] = ("40", "4001")
    report = replayed(tmp_path / "b", "decode/e5m2/f16", cases)
    assert (report.verdict, report.failed, report.findings[0].inputs) == (Verdict.FAIL, 1, (0x40,))


def test_a_captured_fma_is_judged(tmp_path: Path) -> None:
    table = TABLES["e4m3fn"]
    finite = [0x00, 0x08, 0x38, 0x3C, 0xC0, 0x30, 0xB4]
    cases = []
    for a, b, c in itertools.product(finite, repeat=3):
        x, y, z = (table.meaning(code)[2] for code in (a, b, c))
        exact = x * y + z
        if exact == 0:
            continue  # whose sign is another rule
        code = table.encode(exact < 0, table.place(abs(exact)), "rne", "sat")
        cases.append((f"{a:02X}", f"{b:02X}", f"{c:02X}", f"{code:02X}"))
    assert len(cases) > 200
    operation = "fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat"
    report = replayed(tmp_path / "a", operation, cases)
    assert (report.verdict, report.cases) == (Verdict.PASS, len(cases))
    a, b, c, d = cases[100]
    cases[100] = (a, b, c, f"{int(d, 16) ^ 0x80:02X}")
    report = replayed(tmp_path / "b", operation, cases)
    assert (report.verdict, report.failed) == (Verdict.FAIL, 1)


@pytest.mark.parametrize("operation", ["convert/f16/e5m2/rne.sat", "convert/f16/e5m2/*", "dot/e5m2.e5m2/f32/exact;k=4"])
def test_an_empty_capture_is_no_pass(operation: str, tmp_path: Path) -> None:
    assert replayed(tmp_path / "a", operation, []).verdict is Verdict.UNSUPPORTED
