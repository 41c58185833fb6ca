"""Exhaustive claims: what is provable, that a wrong answer refutes, that a certificate can be repeated and not bent."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.transport import Session
from fp8ref.check.proof import cases as reference_cases
from fp8ref.check.proof.proof import Claim, NotProvable, Shard, prove, prove_shard, reference_of
from fp8ref.cli.prove import prove_
from fp8ref.engines import open_engine

DECODE = "decode/e5m2/f32"


def claim(text: str, impl: str = "") -> Claim:
    return Claim(Operation.parse(text), impl)


def proved(what: Claim, chosen: list[tuple[int, int]], jobs: int = 1) -> list[Shard]:
    identity = Session(what.impl).hello.identity if what.impl else {}
    engine = open_engine("processes", jobs)
    try:
        asked = [(what, first, count) for first, count in chosen]
        return sorted((shard for _, shard in prove(asked, identity, engine)), key=lambda shard: shard.first)
    finally:
        engine.close()


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(prove_, list(arguments))
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("convert/f64/e4m3fn/rne.sat", "at most 32 bits"),
        ("convert/f32/e4m3fn/*", "rounding.overflow"),
        ("convert/f32/e4m3fn/rne.sat;flags=1", "single values"),
        ("fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat", "at most 16 bits"),
        ("dot/e4m3fn.e4m3fn/f32/exact", "provable are"),
    ],
)
def test_what_cannot_be_proved(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        claim(text)


def test_an_unprovable_claim_is_a_usage_error() -> None:
    assert issubclass(NotProvable, ValueError)
    code, said = run("convert/f64/e4m3fn/rne.sat")
    assert code == 4
    assert "at most 32 bits" in said


@pytest.mark.parametrize("overflow", ["sat", "nonsat"])
def test_the_runs_are_the_nearest_values(overflow: str) -> None:
    """Held against Fractions: the value of e4m3fn nearest to a float32, the even code of two."""
    rng = np.random.default_rng(0)
    reference = reference_of(claim(f"convert/f32/e4m3fn/rne.{overflow}"))
    normal = (((1 + Fraction(i % 8, 8)) * Fraction(2) ** (i // 8 - 7)) for i in range(8, 127))
    values = [*(Fraction(i, 512) for i in range(8)), *normal]
    for code in rng.integers(0x3A000000, 0x44000000, 300).tolist():  # 2^-11 to 512
        x = Fraction(float(np.uint32(code).view(np.float32)))
        if x > 464:
            want = 126 if overflow == "sat" else 127
        else:
            want = min(range(127), key=lambda i: (abs(values[i] - x), i % 2))
        assert int(reference(code, 1)[0]) == want


def test_a_shard_is_the_same_in_any_process() -> None:
    what = claim("convert/f32/e5m2/rtz.nonsat")
    chosen = [(first, 1 << 16) for first in (0, 0x3F800000, 0x477F0000, 0x7F7F8000, 0x7F800000, 0xC7000000)]
    alone, together = (proved(what, chosen, jobs) for jobs in (1, 2))
    assert alone == together
    assert not any(shard.wrong for shard in alone)


@pytest.mark.parametrize(
    "text", ["nextafter/f32.f32/f32", "copysign/f32.f32/f32", "lt/f32.f32/bool", "un/f32.f32/bool"]
)
def test_the_reference_of_single_cases_is_numpys(text: str) -> None:
    rng = np.random.default_rng(5)
    edges = np.array([0, 1, 0x7F800000, 0x7F7FFFFF, 0x7FC00000, 0x3F800000], np.uint32)
    codes = np.concatenate(
        [rng.integers(0, 1 << 32, (300, 2), np.uint32), rng.choice([*edges, *edges + 2**31], (100, 2))]
    )
    a, b = codes.astype(np.uint32).view(np.float32).T
    op = Operation.parse(text)
    numpys: dict[str, Any] = {"nextafter": np.nextafter, "copysign": np.copysign, "lt": np.less}
    with np.errstate(invalid="ignore"):
        want = np.isnan(a) | np.isnan(b) if op.family == "un" else numpys[op.family](a, b)
    got = np.array([reference_cases.answer(op, (int(x), int(y))) for x, y in codes])
    if want.dtype == bool:
        assert got.tolist() == want.astype(int).tolist()
    else:
        number = ~np.isnan(want)
        assert number.sum() > 300
        assert got[number].tolist() == want[number].view(np.uint32).tolist()


UNARY = ["isnan/e4m3fn/bool", "classify/e5m2/class", "neg/e4m3fn/e4m3fn", "nextup/e5m2/e5m2", "abs/mxint8/mxint8"]
BINARY = ["eq/e2m1fn.e2m1fn/bool", "totalorder/e3m2fn.e3m2fn/bool", "nextafter/e2m1fn.e2m1fn/e2m1fn"]


@pytest.mark.parametrize("text", [*UNARY, *BINARY])
def test_comparisons_and_predicates_are_proved_and_refuted(text: str) -> None:
    what = claim(text)
    assert [s.wrong for s in proved(what, what.shards)] == [0]
    found = prove_shard(what, 0, what.inputs, lambda operands: expect(what.op, operands).codes ^ 1)
    assert found.wrong > 0.9 * what.inputs  # all but NaN for NaN


def test_a_planted_fault_refutes() -> None:
    (shard,) = proved(claim("convert/f32/e4m3fn/rne.sat", "mini:truncates"), [(0x3F8F0000, 1 << 12)])
    assert shard.wrong > 0
    assert shard.counterexample is not None
    (code,), got, want = shard.counterexample
    x = float(np.uint32(code).view(np.float32))
    assert (got, want) == (0x38, 0x39)
    assert 1.0625 < x < 1.125  # nearer to 1.125, cut to 1


@pytest.mark.parametrize(
    ("text", "impl", "first", "right"),
    [
        ("decode/e4m3fn/f32", "mini:decodes-nan-as-zero", "first 7F", "7FC00000"),
        pytest.param("convert/f16/e4m3fn/rne.sat", "ml_dtypes", "first", "7E", marks=pytest.mark.full),
    ],
)
def test_a_refuted_claim_leaves_no_certificate(text: str, impl: str, first: str, right: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    code, said = run(text, "--impl", impl, "-o", str(file), "--jobs", "1")
    assert code == 1
    assert first in said
    assert f"the reference says {right}" in said
    assert not file.exists()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("proof") / "decode.json"
    assert run(DECODE, "-o", str(file), "--jobs", "1")[0] == 0
    return file.read_text()


def test_a_certificate_is_repeated(certificate: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(certificate)
    code, said = run("--verify", str(file), "--sample", "1%")
    assert code == 0
    assert f"1 of 1 shards of {DECODE} repeated, 256 cases" in said
    code, said = run(DECODE, "-o", str(file))
    assert code == 4
    assert "--force" in said


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (lambda d: d["proofs"][0]["shards"][0].__setitem__(2, "0" * 64), 4, "root is"),
        (
            lambda d: (d["proofs"][0]["shards"][0].__setitem__(2, "0" * 64), d.update(schema="fp8ref/proof/2")),
            1,
            "not the certified one",
        ),
        (lambda d: d["proofs"][0]["shards"][0].__setitem__(2, "x"), 4, "is no SHA-256"),
        (lambda d: d["proofs"][0]["shards"].pop(), 4, "cover every input once"),
        (lambda d: d["proofs"][0]["shards"][0].__setitem__(1, 128), 4, "cover every input once"),
        (lambda d: d["proofs"][0].__setitem__("mismatches", 3), 4, "3 mismatches"),
        (lambda d: d["proofs"][0].__setitem__("claim", "convert/f64/e5m2/rne.sat"), 4, "at most 32 bits"),
        (lambda d: d.__setitem__("schema", "fp8ref/proof/9"), 4, "this version reads"),
        (lambda d: d.__setitem__("proofs", []), 4, "at least one"),
        (lambda d: d.pop("impl"), 4, "'impl' is missing"),
    ],
)
def test_a_bent_certificate(certificate: str, tmp_path: Path, change: object, code: int, reason: str) -> None:
    data = json.loads(certificate)
    change(data)  # type: ignore[operator]
    file = tmp_path / "c.json"
    file.write_text(json.dumps(data))
    found, said = run("--verify", str(file))
    assert (found, reason in said) == (code, True), said


@pytest.mark.parametrize("text", ["", "{", "[]", "\ud800"])
def test_what_is_no_certificate(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    code, said = run("--verify", str(file))
    assert code == 4
    assert "c.json" in said


@pytest.mark.parametrize("sample", ["0%", "101%", "1", "x%"])
def test_a_part_that_is_none(tmp_path: Path, sample: str) -> None:
    assert run("--verify", str(tmp_path), "--sample", sample)[0] == 4


def test_every_mode_of_a_pattern_stands_in_one_certificate(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    code, said = run("convert/e5m2/e4m3fn/rne.*", DECODE, "-o", str(file), "--jobs", "2")
    assert code == 0, said
    claims = [proof["claim"] for proof in json.loads(file.read_text())["proofs"]]
    assert {"convert/e5m2/e4m3fn/rne.sat", "convert/e5m2/e4m3fn/rne.nonsat", DECODE} < set(claims)
    assert len(claims) == len(set(claims))
    assert run("--verify", str(file), "--jobs", "1")[0] == 0
    assert run("convert/e5m2/e4m3fn/nonesuch.*")[0] == 4
