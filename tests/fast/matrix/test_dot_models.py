"""Every accumulator model on arrays equals the reference, on finite, special, extreme operands, alone and composed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from short import every

import fp8ref
from fp8ref.spec import Datum, Rounding, get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.matrix.accumulate import Fused, FusedLate, Model, Scales
from fp8ref.spec.matrix.models import get_model, models
from fp8ref.spec.matrix.products import dot as reference

Array = np.ndarray
BITS = {"f32": np.uint32, "f16": np.uint16, "bf16": np.uint16}
COMPOSED = (
    "hopper.wgmma.fp8.f32+promote64.fadd",
    "hopper.wgmma.fp8.f16+promote32.fadd",
    "ada.mma.fp8.f32+promote32.ffma",
    "hopper.mma.fp8.f32+splitk3",
    "hopper.wgmma.fp8.f32+promote32.ffma+splitk2",
    "blackwell.mxf8f6f4+splitk2",
    "ada.mma.fp8.f32+promote32.fmul",
    "hopper.wgmma.fp8.f32+promote32.triton+split2.t64.interleaved",
    "ada.mma.fp8.f16+promote16.triton-fmul",
    "ada.mma.fp8.f32+split3.t16.interleaved.pairwise+out.scale.bias.relu",
    "ada.mma.fp8.f16+out.bias.sab",
    "blackwell.mxf4nvf4+split2.t64.interleaved",
    "hopper.mma.bf16.f32+stream1.t16.first1+out.sab.bias.rtz.sat",
    "f16.pairwise+split3.t8.bf16",
    "f32.fma@order=down",
    "f32.mul-add@order=stride4",
    "f16.fma+splitk2",
    "hopper.mma.bf16.f32@min_exponent=-126",
    "blackwell.mxf4nvf4@zero_groups=scale@min_exponent=-126",
    "cdna3.mfma.bf16.f32@zero_exponent=-126@sum_bits=31@keep_bits=none",
    "hopper.mma.bf16.f32@zero_exponent=-126",
    "blackwell.mxf8f6f4@zero_exponent=-126@underflow_sign=1",
    "blackwell.tcgen05.fp8.f16@underflow_sign=1@min_exponent=none",
)
CHAIN_OPERANDS = (("e4m3fn", "e5m2"), ("e5m2", "e5m2"), ("e8m0fnu", "e5m2"), ("f16", "bf16"), ("e3m2fn", "mxint8"))


def codes(rng: np.random.Generator, name: str, shape: tuple[int, ...], kind: int) -> Array:
    """Random codes: 0 finite, 1 near one, 2 extremes, 3 few specials, 4 zeros and subnormals, 5 nearly all zeros."""
    f = get_format(name)
    dtype = np.uint8 if f.k <= 8 else np.uint16 if f.k <= 16 else np.uint32
    every = rng.integers(0, 1 << f.k, shape).astype(dtype)
    if kind in (0, 3):
        special = ~np.isfinite(fp8ref.decode(every, f, dtype=np.float64))
        keep = special & (rng.random(shape) < (0.95 if kind == 3 else 1.0))
        every[keep] = 1
    if kind == 1:
        every = fp8ref.encode(np.abs(rng.standard_normal(shape)) if not f.signed else rng.standard_normal(shape), f)
    if kind == 2:
        pool = [0, 1, 2, f.max_code, f.max_code - 1, f.sign_bit | f.max_code, f.sign_bit | 1]
        every = rng.choice(np.array(pool, dtype), shape)
    if kind == 5:  # zeros and one other in twenty
        every = np.where(rng.random(shape) < 0.95, 0, every & np.array(~f.sign_bit & f.code_mask, dtype)).astype(dtype)
        every = np.where(np.isfinite(fp8ref.decode(every, f, dtype=np.float64)), every, 0).astype(dtype)
    if kind == 4:
        every = np.where(rng.random(shape) < 0.6, 0, every & np.array(f.sign_bit | ((2 << f.t) - 1), dtype)).astype(
            dtype
        )
    return every.astype(dtype)


def addends(rng: np.random.Generator, model: Model, n: int) -> Array:
    f = model.format
    c = rng.integers(0, 1 << f.k, n, dtype=np.uint64)
    near = fp8ref.encode(rng.standard_normal(n) * 2.0 ** rng.integers(-30, 16, n), f).astype(np.uint64)
    c = np.where(rng.random(n) < 0.7, near, c)
    c[:3] = (0, f.sign_bit, f.infinity_code)
    c[3:6] = (1, f.sign_bit | f.max_code, f.infinity_code + 1)
    return c.astype(BITS[f.name])


def as_floats(c: Array, model: Model) -> Array:
    return c.view({"f32": np.float32, "f16": np.float16, "bf16": fp8ref.decode([0], "e2m1fn").dtype}[model.result])


def scales_of(rng: np.random.Generator, model: Model, rows: int, k: int) -> tuple[Array | None, int | None]:
    if model.scales in (Scales.PRODUCT, Scales.GROUP):
        name = model.scale_formats[0]
        block = model.block or 32
        c = rng.integers(0, 1 << get_format(name).k, (rows, -(-k // block))).astype(np.uint8)
        middle = 127 if name == "e8m0fnu" else 0x38
        c = np.where(rng.random(c.shape) < 0.7, rng.integers(middle - 6, middle + 6, c.shape), c).astype(np.uint8)
        return fp8ref.decode(c, name), block
    if model.scales is Scales.CHUNK:
        return rng.standard_normal((rows, -(-k // (model.block or 1)))).astype(np.float32), model.block
    return (rng.standard_normal((rows, 1)) * 3).astype(np.float32), None


def compare(
    model: Model, rng: np.random.Generator, fa: str, fb: str, k: int, kind: int, *, scaled: bool, small_c: bool = False
) -> None:
    n = 7
    a, b = codes(rng, fa, (n, k), kind), codes(rng, fb, (n, k), 2 if kind == 5 else kind)
    c = addends(rng, model, n)
    if small_c:
        c = (rng.integers(0, 60, n) << model.format.t | rng.integers(0, 1 << model.format.t, n)).astype(c.dtype)
        c &= np.array(model.format.code_mask >> 2, c.dtype)
    floats = c.view(np.float16 if model.result == "f16" else np.float32) if model.result != "bf16" else bf16(c)
    sa, block = scales_of(rng, model, n, k) if scaled else (None, None)
    sb, _ = scales_of(rng, model, n, k) if scaled else (None, None)
    tensor = 0.75 if scaled and kind == 1 else None
    more = {"scale_a": sa, "scale_b": sb, "block": block, "tensor_scale": tensor}
    got = fp8ref.dot(a, b, fa, fb, c=floats, accumulator=model, **more)
    bits = got.view(BITS[model.result])
    for i in range(n):
        pairs = []
        if sa is not None and sb is not None:
            pairs = [(Datum.of(float(x)), Datum.of(float(y))) for x, y in zip(sa[i], sb[i])]
        want = reference(
            a[i].tolist(),
            b[i].tolist(),
            fa,
            fb,
            c=unpack(int(c[i]), model.format),
            accumulator=model,
            scales=pairs,
            block=block,
            tensor_scale=None if tensor is None else Datum.of(tensor),
        )
        assert f"{int(bits[i]):08x}" == f"{want:08x}", (
            model.name,
            fa,
            fb,
            k,
            kind,
            scaled,
            a[i].tolist(),
            b[i].tolist(),
            c[i],
        )


def bf16(c: Array) -> Array:
    import ml_dtypes

    return c.view(ml_dtypes.bfloat16)


NAMES = [m.name for m in models() if m.result != "f64"] + list(COMPOSED)  # binary64: test_doubles.py


@pytest.mark.parametrize("name", NAMES)
def test_one_instruction_equals_the_reference(name: str) -> None:
    """In brief, and without C: one instruction and a part of the next."""
    model = get_model(name)
    fa, fb = (model.operands[0], model.operands[-1]) if model.operands else ("e4m3fn", "bf16")
    rng = np.random.default_rng(len(name))
    for kind in (1, 3):
        compare(model, rng, fa, fb, min(model.k, 32) + 5, kind, scaled=kind == 1)


@pytest.mark.parametrize("name", every(3, NAMES))  # in brief, each of them: above
def test_dot_equals_the_reference(name: str) -> None:
    model = get_model(name)
    rng = np.random.default_rng(abs(hash(name)) % 2**32 if False else sum(map(ord, name)))
    pairs = [(model.operands[0], model.operands[-1]), (model.operands[0],) * 2] if model.operands else CHAIN_OPERANDS
    for i, (fa, fb) in enumerate(pairs):
        for kind in range(5):
            if (i + kind) % 2 and not model.operands:  # the full form takes every pair with every kind
                continue
            if not get_format(fa).signed and kind == 2:
                continue
            k = {0: 33, 1: 96, 2: 7, 3: 40, 4: 64}[kind]
            compare(model, rng, fa, fb, k, kind, scaled=model.scales in (Scales.PRODUCT, Scales.GROUP))
    compare(model, rng, *pairs[0], 32, 5, scaled=False, small_c=True)
    compare(model, rng, *pairs[0], 32, 2, scaled=False, small_c=True)
    compare(model, rng, *pairs[0], 70, 1, scaled=True)
    compare(model, rng, *pairs[0], 70, 3, scaled=True)


@pytest.mark.parametrize("name", ["blackwell.mxf8f6f4", "blackwell.mxf8f6f4@min_exponent=none"])
def test_results_at_the_bottom_of_binary32(name: str) -> None:
    """Scales that bring sums among the subnormals, where the alignment is finer than what the result holds."""
    rng = np.random.default_rng(17)
    a, b = codes(rng, "e4m3fn", (40, 32), 1), codes(rng, "e5m2", (40, 32), 1)
    sa, sb = (rng.integers(52, 66, (40, 1)).astype(np.uint8) for _ in "ab")
    c = rng.integers(0, 1 << 24, 40).astype(np.uint32)
    more = {"scale_a": sa, "scale_b": sb, "scale_format": "e8m0fnu", "block": 32}
    got = fp8ref.dot(a, b, "e4m3fn", "e5m2", c=c.view(np.float32), accumulator=name, **more).view(np.uint32)
    assert (got & 0x7F800000 == 0).sum() > 10
    e8m0 = get_format("e8m0fnu")
    for i in range(40):
        pair = [(unpack(int(sa[i, 0]), e8m0), unpack(int(sb[i, 0]), e8m0))]
        addend = unpack(int(c[i]), get_format("f32"))
        want = reference(
            a[i].tolist(), b[i].tolist(), "e4m3fn", "e5m2", c=addend, accumulator=name, scales=pair, block=32
        )
        assert int(got[i]) == want


MATMULS = (
    "hopper.wgmma.fp8.f32",
    "cdna3.mfma.fp8.f32",
    "blackwell.mxf4nvf4",
    "f32.fma",
    "cdna1.mfma.f16.f32",
    "x86.amx.bf16.f32",
    "x86.amx.fp8.f32",
    "x86.ace.mxfp8.f32",
)


@pytest.mark.parametrize("name", MATMULS)
def test_matmul_equals_dots(name: str) -> None:
    model = get_model(name)
    rng = np.random.default_rng(11)
    f = model.operands[0] if model.operands else "e5m2"
    a, b = codes(rng, f, (70, 64), 3), codes(rng, f, (64, 530), 3)
    c = addends(rng, model, 530).view(np.float32)
    scales = {}
    if model.scales in (Scales.GROUP, Scales.PRODUCT):
        sa, block = scales_of(rng, model, 70, 64)
        sb, _ = scales_of(rng, model, 530, 64)
        assert sa is not None
        assert sb is not None
        scales = {"scale_a": sa, "scale_b": sb.T, "block": block}
    got = fp8ref.matmul(a, b, f, c=c, accumulator=name, **scales).view(np.uint32)
    if scales:
        scales |= {"scale_a": sa[:, None, :], "scale_b": sb[None]}
    want = fp8ref.dot(a[:, None, :], b.T[None], f, c=c, accumulator=name, **scales).view(np.uint32)
    assert np.array_equal(got, want)


def random_models(seed: int, count: int) -> list[Fused]:
    """Units outside the catalogue: products, fraction bits, cut, place of C, register and rounding at random."""
    rng = np.random.default_rng(seed)
    made = []
    base = get_model("hopper.wgmma.fp8.f32")
    assert isinstance(base, Fused)
    for i in range(count):
        products = int(rng.choice([4, 8, 16, 32]))
        lanes = ((0, 2), (1, 3)) if products == 16 and rng.random() < 0.3 else ()
        cuts = [Rounding.TOWARD_ZERO, Rounding.TOWARD_NEGATIVE, Rounding.TIES_TO_EVEN, Rounding.TOWARD_POSITIVE]
        made.append(
            replace(
                base,
                name=f"random{i}",
                k=32,
                products=products,
                lanes=lanes,
                fraction_bits=int(rng.integers(5, 36)),
                cut=cuts[rng.integers(4)],
                precision=int(rng.choice([0, 14, 18, 24])),
                rounding=cuts[rng.integers(4)],
                c_last=bool(rng.random() < 0.3),
                min_exponent=[None, -126, -133][rng.integers(3)],
                zero_exponent=[None, None, -126][rng.integers(3)],
            )
        )
    return made


@pytest.mark.parametrize("model", random_models(1, 12), ids=lambda m: m.name)
def test_units_outside_the_catalogue(model: Fused) -> None:
    rng = np.random.default_rng(5)
    for kind in range(5):
        compare(model, rng, "e4m3fn", "e5m2", 64, kind, scaled=False)


@pytest.mark.full
@pytest.mark.parametrize("model", random_models(2, 200), ids=lambda m: m.name)
def test_many_units_outside_the_catalogue(model: Fused) -> None:
    rng = np.random.default_rng(6)
    for kind in (0, 1, 2, 3, 4) * 3:
        compare(model, rng, "e4m3fn", "e5m2", 64, kind, scaled=False)


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_dot_equals_the_reference_at_length(name: str) -> None:
    model = get_model(name)
    rng = np.random.default_rng(99)
    pairs = [(x, y) for x in model.operands for y in model.operands] or CHAIN_OPERANDS
    for fa, fb in pairs:
        for kind in (0, 1, 3, 4) * 6:
            compare(model, rng, fa, fb, int(rng.integers(1, 140)), kind, scaled=rng.random() < 0.4)


def test_late_units_outside_the_catalogue() -> None:
    base = get_model("cdna3.mfma.fp8.f32")
    assert isinstance(base, FusedLate)
    rng = np.random.default_rng(8)
    for model in (
        replace(base, groups=4, window=None, fraction_bits=20),
        replace(base, groups=1, sum_bits=26, zero_exponent=None, window=10),
    ):
        for kind in range(5):
            compare(model, rng, "e4m3fnuz", "e5m2fnuz", 48, kind, scaled=False)


def test_result_conversion_and_c_dtype() -> None:
    a = np.full((1, 32), 0x38, np.uint8)
    assert fp8ref.dot(a, a, "e4m3fn", accumulator="ada.mma.fp8.f32", result="e5m2").tolist() == [0x50]
    assert fp8ref.dot(a, a, "e4m3fn", accumulator="ada.mma.fp8.f16").dtype == np.float16
    with pytest.raises(TypeError, match="float16"):
        fp8ref.dot(a, a, "e4m3fn", accumulator="ada.mma.fp8.f16", c=np.zeros(1, np.float32))
    with pytest.raises(ValueError, match="no value"):
        fp8ref.dot(a, a, "e4m3fn", accumulator="ada.mma.fp8.f16", c=1e-9)
    with pytest.raises(ValueError, match="promote"):
        fp8ref.dot(a, a, "e4m3fn", accumulator="ada.mma.fp8.f32", scale_a=np.ones((1, 2)), block=16)
    with pytest.raises(ValueError, match="e8m0fnu"):
        fp8ref.dot(a, a, "e4m3fn", accumulator="blackwell.mxf8f6f4", scale_a=np.full((1, 1), 0.3))
    with pytest.raises(ValueError, match="e5m2"):
        fp8ref.dot(a, a, "e4m3fnuz", accumulator="ada.mma.fp8.f32")
