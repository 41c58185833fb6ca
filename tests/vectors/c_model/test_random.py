"""Stochastic rounding in the generated C model: random bits are an operand, and decide as in the reference."""

from __future__ import annotations

import ctypes
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from short import every
from vectors.c_model.model_calls import STOCHASTIC, TININESS, Model, Rules, needs_gcc, overflow_number

from fp8ref import get_format
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.stochastic import with_words
from fp8ref.spec.codec import unpack

pytestmark = needs_gcc
FORMATS = ("e4m3fn", "e5m2", "e2m1fn", "e3m2fn", "e4m3fnuz", "e8m0fnu", "mxint8")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("model"), FORMATS)


def answers(model: Model, op: Operation, codes: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rho = op.projection
    number = 6 + STOCHASTIC.index(rho.rounding)
    width = int(op.operands[1].removeprefix("rbits"))
    subnormal = ("keep", "daz", "ftz", "both").index(rho.subnormal)
    tininess = TININESS.index(rho.tininess)
    rules = Rules(number, overflow_number(str(rho.overflow)), tininess, 0, 0, subnormal, 0, width)
    z, flags = np.zeros(codes.size, np.uint64), np.full(codes.size, 0xFF, np.uint8)
    given = [np.ascontiguousarray(codes, np.uint64), np.ascontiguousarray(words, np.uint32)]
    formats = [ctypes.c_void_p(model.format(name)) for name in (op.operands[0], op.result)]
    pointers = [x.ctypes.data_as(ctypes.c_void_p) for x in given]
    outs = [x.ctypes.data_as(ctypes.c_void_p) for x in (z, flags)]
    model.library.convert_drawn(*formats, *pointers, ctypes.c_size_t(codes.size), ctypes.byref(rules), *outs)
    return z, flags


def values(source: str, result: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Any codes, and such that meet the result's binades and its subnormals."""
    f, to = get_format(source), get_format(result)
    fields = np.clip(rng.integers(to.emin - 12, to.emax + 3, n) + f.bias, 0, (1 << f.w) - 1)
    near = fields << f.t | rng.integers(0, 1 << f.t, n) | rng.integers(0, 2, n) << (f.k - 1)
    return np.concatenate([rng.integers(0, 1 << f.k, n // 4), near]).astype(np.uint64)


OPERATIONS = [
    *(f"convert/f32.rbits32/{to}/{mode}.{overflow}"
      for to, overflow in (("e5m2", "nonsat"), ("e4m3fn", "sat"), ("e2m1fn", "sat")) for mode in STOCHASTIC),
    *(f"convert/{source}.rbits{n}/{to}/{mode}.satprop;tininess={TININESS[n % 3]}"
      for source, n, to in (("f16", 5, "e5m2"), ("bf16", 8, "e4m3fnuz"), ("f32", 2, "e8m0fnu"), ("f32", 16, "mxint8"))
      for mode in STOCHASTIC[:4]),
    "convert/f16.rbits8/e5m2/sr-bias.nonsat", "convert/f16.rbits8/e4m3fn/sr-bias.sat;subnormal=ftz",
    "convert/f32.rbits32/e4m3fn/sr-bias.nonsat;subnormal=daz", "convert/f32.rbits24/e3m2fn/sr-hip-ocp.sat",
]  # fmt: skip


def compared(model: Model, text: str, n: int) -> int:
    op = Operation.parse(f"{text};flags=1")
    rng = np.random.default_rng(len(text))
    asked = values(op.operands[0], op.result, rng, n).astype(carrier_dtype(op.operands[0]))
    codes, words = with_words(op, asked, rng)
    want = expect(op, [codes, words])
    got, flags = answers(model, op, codes, words)
    assert want.status is not None
    assert (got == want.codes).all(), (op.id, np.flatnonzero(got != want.codes)[:3])
    assert (flags == want.status).all(), op.id
    return codes.size


@pytest.mark.parametrize("text", every(3, OPERATIONS))
def test_random_bits_decide_as_in_the_reference(model: Model, text: str) -> None:
    assert compared(model, text, 120) > 400


@pytest.mark.full
@pytest.mark.parametrize("text", OPERATIONS)
def test_random_bits_at_length(model: Model, text: str) -> None:
    compared(model, text, 20_000)


def test_against_exact_arithmetic(model: Model) -> None:
    """StochasticA of 7 bits from f16 to E5M2: away where the fraction of an ulp and R / 128 reach one."""
    rng = random.Random(4)
    f, to = get_format("f16"), get_format("e5m2")
    for _ in range(300):
        x, word = rng.randrange(f.max_code + 1), rng.randrange(128)
        value = unpack(x, f).value
        below = max(c for c in range(to.max_code + 1) if unpack(c, to).value <= value)
        above = unpack(below + 1, to).value if below < to.max_code else Fraction(2) ** 16
        ulps = (value - unpack(below, to).value) / (above - unpack(below, to).value)
        want = below + (ulps > 0 and int(ulps * 128) + word >= 128)
        out = ctypes.c_uint8()
        model.library.fp8ref_f16_to_e5m2_sr(x, word, 7, 6, 17, 0, ctypes.byref(out))
        assert out.value == want, (x, word)


@pytest.mark.parametrize(("rm", "width"), [(6, 0), (6, 33), (13, 8), (10, 20), (11, 7)])
def test_bits_that_do_not_serve(model: Model, rm: int, width: int) -> None:
    """f32 has 21 bits more than E5M2."""
    out = ctypes.c_uint8(0x5A)
    assert model.library.fp8ref_f32_to_e5m2_sr(0x3F800001, 0, width, rm, 17, 0, ctypes.byref(out)) == -1
    assert out.value == 0x5A


FAULTS = {
    "never goes up": ("return kept + random >= ONE << n;", "return (int)(0 & random);"),
    "half whatever the distance": ("return kept + random >= ONE << n;", "return random >> (r->width - 1) & 1;"),
    "one bit less": ("int n = r->width +", "int n = r->width - 1 +"),
    "the bias weighs the same below emin": ("FP8REF_SR_BIAS ? gap", "FP8REF_SR_BIAS ? 0 * gap"),
    "ties of the bits go up": ("(lost == TIE && (kept & 1))", "lost == TIE"),
    "the upper bits are taken": ("if (r->rounding == FP8REF_SR_HIP_OCP ||", "if (r->rounding >= FP8REF_SR_HIP ||"),
}  # fmt: skip


@pytest.mark.parametrize("fault", every(2, FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    broken = Model(tmp_path, FORMATS, FAULTS[fault], level="-O0")
    found = 0
    for text in (*OPERATIONS[:7], "convert/f16.rbits4/e4m3fn/sr-c.sat"):
        try:
            compared(broken, text, 100)
        except AssertionError:
            found += 1
    assert found
