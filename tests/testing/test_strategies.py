"""Strategies: what they reach, and what Hypothesis shrinks to."""

from bisect import bisect
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from math import floor, log2
from random import Random
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from short import some

from fp8ref import strategies as s

# What Hypothesis draws from a seed changes with its version and with the modules that are loaded, so that one run may
# miss what nearly all reach: several are looked at together.
QUICK = settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
SEEDS = range(7)


def least(strategy: SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    """What most searches shrink to: the first that two of them do, else the most frequent.

    That a strategy can shrink so far is ours, and compared exactly; how often Hypothesis does is its own affair.
    """
    votes = Counter[str]()
    found: dict[str, Any] = {}
    for i in SEEDS:
        x = find(strategy, lambda x: bool(condition(x)), settings=QUICK, random=Random(i))
        votes[repr(x)] += 1
        found[repr(x)] = x
        if votes[repr(x)] == 2:
            break
    return found[votes.most_common(1)[0][0]]


def drawn(strategy: SearchStrategy[Any], n: int) -> list[Any]:
    """What four property tests of n examples would be handed."""
    found = []
    for i in SEEDS[:4]:

        @seed(i)
        @settings(QUICK, max_examples=n, phases=[Phase.generate])
        @given(strategy)
        def keep(x: Any) -> None:
            found.append(x)

        keep()
    return found


# E4M3 by OCP OFP8 1.0 table 1: 1.0 is 38, 1.125 is 39, 2 is 40, 448 is 7E, NaN 7F and FF
@pytest.mark.parametrize(
    ("strategy", "condition", "wanted"),
    [
        (s.codes("e4m3fn"), lambda c: True, 0x00),
        (s.codes("e4m3fn"), lambda c: c & 0x7F, 0x38),
        (s.codes("e4m3fn"), lambda c: c & 7 and c & 0x78, 0x39),  # two significand bits
        (s.codes("e4m3fn"), lambda c: c > 0x80, 0xB8),
        (s.codes("e4m3fn"), lambda c: c & 0x7F == 0x7F, 0x7F),
        (s.finite("e5m2"), lambda c: c & 0x7F >= 0x78, 0x78),
        (s.specials("e5m2"), lambda c: c & 0x7F, 0x7C),
        (s.finite("f32"), lambda c: c & 0x7FFFFF, 0x3FC00000),
        (s.codes("i8"), lambda v: v, 1),
        (s.random_bits(8), lambda b: b, 1),
    ],
)
def test_what_is_found_shrinks_to_few_bits(strategy: Any, condition: Any, wanted: int) -> None:
    assert least(strategy, condition) == wanted


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="Y from 0 to 10"):
        s.codes("e4m33")


def test_finite_and_special_codes_are_distinguished() -> None:
    infinite_or_nan = lambda c: c & 0x7C == 0x7C  # noqa: E731 - E5M2
    for strategy, condition in (
        (s.finite("e5m2"), infinite_or_nan),
        (s.finite("f32"), lambda c: c >> 23 & 0xFF == 0xFF),
        (s.specials("e5m2"), lambda c: not infinite_or_nan(c) and c & 0x7F),
    ):
        with pytest.raises(Exception, match="No examples"):
            least(strategy, condition)


def test_datums_are_exact() -> None:
    assert least(s.datums("e4m3fn"), lambda d: d.is_finite and d.magnitude > 400).value == Fraction(416)
    assert least(s.datums("e4m3fn"), lambda d: d.is_nan).is_nan


@pytest.mark.parametrize("layout", ["plain", "offset", "strided", "reversed"])
def test_a_layout_keeps_the_elements(layout: str) -> None:
    for shape in ((0,), (5,), (3, 4), ()):
        x = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape) if shape else np.zeros((1,), np.uint16)
        assert s.laid_out(x, layout).tolist() == x.tolist()


def test_what_is_no_case_is_refused() -> None:
    for width in (0, 65):
        with pytest.raises(ValueError, match="1 to 64"):
            s.random_bits(width)
    with pytest.raises(ValueError, match="not diagonal"):
        s.arrays(s.codes("e4m3fn"), "e4m3fn", layouts=("diagonal",))
    with pytest.raises(ValueError, match="see dot_operands"):
        s.operands("dot/e4m3fn.e4m3fn/f32/exact;k=8")
    for operation in ("scale/f32/mxfp4/floor", "dot/e4m3fn.e4m3fn/f32/blackwell.mxf8f6f4;k=32;scale=e8m0fnu"):
        with pytest.raises(ValueError, match="is no dot product of a, b and c alone"):
            s.dot_operands(operation)
    with pytest.raises(ValueError, match="scales no blocks"):
        s.scaled_blocks("add/e4m3fn.e4m3fn/e4m3fn/rne.sat")


