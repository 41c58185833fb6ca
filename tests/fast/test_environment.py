"""Flushing of subnormals and other rounding modes in the calling thread change no answer.

A child process sets the control word of its thread, before or after the import, and calls every public function.  Its
answers in the default environment are held against the specification, and those in every other against these.
"""

from __future__ import annotations

import functools
import json
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fp8ref
from fp8ref import spec
from fp8ref.fast import environment
from fp8ref.spec.matrix.products import dot as dot_of
from fp8ref.spec.operations.arithmetic import compute_codes

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine(), platform.libc_ver()[0]) != ("linux", "x86_64", "glibc"),
    reason="the control word is set as x86-64 and glibc keep it",
)

WORDS = {"default": 0, "ftz": 0x8000, "daz": 0x0040, "rtn": 0x2000, "rtp": 0x4000, "rtz": 0x6000}  # bits of MXCSR
CHILD = """
import ctypes, json, sys

def strange(bits):
    library, kept = ctypes.CDLL(None), (ctypes.c_uint32 * 64)()
    library.fegetenv(kept)
    kept[7] |= bits  # the last word of glibc's fenv_t is MXCSR
    library.fesetenv(kept)

word, early = int(sys.argv[1]), sys.argv[2] == "early"
if early:
    strange(word)
import numpy as np
import fp8ref
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.fast.environment import is_default
if not early:
    strange(word)
assert is_default() is (word == 0)

rng = np.random.default_rng(1)
words = rng.integers(0, 1 << 32, 512, dtype=np.uint32)
words[:128] &= np.uint32(0x807FFFFF)  # subnormals
words[(words >> 23 & 255) == 255] = 1
wide = rng.integers(0, 1 << 64, 128, dtype=np.uint64)
wide[:32] &= np.uint64(0x800FFFFFFFFFFFFF)
wide[(wide >> 52 & 2047) == 2047] = 1
a, b, c = (rng.integers(0, 0x7F, 64, dtype=np.uint8) for _ in range(3))
x, y, z = words[:171], words[171:342], words[342:][:171 - 1].repeat(2)[:171]
A, B = (rng.integers(0, 248, (16, 64), dtype=np.uint8) for _ in "ab")
A, B = (np.where(m < 124, m, m + 4).astype(np.uint8) for m in (A, B))  # finite codes of e5m2
f32 = words.view(np.float32)
scaled = fp8ref.scale_blocks(f32.reshape(16, 32), "mxfp8_e4m3")
small = fp8ref.scale_blocks((words[:64] & np.uint32(0x807FFFFF)).view(np.float32).reshape(2, 32), "mxfp8_e5m2")
powers = np.arange(255, dtype=np.uint8)
found = {
    "encode": fp8ref.encode(f32, "e5m2"), "encode64": fp8ref.encode(wide.view(np.float64), "bf16"),
    "encode wide": fp8ref.encode(wide.view(np.float64), "f32", flags=True)[1],
    "decode": fp8ref.decode(powers, "e8m0fnu"),
    "quantize": fp8ref.quantize(f32, "e8m0fnu"), "convert": fp8ref.convert(x, "f32", "f16"),
    **{name: getattr(fp8ref, name)(x, y, "f32") for name in ("add", "subtract", "multiply", "divide", "remainder",
                                                              "minimum", "maximum", "copysign")},
    **{name: getattr(fp8ref, name)(x, y, z, "f32") for name in ("fma", "faa")},
    **{name: getattr(fp8ref, name)(x & np.uint32(0x7FFFFFFF), "f32") for name in ("sqrt", "round_to_integral", "log_b",
       "next_up", "next_down", "classify", "negate", "abs_")},
    "scale_b": fp8ref.scale_b(x, np.full(171, -20), "f32"), "to_integer": fp8ref.to_integer(x, "i32", "f32"),
    "compare": fp8ref.compare(x, y, "lt", "f32"), "is_class": fp8ref.is_class(x, "issubnormal", "f32"),
    "total_order": fp8ref.total_order(x, y, "f32"), "narrow": fp8ref.divide(a, b, "e4m3fn", result="f16"),
    "dot": fp8ref.dot(A, B, "e5m2"), "dot64": fp8ref.dot(A, B, "e5m2", result="f64"),
    "dot f32": fp8ref.dot(A, B, "e5m2", accumulator="f32.fma"),
    "dot bf16": fp8ref.dot(x.view(np.uint16)[::2].reshape(9, 19) & 0x00FF,
                           y.view(np.uint16)[1::2].reshape(9, 19) & 0x3FFF, "bf16", accumulator="f32.mul-add"),
    "dot hopper": fp8ref.dot(A, B, "e5m2", accumulator="hopper.wgmma.fp8.f32"),
    "matmul": fp8ref.matmul(A, B.T, "e5m2"),
    "matmul scaled": fp8ref.matmul(A, B.T, "e5m2", scale_a=np.full((16, 1), 2.0**-80),
                                   scale_b=np.full((1, 16), 2.0**-60)),
    "codes": scaled.codes, "scales": scaled.scales, "dequantize": scaled.dequantize(), "small": small.codes,
    "small scales": small.scales, "small back": small.dequantize(),
    "nvfp4": fp8ref.scale_blocks(f32.reshape(16, 32), "nvfp4").codes,
    "expect": expect(Operation.parse("fma/f32.f32.f32/f32;flags=1"), [x, y, z]).codes,
}
assert is_default() is (word == 0), "the caller's environment is restored"
raw = {name: np.ascontiguousarray(v) for name, v in found.items()}
print(json.dumps({k: v.view(f"u{v.dtype.itemsize}").reshape(-1).tolist() for k, v in raw.items()}
                 | {"inputs": [x.tolist(), y.tolist(), z.tolist()], "A": A.tolist(), "B": B.tolist(),
                    "f32": words.tolist()}))
"""


