"""Arithmetic's special cases as the standards word them, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import fp8ref
from fp8ref.spec import Datum, Format, get_format, get_projection, unpack
from fp8ref.spec.operations.arithmetic import DEFINITIONS, compute, compute_codes
from fp8ref.spec.operations.compare import CLASS_PREDICATES, Class, classify, compare, total_order
from fp8ref.spec.operations.definition import Semantics
from fp8ref.spec.operations.integers import to_integer
from fp8ref.spec.operations.quiet import copysign, negate, next_down, next_up

E4M3FN, E5M2, E2M1 = get_format("e4m3fn"), get_format("e5m2"), get_format("e2m1fn")
P3 = get_format("binary8p3se")
ONE, TWO, HALF = 0x3C, 0x40, 0x38  # of e5m2
INF, MINUS_INF, QNAN, SNAN = 0x7C, 0xFC, 0x7E, 0x7D


def e5m2(op: str, *codes: int, rounding: str = "rne", **options: str) -> tuple[int, int]:
    rho = get_projection(E5M2, rounding, "nonsat", **options)  # type: ignore[arg-type]
    code, status = compute_codes(op, codes, [E5M2] * len(codes), E5M2, rho)
    return code, int(status)


@pytest.mark.parametrize(
    ("op", "codes", "want"),
    [
        # IEEE 754-2019 7.2: invalid operations deliver the quiet NaN, here the canonical 0x7F
        ("add", (INF, MINUS_INF), (0x7F, 16)),
        ("subtract", (INF, INF), (0x7F, 16)),
        ("multiply", (0x80, INF), (0x7F, 16)),
        ("divide", (0x00, 0x80), (0x7F, 16)),
        ("divide", (INF, MINUS_INF), (0x7F, 16)),
        ("remainder", (ONE, 0x00), (0x7F, 16)),
        ("remainder", (INF, ONE), (0x7F, 16)),
        ("sqrt", (0xBC,), (0x7F, 16)),
        ("fma", (0x00, INF, ONE), (0x7F, 16)),
        ("fma", (0x00, INF, QNAN), (0x7F, 16)),
        ("fma", (ONE, INF, MINUS_INF), (0x7F, 16)),
        ("faa", (INF, ONE, MINUS_INF), (0x7F, 16)),
        ("add", (SNAN, ONE), (0x7F, 16)),
        ("minimum_number", (SNAN, ONE), (ONE, 16)),
        # 6.2: a quiet NaN raises nothing
        ("add", (QNAN, ONE), (0x7F, 0)),
        ("minimum", (QNAN, ONE), (0x7F, 0)),
        ("minimum_number", (QNAN, ONE), (ONE, 0)),
        ("maximum_magnitude_number", (ONE, QNAN), (ONE, 0)),
        # 7.3: division of a finite nonzero number by zero; infinity divided by zero is exact
        ("divide", (0xBC, 0x00), (MINUS_INF, 8)),
        ("divide", (INF, 0x80), (MINUS_INF, 0)),
        ("log_b", (0x80,), (MINUS_INF, 8)),
        # 6.1: arithmetic of infinities is exact
        ("add", (INF, ONE), (INF, 0)),
        ("divide", (ONE, MINUS_INF), (0x80, 0)),
        ("sqrt", (INF,), (INF, 0)),
        ("log_b", (MINUS_INF,), (INF, 0)),
        ("remainder", (ONE, INF), (ONE, 0)),
        # 6.3: signs of zero
        ("add", (ONE, 0xBC), (0x00, 0)),
        ("add", (0x80, 0x80), (0x80, 0)),
        ("subtract", (0x80, 0x00), (0x80, 0)),
        ("multiply", (0x80, ONE), (0x80, 0)),
        ("sqrt", (0x80,), (0x80, 0)),
        ("remainder", (0xC0, ONE), (0x80, 0)),
        ("round_to_integral", (0xB4,), (0x80, 0)),
        ("round_to_integral_exact", (0xB4,), (0x80, 1)),
        # 9.6: -0 is less than +0
        ("minimum", (0x00, 0x80), (0x80, 0)),
        ("maximum", (0x80, 0x00), (0x00, 0)),
        ("minimum_magnitude", (0xC0, ONE), (ONE, 0)),
        ("maximum_magnitude", (0xC0, ONE), (0xC0, 0)),
        ("minimum_magnitude", (ONE, 0xBC), (0xBC, 0)),
        # 5.3.3: 3 * 2**-16 has the exponent -15; -15 is a tie of e5m2 (-14, -16) and -16 has the even code
        ("log_b", (0x03,), (0xCC, 1)),
    ],
)  # fmt: skip
def test_special_cases(op: str, codes: tuple[int, ...], want: tuple[int, int]) -> None:
    assert e5m2(op, *codes) == want


def test_extremes_of_every_pair() -> None:
    """[IEEE 754-2019 9.6] -0 compares less than +0; of two magnitudes that differ the sign does not matter."""
    values = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]  # OCP MX 1.0, table 5: FP4

    def place(code: int) -> tuple[float, int]:
        return (-values[code - 8], 0) if code >= 8 else (values[code], 1)

    def magnitude(code: int) -> tuple[float, tuple[float, int]]:
        return values[code % 8], place(code)

    def least(a: int, b: int) -> int:
        return a if values[a % 8] < values[b % 8] else b if values[b % 8] < values[a % 8] else min(a, b, key=place)

    rho = get_projection(E2M1)
    for a in range(16):
        for b in range(16):
            found = {op: compute_codes(op, (a, b), (E2M1, E2M1), E2M1, rho)[0] for op in DEFINITIONS if "imum" in op}
            assert found["minimum"] == found["minimum_number"] == min(a, b, key=place)
            assert found["maximum"] == found["maximum_number"] == max(a, b, key=place)
            assert found["minimum_magnitude"] == found["minimum_magnitude_number"] == least(a, b)
            assert found["maximum_magnitude"] == found["maximum_magnitude_number"] == max(a, b, key=magnitude)


@pytest.mark.parametrize("op", [op for op in DEFINITIONS if op.endswith("_number")])
def test_a_number_wins_over_a_nan(op: str) -> None:
    """[IEEE 754-2019 9.6] A signalling NaN raises invalid all the same; two NaNs make a NaN."""
    assert e5m2(op, QNAN, ONE) == e5m2(op, ONE, 0xFE) == (ONE, 0)
    assert e5m2(op, SNAN, TWO) == e5m2(op, TWO, 0xFD) == (TWO, 16)
    assert e5m2(op, QNAN, QNAN) == (0x7F, 0)


@pytest.mark.parametrize("op", [op for op in DEFINITIONS if "imum" in op])
def test_what_selects_an_operand_serves_scales_too(op: str) -> None:
    f = get_format("e8m0fnu")
    assert compute_codes(op, (3, 4), (f, f), f, get_projection(f)) == (3 if op.startswith("min") else 4, 0)


@pytest.mark.parametrize(
    ("rounding", "nearest"), [("rne", round), ("rtz", math.trunc), ("rtp", math.ceil), ("rtn", math.floor)]
)
def test_to_an_integral_value(rounding: str, nearest: Callable[[float], int]) -> None:
    """[IEEE 754-2019 5.9] by Python's own; only the Exact form raises inexact; a zero has the operand's sign."""
    f16 = get_format("f16")
    rho = get_projection(f16, rounding)
    for quarters in range(-50, 51):
        x = np.float16(quarters / 4)
        want = np.copysign(np.float16(nearest(float(x))), x).view(np.uint16)
        code = (int(x.view(np.uint16)),)
        assert compute_codes("round_to_integral", code, [f16], f16, rho) == (want, 0)
        assert compute_codes("round_to_integral_exact", code, [f16], f16, rho) == (want, int(quarters % 4 != 0))


def test_a_difference_of_zero_is_negative_when_rounding_down() -> None:
    assert e5m2("add", ONE, 0xBC, rounding="rtn") == (0x80, 0)
    assert e5m2("fma", ONE, ONE, 0xBC, rounding="rtn") == (0x80, 0)
    assert e5m2("faa", 0x00, 0x80, 0x00, rounding="rtn") == (0x80, 0)


def test_which_nan() -> None:
    assert e5m2("add", 0xFE, 0x7F, nan="keep-sign") == (0xFF, 0)
    assert e5m2("add", ONE, 0xFD, nan="payload") == (0xFF, 16)
    assert e5m2("add", SNAN, ONE, snan="quiet") == (0x7F, 0)


def test_results_of_infinite_value_follow_the_overflow_rule() -> None:
    rho = get_projection(E4M3FN, "rne", "sat")
    assert compute_codes("divide", (0x38, 0x80), (E4M3FN, E4M3FN), E4M3FN, rho) == (0xFE, 8)
    rho = get_projection(E4M3FN, "rne", "nonsat")
    assert compute_codes("divide", (0x38, 0x80), (E4M3FN, E4M3FN), E4M3FN, rho) == (0x7F, 8)
    rho = get_projection(E2M1, "rne", "sat")
    assert compute_codes("divide", (2, 0), (E2M1, E2M1), E2M1, rho) == (7, 8)
    assert compute_codes("sqrt", (0xA,), (E2M1,), E2M1, rho) == (7, 16)  # no NaN: +max and NV


def test_p3109() -> None:
    rho = get_projection(P3, "rne", "nonsat")
    one, zero, nan = 0x40, 0x00, 0x80
    for x in range(256):  # x/0 is NaN for every x
        assert compute_codes("divide", (x, zero), (P3, P3), P3, rho, "p3109")[0] == nan
    assert compute_codes("divide", (one, zero), (P3, P3), P3, rho, "ieee") == (0x7F, 8)
    f16 = get_format("f16")  # an external format: -0 is 0 going in and never comes out
    out = get_projection(f16, "rne", "nonsat")
    assert compute_codes("multiply", (0x8000, 0x3C00), (f16, f16), f16, out, "p3109")[0] == 0
    assert compute_codes("multiply", (0x8001, 0x0001), (f16, f16), f16, out, "p3109") == (0, 3)
    assert compute_codes("divide", (0x3C00, 0xFC00), (f16, f16), f16, out, "p3109")[0] == 0


def test_one_rounding_only() -> None:
    """1.5 * 1.5 - 2^-9 in e4m3fn is just below 2.25; e5m2 times e4m3fn is exact in f16."""
    rho = get_projection(E4M3FN)
    assert compute_codes("fma", (0x3C, 0x3C, 0x81), [E4M3FN] * 3, E4M3FN, rho) == (0x41, 1)
    f16 = get_format("f16")
    got = compute_codes("multiply", (0x3D, 0x39), (E5M2, E4M3FN), f16, get_projection(f16, "rne", "nonsat"))
    assert got == (int(np.float16(1.25 * 1.125).view(np.uint16)), 0)


def test_roots_next_to_a_number() -> None:
    """The root of 1 + 2**-200 is not 1, however many digits agree."""
    for rounding, code in (("rtp", 0x3D), ("rtz", ONE), ("rto", 0x3D), ("rne", ONE)):
        got = compute("sqrt", [Datum.finite(1 + Fraction(1, 2**200))], E5M2, get_projection(E5M2, rounding))
        assert got == (fp8ref.spec.decode(code, E5M2), 1)


def test_subnormals_flushed() -> None:
    tiny = 0x01
    assert e5m2("add", tiny, 0x00, subnormal="daz") == (0x00, 0)
    assert e5m2("multiply", 0x81, ONE, subnormal="daz") == (0x80, 0)
    assert e5m2("add", tiny, 0x00, subnormal="ftz") == (0x00, 3)
    assert e5m2("add", 0x03, 0x03, subnormal="ftz") == (0x06, 0)  # subnormal operands, a normal sum
    assert e5m2("divide", ONE, tiny, subnormal="both") == (INF, 8)


def test_scale() -> None:
    f32 = get_format("f32")
    x = Datum.finite(Fraction(3))
    rho = get_projection(f32, "rne", "nonsat")
    # 3 * 2**-150 is a tie of 1 and 2 units of 2**-149: 2 is even
    assert compute("scale_b", (x, Datum.finite(-150)), f32, rho) == (Datum.finite(Fraction(2, 2**149)), 3)
    assert compute("scale_b", (x, Datum.finite(10**30)), f32, rho)[0].is_infinite
    assert compute("scale_b", (x, Datum.finite(-(10**30))), f32, rho)[0].is_zero
    assert compute("scale_b", (x, Datum.finite(5)), f32, rho)[0].value == 96


@pytest.mark.parametrize("op", ["add", "divide", "sqrt", "fma", "scale_b"])
def test_no_arithmetic_into_a_format_of_scales(op: str) -> None:
    f = get_format("e8m0fnu")
    with pytest.raises(ValueError, match="without a zero"):
        compute(op, [Datum.finite(1)] * DEFINITIONS[op].arity, f, get_projection(f))
    with pytest.raises(ValueError, match="without a zero"):
        fp8ref.divide([127], [127], "e8m0fnu")
    assert fp8ref.multiply([0x38], [130], "e4m3fn", "e8m0fnu", result="e4m3fn").tolist() == [0x50]
    assert fp8ref.minimum([3], [4], "e8m0fnu").tolist() == [3]


def test_square_root_needs_a_nan_where_there_is_no_sign() -> None:
    f = Format("counts", 4, 2, 1, signed=False)
    with pytest.raises(ValueError, match="unsigned format has none"):
        fp8ref.sqrt([4], f)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="unknown operation 'sinc'"):
        compute("sinc", [Datum.finite(1)], E5M2, get_projection(E5M2))
    with pytest.raises(ValueError, match="takes 2 operand"):
        compute("add", [Datum.finite(1)], E5M2, get_projection(E5M2))
    with pytest.raises(ValueError, match="name the format of the result"):
        fp8ref.add([1], [1], "e5m2", "e4m3fn")
    with pytest.raises(TypeError, match="bit patterns"):
        fp8ref.add([1], [1.5], "e5m2", "e4m3fn", result="e5m2")
    with pytest.raises(TypeError, match="cannot be codes of e4m3fn"):
        fp8ref.add(np.float16([1]), np.float16([1]), "e4m3fn")
    with pytest.raises(ValueError, match=r"b\[1\] = 64 is not a code of e3m2fn"):
        fp8ref.add([1], [1, 64], "e3m2fn")
    with pytest.raises(TypeError, match="must be integers"):
        fp8ref.scale_b([1], [0.5], "e5m2")
    with pytest.raises(ValueError, match="unknown semantics"):
        fp8ref.add([1], [1], "e5m2", semantics="posit")
    with pytest.raises(ValueError, match="nan='error' refuses"):
        fp8ref.add([QNAN], [1], "e5m2", nan="error")
    assert fp8ref.add([ONE], [ONE], "e5m2", nan="error").tolist() == [TWO]
    with pytest.raises(ValueError, match="negate is undefined in ue5m3"):
        fp8ref.negate([1], "ue5m3")
    with pytest.raises(ValueError, match="unknown predicate"):
        fp8ref.compare([1], [1], "same", "e5m2")


def test_shapes_and_dtypes() -> None:
    a = np.arange(256, dtype=np.uint8)
    table = fp8ref.add(a[:, None], a, "e4m3fn")
    assert table.shape == (256, 256)
    assert table.dtype == np.uint8
    assert (table[::3, ::-5] == fp8ref.add(a[::3, None], a[::-5], "e4m3fn")).all()
    swapped = a.astype(">u2")
    assert (
        fp8ref.add(swapped, swapped, "f16", result="f32")
        == fp8ref.add(a.astype(np.uint16), swapped, "f16", result="f32")
    ).all()
    assert fp8ref.add(0x38, 0x38, "e4m3fn").shape == ()
    assert fp8ref.add(np.zeros((0, 3), np.uint8), a[:3], "e4m3fn").shape == (0, 3)
    import ml_dtypes

    x = np.array([1.0, 2.0], ml_dtypes.float8_e4m3fn)
    assert fp8ref.add(x, x).tolist() == [0x40, 0x48]
    assert (
        fp8ref.fma(x, x, np.float16([0.5, 0.25]), result="f16").tolist()
        == np.float16([1.5, 4.25]).view(np.uint16).tolist()
    )


def test_comparisons() -> None:
    one, nan, snan = Datum.finite(1), Datum.nan(), Datum.nan(0, Fraction(1, 4))
    assert compare("eq", Datum.finite(0, 1), Datum.finite(0)) == (True, 0)
    assert compare("lt", Datum.infinity(1), Datum.finite(-1)) == (True, 0)
    assert compare("eq", one, nan) == (False, 0)
    assert compare("lt", one, nan) == (False, 16)
    assert compare("lt", one, nan, signalling=False) == (False, 0)
    assert compare("ne", one, snan) == (True, 16)
    assert compare("nge", one, nan, signalling=False) == (True, 0)
    # 5.10: -NaN < -Inf < -0 < +0 < sNaN < qNaN
    chain = [
        Datum.nan(1),
        Datum.infinity(1),
        Datum.finite(-1),
        Datum.finite(0, 1),
        Datum.finite(0),
        one,
        Datum.infinity(),
        snan,
        nan,
    ]
    for i, x in enumerate(chain):
        for j, y in enumerate(chain):
            assert total_order(x, y) == (i <= j)
    assert total_order(nan, Datum.infinity(1), Semantics.P3109)
    assert classify(snan, E5M2) is Class.SIGNALLING_NAN
    assert [
        int(c) for c in fp8ref.classify([0xFC, 0xC0, 0x81, 0x80, 0x00, 0x01, 0x40, 0x7C, 0x7D, 0x7E], "e5m2")
    ] == list(range(10))


def test_class_predicates() -> None:
    """[IEEE 754-2019 5.7.2] as numpy's binary16 has them; e5m2 is its upper half."""
    tiny = float(np.finfo(np.float16).smallest_normal)
    for code in range(256):
        x = float(np.uint16(code << 8).view(np.float16))
        signals = math.isnan(x) and not code & 2
        want = {
            "isnan": math.isnan(x),
            "issignalling": signals,
            "isinf": math.isinf(x),
            "isfinite": math.isfinite(x),
            "isnormal": math.isfinite(x) and abs(x) >= tiny,
            "issubnormal": 0 < abs(x) < tiny,
            "iszero": x == 0,
        }
        found = classify(unpack(code, E5M2), E5M2)
        assert {name: found in classes for name, classes in CLASS_PREDICATES.items()} == want, hex(code)