# -- what they reach --------------------------------------------------------------------------------------------------
# The magnitudes of E4M3 by OCP OFP8 1.0: n 2**-9, then (8 + t) 2**(e - 10); one binade beyond its end too
E4M3 = [Fraction(n, 512) for n in range(8)] + [
    Fraction(8 + t) * Fraction(2) ** (e - 10) for e in range(1, 17) for t in range(8)
]
BEYOND = [448 * 2**j for j in range(1, 6)] + [
    Fraction(1, 512) * part for part in (Fraction(1, 1 << 20), Fraction(1, 8), Fraction(3, 8))
]
MARKS = sorted([a + (b - a) * Fraction(i, 4) for a, b in pairwise(E4M3) for i in range(4)] + BEYOND)


@pytest.mark.parametrize(
    ("source", "dtype"),
    some(
        [("f32", np.float32), ("f16", np.float16), ("bf16", ml_dtypes.bfloat16)],
        [("f32", np.float32), ("bf16", ml_dtypes.bfloat16)],
    ),
)
def test_thresholds_lie_on_a_mark_or_one_ulp_beside(source: str, dtype: Any) -> None:
    """The marks: values of E4M3, midpoints and quarter points between them; all of it in rationals."""
    info = ml_dtypes.finfo(dtype)
    holder = {2: np.uint16, 4: np.uint32}[np.dtype(dtype).itemsize]
    sides = Counter()
    for code in drawn(s.near_thresholds("e4m3fn", source=source), 100):
        x = Fraction(float(np.array(code, holder).view(dtype)))
        e = max(floor(log2(abs(x))), info.minexp) if x else info.minexp
        at = bisect(MARKS, abs(x))
        mark = min(MARKS[max(at - 1, 0) : at + 1], key=lambda m: abs(m - abs(x)))
        assert abs(abs(x) - mark) <= Fraction(2) ** (e - info.nmant), float(x)
        sides[(abs(x) > mark) - (abs(x) < mark)] += 1
        sides["negative"] += code >> (8 * np.dtype(dtype).itemsize - 1)
    assert min(sides[side] for side in (-1, 0, 1, "negative")) >= 10


def test_thresholds_shrink_to_the_simplest() -> None:
    """1.0625 is a tie above 1, 1.03125 a quarter point.  Beyond 448 lie 456, the tie 464, and 480."""
    value = lambda c: float(np.uint32(c).view(np.float32))  # noqa: E731
    near = s.near_thresholds("e4m3fn")
    assert value(least(near, lambda c: 1.01 < abs(value(c)) < 2)) in (1.0625, 1.03125)
    assert value(least(near, lambda c: 449 < abs(value(c)) < 512)) in (456, 464, 480, 496)
    limits = {value(c) for c in drawn(near, 250)}
    assert {464 * s for s in (1, -1)} & limits
    assert {float(np.nextafter(np.float32(464), np.float32(to))) * s for to in (0, 999) for s in (1, -1)} & limits
    beyond = least(s.near_thresholds("e4m3fn", source="i16"), lambda n: n > 256)  # quarter points are 8 apart here
    assert beyond % 8 in (0, 1, 7)


def test_arrays_reach_lengths_and_layouts() -> None:
    found = drawn(s.arrays(s.codes("e4m3fn"), "e4m3fn"), 130)
    rows = {x.size for x in found if x.ndim == 1}
    assert {0, 1} <= rows
    for n in (8, 16, 32, 64):
        assert rows & {n - 1, n, n + 1}, "around a vector"
    assert len(rows) >= 12
    steps = Counter(x.strides[-1] for x in found if x.size > 1 and x.shape[-1] > 1)
    assert set(steps) == {1, 2, -1}
    assert min(steps.values()) >= 15
    assert any(x.ctypes.data % 8 for x in found), "not aligned"
    assert sum(x.ndim == 2 for x in found) >= 20
    assert {x.dtype for x in found} == {np.dtype(np.uint8)}


