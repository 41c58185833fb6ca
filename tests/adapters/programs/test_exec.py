"""Programs behind the checker: good devices conform, planted faults are named, and misbehaviour becomes a verdict."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from adapters.devices import CONVERT, build, judged, script

from fp8ref.adapters import Unavailable, Unsupported
from fp8ref.adapters.base import Broken
from fp8ref.adapters.connect import connect
from fp8ref.adapters.programs.named_operations import named_operations
from fp8ref.cases.operation import Operation
from fp8ref.check.verdict import Verdict

DECODE = Operation.parse("decode/e5m2/f32")
CODES = np.array([0x00, 0x3C, 0xC0, 0x7B], np.uint8)  # 0, 1, -2, 57344
ANSWERS = [0x00000000, 0x3F800000, 0xC0000000, 0x47600000]
TIES = ("(kept & 1)", "1")
C_DEVICES = {"level0.c": f",op={CONVERT}", "level2.c": "", "level2.rs": ""}


# -- the devices of the protocol page ---------------------------------------------------------------------------------
@pytest.mark.parametrize("name", C_DEVICES)
def test_a_good_device_conforms_and_a_planted_fault_is_named(name: str, tmp_path: Path) -> None:
    good = judged(f"exec:{build(name, tmp_path)}{C_DEVICES[name]}")
    assert (good.op, good.verdict, good.failed) == (CONVERT, Verdict.PASS, 0)
    assert good.cases > 8_000
    planted = ("kept & 1 == 1", "true") if name.endswith(".rs") else TIES
    bad = judged(f"exec:{build(name, tmp_path, *planted)}{C_DEVICES[name]}")
    assert bad.verdict is Verdict.FAIL
    assert "ties go away from zero" in str(bad.findings[0].diagnosis)


def test_the_device_in_python_decodes_and_its_planted_fault_is_found(tmp_path: Path) -> None:
    command = f"exec:{sys.executable} {build('level1.py', tmp_path)}"
    codes = np.arange(256, dtype=np.uint8)
    upper_halves = (codes.astype(np.uint16) << 8).view(np.float16)  # of binary16
    answer = connect(command).run(DECODE, codes)
    assert isinstance(answer, np.ndarray)
    np.testing.assert_array_equal(answer.view(np.float32), upper_halves.astype(np.float32))
    build("level1.py", tmp_path, "[0, code]", "[0, code if code & 127 else 0]")
    bad = judged(command)
    assert (bad.verdict, bad.failed, bad.findings[0].inputs) == (Verdict.FAIL, 1, (0x80,))


# -- good programs of every kind --------------------------------------------------------------------------------------
LEVEL_0 = """
import struct, sys
for line in sys.stdin:
    code = line.split()[0]
    value, = struct.unpack("<e", bytes([0, int(code, 16)]))
    z = f"{struct.unpack('<I', struct.pack('<f', value))[0]:08X}"
    WRITE
