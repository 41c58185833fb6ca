"""What a finding says: the smallest counterexample, the circumstance, the counts, the variations."""

import os
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from fp8ref.cases.answers import behaviours, differs
from fp8ref.cases.operation import Operation
from fp8ref.check.compare import Options
from fp8ref.check.harness.transport import NotStarted, Session
from fp8ref.check.run import NothingSelected, Request, Run, select
from fp8ref.check.variations.settle import settle
from fp8ref.check.verdict import Report, Verdict
from fp8ref.spec import get_format


def judge(connectable: str, **changed: object) -> list[Report]:
    with Run(Request(connectable, **changed)) as run:  # type: ignore[arg-type]
        return list(run.reports())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that becomes the working directory, for adapters under test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


ADAPTER = """
import numpy as np
class Kernel:
    def identify(self): return {"name": "kernel", "version": "1", "device": "cpu"}
    def capabilities(self): return CLAIMS
    def run(self, op, x):
        BODY
"""


def write(folder: Path, claims: str, body: str, name: str = "kernel") -> str:
    text = ADAPTER.replace("CLAIMS", claims).replace("BODY", textwrap.indent(textwrap.dedent(body), " " * 8).strip())
    (folder / f"{name}.py").write_text(text)
    return f"py:{name}:Kernel"


def test_the_smallest_counterexample_is_the_simplest_value(module: Path) -> None:
    """Values in [2, 4) come out one code too high: the simplest of them is 2.0 itself."""
    body = """
        import fp8ref
        v = x.view(np.float32)
        return fp8ref.encode(v, "e4m3fn") + ((abs(v) >= 2) & (abs(v) < 4)).astype(np.uint8)
    """
    (report,) = judge(write(module, '["convert/f32/e4m3fn/rne.sat"]', body))
    (finding,) = report.findings
    assert finding.inputs == (0x40000000,)
    assert (finding.want, finding.got) == (0x40, 0x41)
    assert (finding.length, finding.position, finding.layout) == (1, 0, "plain")
    assert finding.count == report.failed < report.cases


def test_a_fault_of_position_is_reported_with_its_place(module: Path) -> None:
    body = """
        import fp8ref
        z = fp8ref.encode(x.view(np.float32), "e4m3fn")
        if z.size >= 7: z[6] = 1
        return z
    """
    (report,) = judge(write(module, '["convert/f32/e4m3fn/rne.sat"]', body))
    assert report.findings[0].length >= 7
    assert report.findings[0].position == 6


def test_an_adapter_that_changes_its_operands_is_judged_on_what_it_was_given(module: Path) -> None:
    """Operands live in shared memory; the child must not be able to change the parent's copy."""
    body = """
        import fp8ref
        z = fp8ref.encode(x.view(np.float32), "e4m3fn")
        x[:] = 0
        return z
    """
    (report,) = judge(write(module, '["convert/f32/e4m3fn/rne.sat"]', body))
    assert report.verdict is Verdict.PASS


def test_unsupported_is_a_verdict_with_the_reason(module: Path) -> None:
    body = 'import fp8ref; raise fp8ref.Unsupported("only on Tuesdays")'
    (report,) = judge(write(module, '["convert/f32/e4m3fn/rne.sat"]', body))
    assert (report.verdict, report.reason) == (Verdict.UNSUPPORTED, "only on Tuesdays")


def test_flags_of_the_status_are_compared_too(module: Path) -> None:
    body = """
        import fp8ref
        codes, status = fp8ref.encode(x.view(np.float32), "e4m3fn", flags=True)
        return codes, status & ~np.uint8(STATUS)
    """
    claim = '["convert/f32/e4m3fn/rne.sat;flags=1"]'
    good, bad = (
        judge(write(module, claim, body.replace("STATUS", bit), name))[0] for bit, name in (("0", "good"), ("2", "bad"))
    )
    assert good.verdict is Verdict.PASS
    assert bad.verdict is Verdict.FAIL
    assert bad.findings[0].want_status == 3  # underflow and inexact
    assert bad.findings[0].got_status == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("py:no_such_module:Kernel", "no module 'no_such_module'"),
        ("py:os:no_such_class", "no class 'no_such_class'"),
        ("py:os", "py:module:Class"),
        ("torhc", "did you mean torch"),
        ("ml_dtypes,colour=red", "colour"),
        ("ml_dtypes,red", "not key=value"),
        ("", "has no name"),
        ("mini:truncate", "did you mean truncates"),
    ],
)
def test_implementations_that_do_not_exist(text: str, said: str) -> None:
    with pytest.raises(NotStarted, match=said) as caught:
        Session(text)
    assert caught.value.usage


def test_a_constructor_that_dies_is_not_started(module: Path) -> None:
    (module / "dies.py").write_text("import os\nclass Kernel:\n    def __init__(self): os._exit(3)\n")
    with pytest.raises(NotStarted, match="exit code 3"):
        Session("py:dies:Kernel")
    (module / "empty.py").write_text("class Kernel: pass\n")
    with pytest.raises(NotStarted, match=r"has no identify, capabilities, run\(\)"):
        Session("py:empty:Kernel")
    with pytest.raises(NotStarted, match="unknown family 'nonsense'"):
        Run(Request(write(module, '["nonsense/f32/e4m3fn"]', "return x")))


