"""Every finding of the shipped conformance matrix, worked out once more without fp8ref: nobody is accused wrongly.

The expected answer of each counterexample comes from the naive tables of ``second_oracles``: the exact value as a
Fraction, the nearest of all values of the format, the scale of a block by its rule, and constants counted off on the
list of all values.  What the checker wanted must be that, and what it got must not.
"""

from __future__ import annotations

import gzip
import json
import operator
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from second_oracles import functions
from second_oracles.exact import TABLES, Table, _fields
from second_oracles.naive_arithmetic import deliver, exact
from short import over

RECORDS = sorted((Path(__file__).parents[3] / "docs" / "data" / "matrix").glob("*.jsonl.gz"))


def ieee(name: str, k: int, t: int, bias: int) -> Table:
    infinity = (1 << (k - 1)) - (1 << t)
    nans = frozenset(s << (k - 1) | infinity + n for s in (0, 1) for n in (1, 1 << (t - 1), (1 << t) - 1))
    return Table(name, k, _fields(t, bias), infinity - 1, infinity, nans, infinity + (1 << (t - 1)))


HALVES = {"f16": ieee("f16", 16, 10, 15), "bf16": ieee("bf16", 16, 7, 127)}
WIDE = {"f16": (5, 10), "bf16": (8, 7), "f32": (8, 23), "f64": (11, 52)}
INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
Meaning = tuple[str, int, Fraction | None]
ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "sqrt": "sqrt", "fma": "fma"}
PAIRS = {
    "max-nan": ("sat", "nonsat"),
    "nan-inf": ("nan", "nonsat"),
}  # what a finite overflow and what an infinity follows
ELEMENTS = {"mxfp8_e4m3": "e4m3fn", "mxfp8_e5m2": "e5m2", "mxfp6_e3m2": "e3m2fn", "mxfp6_e2m3": "e2m3fn",
            "mxfp4": "e2m1fn"}  # fmt: skip
FUNCTIONS = {*functions.DIRECT, *functions.PARTS, *functions.INTERVALS, "logaddexp", "logaddexp2"} - {"deg2rad"}
RELATIONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}


def wide(code: int, name: str) -> Meaning:
    """A code of an IEEE 754 format, by its fields [IEEE 754-2019 3.4]."""
    w, t = WIDE[name]
    sign, e, m = code >> (w + t), code >> t & (1 << w) - 1, code & (1 << t) - 1
    bias = (1 << (w - 1)) - 1
    if e == (1 << w) - 1:
        return ("nan", sign, None) if m else ("infinite", sign, None)
    size = (Fraction(m, 1 << t) + bool(e)) * Fraction(2) ** (max(e, 1) - bias)
    return "finite", sign, -size if sign else size


def meaning(code: int, name: str) -> Meaning:
    if name in INTEGERS:
        bits = int(name[1:])
        value = code - (1 << bits) if name[0] == "i" and code >> (bits - 1) else code
        return "finite", int(value < 0), Fraction(value)
    return wide(code, name) if name in WIDE else TABLES[name].meaning(code)


def delivered(table: Table, x: Meaning, rounding: str, overflow: str) -> int | str:
    """The code of a converted value; 'nan' for any NaN, 'open' where nothing is defined."""
    kind, sign, value = x
    if kind == "nan":
        return "nan" if table.canonical is not None else "open"
    overflow = PAIRS.get(overflow, (overflow, overflow))[kind == "infinite"]
    if kind == "infinite":
        code = table.overflowed(bool(sign), rounding, overflow, infinite=True)
    else:
        assert value is not None
        if not table.signed and (value < 0 or value == 0):
            return "open"
        to_nan = overflow == "nan"
        code = table.encode(bool(sign), table.place(abs(value)), rounding, "nonsat" if to_nan else overflow)
        if to_nan and table.meaning(code)[0] != "finite":
            return "nan"
    return "nan" if code in table.nans else code