def test_neighbours() -> None:
    # IEEE 754-2019 5.3.1
    assert next_up(0x80, E5M2) == (0x01, 0)
    assert next_up(0x81, E5M2) == (0x80, 0)
    assert next_up(0x7B, E5M2) == (INF, 0)
    assert next_up(INF, E5M2) == (INF, 0)
    assert next_up(MINUS_INF, E5M2) == (0xFB, 0)
    assert next_up(SNAN, E5M2) == (0x7F, 16)
    assert next_down(0x00, E5M2) == (0x81, 0)
    assert next_down(0xFB, E5M2) == (MINUS_INF, 0)
    assert next_up(0x7E, E4M3FN) == (0x7F, 0)  # no infinity: NaN
    assert next_up(7, E2M1) == (7, 0)  # neither
    assert next_up(0x81, get_format("e4m3fnuz")) == (0x00, 0)  # no -0
    assert next_up(0x7F, P3, Semantics.P3109) == (0x80, 0)  # P3109: NaN past infinity
    assert next_up(0x7F, get_format("binary8p3sf"), Semantics.P3109) == (0x80, 0)


def test_signs() -> None:
    assert negate(0x7F, E4M3FN) == 0xFF
    assert negate(0x80, get_format("e4m3fnuz")) == 0x80
    assert negate(0x00, get_format("e4m3fnuz")) == 0x00
    assert copysign(0x38, 0xFF, E4M3FN) == 0xB8
    assert copysign(0x38, 0x80, get_format("e5m2fnuz")) == 0x38
    assert fp8ref.negate([0x80, 0x7F], "mxint8").tolist() == [0x7F, 0x81]


