"""Questions that single faults of units and libraries call for: each planted fault answers something else there."""

from dataclasses import replace

import numpy as np
import pytest

from fp8ref.cases.answers import differs, expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, dot_cases
from fp8ref.cases.scaling.questions import values
from fp8ref.cases.selection import cases
from fp8ref.spec import get_format


def wrong(op: Operation, asked: Cases, of_unit: Cases) -> np.ndarray:
    """Where a unit that takes the cases for others answers otherwise."""
    return differs(op, expect(op, of_unit.operands).codes, expect(op, asked.operands).codes)


@pytest.mark.parametrize("lane", [0, 3, 7])
def test_a_unit_that_gates_zeros_loses_a_nan_in_any_single_lane(lane: int) -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/exact;k=8")
    asked = dot_cases(op, 1, 0)
    a, b = asked.a.copy(), asked.b.copy()
    a[(b[:, lane] & 0x7F) == 0, lane] = 0
    b[(a[:, lane] & 0x7F) == 0, lane] = 0
    assert wrong(op, asked, replace(asked, a=a, b=b)).any()


def test_a_unit_that_skips_the_scale_of_a_block_of_zeros() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/exact;k=64;scale=e8m0fnu;block=32")
    asked = dot_cases(op, 1, 0)
    sa, sb = (x.copy() for x in asked.scales[:2])
    for j in range(2):
        zeros = ((asked.a[:, 32 * j : 32 * j + 32] & 0x7F) == 0).all(axis=1)
        sa[zeros, j] = 127
    found = wrong(op, asked, replace(asked, scales=(sa, sb, *asked.scales[2:])))
    assert (found & (asked.scales[0] == get_format("e8m0fnu").nan_canonical).any(axis=1)).any()


def test_minus_infinity_stands_in_the_last_lane_too() -> None:
    asked = dot_cases(Operation.parse("dot/e5m2.e5m2/f32/exact;k=8"), 1, 0)
    assert ((asked.a[:, -1] == 0xFC) & (asked.a[:, :-1] != 0xFC).all(axis=1)).any()
    assert ((asked.b[:, -1] == 0xFC) & (asked.b[:, :-1] != 0xFC).all(axis=1)).any()


@pytest.mark.parametrize("claim", ["scale/f32/mxfp8_e4m3/floor", "scale/f32.f32/nvfp4/te"])
def test_blocks_of_one_sign_constant_blocks_and_one_hot_blocks(claim: str) -> None:
    op = Operation.parse(claim)
    x = values(op, cases(op, 1, 0))[0]
    finite = x[np.isfinite(x).all(axis=1) & (x != 0).any(axis=1)]
    constant = (finite == finite[:, :1]).all(axis=1)
    for rows in (
        constant & (finite[:, 0] > 0),
        constant & (finite[:, 0] < 0),
        (finite > 0).all(axis=1) & ~constant,
        (finite < 0).all(axis=1) & ~constant,
    ):
        assert rows.sum() >= 8
    hot = (finite != 0).sum(axis=1) == 1
    assert set(np.flatnonzero((finite[hot] != 0).any(axis=0))) == set(range(finite.shape[1]))
