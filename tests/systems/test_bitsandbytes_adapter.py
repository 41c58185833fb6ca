"""bitsandbytes under the checker, and its quantisers' definition against the systems'."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.systems import adam8, llm_int8

INT8, TREE = "scale/f16/llm_int8/bitsandbytes;k=48", "scale/f32/tree8/bitsandbytes-cpu;k=64"


def test_the_answers_are_those_of_the_systems() -> None:
    """Rows of the definitions, of rationals: four bytes of the largest magnitude, then the codes."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((20, 48)) * 2.0 ** rng.integers(-9, 9, (20, 1))).astype(np.float16)
    x[3] = 0
    rows = expect(Operation.parse(INT8), [x.view(np.uint16)]).codes
    exact = [[Fraction(float(v)) for v in row] for row in x]
    codes, largest, _ = llm_int8.decompose_exact(exact, None, "bitsandbytes")
    assert rows[:, :4].copy().view(np.float32)[:, 0].tolist() == [float(c) for c in largest]
    assert rows[:, 4:].copy().view(np.int8).tolist() == codes

    y = (rng.standard_normal((20, 64)) * 10.0 ** rng.integers(-6, 2, (20, 64))).astype(np.float32)
    y[5] = 0
    rows = expect(Operation.parse(TREE), [y.view(np.uint32)]).codes
    codes, largest = adam8.quantise_exact([Fraction(float(v)) for v in y.ravel()], 64, rule="bitsandbytes-cpu")
    assert rows[:, :4].copy().view(np.float32)[:, 0].tolist() == [float(n) for n in largest]
    assert rows[:, 4:].ravel().tolist() == codes


@pytest.mark.parametrize("id", [INT8, TREE])
def test_bitsandbytes_conforms(id: str) -> None:
    """Every kind of case of level 1: subnormal and huge magnitudes, zeros, infinities and NaNs among them."""
    pytest.importorskip("bitsandbytes")
    from fp8ref.adapters.libraries.bitsandbytes import Bitsandbytes
    from fp8ref.cases.selection import cases

    op, adapter = Operation.parse(id), Bitsandbytes()
    operands = cases(op, 1, 0)
    got, want = adapter.run(op, *operands), expect(op, operands).codes
    np.testing.assert_array_equal(got[:, 4:], want[:, 4:])
    np.testing.assert_array_equal(*(rows[:, :4].copy().view(np.float32) for rows in (got, want)))  # a NaN is a NaN
    assert len(want) > 400
