"""fp8ref.judge: functions, adapters and names give the verdicts that the command gives, here and in another process."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref.report.runs import record

ALL_CASES = True  # see tests/conftest.py

E4M3, E5M2 = ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2
TO_E5M2 = "convert/f64/e5m2/rne.nonsat"


def saturated(x: Any) -> Any:
    return np.clip(x, -448, 448).astype(E4M3)


def e5m2(x: Any) -> Any:
    """Right but for float64, which is rounded to float32 first."""
    return (x.astype(np.float32) if x.dtype == np.float64 else x).astype(E5M2)


@pytest.fixture(scope="module")
def twice_rounded() -> fp8ref.Report:
    return fp8ref.judge(e5m2, TO_E5M2)


def test_a_right_function_conforms_with_values_or_codes() -> None:
    assert fp8ref.judge(saturated, "convert/f16/e4m3fn/rne.sat").verdict == "conforms"
    assert fp8ref.judge(lambda x: saturated(x).view(np.uint8), "convert/f16/e4m3fn/*").verdict == "conforms"


def test_narrow_operands_are_values_or_codes() -> None:
    given = []

    def decode(x: Any) -> Any:
        given.append(x.dtype)
        return x.view(E5M2).astype(np.float32)

    assert fp8ref.judge(decode, "decode/e5m2/f32")
    assert fp8ref.judge(decode, "decode/e5m2/f32", arrays="codes")
    assert set(given) == {np.dtype(E5M2), np.dtype(np.uint8)}


def test_several_operations_and_what_a_report_is_true_of() -> None:
    report = fp8ref.judge(e5m2, "convert/f16/e5m2/rne.nonsat", TO_E5M2, "convert/f16/e5m2/rtz.nonsat")
    assert [*report.verdicts.values()] == ["pass", "fail", "fail"]
    assert (report.verdict, bool(report), len(report)) == ("fail", False, 3)
    assert bool(fp8ref.judge(e5m2, "convert/f16/e5m2/rne.nonsat"))


def test_every_wrong_answer_is_double_rounding(twice_rounded: fp8ref.Report) -> None:
    """Each case is held against exact arithmetic: binary64 values beside a tie, whose binary32 is the tie."""
    found = twice_rounded.cases()
    x, want, got = (array.astype(np.float64) for array in found.values)
    assert len(found) >= twice_rounded.findings[0].count > 0
    assert x.view(np.uint64).tolist() == found.operands[0].tolist()
    assert np.all(np.abs(want - x) < np.abs(got - x))  # the answer is the farther neighbour
    assert np.array_equal(got, x.astype(np.float32).astype(E5M2).astype(np.float64))
    assert len(found.layout) == len(found.flags) == found.position.size == found.length.size == len(found)


def test_cases_belong_to_a_finding_of_the_report(twice_rounded: fp8ref.Report) -> None:
    assert len(twice_rounded.cases(0)) == len(twice_rounded.cases(twice_rounded.findings[0]))
    with pytest.raises(ValueError, match="finding 3: there are 1"):
        twice_rounded.cases(3)
    with pytest.raises(ValueError, match="of another report"):
        twice_rounded.cases(fp8ref.judge(e5m2, "convert/f16/e5m2/rtz.nonsat").findings[0])
    with pytest.raises(ValueError, match="0 findings: say which"):
        fp8ref.judge(saturated, "convert/f16/e4m3fn/rne.sat").cases()


def test_rows_of_products_are_arrays_of_two_dimensions() -> None:
    def last_lost(a: Any, b: Any, c: Any) -> Any:
        return ((a.astype(np.float64) * b.astype(np.float64))[:, :-1].sum(1) + c).astype(np.float32)

    report = fp8ref.judge(last_lost, "dot/e4m3fn.e4m3fn/f32/exact;k=4")
    a, b, c = (found := report.cases(report.findings[0])).operands
    assert a.shape == b.shape == (len(found), 4)
    assert c.shape == found.want.shape == (len(found),)
    x, y, z, want, _ = found.values
    exact = (x.astype(np.float64) * y.astype(np.float64)).sum(1) + z
    finite = np.isfinite(exact) & np.isfinite(want)
    assert finite.any()
    assert np.allclose(exact[finite], want[finite], rtol=1e-5, atol=1e-30)


def test_blocks_are_rows_of_bytes() -> None:
    def all_zero(x: Any) -> Any:
        return np.zeros((len(x), 33), np.uint8)

    found = fp8ref.judge(all_zero, "scale/f32/mxfp8_e4m3/floor", arrays="codes")
    cases = found.cases(found.findings[0])
    assert cases.operands[0].shape == (len(cases), 32)
    assert cases.want.shape == cases.got.shape == (len(cases), 33)
    assert not cases.got.any()
    assert cases.want.any(axis=1).all()


def test_what_a_function_raises_is_a_verdict() -> None:
    def failing(x: Any) -> Any:
        raise ZeroDivisionError("no unit")

    report = fp8ref.judge(failing, "decode/e5m2/f32", "decode/e4m3fn/f32")
    assert report.verdict == "crash"
    assert set(report.verdicts.values()) == {"crash"}
    assert report.operations[0].reason.startswith("ZeroDivisionError: no unit (test_judge.py:")
    other = fp8ref.judge(lambda x: x, "convert/f32/e4m3fn/rne.sat")
    assert other.operations[0].reason == "codes have dtype uint8, not float32"


def test_an_answer_of_another_format_is_no_answer() -> None:
    report = fp8ref.judge(e5m2, "convert/f32/e4m3fn/rne.sat")
    assert (report.verdict, report.operations[0].reason) == ("crash", "codes have dtype uint8, not float8_e5m2")


def test_what_is_declined_does_not_conform() -> None:
    def declining(x: Any) -> Any:
        raise fp8ref.Unsupported("not here")

    report = fp8ref.judge(declining, "decode/e5m2/f32")
    assert (report.verdict, bool(report)) == ("unsupported", False)


def test_a_name_gives_the_same_record_here_and_in_another_process() -> None:
    here = fp8ref.judge("mini:small-rounded-twice", "convert/f32/*")
    there = fp8ref.judge("mini:small-rounded-twice", "convert/f32/*", isolate=True)
    assert here.document == there.document
    assert here.verdict == "fail"
    assert "again  fp8ref check" in repr(here)


def test_adapters_are_judged_as_objects_and_classes() -> None:
    class Half:
        def identify(self) -> dict[str, str]:
            return {"name": "half", "version": "3"}

        def capabilities(self) -> list[str]:
            return ["decode/e5m2/f16", "decode/e5m2/f32"]

        def run(self, op: Any, x: Any) -> Any:
            return x.astype(np.uint16) << 8

    report = fp8ref.judge(Half(), "decode/e5m2/f16")
    assert report.verdicts == {"decode/e5m2/f16": "pass"}
    assert dict(report.header["implementation"]) == {"name": "half", "version": "3"}
    assert fp8ref.judge(Half, skip=["*/f32"]).verdict == "conforms"


def test_a_function_of_a_module_is_judged_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernels_of_acme.py").write_text(
        "import os, ml_dtypes\ndef right(x): return x.astype(ml_dtypes.float8_e5m2)\ndef dying(x): os._exit(7)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import kernels_of_acme as acme  # type: ignore[import-not-found]

    assert fp8ref.judge(acme.right, "convert/f16/e5m2/rne.nonsat", isolate=True)
    assert fp8ref.judge(acme.dying, "decode/e5m2/f32", isolate=True, timeout=20).verdict == "crash"
    monkeypatch.delitem(sys.modules, "kernels_of_acme")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((e5m2,), {}, "name the operation"),
        ((e5m2, "convert/f32"), {}, "an id is family/operands/result"),
        ((3, "decode/e5m2/f32"), {}, "int '3' cannot be judged"),
        (("nobody",), {}, "unknown implementation 'nobody'"),
        (("mini:nobody",), {"isolate": True}, "unknown mutant 'nobody'"),
        (("ml_dtypes", "dot/*"), {}, "nothing claimed matches 'dot/\\*'"),
        ((lambda x: x, "decode/e5m2/f32"), {"isolate": True}, "define <lambda> at the top of a file"),
        ((e5m2, "decode/e5m2/f32"), {"arrays": "jax"}, "arrays='jax': choose from values, codes, torch"),
        ((e5m2, "decode/e5m2/f32"), {"level": 4}, "level=4: choose from 1, 2, 3"),
        ((e5m2, "decode/e5m2/f32"), {"seed": -1}, "seed=-1 is no number from 0"),
        ((e5m2, "decode/e5m2/f32"), {"nan": "any"}, "nan='any': choose from class, bits"),
        ((e5m2, "decode/e5m2/f32"), {"flag": "ties"}, "flag='ties': choose from"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fp8ref.judge(*arguments, **options)


def test_what_does_not_start_is_said() -> None:
    class Absent:
        def __init__(self) -> None:
            from fp8ref.adapters.base import Unavailable

            raise Unavailable("pip install acme")

        identify = capabilities = run = None

    Absent.identify = Absent.capabilities = Absent.run = lambda self: None  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="pip install acme"):
        fp8ref.judge(Absent)


def test_a_report_is_saved_in_the_form_of_its_ending(twice_rounded: fp8ref.Report, tmp_path: Path) -> None:
    for ending in ("jsonl", "json", "html", "md", "xml", "txt", "csv"):
        twice_rounded.save(tmp_path / f"run.{ending}")
    assert record.read(tmp_path / "run.jsonl") == twice_rounded.document
    with (tmp_path / "run.csv").open() as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(twice_rounded.cases())
    for ending in ("html", "md", "xml", "txt"):
        assert "double rounding via f32" in (tmp_path / f"run.{ending}").read_text()
    with pytest.raises(FileExistsError):
        twice_rounded.save(tmp_path / "run.md")
    twice_rounded.save(tmp_path / "run.md", force=True)
    with pytest.raises(ValueError, match=r"should end in \.jsonl, \.md"):
        twice_rounded.save(tmp_path / "run.pickle")


def test_tables(twice_rounded: fp8ref.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows, by a stand-in for pandas: no table library is a need of the tests."""
    made = type(sys)("pandas")
    made.DataFrame = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", made)
    operations = twice_rounded.to_frame()
    assert operations["verdict"] == ["fail"]
    assert operations["remark"] == ["double rounding via f32"]
    assert twice_rounded.to_frame("findings")["count"] == [twice_rounded.findings[0].count]
    assert len(twice_rounded.to_frame("cases")["got"]) == len(twice_rounded.cases())
    with pytest.raises(ValueError, match="choose from operations, findings, cases"):
        twice_rounded.to_frame("rows")  # type: ignore[arg-type]
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pandas or polars"):
        twice_rounded.to_frame()


def test_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    given = set()

    def cast(x: Any) -> Any:
        given.add(x.dtype)
        return x.to(torch.float8_e5m2)

    assert fp8ref.judge(cast, "convert/bf16/e5m2/rne.nonsat", "convert/f16/e5m2/rne.nonsat", arrays="torch")
    assert fp8ref.judge(lambda x: x.to(torch.bfloat16), "decode/e5m2/bf16", arrays="torch")
    assert given == {torch.bfloat16, torch.float16}
    assert fp8ref.judge(lambda x: torch.from_numpy(x.copy()).to(torch.float8_e5m2), "convert/f16/e5m2/*")