def test_integers() -> None:
    # IEEE 754-2019 5.8, 7.2 j; the deliveries of RISC-V fcvt, Arm FCVTZS, x86 cvttss2si
    assert to_integer(Datum.finite(Fraction(-5, 2)), "i8", "rne") == (-2, 1)
    assert to_integer(Datum.finite(Fraction(-1, 2)), "u8", "rtz") == (0, 1)
    assert to_integer(Datum.finite(-1), "u8", "rtz") == (0, 16)
    assert to_integer(Datum.finite(Fraction(511, 2)), "u8", "rne") == (255, 16)
    assert to_integer(Datum.finite(Fraction(511, 2)), "u8", "rtz") == (255, 1)
    assert to_integer(Datum.finite(Fraction(3, 2)), "i8", "rtz", exact=False) == (1, 0)
    assert to_integer(Datum.nan(), "i32") == (2**31 - 1, 16)
    assert to_integer(Datum.nan(), "i32", out_of_range="arm") == (0, 16)
    assert to_integer(Datum.infinity(), "i32", out_of_range="x86") == (-(2**31), 16)
    x = np.array([0.5, 1.5, -2.5, 300.0, -300.0, np.nan, 1e30], np.float32)
    assert fp8ref.to_integer(x, "i8", rounding="rne").tolist() == [0, 2, -2, 127, -128, 127, 127]