def wanted(op: str, inputs: list[int]) -> int | str:
    """The answer that an operation must get, 'nan' for any NaN."""
    family, operands, result, *mode = op.partition(";")[0].split("/")
    names = operands.split(".")
    data = [meaning(code, name) for code, name in zip(inputs, names)]
    rounding, _, overflow = (mode[0] if mode else "").partition(".")
    if family == "decode":
        assert data[0][0] != "nan" or result in WIDE
        return "nan" if data[0][0] == "nan" else encoded(data[0], result)
    if family == "convert":
        return delivered(HALVES.get(result) or TABLES[result], data[0], rounding, overflow)
    if family in RELATIONS:
        if any(kind == "nan" for kind, _, _ in data):
            return int(family == "ne")
        a, b = (number(x) for x in data)
        return int(RELATIONS[family](a, b))
    if family == "isfinite":
        return int(data[0][0] == "finite")
    if family == "finfo":
        return encoded(("finite", 0, constant(TABLES[names[0]], mode[0])), result)
    if family in FUNCTIONS:
        return function(family, data, TABLES[result], rounding, overflow)
    if family == "isinf":
        return int(data[0][0] == "infinite")
    if family in ("min", "max", "nextafter"):
        return selected(family, inputs, TABLES[result])
    if family in ("floordiv", "mod"):  # numpy: the zero of a remainder has the sign of the divisor
        (_, s, a), (_, t, b) = data
        assert a is not None
        assert b
        quotient = a / b // 1
        value, minus = (quotient, s ^ t) if family == "floordiv" else (a - b * quotient, t)
        return delivered(TABLES[result], ("finite", minus, value), rounding, overflow)
    if family == "deg2rad":  # far enough from midpoints for twenty digits
        kind, minus, value = data[0]
        assert value is not None
        return delivered(TABLES[result], (kind, minus, value * PI / 180), rounding, overflow)
    table = TABLES[names[0]]
    sign = 1 << (table.k - 1)
    if family == "abs":
        return "nan" if data[0][0] == "nan" else inputs[0] & ~sign
    if family == "copysign":
        return "nan" if data[0][0] == "nan" else table.code(bool(data[1][1]), inputs[0] & ~sign)
    if family == "rint":
        return integral(table, data[0], rounding)
    assert not any(kind == "nan" for kind, _, _ in data)
    code, _ = deliver(table, exact(ARITHMETIC[family], data), rounding, overflow)
    return "nan" if code in table.nans else code


def function(family: str, data: list[Meaning], table: Table, rounding: str, overflow: str) -> int | str:
    """An elementary function of numbers, by MPFR or by mpmath's intervals."""
    values = [value for _, _, value in data]
    exact: tuple[Any, ...] | None
    if family in ("logaddexp", "logaddexp2"):
        a, b = (functions.number(value) for value in values)
        with functions.gmpy2.context(functions.WIDE):
            base = functions.gmpy2.mpfr(2) if family == "logaddexp2" else functions.gmpy2.exp(functions.gmpy2.mpfr(1))
            z = functions.gmpy2.log(base**a + base**b) / functions.gmpy2.log(base)
        value = Fraction(*map(int, z.as_integer_ratio()))
        exact = ("number", int(value < 0), abs(value)) if value else ("zero", 0)
    elif family in functions.DIRECT:
        exact = functions.by_mpfr(family, data)
    elif values[0] == 0 and family in ("rad2deg", "silu", "gelu_tanh", "mish", "square"):
        exact = ("zero", data[0][1] * (family != "square"))
    elif family in functions.PARTS:
        assert values[0]
        exact = functions.by_parts(family, values[0])
    else:
        assert values[0] is not None
        exact = functions.by_intervals(family, values[0])
    assert exact is not None
    if exact[0] == "zero" and not table.signed:
        return "open"
    if exact[0] == "number" and not table.signed:
        return delivered(table, ("finite", exact[1], -exact[2] if exact[1] else exact[2]), rounding, overflow)
    code, _ = deliver(table, exact, rounding, overflow)
    return "nan" if code in table.nans else code


def selected(family: str, inputs: list[int], table: Table) -> int:
    """The smaller or the larger of two numbers, or the neighbour of the first on the side of the second."""
    (a, x), (b, y) = ((code, number(table.meaning(code))) for code in inputs)
    if family != "nextafter":
        return a if (x <= y) == (family == "min") else b
    numbers = {number(m): code for code in reversed(range(2**table.k)) if (m := table.meaning(code))[0] == "finite"}
    ahead = [v for v in numbers if (v > x if y > x else v < x)]
    return numbers[min(ahead, key=lambda v: abs(v - x))]


def constant(table: Table, name: str) -> Fraction:
    """A constant, counted off on the list of all values by what numpy.finfo's documentation says of it."""
    values = [table.magnitude(rung) for rung in range(table.top + 1)]
    at = values.index(Fraction(1))
    return {"eps": values[at + 1] - 1, "epsneg": 1 - values[at - 1]}[name]


def number(x: Meaning) -> Fraction:
    kind, sign, value = x
    return Fraction(10**400 * (-1) ** sign) if kind == "infinite" else value or Fraction(0)


