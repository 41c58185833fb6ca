"""Scale propagation: arrays against integers written here, and the error bounds against exact real layers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fp8ref.systems import scale_propagation as system
from fp8ref.systems.scale_propagation import Scaled

Matrix = list[list[Fraction]]


def draw(seed: int, shape: tuple[int, int], scale: float = 1.0) -> Any:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def exact(x: Any) -> Matrix:
    return [[Fraction(float(v)) for v in row] for row in x]


def rows(t: Scaled) -> tuple[list[list[int]], Fraction]:
    return t.codes.tolist(), t.scale


def held(t: Scaled, real: Matrix) -> bool:
    """Is every element of a tensor within its bound?"""
    return all(
        abs(Fraction(q) / t.scale - v) <= t.error
        for codes, line in zip(t.codes.tolist(), real)
        for q, v in zip(codes, line)
    )


# -- the real operations, in Fractions ---------------------------------------------------------------------------------


def product(a: Matrix, b: Matrix) -> Matrix:
    return [[sum((x * y for x, y in zip(row, col)), Fraction(0)) for col in zip(*b)] for row in a]


def both(f: Callable[[Fraction, Fraction], Fraction], a: Matrix, b: Matrix) -> Matrix:
    return [[f(x, b[i % len(b)][j % len(b[0])]) for j, x in enumerate(row)] for i, row in enumerate(a)]


def positive(a: Matrix) -> Matrix:
    return [[max(x, Fraction(0)) for x in row] for row in a]


def norm(a: Matrix) -> Matrix:
    out = []
    for row in a:
        mean = sum(row) / len(row)
        size = sum(abs(x - mean) for x in row) / len(row)
        out.append([(x - mean) / size if size else Fraction(0) for x in row])
    return out


def averaged(w: Matrix, v: Matrix) -> Matrix:
    return [
        [sum((x * y for x, y in zip(row, col)), Fraction(0)) / sum(row) if any(row) else Fraction(0) for col in zip(*v)]
        for row in w
    ]


def attended(q: Matrix, k: Matrix, v: Matrix, c: Fraction, power: int) -> Matrix:
    scores = product(q, [list(col) for col in zip(*k)])
    return averaged([[max(s + c, Fraction(0)) ** power for s in row] for row in scores], v)


# -- codes by hand -----------------------------------------------------------------------------------------------------


def test_codes_and_scales_by_hand() -> None:
    a = system.quantise(np.array([[1.0, -0.5, 0.25]], np.float32))
    assert rows(a) == ([[127, -64, 32]], Fraction(127))  # 63.5 and 31.75: a tie to the even code, and up
    assert a.error == Fraction(1, 254)
    square = system.multiply(a, a)  # 16129, 4096, 1024 over 127
    assert rows(square) == ([[127, 32, 8]], Fraction(127))
    small = Scaled(np.array([[3, -1, 0]], np.int8), Fraction(10))
    # to the smaller scale, 10: 127 * 10 / 127 = 10, -64 * 10 / 127 = -5.04, 32 * 10 / 127 = 2.52
    assert rows(system.add(a, small)) == ([[13, -6, 3]], Fraction(10))
    assert rows(system.relu(small)) == ([[3, 0, 0]], Fraction(10))
    # mean 2/3; d = 7, -5, -2 over 3; mean deviation 14/9: 1.5, -1.0714, -0.4286 at 2**8, brought to 127
    assert rows(system.centre(small)) == ([[127, -91, -36]], Fraction(256 * 127, 384))
    weights = Scaled(np.array([[1, 2, 0], [0, 0, 0]], np.int8), Fraction(5))
    values = Scaled(np.array([[10, -3], [20, 1], [99, 99]], np.int8), Fraction(4))
    assert rows(system.average(weights, values)) == ([[17, 0], [0, 0]], Fraction(4))  # 50 / 3 and -1 / 3


def test_no_rescale_without_need() -> None:
    a = Scaled(np.array([[5, -7]], np.int8), Fraction(3))
    b = Scaled(np.array([[2], [1]], np.int8), Fraction(2))
    assert rows(system.matmul(a, b)) == ([[3]], Fraction(6))
    assert system.matmul(a, b).error == 0


def test_zeros_take_any_scale() -> None:
    zeros = system.quantise(np.zeros((1, 2), np.float32))
    assert zeros.scale == 1
    a = Scaled(np.array([[5, -7]], np.int8), Fraction(300))
    for total in (system.add(a, zeros), system.add(zeros, a)):
        assert rows(total) == rows(a)


# -- arrays against the definition ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_arrays_are_the_definition(seed: int) -> None:
    x, w, z = draw(seed, (7, 12)), draw(seed + 10, (12, 9), 0.3), draw(seed + 20, (7, 9), 5.0)
    x[2] = 0
    a, b, c = (system.quantise(m) for m in (x, w, z))
    for ours, real in ((a, x), (b, w), (c, z)):
        assert rows(ours) == system.quantise_exact(exact(real))
    ab = system.matmul(a, b)
    assert rows(ab) == system.matmul_exact(*rows(a), *rows(b))
    total = system.add(ab, c)
    assert rows(total) == system.add_exact(*rows(ab), *rows(c))
    assert rows(system.multiply(total, c)) == system.multiply_exact(*rows(total), *rows(c))
    assert rows(system.centre(total)) == system.centre_exact(total.codes.tolist())
    weights = system.relu(system.matmul(a, system.quantise(np.ascontiguousarray(x.T))))
    found = system.average(weights, total)
    assert found.codes.tolist() == system.average_exact(weights.codes.tolist(), total.codes.tolist())


def test_rescaling_is_exact_at_ties_and_large_codes() -> None:
    rng = np.random.default_rng(1)
    for largest in (128, 254, 127 * 4, 2**20 + 1, 2**31 - 1, 2**43 + 12345):
        ties = np.array([(2 * j + 1) * largest // 254 + d for j in range(-127, 127) for d in (-1, 0, 1)])
        q = np.concatenate([ties, rng.integers(-largest, largest, 500), [largest]])
        q = q[np.abs(q) <= largest].reshape(1, -1)
        assert rows(system.rescale(q, Fraction(3))) == system.rescale_exact(q.tolist(), Fraction(3))
    with pytest.raises(OverflowError, match="beyond 2"):
        system.rescale(np.array([[1 << 44]]), Fraction(1))


def test_an_int32_sum_is_checked() -> None:
    """127 * 127 * K stays below 2**31 up to K = 133144."""
    for k, fits in ((133144, True), (133145, False)):
        row = Scaled(np.full((1, k), 127, np.int8), Fraction(1))
        column = Scaled(np.full((k, 1), 127, np.int8), Fraction(1))
        if fits:
            assert system.matmul(row, column).codes.item() == 127
        else:
            with pytest.raises(OverflowError, match="outside"):
                system.matmul(row, column)


# -- the bounds -------------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, tuple[Callable[..., Scaled], Callable[..., Matrix]]] = {
    "add": (system.add, lambda a, b: both(lambda x, y: x + y, a, b)),
    "multiply": (system.multiply, lambda a, b: both(lambda x, y: x * y, a, b)),
    "matmul": (lambda a, b: system.matmul(a, turned(b)), lambda a, b: product(a, [list(c) for c in zip(*b)])),
    "relu": (lambda a, b: system.relu(a), lambda a, b: positive(a)),
    "centre": (lambda a, b: system.centre(a), lambda a, b: norm(a)),
    "average": (
        lambda a, b: system.average(system.relu(a), turned(b)),
        lambda a, b: averaged(positive(a), [list(c) for c in zip(*b)]),
    ),
}


def turned(t: Scaled) -> Scaled:
    return Scaled(np.ascontiguousarray(t.codes.T), t.scale, t.error)


@pytest.mark.parametrize("scale", [1.0, 0.01, 30.0])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_keeps_its_bound(name: str, scale: float) -> None:
    """On reals drawn anywhere within the operands' bounds, ends included, the exact result is within the result's."""
    ours, theirs = OPERATIONS[name]
    rng = np.random.default_rng(7)
    sharpest = Fraction(0)
    for turn in range(6):
        a, b = (system.quantise(draw(100 + 2 * turn + i, (4, 10), s)) for i, s in enumerate((1.0, scale)))
        if turn % 2:  # larger bounds than quantisation leaves
            a, b = (Scaled(t.codes, t.scale, 3 * t.error) for t in (a, b))
        real = []
        for t in (a, b):
            u = rng.choice([-1, 1], t.codes.shape) if turn < 4 else rng.integers(-8, 9, t.codes.shape) / 8
            shift = [[Fraction(float(v)) * t.error for v in line] for line in u]
            real.append([[Fraction(q) / t.scale + e for q, e in zip(*lines)] for lines in zip(t.codes.tolist(), shift)])
        found, want = ours(a, b), theirs(*real)
        assert held(found, want)
        worst = max(
            abs(Fraction(q) / found.scale - v) for line, r in zip(found.codes.tolist(), want) for q, v in zip(line, r)
        )
        sharpest = max(sharpest, worst / found.error)
    assert sharpest > Fraction(1, 50)  # a bound that is never near would prove little


def test_a_whole_layer_keeps_its_bound() -> None:
    """Attention and norm on float32 inputs, against the same in Fractions."""
    x, wq, wk, wv = draw(1, (4, 6)), draw(2, (6, 6), 0.4), draw(3, (6, 6), 0.4), draw(4, (6, 6), 0.4)
    gain, offset, c = draw(5, (1, 6)), draw(6, (1, 6)), np.full((1, 1), 6, np.float32)
    real = [exact(m) for m in (x, wq, wk, wv, gain, offset)]
    ours = [system.quantise(m) for m in (x, wq, wk, wv, gain, offset)]
    xs, q, k, v = ours[0], *(system.matmul(ours[0], w) for w in ours[1:4])
    heads = system.attention(q, k, v, system.quantise(c))
    want = attended(*(product(real[0], w) for w in real[1:4]), Fraction(6), 2)
    assert held(heads, want)
    assert heads.error < 2 * v.largest + 2 * v.error + 1
    middle = both(lambda a, b: a + b, real[0], want)
    out = system.l1_norm(system.add(xs, heads), ours[4], ours[5])
    assert held(out, both(lambda a, b: a + b, both(lambda a, b: a * b, norm(middle), real[4]), real[5]))


@pytest.mark.parametrize("power", [1, 2, 3])
def test_polynomial_attention(power: int) -> None:
    q, k, v = (system.quantise(draw(i, (5, 8))) for i in (11, 12, 13))
    found = system.attention(q, k, v, system.quantise(np.full((1, 1), 4, np.float32)), power)
    real = [[[Fraction(c) / t.scale for c in line] for line in t.codes.tolist()] for t in (q, k, v)]
    want = attended(*real, Fraction(4), power)
    worst = max(abs(a - float(b)) for line, r in zip(found.values, want) for a, b in zip(line, r))
    assert worst < 0.06 * power
    exactly = [Scaled(t.codes, t.scale) for t in (q, k, v)]
    assert held(system.attention(*exactly, Scaled(np.array([[4]], np.int8), Fraction(1)), power), want)


def test_the_stack_keeps_its_signal() -> None:
    levels = [r["dB"] for r in system.compare(layers=2, tokens=32, width=32)]
    assert min(levels) > 20
