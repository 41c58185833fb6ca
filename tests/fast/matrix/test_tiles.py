"""Tiles of the accumulator models: exponents of operands, scales, and more outputs than a tile holds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from second_oracles import matrix_units as second

import fp8ref
from fp8ref.fast.matrix import model_dot
from fp8ref.fast.matrix.tiles import exponent_table, product32
from fp8ref.spec import get_format

INF, NAN = np.inf, np.nan
ONE = 0x38  # e4m3fn


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e2m1fn", "f16", "bf16"])
def test_exponent_fields(name: str) -> None:
    """The exponent field, unbiased; emin for subnormals."""
    f, special = get_format(name), -77
    table = exponent_table(f, special).tolist()
    values = fp8ref.decode(np.arange(1 << f.k), f, dtype=np.float64)
    for code in range(0, 1 << f.k, 1 if f.k <= 8 else 7):
        got, x = table[code], float(values[code])
        assert got == (special if x == 0 or not np.isfinite(x) else second.take_apart(code, name)[2])


@pytest.mark.parametrize(
    ("unit", "element", "one", "scale", "block"),
    [
        ("f32.fma", "e4m3fn", ONE, "f32", None),
        ("cdna3.mfma.fp8.f32", "e4m3fnuz", 0x40, "f32", None),
        ("hopper.wgmma.fp8.f32+promote32.ffma", "e4m3fn", ONE, "f32", 32),
        ("blackwell.mxf8f6f4", "e4m3fn", ONE, "e8m0fnu", 32),
        ("blackwell.mxf4nvf4", "e2m1fn", 0x02, "ue4m3", 16),
        ("blackwell.mxf4", "e2m1fn", 0x02, "e8m0fnu", 32),
    ],
)
@pytest.mark.parametrize("given", ["both", "first", "second", "neither"])
def test_every_tile_has_its_scales(
    unit: str, element: str, one: int, scale: str, block: int | None, given: str
) -> None:
    """Ones times ones, more than a tile of outputs: what is left are the scales, by numpy."""
    k, m, n, rng = 64, 67, 515, np.random.default_rng(3)
    blocks = 1 if block is None else k // block
    sa, sb = 2.0 ** rng.integers(-2, 3, (m, blocks)), 2.0 ** rng.integers(-2, 3, (blocks, n))
    c = rng.integers(-8, 8, (m, n)).astype(np.float32)
    more: dict[str, Any] = {"accumulator": unit, "c": c, "block": block}
    if given in ("both", "first"):
        more["scale_a"] = sa
    if given in ("both", "second"):
        more["scale_b"] = sb
    x, y = more.get("scale_a", np.ones_like(sa)), more.get("scale_b", np.ones_like(sb))
    got = fp8ref.matmul(np.full((m, k), one, np.uint8), np.full((k, n), one, np.uint8), element, **more)
    assert np.array_equal(got, x @ y * (k // blocks) + c)


@pytest.mark.parametrize(("held", "columns"), [(3, 2), (4, 3), (9, 512), (40, 5)])
def test_tiles_of_any_size(monkeypatch: pytest.MonkeyPatch, held: int, columns: int) -> None:
    """Few elements held at a time, as where K is long."""
    for name, size in (("HELD", held), ("COLUMNS", columns), ("TILE", 12)):
        monkeypatch.setattr(model_dot, name, size)
    rng = np.random.default_rng(held)
    a, b, c = rng.integers(-8, 9, (7, 4)), rng.integers(-8, 9, (4, 11)), rng.integers(-8, 9, (7, 11))
    sa, sb = 2.0 ** rng.integers(-2, 3, (7, 1)), 2.0 ** rng.integers(-2, 3, (1, 11))
    x, y, more = fp8ref.encode(a, "e4m3fn"), fp8ref.encode(b, "e4m3fn"), {"accumulator": "f32.fma", "scale_a": sa}
    got = fp8ref.matmul(x, y, "e4m3fn", c=c.astype(np.float32), scale_b=sb, **more)
    assert np.array_equal(got, a @ b * sa * sb + c)
    got = fp8ref.dot(x, np.ascontiguousarray(y.T[:7]), "e4m3fn", scale_b=sb.T[:7], **more)
    assert np.array_equal(got, np.diagonal((a @ b * sa * sb)[:, :7]))


def test_more_dots_than_a_tile() -> None:
    n, rng = 33_000, np.random.default_rng(4)
    a, scale = rng.integers(0, 8, n), 2.0 ** rng.integers(-3, 4, n)
    codes, ones = fp8ref.encode(a[:, None], "e4m3fn"), np.full((n, 1), ONE, np.uint8)
    c = rng.integers(0, 8, n).astype(np.float32)
    got = fp8ref.dot(codes, ones, "e4m3fn", c=c, scale_b=scale[:, None], accumulator="f32.fma")
    assert np.array_equal(got, a * scale + c)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (1 + 2.0**-30, 1 + 2.0**-24 - 2.0**-30),  # just above a tie of binary32, the tie in float64
        (1 - 2.0**-31, 1 + 3 * 2.0**-24 + 2.0**-31),  # just below one
        (-1 + 2.0**-31, 1 + 3 * 2.0**-24 + 2.0**-31),
        (3.0, 5.0),
    ],
)
def test_two_scales_are_multiplied_with_one_rounding(x: float, y: float) -> None:
    want = second.to_nearest(Fraction(x) * Fraction(y), "f32")
    assert product32(np.array([x]), np.array([y])).astype(np.float32).view(np.uint32) == want
    for scales in ({"scale_a": x, "scale_b": y}, {"tensor_scale": y, "scale_a": -1.0}):
        got = fp8ref.dot([ONE], [ONE], "e4m3fn", accumulator="f32.fma", **scales)
        both = Fraction(x) * Fraction(y) if "scale_b" in scales else -Fraction(y)
        assert got.view(np.uint32) == second.to_nearest(both, "f32")


def test_scales_beyond_float32_are_infinite() -> None:
    assert product32(np.array([2.0**100, INF, NAN, 0.0]), np.array([-(2.0**100), 1.0, 1.0, 3.0])).tolist()[:2] == [
        -INF,
        INF,
    ]
    got = fp8ref.dot([[ONE], [0]], [[ONE], [ONE]], "e4m3fn", accumulator="f32.fma", scale_a=2.0**100, scale_b=2.0**100)
    assert got[0] == INF
    assert np.isnan(got[1])


@pytest.mark.parametrize("unit", ["exact", "f32.fma", "hopper.wgmma.fp8.f32"])
def test_a_tensor_scale_that_is_no_number(unit: str) -> None:
    """It multiplies as numbers do: an infinity makes infinities of the sum's sign, and NaN of a zero sum."""
    a = [[ONE, ONE], [ONE, 0], [ONE, ONE | 0x80], [0, 0], [0x7F, 0]]
    b = [[ONE, ONE], [ONE | 0x80, ONE], [ONE, ONE], [ONE, ONE], [ONE, ONE]]
    for scale, want in ((INF, [INF, NAN if unit == "exact" else -INF, NAN, NAN, NAN]), (NAN, [NAN] * 5)):
        more = {"tensor_scale": scale, "accumulator": unit, "overflow": "nonsat"}
        assert np.array_equal(fp8ref.dot(a, b, "e4m3fn", **more), want, equal_nan=True)
    assert fp8ref.dot([ONE], [ONE | 0x80], "e4m3fn", tensor_scale=INF, accumulator=unit, overflow="nonsat") == -INF