"""
WRITES = {
    "result": "print(z)",
    "echo": "print(code, z)",
    "TestFloat": "print(code, z, '00')",
    "lower case, CRLF": "sys.stdout.write(f'{code.lower()}  {z.lower()}\\r\\n')",
    "pieces": "[(sys.stdout.write(c), sys.stdout.flush()) for c in z + chr(10)]",
}


def level_0(folder: Path, write: str) -> str:
    return f"exec:{script(folder, LEVEL_0.replace('WRITE', write))},op=decode/e5m2/f32"


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_answer_lines_may_echo_the_operands_and_come_in_pieces(write: str, tmp_path: Path) -> None:
    adapter = connect(level_0(tmp_path, write))
    for x in (CODES, CODES[:0], CODES[::-1], CODES[::2], np.tile(CODES, 50)):
        want = dict(zip(CODES.tolist(), ANSWERS))
        answer = adapter.run(DECODE, x)
        assert isinstance(answer, np.ndarray)
        assert answer.dtype == np.uint32
        assert answer.tolist() == [want[code] for code in x.tolist()]


def test_a_kept_program_answers_many_batches(tmp_path: Path) -> None:
    adapter = connect(level_0(tmp_path, "print(z, flush=True)") + ",keep=1")
    processes = set()
    for n in (1, 4, 0, 2):
        assert adapter.run(DECODE, CODES[:n]).tolist() == ANSWERS[:n]  # type: ignore[union-attr]
        processes.add(adapter._program._child.pid)  # type: ignore[attr-defined]
    assert len(processes) == 1


def test_several_operands_and_the_status_are_asked_in_one_line(tmp_path: Path) -> None:
    text = "import sys\nfor line in sys.stdin: print(line.strip(), line.split()[2], '1F')"
    adapter = connect(f"exec:{script(tmp_path, text)},op=fma/e4m3fn.e4m3fn.f16/f16/rne.sat;flags=1")
    (claim,) = map(Operation.parse, adapter.capabilities())
    a, b = np.array([[1, 2], [3, 4]], np.uint8)
    codes, status = adapter.run(claim, a, b, np.array([0xABCD, 7], np.uint16))
    assert (codes.tolist(), status.tolist()) == ([0xABCD, 7], [0x1F, 0x1F])


def test_dot_products_are_lines_of_all_elements(tmp_path: Path) -> None:
    text = "import sys\nfor line in sys.stdin: print(line.split()[0])"
    adapter = connect(f"exec:{script(tmp_path, text)},op=dot/e4m3fn.e4m3fn/f32/exact;k=4")
    (claim,) = map(Operation.parse, adapter.capabilities())
    a = np.array([[0x3F, 0x80, 0, 1], [1, 2, 3, 4]], np.uint8)
    assert adapter.run(claim, a, a, np.zeros(2, np.uint32)).tolist() == [0x3F800001, 0x01020304]  # type: ignore[union-attr]


def test_one_program_for_several_operations_is_given_which(tmp_path: Path) -> None:
    text = (
        "import os, sys\nfor line in sys.stdin: print(f'{len(os.environ[\"FP8REF_OP\"]):02X} {len(sys.argv[1]):02X}')"
    )
    adapter = connect(f"exec:{script(tmp_path, text)} {{testfloat}},op=e5m2_add+e5m2_sqrt")
    ids = list(adapter.capabilities())
    assert ids == ["add/e5m2.e5m2/e5m2/*", "sqrt/e5m2/e5m2/*"]
    sqrt = Operation.parse(ids[1])
    with pytest.raises(Broken, match=f"answer 1 is about a = {len(ids[1]):02X}; asked was 07"):
        adapter.run(sqrt, np.array([7], np.uint8))
    assert adapter.run(sqrt, np.array([len(ids[1])], np.uint8)).tolist() == [len("e5m2_sqrt")]  # type: ignore[union-attr]


def test_globs_name_types() -> None:
    ids = [op.id for op in named_operations("convert/f32/e[45]m[23]fn*/rtz.nonsat+i32_to_e5m2")]
    assert ids == [
        "convert/f32/e4m3fn/rtz.nonsat",
        "convert/f32/e4m3fnuz/rtz.nonsat",
        "convert/f32/e5m2fnuz/rtz.nonsat",
        "convert/i32/e5m2/*",  # a mode that is not said is not claimed
    ]
    model = "dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32+promote128.fadd;k=256"
    assert [op.id for op in named_operations(model)] == [model]


# -- misbehaviour at level 0 ------------------------------------------------------------------------------------------
LOOP = "for line in sys.stdin: "
FAULTS = {  # body of a program that is asked 4 cases of decode/e5m2/f32 -> what the verdict says
    "short": (LOOP + "print('00000000') if line[:2] != '7B' else 0", "3 of 4 answers"),
    "none": ("sys.stdin.read()", "0 of 4 answers, then the program ended with exit code 0"),
    "too many": (LOOP + "print('00000000\\n00000000')", "more answers than the 4 that were asked"),
    "endless answers": ("while True: print('00000000')", "more answers than the 4"),
    "endless line": ("while True: sys.stdout.write('0' * 4096)", "answer 1 does not end: '000"),
    "reordered": (
        "for line in sorted(sys.stdin): print(line.strip(), '00000000')",
        "answer 3 is about a = 7B, which is question 4: answers out of order; asked was C0",
    ),
    "garbage": (LOOP + "print('Hello, world!')", "answer 1 is 'Hello, world!'"),
    "usage": ("print('usage: dut FILE'); sys.exit(2)", "the first 'usage: dut FILE', then the program ended with exit"),
    "non-hex": (LOOP + "print('0000000G')", "'0000000G' is not 8 hexadecimal digits of f32"),
    "late non-hex": (LOOP + "print('0000000' + ('0' if line[:2] != 'C0' else 'x'))", "answer 3 is '0000000x'"),
    "not ASCII": (LOOP + "sys.stdout.buffer.write(b'\\xff\\xb2345678\\n')", "answer 1 is "),
    "wrong width": (LOOP + "print('0000')", "'0000' is not 8 hexadecimal digits of f32"),
    "other words": (LOOP + "print('00000000' + ' 00' * (line[:2] == 'C0'))", "answer 3 is '00000000 00'"),
    "blank lines": (LOOP + "print()", "answer 1 is ''"),
    "torn": (
        LOOP + "print('00000000', end='\\n' if line[:2] != '7B' else '')",
        "3 of 4 answers, .*torn line '00000000'",
    ),
    "exit code": (LOOP + "print('00000000')\nsys.exit(3)", "ended with exit code 3"),
    "killed": (LOOP + "print('00000000')\nsys.stdout.flush(); os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
    "last words": ("sys.stderr.write('x' * 500 + '\\nno licence found\\n'); sys.exit(1)", ": no licence found$"),
    "raises": ("raise RuntimeError('out of luck')", "exit code 1: RuntimeError: out of luck"),
    "ignores EOF": (
        LOOP + "print('00000000')\nsys.stdout.flush(); time.sleep(60)",
        "does not end at the end of its input",
    ),
    "closes stdout": ("os.close(1); time.sleep(60)", "closed its output and did not end"),
    "forks": ("os.fork() or time.sleep(60); sys.exit()", "0 of 4 answers, then the program ended"),
    "reads nothing": ("sys.exit()", "0 of 4 answers"),
}


@pytest.mark.parametrize(("body", "said"), FAULTS.values(), ids=FAULTS)
def test_misbehaviour_is_reported_in_a_line(body: str, said: str, tmp_path: Path) -> None:
    text = "import os, sys, time\n" + body
    adapter = connect(f"exec:{script(tmp_path, text)},op=decode/e5m2/f32")
    start = time.monotonic()
    with pytest.raises(Broken) as error:
        adapter.run(DECODE, CODES)
    assert re.search(said, str(error.value)), str(error.value)
    assert len(str(error.value)) < 700
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 15


def test_codes_beyond_a_type_are_no_codes(tmp_path: Path) -> None:
    adapter = connect(f"exec:{script(tmp_path, 'for _ in open(0): print(40)')},op=convert/e5m2/e2m3fn/rne.sat")
    with pytest.raises(Broken, match="answer 1 is 40, and a code of e2m3fn has 6 bits"):
        adapter.run(Operation.parse(adapter.capabilities()[0]), CODES)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('00000000\\n00000000', flush=True)", "more answers than the 1|goes on after its last answer"),
        ("print('00000000', flush=True); sys.exit()", "0 of 1 answers, then the program ended with exit code 0"),
        (
            "print('00000000', flush=True); print(end='00', flush=True)",
            "goes on after its last|more answers|0000000000",
        ),
    ],
)
def test_a_kept_program_that_does_not_keep_to_the_questions(body: str, said: str, tmp_path: Path) -> None:
    command = script(tmp_path, f"import sys\nfor _ in sys.stdin: {body}")
    adapter = connect(f"exec:{command},op=decode/e5m2/f32,keep=1")

    def ask_three_times() -> None:
        for _ in range(3):
            adapter.run(DECODE, CODES[:1])
            time.sleep(0.2)

    with pytest.raises(Broken) as error:
        ask_three_times()
    assert re.search(said, str(error.value)), str(error.value)


def test_large_batches_pass_both_ways_at_once(tmp_path: Path) -> None:
    """Questions and answers each exceed what a pipe holds, and stderr is flooded beside."""
    text = "import sys\nfor line in sys.stdin: sys.stderr.write('e' * 99); print(line.strip())"
    adapter = connect(f"exec:{script(tmp_path, text)},op=neg/e5m2/e5m2")
    x = np.tile(np.arange(256, dtype=np.uint8), 400)
    np.testing.assert_array_equal(adapter.run(Operation.parse("neg/e5m2/e5m2"), x), x)
    assert len(adapter._program._log if adapter._program else b"") <= 4096  # type: ignore[attr-defined]


# -- misbehaviour at levels 1 and 2 -----------------------------------------------------------------------------------
HELLO = '{"fp8ref":"hello","protocol":1,"level":LEVEL,"name":"x","operations":["decode/e5m2/f32","neg/e5m2/e5m2"]}'
LEVEL_1 = """
import json, os, sys, time
sys.stdin.readline()
print('HELLO', flush=True)
def say(**answer): print(json.dumps(answer), flush=True)
held = []
for line in sys.stdin:
    q = json.loads(line)
    BODY
