"""Shipped vectors, read by the plain reader and answered again by oracles that share no code with fp8ref."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from second_oracles import matrix_units
from short import some
from vectors.oracle import computed, converted, table
from vectors.plain_reader import Case, Part, read_fpv, read_jsonl, value_of

ROOT = Path(__file__).parents[2] / "vectors"
CONVERSIONS = sorted((ROOT / "convert").glob("*.jsonl.gz"))
UNITS = {"hopper": (32, 13, 14), "ada": (16, 13, 14), "blackwell": (32, 25, 24)}  # products, fraction bits, precision


def is_nan(code: int, name: str) -> bool:
    return code in table(name).nans


@pytest.mark.parametrize("path", CONVERSIONS, ids=lambda p: p.name.partition(".")[0])
def test_conversions(path: Path) -> None:
    parts = read_jsonl(path)
    assert parts
    for part in parts:
        _, source, result, mode = part.operation.partition(";")[0].split("/")
        rounding, overflow = mode.split(".")
        tininess = part.header["policy"]["tininess"]
        for case in part.cases:
            want, flags = converted(case.operands[0][0], source, result, rounding, overflow, tininess)
            assert case.result[0] == want, (part.operation, case)
            if result != "e8m0fnu":  # whose zeros and negative values are fp8ref's own choice
                assert case.flags == flags, (part.operation, case)


def test_there_are_conversions() -> None:
    assert len(CONVERSIONS) == 24


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_decodes(name: str) -> None:
    (part,) = [p for p in read_jsonl(ROOT / "decode" / "to_f32.jsonl.gz") if p.operation == f"decode/{name}/f32"]
    assert sorted(case.operands[0][0] for case in part.cases) == list(range(256))
    for case in part.cases:
        kind, sign, value = table(name).meaning(case.operands[0][0])
        if kind == "finite":
            assert value is not None
            assert matrix_units.real(case.result[0], "f32") == value
            assert case.result[0] >> 31 == sign
        else:
            assert case.result[0] & 0x7FFFFFFF == (0x7FC00000 if kind == "nan" else 0x7F800000)


def check(op: str, name: str, case: Case, rounding: str = "rne") -> None:
    want, flags = computed(op, [x[0] for x in case.operands], name, rounding, "nonsat")
    assert (case.result[0], case.flags) == (want, flags), (op, name, case)


@pytest.mark.parametrize(
    ("family", "name"), some(product(["add", "mul"], ["e4m3fn", "e5m2"]), [("mul", "e4m3fn"), ("add", "e5m2")])
)
@pytest.mark.parametrize("step", [251, pytest.param(1, marks=pytest.mark.full)])
def test_exhaustive_pairs(family: str, name: str, step: int) -> None:
    (part,) = read_fpv(ROOT / "arithmetic" / f"{name}_{family}.fpv.gz")
    assert part.operation == f"{name}_{family}"
    assert part.header["rm"] == "RNE"
    assert part.header["ovf"] == "ieee"
    assert [x[0] << 8 | y[0] for x, y in (case.operands for case in part.cases)] == list(range(65536))
    for case in part.cases[::step]:
        check({"add": "add", "mul": "multiply"}[family], name, case)


def rounding_of(part: Part) -> str:
    return part.operation.split("/")[3].partition(".")[0]


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_arithmetic_in_every_mode(name: str) -> None:
    names = {"add": "add", "mul": "multiply", "div": "divide", "sub": "subtract", "sqrt": "sqrt"}
    seen = set()
    for file in ("binary", "unary"):
        for part in read_jsonl(ROOT / "arithmetic" / f"{name}_{file}.jsonl.gz"):
            family = part.operation.partition("/")[0]
            if family in names:
                seen.add((family, rounding_of(part)))
                for case in part.cases[::9]:
                    check(names[family], name, case, rounding_of(part))
    assert len(seen) == 4 * 4 + 2 + 5


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_fma(name: str) -> None:
    *modes, mixed = read_jsonl(ROOT / "arithmetic" / f"{name}_mulAdd.jsonl.gz")
    assert [rounding_of(part) for part in modes] == ["rne", "rtz", "rtp", "rtn", "rna"]
    for part in modes:
        for case in part.cases[:: 1 if part is modes[0] else 5]:
            check("fma", name, case, rounding_of(part))
    finite = 0
    for case in mixed.cases:
        (a,), (b,), (c,) = case.operands
        terms = [table(name).meaning(a), table(name).meaning(b)]
        if all(kind == "finite" for kind, _, _ in terms) and c & 0x7F800000 != 0x7F800000:
            value = terms[0][2] * terms[1][2] + matrix_units.real(c, "f32")  # type: ignore[operator]
            if value and abs(value) < Fraction(2) ** 127:
                assert case.result[0] == matrix_units.to_nearest(value, "f32"), case
                finite += 1
    assert finite > 1000


@pytest.mark.parametrize("unit", UNITS)
def test_dot_products(unit: str) -> None:
    (part,) = read_jsonl(ROOT / "dot" / f"e4m3fn_{unit}.jsonl.gz")
    checked = 0
    for case, total in sums(part, "e4m3fn", "e4m3fn"):
        a, b, (c,) = case.operands
        want = matrix_units.nvidia(a, b, "e4m3fn", "e4m3fn", c, "f32", *UNITS[unit])
        assert case.result[0] == want, (case, total)
        checked += 1
    assert checked > 60


def sums(part: Part, first: str, second: str) -> Iterator[tuple[Case, Fraction]]:
    """The cases of numbers with their exact sums, which are compared; what the others say of theirs, too."""
    for case in part.cases:
        a, b, (c,) = case.operands
        numbers = [table(name).meaning(x)[2] for name, codes in ((first, a), (second, b)) for x in codes]
        if None in numbers or c & 0x7F800000 == 0x7F800000:
            assert case.exact in ("nan", "inf", "-inf")
            continue
        k = len(a)
        total = sum((x * y for x, y in zip(numbers[:k], numbers[k:])), matrix_units.real(c, "f32"))  # type: ignore[operator]
        assert value_of(case.exact) == total, case
        yield case, Fraction(total)


@pytest.mark.parametrize("pair", [("e4m3fn", "e4m3fn"), ("e4m3fn", "e5m2"), ("e5m2", "e4m3fn"), ("e5m2", "e5m2")])
def test_exact_dot_products(pair: tuple[str, str]) -> None:
    name = pair[0] if pair[0] == pair[1] else "_".join(pair)
    parts = list(read_jsonl(ROOT / "dot" / f"{name}_exact.jsonl.gz"))
    assert [len(part.cases[0].operands[0]) for part in parts] == [2, 4, 16, 32]
    for part in parts:
        checked = 0
        for case, total in sums(part, *pair):
            if total and abs(total) < Fraction(2) ** 127:
                assert case.result[0] == matrix_units.to_nearest(total, "f32"), case
                checked += 1
        assert checked > 60