@functools.cache
def answers(name: str, when: str = "late") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(WORDS[name]), when], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_default_answers_are_the_specifications() -> None:
    found = answers("default")
    f32 = spec.get_format("f32")
    rho = spec.get_projection(f32)
    x, y, z = found["inputs"]
    for name, operands in (("add", (x, y)), ("multiply", (x, y)), ("divide", (x, y)), ("fma", (x, y, z))):
        want = [compute_codes(name, codes, [f32] * len(codes), f32, rho)[0] for codes in zip(*operands)]
        assert found[name] == want, name
    assert found["encode"] == [spec.encode(spec.decode(w, "f32"), "e5m2")[0] for w in found["f32"]]
    for name, model in (("dot", "exact"), ("dot f32", "f32.fma")):
        assert found[name] == [dot_of(a, b, "e5m2", accumulator=model) for a, b in zip(found["A"], found["B"])]
    assert found["decode"][:2] == [1 << 22, 1 << 23], "2^-127 is a subnormal of binary32"


@pytest.mark.parametrize("when", ["late", pytest.param("early", marks=pytest.mark.full)])
@pytest.mark.parametrize("name", [name for name in WORDS if name != "default"])
def test_no_environment_changes_an_answer(name: str, when: str) -> None:
    want, found = answers("default"), answers(name, when)
    assert [key for key in want if found[key] != want[key]] == []


def test_where_it_cannot_be_changed_one_line_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_library", lambda: (object(), None))
    monkeypatch.setattr(environment, "ONE", 1.0 + 2.0**-52)
    monkeypatch.setattr(environment, "LITTLE", 1.0)  # as if sums went elsewhere
    with pytest.raises(environment.Strange, match=r"^this thread does not round to nearest .*undo that first$"):
        environment.in_default(fp8ref.encode, ([1.0], "e4m3fn"), {})


def test_a_look_is_all_that_the_default_costs() -> None:
    assert environment.is_default()
    assert environment.strangeness() == ""
    np.testing.assert_array_equal(fp8ref.encode([1.0], "e4m3fn"), [0x38])