"""


def level_1(folder: Path, body: str) -> str:
    return f"exec:{script(folder, LEVEL_1.replace('HELLO', HELLO.replace('LEVEL', '1')).replace('BODY', body))}"


def test_json_answers_may_come_in_any_order(tmp_path: Path) -> None:
    body = "held.append(q['id'])\n    if len(held) == 4: [say(id=i, d=f'{i - held[0]:08x}') for i in held[::-1]]"
    adapter = connect(level_1(tmp_path, body))
    assert adapter.identify() == {"name": "x", "version": "unknown", "device": "program, level 1"}
    assert adapter.run(DECODE, CODES).tolist() == [0, 1, 2, 3]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("say(id=q['id'], unsupported='no subnormals')", Unsupported, "no subnormals"),
        ("say(id=q['id'], error='bus fault')", Broken, "the program says: bus fault"),
        ("say(id=1, d='00000000')", Broken, "two answers to one question"),
        ("say(id=q['id'] + 9, d='00000000')", Broken, "an answer to nothing that was asked"),
        ("say(id='1', d='00000000')", Broken, "an answer to nothing that was asked"),
        ("say(d='00000000')", Broken, "an answer to nothing that was asked"),
        ("say(id=q['id'], d='0000')", Broken, "8 hexadecimal digits of f32 as d"),
        ("say(id=q['id'], d=7)", Broken, "8 hexadecimal digits of f32 as d"),
        ("say(id=q['id'], d='0000000x')", Broken, "8 hexadecimal digits of f32 as d"),
        ("print('[' * 3000, flush=True)", Broken, "a line that is no JSON object"),
        ("print(end='{' * 99999, flush=True)", Broken, "does not end"),
        ("sys.exit(q['id'] // 3)", Broken, "0 of 4 answers, then the program ended with exit code 0"),
    ],
)  # fmt: skip
def test_json_that_is_no_answer(body: str, kind: type[Exception], said: str, tmp_path: Path) -> None:
    adapter = connect(level_1(tmp_path, body))
    with pytest.raises(kind, match=said):
        adapter.run(DECODE, CODES)


LEVEL_2 = """
import os, struct, sys, time
i, o = sys.stdin.buffer, sys.stdout.buffer
i.readline()
o.write(b'HELLO\\n'); o.flush()
while head := i.read(16):
    length, number, op, n = struct.unpack("<IIII", head)
    x = i.read(length - 12)
    def say(number, status, payload, extra=0):
        o.write(struct.pack("<III", 8 + len(payload) + extra, number, status) + payload)
    BODY
    o.flush()
