"""Shared objects behind the checker: the whole ABI, plain functions, and what a bad library leads to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from adapters.devices import CONVERT, GCC, INCLUDE, build, found, judged

from fp8ref.adapters import Unavailable, Unsupported
from fp8ref.adapters.base import Broken
from fp8ref.adapters.connect import connect
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.transport import NotStarted, Session
from fp8ref.check.verdict import Verdict

FORMS = ("", f",symbol=one,op={CONVERT}", f",symbol=many,op={CONVERT},form=array")


def test_a_good_library_conforms_and_a_planted_fault_is_named(tmp_path: Path) -> None:
    good = judged(f"cabi:{build('cabi.c', tmp_path)}", flag="tie")
    assert (good.op, good.verdict) == (CONVERT, Verdict.PASS)
    assert good.cases > 100
    report = judged(f"cabi:{build('cabi.c', tmp_path, '(kept & 1)', '1')}{FORMS[1]}", flag="tie")
    assert report.verdict is Verdict.FAIL
    assert "ties go away from zero" in str(report.findings[0].diagnosis)


def test_plain_functions_answer_like_the_whole_abi(tmp_path: Path) -> None:
    path = build("cabi.c", tmp_path)
    x = np.array([0x3F800000, 0xC0000000, 0x7FC00000, 0x43E80001, 0x3A800001], np.uint32)
    for form in FORMS:
        adapter = connect(f"cabi:{path}{form}")
        assert list(adapter.capabilities()) == [CONVERT]
        for array in (x, x[::-1], x[::2], x[:0]):
            want = [{0x3F800000: 0x38, 0xC0000000: 0xC0, 0x7FC00000: 0x7F, 0x43E80001: 0x7E}.get(v, 1) for v in array]
            assert adapter.run(Operation.parse(CONVERT), array).tolist() == want  # type: ignore[union-attr]


def test_identity_and_claims_are_the_librarys_own(tmp_path: Path) -> None:
    adapter = connect(f"cabi:{build('cabi.c', tmp_path)}")
    assert adapter.identify() == {"name": "cabi.c", "version": "1", "device": "shared object"}
    assert adapter.capabilities() == [CONVERT]
    with pytest.raises(Unsupported, match="it has no convert/f32/e5m2"):
        adapter.run(Operation.parse("f32_to_e5m2"), np.zeros(1, np.uint32))


ABI = """
#include "fp8ref.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int fp8ref_abi(void) { return FP8REF_ABI; }
const char *fp8ref_capabilities(void) {
    return "fma/e4m3fn.e4m3fn.f16/f16/rne.sat;flags=1\\nconvert/e5m2/e2m3fn/rne.sat\\nint/e5m2/i64/rtz.riscv";
}
int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags) {
    (void)op; (void)operands; (void)n; (void)result; (void)flags;
    BODY
    return 0;
}
"""


def library(folder: Path, text: str) -> str:
    found("gcc")
    source = folder / "lib.c"
    source.write_text(text)
    command = [*GCC, "-shared", "-fPIC", f"-I{INCLUDE}", str(source), "-o", str(folder / "lib.so")]
    subprocess.run(command, check=True)
    return f"cabi:{folder / 'lib.so'}"


A, C = np.array([1, 2, 3], np.uint8), np.array([4, 5, 0xFFFF], np.uint16)


def test_operands_of_several_widths_and_the_status_arrive(tmp_path: Path) -> None:
    body = """
    const uint8_t *a = operands[0], *b = operands[1];
    const uint16_t *c = operands[2];
    for (size_t i = 0; i < n; i++) ((uint16_t *)result)[i] = c[i], flags[i] = (uint8_t)(a[i] * 4 + b[i]);
    """
    adapter = connect(library(tmp_path, ABI.replace("BODY", body)))
    fma = Operation.parse(adapter.capabilities()[0])
    for step in (1, -1, 2):
        codes, status = adapter.run(fma, A[::step], A[::step], C[::step])
        assert codes.tolist() == C[::step].tolist()
        assert status.tolist() == [5 * x for x in A[::step].tolist()]
        assert codes.dtype == np.uint16


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("return 1;", Unsupported, "declines"),
        ("return -7;", Broken, "fp8ref_run returned -7"),
        ("((uint8_t *)result)[n] = 0;", Broken, "it wrote beyond its 3 results"),
        ("memset(result, 0x40, n);", Broken, "answer 1 is 40, and a code of e2m3fn has 6 bits"),
        ("", Broken, "answer 1 is A5"),  # nothing was written
    ],
)
def test_misbehaviour_is_reported(body: str, kind: type[Exception], said: str, tmp_path: Path) -> None:
    adapter = connect(library(tmp_path, ABI.replace("BODY", body)))
    with pytest.raises(kind, match=said):
        adapter.run(Operation.parse("convert/e5m2/e2m3fn/rne.sat"), A)


def test_functions_of_signed_and_wide_integers(tmp_path: Path) -> None:
    text = "#include <stdint.h>\nint64_t f(uint8_t x); int64_t f(uint8_t x) { return -((int64_t)x << 40); }"
    (op,) = (adapter := connect(library(tmp_path, text) + ",symbol=f,op=e5m2_to_i64")).capabilities()
    assert adapter.run(Operation.parse(op), A).tolist() == [-(x << 40) for x in (1, 2, 3)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "timeout", "said"),
    [
        ("*(volatile int *)0 = 1;", 60.0, "killed by SIGSEGV"),
        ("abort();", 60.0, "killed by SIGABRT"),
        ("exit(3);", 60.0, "its process ended with exit code 3"),
        ("for (;;) pause();", 0.3, "no answer within 0.3 s"),
    ],
)
def test_what_ends_or_hangs_becomes_a_verdict(body: str, timeout: float, said: str, tmp_path: Path) -> None:
    with Session(library(tmp_path, ABI.replace("BODY", body)), timeout) as session:
        op = Operation.parse("convert/e5m2/e2m3fn/rne.sat")
        with pytest.raises(Exception, match=said):
            session.ask(op, [([A], "plain")])


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (",symbol=f", ValueError, "needs both, symbol=NAME and op=OPERATION"),
        (",op=e5m2_add", ValueError, "needs both, symbol=NAME and op=OPERATION"),
        (",symbol=g,op=e5m2_add", ValueError, "has no function g"),
        ("", ValueError, "has no function fp8ref_run; name one"),
        (",symbol=f,op=e5m2_add,form=vector", ValueError, "form is scalar or array, not 'vector'"),
        (",symbol=f,op=e5m2_add;flags=1", ValueError, "use form=array for status flags"),
        (",symbol=f,op=e5m2_ad", ValueError, "unknown family"),
        (",size=3", ValueError, "unexpected keyword argument 'size'"),
    ],
)
def test_a_connectable_that_is_wrong_is_refused(options: str, kind: type, said: str, tmp_path: Path) -> None:
    name = library(tmp_path, "int f(int x); int f(int x) { return x; }")
    with pytest.raises(kind, match=re.escape(said)) as error:
        connect(name + options)
    assert "\n" not in str(error.value)


def test_files_that_are_no_libraries(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a shared object is missing"):
        connect("cabi")
    with pytest.raises(Unavailable, match="/nonexistent is not there"):
        connect("cabi:/nonexistent")
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(Unavailable, match="cannot be loaded"):
        connect(f"cabi:{tmp_path / 'text.so'}")
    with pytest.raises(Unavailable, match=r"version 7 of the ABI; this fp8ref speaks 1"):
        connect(library(tmp_path, ABI.replace("return FP8REF_ABI", "return 7").replace("BODY", "")))
    (tmp_path / "b").mkdir()
    with pytest.raises(Unavailable, match=r"fp8ref_capabilities of .*unknown family 'fmma'"):
        connect(library(tmp_path / "b", ABI.replace("fma/", "fmma/").replace("BODY", "")))
    (tmp_path / "c").mkdir()
    crash = "\n__attribute__((constructor)) static void start(void) { abort(); }"
    with pytest.raises(NotStarted, match="SIGABRT"):
        Session(library(tmp_path / "c", ABI.replace("BODY", "") + crash))
