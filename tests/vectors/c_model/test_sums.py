"""Sums of products and blocks in the generated C model: they answer as the reference, and planted faults are found."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from short import every
from vectors.c_model.model_calls import TININESS, Model, Rules, needs_gcc, overflow_number

from fp8ref import get_format
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.questions import (
    addend_type,
    block_of,
    exact_projection,
    fixed_overflow,
    has_addend,
    is_fixed,
    length,
)
from fp8ref.vectors.coverage.block_points import block_batch
from fp8ref.vectors.coverage.dot_samplers import dot_batch
from fp8ref.vectors.section import Section

pytestmark = needs_gcc
FORMATS = ("e4m3fn", "e5m2", "e8m0fnu", "e2m1fn", "mxint8", "e4m3fnuz")
ROUNDINGS = ("rne", "rtz", "rtn", "rtp", "rna", "rto")
SCALES = ("floor", "ceil", "even", "rceil", "te")


class Sum(ctypes.Structure):
    _fields_ = (*((name, ctypes.c_void_p) for name in ("a", "b", "c", "scale")),
                *((name, ctypes.c_int) for name in ("k", "block", "plus_zero")))  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("model"), FORMATS)


def rules_of(op: Operation) -> Rules:
    rho = exact_projection(op)
    overflow = 0 if is_fixed(op) else overflow_number(str(rho.overflow))
    tininess, snan = TININESS.index(rho.tininess), ("ieee", "quiet").index(rho.snan)
    return Rules(ROUNDINGS.index(rho.rounding), overflow, tininess, 0, snan, 0, 0)


def answers(model: Model, op: Operation, operands: Sequence[np.ndarray]) -> tuple[list[int], list[int]]:
    """Codes and flags of every case through fp8ref_dot or fp8ref_dot_fixed."""
    a, b, *rest = (np.ascontiguousarray(x, np.uint64) for x in operands)
    c = rest.pop(0) if has_addend(op) else np.zeros(len(a), np.uint64)
    scale = op.key("scale")
    pointer = lambda name: ctypes.c_void_p(model.format(name))  # noqa: E731
    asked = Sum(pointer(op.operands[0]), pointer(op.operands[1]), pointer(addend_type(op)) if has_addend(op) else None,
                pointer(scale) if scale else None, length(op), block_of(op), int(op.key("zero") != "ieee"))  # fmt: skip
    rules, codes, flags = rules_of(op), [], []
    f = get_format(op.result)
    out, words = ctypes.c_uint64(), (ctypes.c_uint32 * 8)()
    for i in range(len(a)):
        lists = [x[i].ctypes.data_as(ctypes.c_void_p) for x in (a, b, *rest[:2])]
        x, y, *scales = [*lists, None, None][:4]
        given = (ctypes.byref(asked), x, y, ctypes.c_uint64(int(c[i])), *scales)
        if is_fixed(op):
            wrap = int(fixed_overflow(op) == "wrap")
            flags.append(model.library.fp8ref_dot_fixed(*given, f.k, f.t, wrap, ctypes.byref(rules), words))
            codes.append(sum(word << 32 * j for j, word in enumerate(words[: -(-f.k // 32)])))
        else:
            to = pointer(op.result)
            flags.append(model.library.fp8ref_dot(*given, to, ctypes.byref(rules), ctypes.byref(out)))
            codes.append(out.value)
    return codes, flags


def asked(text: str, n: int) -> tuple[Operation, list[np.ndarray]]:
    op = Section.of(text).operation
    return op, [x[:n] for x in dot_batch(op, np.random.default_rng(3), 1)]


def whole(codes: np.ndarray) -> list[int]:
    if codes.ndim == 1:
        return [int(x) for x in codes]
    return [int.from_bytes(row.astype(">u8").tobytes(), "big") for row in codes]


OPERATIONS = (
    *(f"dot/e5m2.e4m3fn/f16/exact.{r}.nonsat;flags=1;k=4;tininess={t};zero=ieee"
      for r, t in zip(ROUNDINGS, ("after", "before", "delivered") * 2)),
    "dot/e5m2.e5m2/f64/exact;flags=1;k=3;zero=ieee",
    "dot/e4m3fnuz.e4m3fnuz/e4m3fnuz/exact.rtn.sat;c=none;flags=1;k=2;zero=ieee",
    "dot/e5m2.e5m2/bf16/exact.rtz.satprop;flags=1;k=32;snan=quiet;zero=plus",
    "dot/e4m3fn.e5m2/f32/exact;block=32;flags=1;k=64;scale=e8m0fnu;zero=ieee",
    "dot/bf16.f16/e5m2/exact.rtp.nonsat;block=2;flags=1;k=3;scale=f32;zero=ieee",
    "dot/e5m2.e5m2/fx70.32/exact.rne.impossible;flags=1;k=32",
    "dot/e4m3fn.e5m2/fx40.20/exact.rtp.wrap;bias=f32;flags=1;k=4",
    "dot/e4m3fn.e4m3fn/fx24.8/exact.rtn.sat;bias=bf16;flags=1;k=4",
)  # fmt: skip


@pytest.mark.parametrize("text", OPERATIONS)
def test_sums_are_those_of_the_reference(model: Model, text: str) -> None:
    op, operands = asked(text, 400)
    want = expect(op, operands)
    assert want.status is not None
    codes, flags = answers(model, op, operands)
    assert flags == want.status.tolist()
    assert codes == whole(want.codes)


FAULTS = {
    "zeros gate their partner": ("if (nan || (zero && infinite)) {", "if ((nan || infinite) && !zero) {"),
    "sticky is lost far below": ("x.sig |= (uint64_t)any_below(&t->sum, low);", ""),
    "infinities of both signs are quiet": ("        t->invalid = 1;\n", "        t->nan = 1;\n"),
    "the last lane is left out": ("i < s->k; i++", "i < s->k - 1; i++"),
    "a carry between words is lost": ("carry += (uint64_t)sum->word[i] +", "carry = (uint64_t)sum->word[i] +"),
    "zero sums are always +0": ("return made(ZERO, t->some_minus);", "return made(ZERO, 0);"),
}
NVFP4_FAULTS = {
    "the tensor's factor is not limited": ("        if (is_below(&top, &tensor))\n            tensor = top;\n", ""),
    "a tensor of zeros has no factor": ("if (tensor.kind == ZERO || all.kind == ZERO)", "if (tensor.kind == ZERO)"),
    "elements meet the scale before it is stored": ("factor = over_f32(over_f32(one, tensor, f32), d, f32)",
                        "factor = over_f32(over_f32(one, tensor, f32), wish, f32)"),
    "subnormal scales are left": ("if (is_below(&wish, &least))", "if (0)"),
    "a NaN is passed over": ("if (v.kind == NOT_A_NUMBER || is_below(&amax, &v))", "if (is_below(&amax, &v))"),
}  # fmt: skip


@pytest.mark.parametrize("fault", every(2, FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    broken = Model(tmp_path, FORMATS, FAULTS[fault], level="-O0")
    found = 0
    for text in (*OPERATIONS[:2], *OPERATIONS[8:11]):
        op, operands = asked(text, 250)
        want = expect(op, operands)
        assert want.status is not None
        codes, flags = answers(broken, op, operands)
        found += codes != whole(want.codes) or flags != want.status.tolist()
    assert found


def test_a_function_of_two_formats_takes_packed_lanes(model: Model) -> None:
    """As DPI-C hands them over: a byte a lane, four to a word."""
    op, operands = asked("dot/e5m2.e4m3fn/f16/exact.rtn.nonsat;c=none;flags=1;k=7;zero=plus", 200)
    want = expect(op, operands)
    assert want.status is not None
    a, b = (np.zeros((200, 64), np.uint8) for _ in "ab")
    a[:, :7], b[:, :7] = operands
    out, function = ctypes.c_uint16(), model.library.fp8ref_e5m2_e4m3fn_dot_f16
    for i in range(200):
        lanes = [x[i].ctypes.data_as(ctypes.c_void_p) for x in (a, b)]
        flags = function(7, *lanes, ctypes.c_uint16(0xFFFF), 2, 17, 0, 3, ctypes.byref(out))
        assert (out.value, flags) == (int(want.codes[i]), int(want.status[i]))
    assert function(65, *lanes, ctypes.c_uint16(0), 2, 17, 0, 3, ctypes.byref(out)) == -1


@pytest.mark.parametrize("scheme", ["mxfp8_e4m3", "mxfp8_e5m2", "mxfp4", "mxint8"])
def test_blocks_are_those_of_the_reference(model: Model, scheme: str) -> None:
    element = {"mxfp8_e4m3": "e4m3fn", "mxfp8_e5m2": "e5m2", "mxfp4": "e2m1fn", "mxint8": "mxint8"}[scheme]
    for number, rule in enumerate(SCALES):
        op = Operation.parse(f"scale/f32/{scheme}/{rule}")
        x = block_batch(op, np.random.default_rng(5))[0][:300]
        want = expect(op, [x]).codes
        scale, codes = ctypes.c_uint8(), (ctypes.c_uint64 * 32)()
        formats = [ctypes.c_void_p(model.format(name)) for name in (element, "f32")]
        for row, wanted in zip(np.ascontiguousarray(x), want):
            values = row.ctypes.data_as(ctypes.c_void_p)
            assert model.library.fp8ref_quantise(*formats, number, 32, values, ctypes.byref(scale), codes) == 0
            assert [scale.value, *codes] == wanted.tolist(), (rule, row)


WHOLES = (0x00000000, 0x7F800000, 0x7FC00000, 0x00000001, 0x7F7FFFFF)  # of the tensor, beside its usual magnitude


@pytest.mark.parametrize("number", [0, 1])
def test_blocks_under_a_tensor_are_those_of_the_reference(model: Model, number: int) -> None:
    op = Operation.parse(f"scale/f32.f32/nvfp4/{('te', 'torchao')[number]}")
    x, whole = (np.ascontiguousarray(z[:400]) for z in block_batch(op, np.random.default_rng(5)))
    whole[::4] = np.resize(WHOLES, whole[::4].shape)
    want = expect(op, [x, whole]).codes
    scale, words = ctypes.c_uint8(), (ctypes.c_uint32 * 16)()
    for row, amax, wanted in zip(x, whole, want):
        values = row.ctypes.data_as(ctypes.c_void_p)
        found = model.library.fp8ref_f32_to_nvfp4(number, 16, int(amax), values, ctypes.byref(scale), words)
        codes = np.frombuffer(words, np.uint8)
        assert (found, codes[16:].any()) == (0, False)
        assert [scale.value, *codes[:16]] == wanted.tolist(), (row, hex(amax))
    assert model.library.fp8ref_f32_to_nvfp4(2, 16, 0, values, ctypes.byref(scale), words) == -1
    assert model.library.fp8ref_f32_to_nvfp4(0, 65, 0, values, ctypes.byref(scale), words) == -1


@pytest.mark.parametrize("fault", every(3, NVFP4_FAULTS))
def test_a_fault_of_blocks_is_found(tmp_path: Path, fault: str) -> None:
    broken = Model(tmp_path, FORMATS, NVFP4_FAULTS[fault], level="-O0")
    found = 0
    for number in (0, 1):
        try:
            test_blocks_under_a_tensor_are_those_of_the_reference(broken, number)
        except AssertionError:
            found += 1
    assert found


def test_an_nvfp4_block_by_hand(model: Model) -> None:
    """The tensor's largest magnitude is 6 times 448: its factor is 1, a block of up to 6 * 20 gets the scale 20."""
    x = np.array([120, -60, 20, 10, 5, 0, 30, -30], np.float32)
    whole = int(np.array([2688], np.float32).view(np.uint32)[0])
    scale, words = ctypes.c_uint8(), (ctypes.c_uint32 * 16)()
    for rule in (0, 1):
        assert model.library.fp8ref_f32_to_nvfp4(rule, 8, whole, x.ctypes.data_as(ctypes.c_void_p),
                                                 ctypes.byref(scale), words) == 0  # fmt: skip
        assert scale.value == 0x5A  # 2**4 * 1.25
        assert np.frombuffer(words, np.uint8)[:8].tolist() == [7, 13, 2, 1, 0, 0, 3, 11]  # 6 -3 1 .5 .25=0 0 1.5 -1.5