def encoded(x: Meaning, name: str) -> int:
    """The code of a value that a format holds exactly."""
    w, t = WIDE[name]
    kind, sign, value = x
    bias = (1 << (w - 1)) - 1
    if kind == "infinite":
        return sign << (w + t) | ((1 << w) - 1) << t
    assert value is not None
    size, e = abs(value), 1
    if size == 0:
        return sign << (w + t)
    while size >= Fraction(2) ** (e - bias + 1):
        e += 1
    scaled = size / Fraction(2) ** (e - bias) * (1 << t)
    assert scaled.denominator == 1, "held exactly"
    whole = scaled.numerator
    return sign << (w + t) | (e << t) + whole - (1 << t) if whole >> t else sign << (w + t) | whole


def integral(table: Table, x: Meaning, rounding: str) -> int:
    kind, sign, value = x
    assert kind == "finite"
    assert value is not None
    below, rest = divmod(abs(value), 1)
    away = {
        "rne": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1),
        "rna": rest >= Fraction(1, 2), "rtz": False, "rtp": rest > 0 and not sign, "rtn": rest > 0 and bool(sign),
    }[rounding]  # fmt: skip
    return table.code(bool(sign), table.ladder.index(Fraction(below + away)))


def block(op: str, inputs: list[int]) -> bytes:
    """What a block must become: the scale's byte, and each element over the scale, rounded to nearest and clamped.

    The scale's exponent by the rule [OCP MX 1.0 6.3; torchao mx_formats, ScaleCalculationMode]; these blocks are so
    small that every rule gives the least one.
    """
    _, source, scheme, rule = op.split("/")
    table = TABLES[ELEMENTS[scheme]]
    x = [(sign, abs(value or Fraction(0))) for _, sign, value in (wide(code, source) for code in inputs)]
    amax, top = max(size for _, size in x), table.magnitude(table.top)
    ulp = Fraction(2) ** max(floor_log2(amax), -126) * constant(table, "eps")
    exponent = {
        "floor": floor_log2(amax) - floor_log2(top),
        "ceil": ceil_log2(amax) - floor_log2(top),
        "even": floor_log2(amax + ulp / 2) - floor_log2(top),
        "rceil": ceil_log2(amax / top),
    }[rule]
    assert exponent <= -127, "the least scale"
    scale = Fraction(2) ** -127
    return bytes([0, *(table.encode(bool(sign), table.place(size / scale), "rne", "sat") for sign, size in x)])


PI = Fraction("3.14159265358979323846")
TOPS = {"e2m1fn": 2, "e2m3fn": 2, "e3m2fn": 4, "e4m3fn": 8, "e5m2": 15}  # exponents of the largest elements


def compressed_tensors_mx(name: str, codes: list[int]) -> bytes:
    """bfloat16 blocks of finite numbers: half a step of one fraction bit is added to the largest magnitude's bits; what
    becomes infinite so has the scale 2^128, by which every element is 0."""
    top = max(code & 0x7FFF for code in codes)
    assert top < 0x7F80
    exponent = ((top << 16) + (1 << 21)) >> 23
    assert exponent == 255, "the largest magnitude rounds to infinity"
    return bytes([255, *([0] * len(codes))])


def auto_round_mx(name: str, codes: list[int]) -> bytes:
    """binary32 blocks: 2^(floor(log2 amax) - emax), elements to nearest even, zeros that were zeros positive."""
    table, x = TABLES[name], [wide(code, "f32") for code in codes]
    infinite = any(kind == "infinite" for kind, _, _ in x)
    amax = max(abs(value) for _, _, value in x if value is not None)
    e = 127 if infinite else max(min(floor_log2(amax) - TOPS[name], 127), -127)
    found = b""
    for _, sign, value in x:
        size = table.magnitude(table.top)
        if value is not None:
            code = table.encode(False, table.place(abs(value) / Fraction(2) ** e), "rne", "sat")
            size = table.magnitude(code)
        size *= Fraction(2) ** e
        if size >= Fraction(2) ** 128:
            word = sign << 31 | 0x7F800000
        else:
            word = encoded(("finite", sign, -size if sign else size), "f32")
        found += (word & 0x7FFFFFFF if value == 0 else word).to_bytes(4, "little")
    return found


def binary32(x: Fraction) -> Fraction:
    """The nearest number of binary32; these are never so large as to overflow."""
    ulp = Fraction(2) ** (max(floor_log2(abs(x)), -126) - 23) if x else Fraction(1)
    return round(x / ulp) * ulp


