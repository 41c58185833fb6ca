"""Every catalogued model answers as its publication says, restated by hand: a stale model shows here."""

from __future__ import annotations

import random

import numpy as np
import pytest
from second_oracles.published_units import PUBLISHED

import fp8ref
from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.formats import Format
from fp8ref.spec.matrix.accumulate import Model, Scales
from fp8ref.spec.matrix.models import get_model, models
from fp8ref.spec.matrix.products import dot

FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


def finite(rng: random.Random, f: Format, kind: str) -> int:
    """A code: of any magnitude, near one, near the smallest, or zero."""
    e = {"any": rng.randint(0, 2 * f.bias), "one": f.bias + rng.randint(-3, 2), "low": rng.randint(0, 4)}
    if kind == "zeros" and rng.random() < 0.7:
        return 0
    field = e.get(kind, f.bias)
    code = max(field, 0) << f.t | rng.getrandbits(f.t)
    code = min(code, f.max_code)
    return code | (f.sign_bit if code and rng.random() < 0.5 else 0)


def tiny(rng: random.Random, field: int, f: Format) -> int:
    """Zero, or a code of this exponent field and either sign."""
    return 0 if rng.random() < 0.3 else max(field, 0) << f.t | rng.getrandbits(f.t) | rng.getrandbits(1) * f.sign_bit


def factors(rng: random.Random, f: Format) -> list[list[int]]:
    """Operands as small as meet the least exponent: products of about 2**-140 (f32 results) or 2**-22."""
    deep = {"bf16": (57, 57), "tf32": (57, 57), "f16": (3, 4), "e5m2": (3, 4)}.get(f.name, (0, 1))
    return [[deep[0] + rng.randint(-6, 6), deep[1] + rng.randint(-6, 6)] for _ in range(4)]


def cases(model: Model, n: int) -> list[tuple[list[int], list[int], str, str, int, list[int], list[int]]]:
    rng = random.Random(model.name)
    names = model.operands or ("e4m3fn", "e5m2")
    k = max(model.k, 4) * 2 if model.k < 64 else 64
    found = []
    for i in range(n):
        fa, fb = rng.choice(names), rng.choice(names)
        if model.operands in (("f16",), ("bf16",), ("tf32",)):
            fa = fb = names[0]
        kind = ("one", "any", "low", "zeros", "deep", "deep")[i % 6]
        a, b = ([finite(rng, get_format(f), kind) for _ in range(k)] for f in (fa, fb))
        if kind == "deep":
            deep = [rng.choice(pair) for pair in factors(rng, get_format(fa))[:2]]
            a, b = ([tiny(rng, e, get_format(f)) for _ in range(k)] for e, f in zip(deep, (fa, fb)))
            a, b = ([x if np.isfinite(float_of(x, f)) else 0 for x in v] for v, f in ((a, fa), (b, fb)))
        c = 0 if i % 3 == 0 else finite(rng, model.format, "low" if kind in ("deep", "low") else "one")
        blocks = 0 if model.block is None else -(-k // model.block)
        scales = [[], []]
        if model.scales is Scales.PRODUCT:
            scales = [
                [rng.randint(58, 70) if kind == "deep" else rng.randint(120, 134) for _ in range(blocks)] for _ in "ab"
            ]
        if model.scales is Scales.GROUP:
            top = 0x7E if "e8m0fnu" not in model.scale_formats else 200
            low = 0 if top == 0x7E else 55 if kind == "deep" else 100
            high = top if kind != "deep" else low + 12
            scales = [[rng.randint(low, high) for _ in range(blocks)] for _ in "ab"]
        found.append((a, b, fa, fb, c, *scales))
    return found


def float_of(code: int, name: str) -> float:
    x = unpack(code, get_format(name))
    return float(x.value) if x.is_finite else float("nan")


@pytest.mark.parametrize("model", [m for m in models() if m.name in PUBLISHED], ids=lambda m: m.name)
def test_models_answer_as_published(model: Model) -> None:
    answer = PUBLISHED[model.name]
    compared = 0
    for a, b, fa, fb, c, sa, sb in cases(model, 36):
        try:
            want = answer(a, b, fa, fb, c, sa, sb)
        except OverflowError:  # the restatement is of finite numbers: a sum on the way was none
            continue
        compared += 1
        scale = get_format(model.scale_formats[0]) if model.scale_formats else None
        pairs = [(unpack(x, scale), unpack(y, scale)) for x, y in zip(sa, sb)] if scale else []
        got = dot(a, b, fa, fb, c=unpack(c, model.format), accumulator=model, scales=pairs, block=model.block)
        zeros = {0, model.format.sign_bit}
        assert got == want or {got, want} <= zeros, (a, b, fa, fb, hex(c), sa, sb, hex(got), hex(want))
        if model.result in FLOATS:
            wide = np.array([c], f"u{FLOATS[model.result]().itemsize}").view(FLOATS[model.result])
            given = {"scale_a": [sa], "scale_b": [sb], "scale_format": scale, "block": model.block} if scale else {}
            codes = (np.array([x], np.uint64) for x in (a, b))
            fast = fp8ref.dot(*codes, fa, fb, c=wide, accumulator=model, **given)
            assert int(fast.view(f"u{fast.itemsize}")[0]) == got, (a, b, fa, fb, hex(c))
    assert compared >= 24


def test_every_model_has_a_restatement() -> None:
    """Here, or in test_defined_units.py."""
    assert {m.name for m in models() if not m.name.startswith(("arm.", "riscv.", "x86."))} == set(PUBLISHED)


@pytest.mark.parametrize(
    ("name", "options", "a", "b", "c", "new", "old"),
    [
        # nine products just below 2^-150: C = 0 shows -133 (Hopper), not -126, so that bits below 2^-151 count
        ("hopper.mma.bf16.f32", "@min_exponent=-126", [0x19FF] * 9, [0x19FF] * 9, 0, None, None),
        # CDNA1 adds 1, 2^-24 and -1 exactly
        ("cdna1.mfma.f16.f32", ".pairwise", [0x3C00, 0x0C00, 0, 0], [0x3C00, 0x0C00, 0, 0], 0xBF800000, 0x33800000, 0),
    ],
)
def test_what_the_publications_changed(
    name: str, options: str, a: list[int], b: list[int], c: int, new: int | None, old: int | None
) -> None:
    kind = name.split(".")[2]
    other = name + options if options.startswith("@") else name.replace(".f32", options + ".f32")
    got, before = (dot(a, b, kind, c=unpack(c, get_format("f32")), accumulator=n) for n in (name, other))
    if new is None:
        assert got == PUBLISHED[name]([*a, *[0] * 7], [*b, *[0] * 7], kind, kind, c, [], [])
        assert got != before
    else:
        assert (got, before) == (new, old)


def test_least_exponents() -> None:
    """What mmasim 2.1.1 and Khattak and Mikaitis publish, f32 and f16 results."""
    for prefix, least in {
        "volta": (-131, -19),
        "turing": (-132, -20),
        "ampere": (-132, -20),
        "hopper": (-133, -21),
    }.items():
        for result, e in zip(("f32", "f16"), least, strict=True):
            assert get_model(f"{prefix}.mma.f16.{result}").min_exponent == e
    assert get_model("ada.mma.fp8.f32").min_exponent == -132
    assert get_model("blackwell.mxf8f6f4").min_exponent == -133
    assert get_model("blackwell.mxf4").min_exponent == get_model("blackwell.mxf4nvf4").min_exponent == -139