@pytest.mark.parametrize(
    ("a", "b", "scale", "block"), [("e4m3fn", "e5m2", "e8m0fnu", 32), ("e2m1fn", "e2m1fn", "e4m3fn", 16)]
)
def test_scales_come_in_lanes_too(model: Model, a: str, b: str, scale: str, block: int) -> None:
    op, operands = asked(
        f"dot/{a}.{b}/f32/exact.rtn.nonsat;block={block};c=none;flags=1;k=64;scale={scale};zero=plus", 150
    )
    want = expect(op, operands)
    assert want.status is not None
    pair = a if a == b else f"{a}_{b}"
    out, function = ctypes.c_uint32(), getattr(model.library, f"fp8ref_{pair}_dot_{scale}_f32")
    for i in range(len(want.codes)):
        x, y, sa, sb = (np.ascontiguousarray(z[i], np.uint8).ctypes.data_as(ctypes.c_void_p) for z in operands)
        flags = function(64, x, y, block, sa, sb, ctypes.c_uint32(0), 2, 17, 0, 3, ctypes.byref(out))
        assert (out.value, flags) == (int(want.codes[i]), int(want.status[i]))
    assert function(64, x, y, 0, sa, sb, ctypes.c_uint32(0), 2, 17, 0, 3, ctypes.byref(out)) == -1