def test_the_child_cannot_lie_about_how_much_it_answered(module: Path) -> None:
    """Garbage on standard output, and even on every open descriptor, does not become an answer that counts as given.

    It runs in the process that answers, so that "done" may be forged before the process is missed: then zeros stand
    where answers should, and are wrong in all but a few cases.
    """
    body = """
        import os
        for fd in range(3, 400):
            try: os.write(fd, b'{"done": 1}\\n{"done"')
            except OSError: pass
        os._exit(0)
    """
    (report,) = judge(write(module, '["convert/f32/e4m3fn/rne.sat"]', body))
    assert report.verdict in (Verdict.CRASH, Verdict.FAIL)
    assert report.verdict is Verdict.CRASH or report.passed < report.cases // 4


def test_no_process_and_no_file_is_left_behind() -> None:
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    with Session("mini:correct") as session:
        child = session._child
        assert child is not None
    assert child.poll() is not None
    assert sys.platform != "linux" or set(os.listdir("/proc/self/fd")) <= before


def test_selection_by_id_prefix_glob_and_testfloat_name() -> None:
    claims = [Operation.parse(t) for t in ("convert/f32/e4m3fn/rne.sat", "convert/f16/e5m2/*", "decode/e5m2/f32")]

    def ids(*patterns: str, skip: tuple[str, ...] = ()) -> list[str]:
        return [op.id for op in select(claims, patterns, skip)]

    assert ids() == [c.id for c in claims]
    assert ids("decode") == ["decode/e5m2/f32"]
    assert ids("convert/*/e4m3fn/*") == ["convert/f32/e4m3fn/rne.sat"]
    assert ids("f32_to_e4m3fn") == ["convert/f32/e4m3fn/rne.sat"]
    assert ids("convert/f16/e5m2/rtz.sat") == ["convert/f16/e5m2/rtz.sat"]
    assert ids(skip=("decode/*",)) == [c.id for c in claims[:2]]
    with pytest.raises(NothingSelected):  # no prefix of e4m3fn
        ids("convert/f32/e4m3")
    with pytest.raises(NothingSelected, match="nothing claimed matches 'add'"):
        select(claims, ("add",))
    with pytest.raises(NothingSelected, match="skipped"):
        select(claims, (), ("*",))


def test_flagged_cases_only() -> None:
    (every,) = judge("mini:ties-away", select=("convert/f32/e4m3fn",))
    (ties,) = judge("mini:ties-away", select=("convert/f32/e4m3fn",), options=Options(flag="tie"))
    (exact,) = judge("mini:ties-away", select=("convert/f32/e4m3fn",), options=Options(flag="exact"))
    assert ties.failed == every.failed
    assert ties.cases < every.cases
    assert exact.verdict is Verdict.PASS


def test_nan_codes_are_one_class_unless_bits_are_asked_for() -> None:
    op = Operation.parse("convert/f32/e5m2/rne.sat")
    got, want = np.array([0x7D, 0x7C, 0xFE], np.uint8), np.array([0x7F, 0x7F, 0x7E], np.uint8)
    assert differs(op, got, want).tolist() == [False, True, False]
    assert differs(op, got, want, "bits").tolist() == [True, True, True]


def test_variations_cover_what_no_standard_decides_and_nothing_else() -> None:
    nan, minus_one, zero, infinity, one = (
        np.array([np.float32(v)]).view(np.uint32) for v in (np.nan, -1, 0, np.inf, 1)
    )

    def names(op: str, x: np.ndarray, got: int, want: int) -> set[str]:
        answers = [np.array([code], np.uint8) for code in (got, want)]
        return set(settle(Operation.parse(op), [x], *answers).allowed)

    assert names("convert/f32/e2m1fn/rne.sat", nan, 0x8, 0x7) == {"nan-without-nan"}
    assert names("convert/f32/e2m1fn/rne.sat;nan=max", nan, 0x8, 0x7) == set()
    assert names("convert/f32/e2m1fn/rne.sat", one, 0x3, 0x2) == set()
    assert names("convert/f32/e4m3fn/rne.sat", nan, 0x00, 0x7F) == set()
    assert names("convert/f32/e8m0fnu/rne.sat", zero, 0xFF, 0x00) == {"e8m0-zero"}
    assert names("convert/f32/e8m0fnu/rne.sat", infinity, 0xFF, 0xFE) == {"e8m0-infinity"}
    assert names("convert/f32/e8m0fnu/rne.sat", minus_one, 0x7F, 0xFF) == {"unsigned-negative"}
    assert names("convert/f32/e8m0fnu/rne.sat;negative=magnitude", minus_one, 0xFF, 0x7F) == set()
    assert names("convert/f32/mxint8/rne.sat", minus_one, 0x81, 0x80) == {"mxint8-symmetric"}
    assert names("convert/f32/mxint8/rne.sat", minus_one, 0x82, 0x80) == set()


def test_a_documented_detour_is_allowed_by_name_and_counted(module: Path) -> None:
    body = """
        import fp8ref
        return fp8ref.encode(x.view(np.float64).astype(np.float32), "e4m3fn")
    """
    (documented,) = judge(write(module, '["convert/f64/e4m3fn/rne.sat;via=f32"]', body, "honest"))
    (silent,) = judge(write(module, '["convert/f64/e4m3fn/rne.sat"]', body, "silent"))
    assert documented.verdict is Verdict.ALLOWED
    assert set(documented.allowed) == {"documented-via-f32"}
    assert silent.verdict is Verdict.FAIL
    assert silent.findings[0].diagnosis.rule == "via-f32"


def test_free_behaviours_are_distinct() -> None:
    for name in ("e4m3fn", "e5m2", "e2m1fn", "e8m0fnu"):
        modes = list(behaviours(get_format(name)))
        assert len(modes) == len(set(modes))
        assert modes[0] == "rne.sat"
