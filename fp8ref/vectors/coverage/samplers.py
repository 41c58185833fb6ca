"""Candidates: seeded random cases of the kinds that bins ask for, a batch at a time, without end.

The same operation, seed and number of a batch give the same cases.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import INTEGERS, UNITS, Operation, carrier_dtype
from ...cases.products.cases import codes_of
from ...cases.products.questions import is_product
from ...cases.scaling.questions import is_scale
from ...cases.stochastic import with_words
from ...cases.tuples import F64, SOLVE, mixed, random_tuples, solved
from ...fast.decode import decode_codes
from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.projection import get_projection
from ..section import Codes
from .block_points import block_batch
from .classes import random_of_classes
from .dot_samplers import dot_batch
from .element_points import has_every_code, known_nearness
from .marks import end_marks, marks_of

BATCH = 1 << 14
Values = NDArray[np.float64]
Sampler = Callable[[Operation, int, np.random.Generator], list[Codes]]


def batch(op: Operation, seed: int, number: int) -> list[Codes]:
    """Operands of one batch of candidates."""
    rng = np.random.default_rng([seed, number, *op.id.split(";")[0].encode()])
    if is_product(op):
        return dot_batch(op, rng, number)
    if is_scale(op):
        return block_batch(op, rng)
    if op.random_width:
        value = Operation.convert(op.operands[0], op.result)
        return with_words(op, rng.permutation(batch(value, seed, number)[0])[: BATCH // 4], rng)
    more = [_nearest] if has_every_code(op) else []
    samplers = [
        *more,
        _classes,
        _random,
        _marks,
        *([_scaled, _cancelling] if op.family in ("add", "sub", "fma") else []),
    ]
    if len(op.operands) > 1:
        samplers += [_small, mixed, _ends] if op.operands[-1] not in INTEGERS else [_small]
    parts = [sampler(op, BATCH // len(samplers), rng) for sampler in samplers]
    order = rng.permutation(sum(len(part[0]) for part in parts))
    return [np.concatenate(columns)[order] for columns in zip(*parts)]


def _classes(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Every class of every operand."""
    return [random_of_classes(name, n, rng) for name in op.operands]


def _nearest(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Operands whose function comes near to a midpoint, each nearness as often as another."""
    near = known_nearness(op)
    codes = np.flatnonzero(near >= 0)
    if not codes.size:
        return _random(op, n, rng)
    weights = 1.0 / np.bincount(near[codes])[near[codes]]
    return [rng.choice(codes, n, p=weights / weights.sum()).astype(carrier_dtype(op.operands[0]))]


def _random(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    return list(random_tuples(op, n, rng))


def _marks(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """The last operand solved so that the exact result falls on or beside a mark of the result."""
    source = op.operands[0]
    target = op.result if op.result not in (*INTEGERS, *UNITS) else source
    marks = marks_of(target) if target not in INTEGERS else np.ldexp(1.0, np.arange(0, 63))
    if source not in INTEGERS:
        return list(solved(op, n, rng, marks))
    info = np.iinfo(f"{source[0]}{int(source[1:]) // 8}")
    some = np.rint(rng.choice(marks[(marks >= 1) & (marks < float(info.max))], n)).astype(np.int64)
    some = (some + rng.integers(-2, 3, n)) * rng.choice(np.array([1, -1] if info.min < 0 else [1]), n)
    return [np.clip(some, max(info.min, -(1 << 63)), min(info.max, (1 << 63) - 1)).astype(info.dtype)]


def _ends(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """A first operand of few significant bits, the last one solved for the ends of the result's range, exactly."""
    if op.result in (*INTEGERS, *UNITS):
        return _classes(op, n, rng)
    marks = end_marks(op.result)
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
