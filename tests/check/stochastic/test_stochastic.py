"""Stochastic rounding: random bits that are handed over, and frequencies where they are hidden."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from check.test_field_cases import judged
from click.testing import CliRunner

from fp8ref import get_format
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.check.stochastic.frequencies import tail, turns
from fp8ref.check.verdict import Verdict
from fp8ref.cli.main import main

HANDED = "convert/e4m3fn.rbits6/e3m2fn/sr-a.sat"


def reversed_bits(op: Operation, x: Any, words: Any) -> Any:
    table = np.array([int(f"{i:06b}"[::-1], 2) for i in range(64)], np.uint8)
    return expect(op, [x, table[words]]).codes


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (lambda op, x, words: expect(op, [x, words]).codes, ""),
        (lambda op, x, words: expect(op, [x, np.zeros_like(words)]).codes, "bits-unused"),
        (reversed_bits, "bits-reversed"),
        (lambda op, x, words: expect(op, [x, words & np.uint8(0x38)]).codes, "bits-upper-half"),
        (lambda op, x, words: expect(Operation.parse("convert/e4m3fn/e3m2fn/rne.sat"), [x]).codes, "rounding-rne"),
    ],
)
def test_bits_that_are_handed_over(answer: Callable[..., Any], rule: str) -> None:
    report = judged(HANDED, answer)
    assert report.verdict is (Verdict.FAIL if rule else Verdict.PASS)
    names = [name for finding in report.findings for name in str(finding.diagnosis.rule).split("+")]
    assert (rule in names) == bool(rule)


def test_the_reference_is_the_exact_sum_of_fraction_and_bits() -> None:
    """Away from zero where the discarded fraction and R / 2^6 reach 1, in the subnormals too."""
    op = Operation.parse(HANDED)
    x, words = (codes[::3] for codes in cases(op, 1, 0))
    got = expect(op, [x, words]).codes
    magnitudes = [Fraction(m & 3 | (4 if m >> 2 else 0)) * Fraction(2) ** (max(m >> 2, 1) - 3 - 2) for m in range(32)]
    checked = 0
    for code, word, z in zip(x.tolist(), words.tolist(), got.tolist()):
        e, t = code >> 3 & 15, code & 7
        value = Fraction(t + (8 if e else 0)) * Fraction(2) ** (max(e, 1) - 7 - 3)
        if code & 0x7F == 0x7F or value >= magnitudes[-1]:
            continue
        below = max(m for m in range(32) if magnitudes[m] <= value)
        part = (value - magnitudes[below]) / (magnitudes[below + 1] - magnitudes[below])
        up = int(part * 64) + word >= 64
        assert z == (code >> 7 << 5 | below + up), (code, word)
        checked += 1
    assert checked > 3000


class Hidden:
    """A converter of binary16 to E4M3 that draws its own bits; ``fault`` changes its answers."""

    def __init__(self, fault: Callable[[Any, Any, Any], Any]) -> None:
        self.fault, self.rng = fault, np.random.default_rng(1)

    def __call__(self, op: Operation, x: Any) -> Any:
        words = self.rng.integers(0, 1 << 16, x.shape).astype(np.uint16)
        right = expect(Operation.parse("convert/f16.rbits16/e4m3fn/sr-ptx.sat"), [x, words]).codes
        down = expect(Operation.parse("convert/f16/e4m3fn/rtz.sat"), [x]).codes
        inexact = expect(Operation.parse("convert/f16/e4m3fn/rtz.sat;flags=1"), [x]).status
        assert inexact is not None
        up = np.where(inexact & 1 != 0, down + 1, down).astype(np.uint8)
        return self.fault(right, down, up).astype(np.uint8)


def half(right: Any, down: Any, up: Any) -> Any:
    return np.where(np.random.default_rng(right.size).random(right.shape) < 0.5, up, down)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (lambda right, down, up: right, ""),
        (lambda right, down, up: down, "never-up"),
        (lambda right, down, up: up, "always-up"),
        (half, "half-always"),
        (lambda right, down, up: np.where((right != down) & (right & 7 == 0), down & 0xF8, right), "carry-lost"),
        (lambda right, down, up: np.where(right == down, up, down), "bits-inverted"),
        (lambda right, down, up: np.where(right == 0x7F, 0xFF, right), ""),
        (lambda right, down, up: np.where(right == 0x7E, 0x7D, right), "certain-wrong"),
    ],
)
def test_bits_that_are_hidden(fault: Callable[..., Any], rule: str) -> None:
    report = judged("convert/f16/e4m3fn/sr-ptx.sat", Hidden(fault))
    assert report.verdict is (Verdict.FAIL if rule else Verdict.PASS), report
    assert [str(finding.diagnosis.rule) for finding in report.findings] == ([rule] if rule else [])
    assert "a confidence of 1 - 1e-06" in report.asked


def test_the_tail_is_that_of_the_binomial_distribution() -> None:
    from math import comb

    for hits, n, p in ((3, 20, 0.25), (11, 20, 0.25), (0, 5, 0.5)):
        side = range(hits + 1) if hits <= n * p else range(hits, n + 1)
        want = min(1.0, 2 * sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in side))
        assert tail(hits, n, p) == pytest.approx(want)


def test_values_lie_where_they_say() -> None:
    f, source = get_format("e4m3fn"), get_format("f16")
    for turn in turns(Operation.parse("convert/f16/e4m3fn/sr-ptx.sat")):
        here, there = f.magnitude(turn.down & 0x7F), f.magnitude(turn.up & 0x7F)
        assert source.magnitude(turn.code & 0x7FFF) == here + (there - here) * Fraction(turn.sixteenths, 16)


def test_vectors_have_the_bits_as_an_operand() -> None:
    runner = CliRunner()
    made = runner.invoke(main, ["vectors", "generate", HANDED, "--as", "testfloat", "-n", "300"])
    assert made.stdout.startswith("@ e4m3fn.rbits6_to_e3m2fn rm=SR-A ")
    refused = runner.invoke(main, ["vectors", "generate", "convert/f32/e5m2/sr-ptx.sat"])
    assert refused.exit_code == 4
    assert "convert/f32.rbits32/e5m2/sr-ptx.sat" in refused.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("convert/f32.rbits16/e5m2/rne.sat", "under a stochastic mode"),
        ("convert/rbits16.f32/e5m2/sr-ptx.sat", "takes 1 operand"),
        ("add/f32.rbits16/f32/sr-a.sat", "second operand of a conversion"),
        ("convert/f32.rbits8/e5m2/sr-hip.sat", "takes as many random bits"),
        ("convert/f32.rbits99/e5m2/sr-a.sat", "2 to 64"),
    ],
)
def test_what_cannot_be_asked(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Operation.parse(text)