"""
FRAMES = {
    "id": ("say(number + 1, 0, bytes(4 * n))", Broken, "a frame for request 2 where 1 is due"),
    "short": ("say(number, 0, bytes(4 * n - 1))", Broken, "a frame of 23 bytes where 24 are due"),
    "torn": (
        "say(number, 0, bytes(4 * n - 1), 1); o.flush(); sys.exit()",
        Broken,
        "0 of 1 answer frames and a torn one",
    ),
    "long": ("say(number, 0, bytes(4 * n) + b'x', -1)", Broken, "goes on after the last answer"),
    "text": ("o.write(b'Hello, this is a program')", Broken, "Hello, this"),
    "huge": ("say(number, 2, b'', 1 << 30)", Broken, "a frame of 1073741832 bytes with status 2"),
    "declines": ("say(number, 1, b'not yet')", Unsupported, "not yet"),
    "error": ("say(number, 2, b'bus fault')", Broken, "the program says: bus fault"),
    "exits": ("sys.exit(5)", Broken, "0 of 1 answer frames, then the program ended with exit code 5"),
}


def level_2(folder: Path, body: str) -> str:
    return f"exec:{script(folder, LEVEL_2.replace('HELLO', HELLO.replace('LEVEL', '2')).replace('BODY', body))}"


@pytest.mark.parametrize(("body", "kind", "said"), FRAMES.values(), ids=FRAMES)
def test_frames_that_are_no_answers(body: str, kind: type[Exception], said: str, tmp_path: Path) -> None:
    adapter = connect(level_2(tmp_path, body))
    with pytest.raises(kind, match=said):
        adapter.run(DECODE, CODES)


def test_large_arrays_are_cut_into_frames_that_may_come_in_pieces(tmp_path: Path) -> None:
    body = (
        "z = struct.pack('<III', 8 + n, number, 0) + (x if op == 1 else b'')\n"
        "    for part in (z[:7], z[7:13], z[13:]): o.write(part); o.flush()"
    )
    adapter = connect(level_2(tmp_path, body))
    x = np.arange(3 << 20, dtype=np.uint32).astype(np.uint8)
    np.testing.assert_array_equal(adapter.run(Operation.parse("neg/e5m2/e5m2"), x), x)


@pytest.mark.parametrize(
    ("hello", "said"),
    [
        ("usage: dut FILE", "needs op=OPERATION.*no JSON object: 'usage"),
        ("{}", 'begins with {"fp8ref":"hello"'),
        (HELLO.replace("LEVEL", "3"), "level is 1 or 2, not 3"),
        (HELLO.replace('l":1', 'l":2').replace("LEVEL", "1"), "protocol is 1, not 2"),
        (HELLO.replace("LEVEL", "1").replace("neg/e5m2/e5m2", "nag/e5m2/e5m2"), "unknown family 'nag'; did you mean"),
        (HELLO.replace("LEVEL", "1").replace("neg/e5m2/e5m2", "decode/e5m2/f32"), "an operation is named twice"),
        (HELLO.replace("LEVEL", "1").replace('["decode', '[3,"decode'), "a list of operation ids"),
        (HELLO.replace("LEVEL", "1") + "\\nmore", "more answers than the 1"),
    ],
)  # fmt: skip
def test_a_hello_that_is_none(hello: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=said):
        connect(f"exec:{script(tmp_path, f'import time; print({hello!r}.replace(chr(92) + chr(110), chr(10)))')}")


def test_a_program_without_a_hello_is_given_up(tmp_path: Path) -> None:
    command = script(
        tmp_path, "import sys, time; sys.stderr.write('waiting for a licence'); sys.stderr.flush(); time.sleep(60)"
    )
    with pytest.raises(Unavailable, match=r"no hello within 1 s .*: waiting for a licence"):
        connect(f"exec:{command},start=1")
