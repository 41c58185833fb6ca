"""Text of data against Python's and numpy's own correctly rounded conversions."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from fp8ref.spec import decode, get_format, get_projection, project
from fp8ref.spec.datum import Datum
from fp8ref.spec.operations.text import from_text, parse, shortest, to_decimal, to_hex

F64 = get_format("f64")


def doubles(n: int) -> list[float]:
    rng = random.Random(8)
    bits = [rng.getrandbits(64) for _ in range(n)] + [
        0,
        1,
        0x7FEF_FFFF_FFFF_FFFF,
        0x0010_0000_0000_0000,
        0x3FF0_0000_0000_0000,
    ]
    values = np.array(bits, np.uint64).view(np.float64)
    return [float(v) for v in values if math.isfinite(v)] + [0.1, -2.5, 1e22, 1e23, 5e-324, 123456.0]


def test_shortest_text_of_doubles_is_that_of_python() -> None:
    for x in doubles(60):
        text = shortest(int(np.float64(x).view(np.uint64)), F64)
        assert float(text) == x
        ours, theirs = (Fraction(t) for t in (text, repr(x)))
        assert ours == theirs, (text, repr(x))


def test_shortest_text_of_halves_is_that_of_numpy() -> None:
    for code in random.Random(9).sample(range(0x7C00), 300):
        x = np.uint16(code).view(np.float16)
        assert Fraction(shortest(code, "f16")) == Fraction(np.format_float_scientific(x, unique=True)), hex(code)


def test_reading_is_that_of_python() -> None:
    rng = random.Random(10)
    texts = [f"{rng.randrange(10**17)}e{rng.randrange(-330, 300)}" for _ in range(150)]
    texts += ["0.1", "-0", "1.", ".5e1", "2.2250738585072011e-308", "1e400", "-1e-400", "9007199254740993"]
    for text in texts:
        code, _ = from_text(text, "f64", overflow="nonsat")
        assert np.uint64(code).view(np.float64).tobytes() == np.float64(float(text)).tobytes(), text


def test_hexadecimal_text_is_that_of_python() -> None:
    for x in doubles(60):
        datum = Datum.of(x)
        assert float.fromhex(to_hex(datum)) == x
        assert parse(x.hex()) == datum
    assert to_hex(Datum.of(12.0)) == "0x1.8p+3"
    assert parse("-0X.8P-1") == Datum.of(-0.25)
    assert parse("0x1.8") == Datum.of(1.5)


def test_exact_decimals() -> None:
    for x in [*doubles(30), 0.5, 1024.0]:
        assert Fraction(to_decimal(Datum.of(x))) == Fraction(x)
    assert to_decimal(decode(0x01, "e4m3fn")) == "0.001953125"
    for text in ("0.01", "-0.001", "0.3", "0.0625"):  # denominators with and without the factors 2 and 5
        assert to_decimal(parse(text)) == text
    assert to_decimal(Datum.of(-0.0)) == "-0"
    with pytest.raises(ValueError, match="no finite decimal"):
        to_decimal(Datum.finite(Fraction(1, 3)))
    with pytest.raises(ValueError, match="not a binary fraction"):
        to_hex(Datum.finite(Fraction(1, 3)))


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e2m1fn", "mxint8", "e8m0fnu", "binary8p1se", "e3m4", "ue5m3"])
def test_no_shorter_text_reads_back(name: str) -> None:
    """Every text reads back, and no number of one digit less lies in the code's rounding interval."""
    f = get_format(name)
    rho = get_projection(f, "rne", "sat")
    for code in range(1 << f.k):
        x = decode(code, f)
        text = shortest(code, f)
        if not x.is_finite or x.is_zero:
            continue
        datum, status = project(parse(text), f, rho)
        assert datum == x
        assert not status & 4
        digits = text.lstrip("-").split("e")[0].replace(".", "").strip("0")
        if len(digits) > 1:
            unit = Fraction(10) ** (math.floor(math.log10(x.magnitude)) - len(digits) + 2)
            below = x.magnitude // unit
            for near in (below * unit, (below + 1) * unit):
                other, raised = project(Datum.finite(near).with_sign(x.sign), f, rho)
                assert other != x or raised & 4 or near == 0, (hex(code), text, near)


def test_special_text() -> None:
    assert from_text("nan", "e4m3fn") == (0x7F, 0)
    assert from_text("snan", "e5m2") == (0x7F, 16)
    assert from_text("-inf", "e5m2", overflow="nonsat") == (0xFC, 0)
    assert from_text("Infinity", "e4m3fn") == (0x7E, 0)
    assert [shortest(code, "e5m2") for code in (0x7C, 0xFC, 0x7E, 0xFD, 0x80)] == ["inf", "-inf", "nan", "-snan", "-0"]
    for wrong in ("", "1,5", "0x", "e5", "--1", "1e", "infinit"):
        with pytest.raises(ValueError, match="is not a number"):
            parse(wrong)


@pytest.mark.parametrize("x", [1e-4, 9.5e-5, 1e-5, 0.5, 448.0, 1234.5, 1e15, 123456789012345680.0, 1e16, 5e-324])
def test_where_an_exponent_begins(x: float) -> None:
    """Where Python's repr has it; the exponent has no leading zero here, and an integer no point."""
    code = int(np.float64(x).view(np.uint64))
    want = repr(x).removesuffix(".0").replace("e-0", "e-")
    assert shortest(code, "f64") == want


def test_4000_characters_are_read() -> None:
    assert parse("1." + "0" * 3998) == Datum.of(1.0)
    with pytest.raises(ValueError, match="has 4001 characters; a number has at most 4000"):
        parse("1." + "0" * 3999)


def test_exponents_are_read_to_20000() -> None:
    assert parse("1e20000").magnitude == 10**20000
    assert parse("0x1p-20000").magnitude == Fraction(1, 2**20000)
    for beyond in ("1e20001", "1e-20001", "0x1p20001"):
        with pytest.raises(ValueError, match="exponents go from -20000 to 20000"):
            parse(beyond)


def test_values_that_no_format_has() -> None:
    assert to_decimal(Datum.finite(Fraction(3, 5**30))) == "0." + str(3 * 2**30).rjust(30, "0")
    assert parse("snan") == Datum.nan(0, Fraction(1, 4))  # the bit below the quiet bit