def test_arrays_shrink_to_the_guilty_element() -> None:
    found = least(s.arrays(s.codes("e5m2"), "e5m2"), lambda x: (x & 0x7F > 0x3C).any())
    assert (found.tolist(), found.strides) == ([0x40], (1,))
    wide = least(s.arrays(s.codes("e5m2"), "e5m2", shapes=st.just((2, 3)), layouts=("strided",)), lambda x: True)
    assert (wide.shape, wide.strides) == ((2, 3), (6, 2))


def test_operands_pair_up() -> None:
    add = s.operands("add/e4m3fn.e5m2/e4m3fn/rne.sat")
    assert least(add, lambda c: c[0] & 0x7F and c[1] & 0x7F) == (0x38, 0x3C)
    (code,) = least(s.operands("convert/f32/e4m3fn/rne.sat"), lambda c: c[0] & 0xFFFFF == 0x80000)
    assert code >> 31 == 0
    assert all(-128 <= n <= 127 for (n,) in drawn(s.operands("convert/i8/e5m2/rne.sat"), 60))


def test_random_bits_come_to_their_ends() -> None:
    for width in (1, 64):
        found = drawn(s.random_bits(width), 120)
        assert 0 <= min(found) <= max(found) < 1 << width
        assert {0, (1 << width) - 1, 1 << (width - 1)} <= set(found)


@pytest.mark.parametrize("k", some([1, 8, 16], [8]))
def test_dot_operands_cancel(k: int) -> None:
    """In a good share of rows the sum is far smaller than its largest term, by values of E4M3 written above."""
    signed = [*E4M3[:127], None, *(-x for x in E4M3[:127]), None]
    cancelled = with_c = finite = 0
    for a, b, c in drawn(s.dot_operands(f"dot/e4m3fn.e4m3fn/f32/exact;k={k}"), 100):
        assert (a.shape, b.shape, c.shape) == ((1, k), (1, k), (1,))
        assert (a.dtype, b.dtype, c.dtype) == (np.uint8, np.uint8, np.uint32)
        x, y, z = [signed[i] for i in a[0]], [signed[i] for i in b[0]], float(c.view(np.float32)[0])
        if None in x or None in y or not np.isfinite(z):
            continue
        terms = [p * q for p, q in zip(x, y)] + [Fraction(z)]
        finite += 1
        few = abs(sum(terms)) * 8 <= max(map(abs, terms)) > 0
        cancelled += few
        with_c += few and z != 0
    assert finite >= 66
    assert cancelled >= (14 if k == 1 else 26)
    assert with_c >= 7


@pytest.mark.full  # that operands shrink at all: the two tests above
def test_dot_operands_shrink_to_few_products() -> None:
    a, b, c = least(s.dot_operands("dot/e4m3fn.e4m3fn/f32/exact;k=3"), lambda row: (row[0] & 0x7F).any())
    assert np.count_nonzero(a & 0x7F) <= 2
    assert not c.any()
    assert not (b & 0x7F).any()


def test_blocks_lie_where_the_scale_changes() -> None:
    """By OCP MX the scale floor(log2 amax) - 8 of E4M3 changes at powers of two; without overflow at 448 times them."""
    trailing = []
    kinds = Counter()
    for (x,) in drawn(s.scaled_blocks("scale/f32/mxfp8_e4m3/floor"), 200):
        assert (x.shape, x.dtype) == ((1, 32), np.uint32)
        values = x.view(np.float32)
        amax = int((x & 0x7FFFFFFF).max())
        kinds.update(zero=not amax, nan=np.isnan(values).any(), infinite=np.isinf(values).any(),
                     subnormal=0 < amax < 0x00800000)  # fmt: skip
        if 0x00800000 <= amax < 0x7F800000:
            trailing.append(amax & 0x7FFFFF)
    beside = np.array(trailing)
    powers = np.minimum(beside, (1 << 23) - beside) <= 3
    tops = np.abs(beside - 0x600000) <= 3  # 1.75
    assert powers.sum() >= 20
    assert tops.sum() >= 5
    assert min(kinds.values()) >= 1, kinds


def test_blocks_of_a_tensor_bring_its_amax() -> None:
    for x, amax in drawn(s.scaled_blocks("scale/bf16.f32/nvfp4/te;k=5"), 50):
        assert (x.shape, x.dtype, amax.shape, amax.dtype) == ((1, 5), np.uint16, (1,), np.uint32)