def elements(name: str, x: list[Meaning], scale: Fraction) -> list[int]:
    """Each element over a scale, to nearest even, saturating; over a scale of 0 an infinity, and 0 / 0 no number."""
    table, found = TABLES[name], []
    for kind, sign, value in x:
        if kind == "nan" or value == scale == 0:
            found.append(table.canonical if table.canonical is not None else 8)  # what a NaN is there, nothing says
        elif value is None or scale == 0:
            found.append(table.top | sign << table.k - 1)
        else:
            quotient = binary32(min(abs(value) / scale, Fraction(2) ** 100))
            found.append(table.encode(bool(sign), table.place(quotient), "rne", "sat"))
    return found


def qwix_rows(name: str, codes: list[int]) -> bytes:
    """binary32 rows: amax × (1 / max) without NaNs, 1 where that is below 2^-63; elements over that."""
    x = [wide(code, "f32") for code in codes]
    assert all(kind != "infinite" for kind, _, _ in x)
    table = TABLES[name]
    amax = max(abs(value) for _, _, value in x if value is not None)
    scale = binary32(amax * binary32(1 / table.magnitude(table.top)))
    scale = scale if scale >= Fraction(2) ** -63 else Fraction(1)
    if name == "e2m1fn":
        e4m3 = TABLES["e4m3fn"]
        byte = e4m3.encode(False, e4m3.place(scale), "rne", "sat")
        return bytes([byte, *elements(name, x, e4m3.magnitude(byte))])
    word: int = encoded(("finite", 0, scale), "f32")
    return word.to_bytes(4, "little") + bytes(elements(name, x, scale))


def log2_ceil_mx(source: str) -> Any:
    """The scale 2^ceil(log2(amax / 448)), its byte within 0 and 254; that of a NaN is 0."""

    def by_hand(name: str, codes: list[int]) -> bytes:
        x = [wide(code, source) for code in codes]
        kinds = {kind for kind, _, _ in x}
        byte = 254 if "infinite" in kinds else 0
        if "nan" in kinds:
            byte = 0
        elif "infinite" not in kinds:
            amax = max(abs(value) for _, _, value in x if value is not None)
            byte = max(0, min(254, ceil_log2(binary32(amax / 448)) + 127)) if amax else 0
        return bytes([byte, *elements(name, x, Fraction(2) ** (byte - 127))])

    return by_hand


RECIPES = {
    "qwix": qwix_rows,
    "qwix-nvfp4": qwix_rows,
    "ct-mxfp4": compressed_tensors_mx,
    "ct-mxfp8": compressed_tensors_mx,
    "autoround-mxfp4": auto_round_mx,
    "autoround-mxfp8": auto_round_mx,
}


def floor_log2(x: Fraction) -> int:
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if x >= Fraction(2) ** e else e - 1


def ceil_log2(x: Fraction) -> int:
    return -floor_log2(1 / x)


def findings() -> Iterator[Any]:
    for path in RECORDS:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                data = json.loads(line)
                if data["kind"] == "finding":
                    yield pytest.param(data, id=f"{path.name.removesuffix('.jsonl.gz')}:{data['op']}")


@over("finding", [one.values[0] for one in findings()])
def test_the_wanted_answer_is_right_and_the_given_one_is_not(finding: dict[str, Any]) -> None:
    op = finding["op"]
    result = op.partition(";")[0].split("/")[2]
    inputs = [int(code, 16) for code in finding["inputs"]]
    want_code, got = int(finding["want"], 16), int(finding["got"], 16)
    recipe = op.partition(";")[0].split("/")[-1].partition(",")[0]  # its limits of the exponent do not matter here
    if recipe == "modelopt-mxfp8":
        by_hand = log2_ceil_mx(op.split("/")[1])
        assert want_code == int.from_bytes(by_hand(result, inputs), "big")
        assert got != want_code
        return
    if recipe in RECIPES:
        assert want_code == int.from_bytes(RECIPES[recipe](result, inputs), "big")
        assert got != want_code
        return
    if op.startswith("scale/"):
        assert want_code == int.from_bytes(block(op, inputs), "big")
        assert got != want_code
        return
    want = wanted(op, inputs)
    assert want != "open", "nothing is defined here, and a mismatch is no fault"

    def same(code: int) -> bool:
        if want == "nan":
            return result != "bool" and meaning(code, result)[0] == "nan"
        return code == want

    assert same(want_code), f"the checker wanted {want_code:X}, by hand it is {want}"
    assert not same(got), f"{got:X} is right"
