"""Programs and shared objects that decline calls: what they answered is judged, and which they declined is named."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from adapters.devices import GCC, INCLUDE, found, judged, script

from fp8ref.check.verdict import Report, Verdict

DECODE = """
import json, struct, sys
NO, XOR = 0x7B, WRONG
def f32_of_e5m2(code):  # the upper half of binary16
    value, = struct.unpack("<e", bytes([0, code]))
    return struct.pack("<I", struct.unpack("<I", struct.pack("<f", value))[0] ^ XOR)
i, o = sys.stdin.buffer, sys.stdout.buffer
i.readline()
hello = {"fp8ref": "hello", "protocol": 1, "level": LEVEL, "operations": ["decode/e5m2/f32"]}
o.write(json.dumps(hello).encode() + b"\\n"); o.flush()
"""
BY_LINE = """
for line in i:
    q = json.loads(line)
    code = int(q["a"], 16)
    said = {"unsupported": "no such code"} if DECLINES else {"d": f32_of_e5m2(code)[::-1].hex()}
    o.write(json.dumps({"id": q["id"], **said}).encode() + b"\\n"); o.flush()
"""
BY_FRAME = """
while head := i.read(16):
    length, number, op, n = struct.unpack("<IIII", head)
    x = i.read(length - 12)
    status, said = (1, b"too short") if DECLINES else (0, b"".join(map(f32_of_e5m2, x)))
    o.write(struct.pack("<III", 8 + len(said), number, status) + said); o.flush()
"""
SHARED = """
#include "fp8ref.h"
int fp8ref_abi(void) { return FP8REF_ABI; }
const char *fp8ref_capabilities(void) { return "neg/e5m2/e5m2"; }
int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags) {
    const uint8_t *a = operands[0];
    (void)op; (void)flags;
    if (DECLINES) return 1;
    for (size_t i = 0; i < n; i++) ((uint8_t *)result)[i] = (uint8_t)(a[i] ^ 0x80 ^ WRONG);
    return 0;
}
"""


def level_1(folder: Path, declines: str, wrong: str) -> str:
    text = (DECODE + BY_LINE).replace("LEVEL", "1").replace("WRONG", wrong)
    return f"exec:{script(folder, text.replace('DECLINES', {'': 'False', 'all': 'True'}.get(declines, 'code == NO')))}"


def level_2(folder: Path, declines: str, wrong: str) -> str:
    text = (DECODE + BY_FRAME).replace("LEVEL", "2").replace("WRONG", wrong)
    return f"exec:{script(folder, text.replace('DECLINES', {'': 'False', 'all': 'n'}.get(declines, 'n == 13')))}"


def shared_object(folder: Path, declines: str, wrong: str) -> str:
    found("gcc")
    source = folder / "lib.c"
    source.write_text(
        SHARED.replace("WRONG", wrong).replace("DECLINES", {"": "0", "all": "n"}.get(declines, "n == 13"))
    )
    command = [*GCC, "-shared", "-fPIC", f"-I{INCLUDE}", str(source), "-o", str(folder / "lib.so")]
    subprocess.run(command, check=True)
    return f"cabi:{folder / 'lib.so'}"


KINDS = pytest.mark.parametrize("made", [level_1, level_2, shared_object])


def report(made: object, folder: Path, declines: str, wrong: str = "0") -> Report:
    assert callable(made)
    return judged(made(folder, declines, wrong))


@KINDS
def test_wrong_answers_fail_beside_declined_calls(made: object, tmp_path: Path) -> None:
    wrong = report(made, tmp_path, "some", "1")
    assert wrong.verdict is Verdict.FAIL
    assert wrong.failed > 200  # not NaNs: those stay NaNs
    assert wrong.findings


@KINDS
def test_right_answers_pass_in_part(made: object, tmp_path: Path) -> None:
    part = report(made, tmp_path, "some")
    assert (part.verdict, part.in_part, part.failed) == (Verdict.PASS, True, 0)
    assert re.search(r"declines \d+ of \d+ calls: (no such code|too short|fp8ref_run declines)", part.declines), part
    whole = report(made, tmp_path, "")
    assert (whole.verdict, whole.in_part) == (Verdict.PASS, False)


@KINDS
def test_what_declines_every_call_is_unsupported(made: object, tmp_path: Path) -> None:
    none = report(made, tmp_path, "all", "1")
    assert (none.verdict, none.cases, none.failed) == (Verdict.UNSUPPORTED, 0, 0)
