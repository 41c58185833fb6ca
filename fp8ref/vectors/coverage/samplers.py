"""Candidates: seeded random cases of the kinds that bins ask for, a batch at a time, without end.

The same operation, seed and number of a batch give the same cases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import INTEGERS, UNITS, Operation
from ...cases.products.cases import codes_of, probes, random_cases, special_cases
from ...cases.products.questions import addend_type, blocks, is_product, length, scale_type
from ...cases.scaling.questions import is_scale
from ...cases.thresholds import thresholds
from ...cases.tuples import F64, SOLVE, mixed, random_tuples, solved
from ...fast.decode import decode_codes
from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.projection import get_projection
from ..section import Codes
from .block_points import block_batch
from .classes import random_of_classes

BATCH = 1 << 14
DOT_BATCH = 1 << 10
Values = NDArray[np.float64]
Sampler = Callable[[Operation, int, np.random.Generator], list[Codes]]


def batch(op: Operation, seed: int, number: int) -> list[Codes]:
    """Operands of one batch of candidates."""
    rng = np.random.default_rng([seed, number, *op.id.split(";")[0].encode()])
    if is_product(op):
        return _dots(op, rng, number)
    if is_scale(op):
        return block_batch(op, rng)
    samplers = [_classes, _random, _marks, *([_scaled, _cancelling] if op.family in ("add", "sub", "fma") else [])]
    if len(op.operands) > 1:
        samplers += [_small, mixed, _ends] if op.operands[-1] not in INTEGERS else [_small]
    parts = [sampler(op, BATCH // len(samplers), rng) for sampler in samplers]
    order = rng.permutation(sum(len(part[0]) for part in parts))
    return [np.concatenate(columns)[order] for columns in zip(*parts)]


def _classes(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Every class of every operand."""
    return [random_of_classes(name, n, rng) for name in op.operands]


def _random(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    return list(random_tuples(op, n, rng))


@lru_cache(maxsize=16)
def _marks_of(type_: str) -> Values:
    """Magnitudes at which answers change, eighths of the last place among them."""
    f = get_format(type_)
    marks = thresholds(f)
    here = [float(f.magnitude(int(code))) for code in np.unique(np.linspace(0, f.max_code, 257).astype(int))]
    after = [float(f.magnitude(int(code) + 1)) for code in np.unique(np.linspace(0, f.max_code, 257).astype(int))]
    eighths = [x + (y - x) * part / 8 for x, y in zip(here, after) for part in (1, 3, 5, 7)]
    found = np.concatenate([marks, eighths])
    return np.unique(found[np.isfinite(found)])


def _marks(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """The last operand solved so that the exact result falls on or beside a mark of the result."""
    source = op.operands[0]
    target = op.result if op.result not in (*INTEGERS, *UNITS) else source
    marks = _marks_of(target) if target not in INTEGERS else np.ldexp(1.0, np.arange(0, 63))
    if source not in INTEGERS:
        return list(solved(op, n, rng, marks))
    info = np.iinfo(f"{source[0]}{int(source[1:]) // 8}")
    some = np.rint(rng.choice(marks[(marks >= 1) & (marks < float(info.max))], n)).astype(np.int64)
    some = (some + rng.integers(-2, 3, n)) * rng.choice(np.array([1, -1] if info.min < 0 else [1]), n)
    return [np.clip(some, max(info.min, -(1 << 63)), min(info.max, (1 << 63) - 1)).astype(info.dtype)]


@lru_cache(maxsize=16)
def _end_marks(type_: str) -> Values:
    """Eighths of an ulp about the smallest magnitude, the smallest normal and the largest value."""
    f = get_format(type_)
    about = [0, 1, 2, (1 << f.t) - 1, 1 << f.t, f.max_code, f.max_code + 1]
    found = [f.magnitude(c) + (f.magnitude(c + 1) - f.magnitude(c)) * i / 8 for c in about for i in range(8)]
    return np.array([float(v) for v in found if 0 < v < 2**1023])


def _ends(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """A first operand of few significant bits, the last one solved for the ends of the result's range, exactly."""
    if op.result in (*INTEGERS, *UNITS):
        return _classes(op, n, rng)
    marks = _end_marks(op.result)
    found = solved(op, n, rng, marks)
    f = get_format(op.operands[0])
    bits = 2.0 * rng.integers(0, 32, n) + 1
    exponent = rng.integers(f.emin, f.emax + 1, n) - np.frexp(bits)[1] + 1
    first = codes_of(np.ldexp(np.where(rng.random(n) < 0.3, 1.0, bits), exponent) * rng.choice([-1.0, 1.0], n), f)
    with np.errstate(all="ignore"):
        operands = [first, *found[1:]]
        solve = SOLVE.get(op.family)
        if solve is None or op.operands[0] in INTEGERS:
            return list(found)
        target = rng.choice(marks, n) * rng.choice([-1.0, 1.0], n)
        values = [decode_codes(x, get_format(t), F64).view(np.float64) for x, t in zip(operands, op.operands)]
        return _last(op, operands, solve(target, *values[:-1]))


def _values(op: Operation, operands: list[Codes]) -> tuple[Values, NDArray[np.int64]]:
    """The value that the last operand is added to, in float64, and its exponent."""
    values = [decode_codes(x, get_format(t), F64).view(np.float64) for x, t in zip(operands, op.operands)]
    with np.errstate(all="ignore"):
        value = values[0] * values[1] if op.family == "fma" else values[0]
        finite = np.isfinite(value) & (value != 0)
        return np.where(finite, value, 1.0), np.where(finite, np.frexp(value)[1] - 1, 0).astype(np.int64)


def _last(op: Operation, operands: list[Codes], wanted: Values) -> list[Codes]:
    """The operands with the last one replaced by the code nearest to what is wanted."""
    f = get_format(op.operands[-1])
    bits = np.ascontiguousarray(wanted, np.float64).view(np.uint64)
    return [*operands[:-1], convert_codes(bits, F64, f, get_projection(f, "rne", "sat"), False)[0]]


def _scaled(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """The last operand at every distance from the other, or from the product."""
    operands = _random(op, n, rng)
    _, e = _values(op, operands)
    p = op.result_format.p
    reach = rng.integers(-2 * p - 6, 2 * p + 7, n)
    significand = 1 + rng.integers(0, 1 << 24, n) / (1 << 24) * rng.integers(0, 2, n)
    wanted = np.ldexp(significand, np.clip(e + reach, -1000, 1000)) * rng.choice([-1.0, 1.0], n)
    return _last(op, operands, wanted)


def _cancelling(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """The last operand takes away the other, or the product, but for its last bits."""
    operands = _random(op, n, rng)
    value, _ = _values(op, operands)
    depth = rng.integers(1, 2 * op.result_format.p + 4, n)
    left = np.where(rng.random(n) < 0.2, 0.0, np.ldexp(rng.choice([-1.0, 1.0], n), -depth))
    return _last(op, operands, value * (1 + left) * (1.0 if op.family == "sub" else -1.0))


def _small(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """One operand subnormal with every number of leading zeros."""
    operands = _random(op, n, rng)
    which = rng.integers(0, len(operands), n)
    for i, name in enumerate(op.operands):
        if name in INTEGERS or not get_format(name).has_subnormals:
            continue
        f = get_format(name)
        bits = rng.integers(1, 1 << f.t, n) >> rng.integers(0, f.t, n)
        small = np.maximum(bits, 1) | rng.integers(0, 2, n) * f.sign_bit
        operands[i] = np.where(which == i, small, operands[i]).astype(operands[i].dtype)
    return operands


def _dots(op: Operation, rng: np.random.Generator, number: int) -> list[Codes]:
    """The kinds of the checker, the named probes first, and sums that grow as far as they can."""
    n = max(64, DOT_BATCH * 32 // max(length(op), 32))
    parts = [special_cases(op, n // 4, rng), random_cases(op, n // 2, rng)]
    parts += [probes(op)] if number == 0 else []
    columns = [list(part.operands) for part in parts] + [_extremes(op, n // 8, rng), _windows(op, n // 4, rng)]
    columns.append(_addends(op, n // 8, rng))
    columns = [_with_scales(op, column, rng) for column in columns]
    joined = [np.concatenate(column) for column in zip(*columns)]
    order = rng.permutation(len(joined[0])) if number else np.arange(len(joined[0]))
    return [column[order] for column in joined]


def _with_scales(op: Operation, columns: list[Codes], rng: np.random.Generator) -> list[Codes]:
    """The operands, with scales of every class in some cases and near 1 in the others."""
    name = scale_type(op)
    if name is None:
        return columns
    n, count, f = len(columns[0]), blocks(op), get_format(name)
    found = columns[:3]
    one = (f.bias << f.t) if f.bias < 1 << f.w else 1
    odd = rng.random((n, 1)) < 0.5
    for _ in "ab":
        near = np.clip(one + rng.integers(-6 << f.t, 7 << f.t, (n, count)), 1 if f.zero else 0, f.max_code)
        strange = random_of_classes(name, n * count, rng).reshape(n, count)
        strange = np.where(rng.random((n, 1)) < 0.4, strange[:, :1], strange)
        found.append(np.where(odd, strange, near).astype(strange.dtype))
    return found


def _extremes(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """All products the largest there are and of one sign; c zero, or anything."""
    found = random_cases(op, 2 * n, rng, ("one sign", "C"))
    a, b, c = (x[:n].copy() for x in found.operands[:3])
    for codes, name in ((a, op.operands[0]), (b, op.operands[1])):
        f = get_format(name)
        sign = rng.integers(0, 2, (n, 1)) * f.sign_bit
        equal = rng.random((n, 1)) < 0.5
        codes[:] = np.where(equal, f.max_code, rng.integers(1, f.max_code + 1, (n, 1))) | sign
    c[: n // 2] = 0
    return [a, b, c]


def _addends(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """c of every class, with zeros for products."""
    a, b = (x[:n] for x in random_cases(op, n, rng, ("normal",)).operands[:2])
    f = get_format(op.operands[1])
    b[:] = 0 if f.zero else 1
    if f.has_negative_zero:
        b[:] = rng.integers(0, 2, (n, 1)) * f.sign_bit
    return [a, b, random_of_classes(addend_type(op), n, rng)]


def _windows(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Up to four products, the later ones a chosen number of binades below the first; c at a chosen distance, too."""
    k, (fa, fb) = length(op), map(get_format, op.operands)
    a, b = np.zeros((n, k)), np.zeros((n, k))
    rows = np.arange(n)
    tops = rng.integers(fa.emin, fa.emax + 1, n), rng.integers(fb.emin, fb.emax + 1, n)
    lows = fa.emin - fa.t, fb.emin - fb.t
    for i in range(min(4, k)):
        gap = rng.integers(0, 40, n) if i else np.zeros(n, np.int64)
        part = np.minimum(gap, tops[0] - lows[0])
        place = (rows + i * max(1, k // 4)) % k
        a[rows, place] = np.ldexp(rng.choice([-1.0, 1.0], n), tops[0] - part)
        b[rows, place] = np.ldexp(1.0, np.maximum(tops[1] - (gap - part), lows[1]))
    fc = get_format(addend_type(op))
    c = np.ldexp(1 + rng.random(n), np.clip(sum(tops) + rng.integers(-40, 41, n), fc.emin - fc.t, fc.emax))
    c *= rng.choice([-1.0, 0.0, 1.0], n)
    cancels = rng.random(n) < 0.3
    c = np.where(cancels, -a[rows, rows % k] * b[rows, rows % k], c)
    return [codes_of(a, fa), codes_of(b, fb), codes_of(c, fc)]
