"""Cases of operations with several operands, and of arithmetic on wide ones.

A pair of at most 16 bits together is asked completely.  Otherwise: special values against special values; random codes;
and operands for which the last one is solved so that the exact result falls on, or next to, a value or midpoint of the
result format, near zero (cancellation), among the subnormals or at the overflow limit.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..fast.decode import decode_codes
from ..fast.encode import convert_codes
from ..spec.catalog import get_format
from ..spec.projection import get_projection
from .operation import INTEGERS, Operation, carrier_dtype

Codes = NDArray[np.generic]
Values = NDArray[np.float64]
F64 = get_format("f64")
EVERY = 16  # bits of operands together up to which every case is asked
COUNT = {1: 1 << 17, 2: 1 << 20, 3: 1 << 20}
SCALES = 600  # scaleb: beyond it every narrow format over- and underflows

# operands a, ..., and a target t of the exact result -> the last operand, in float64
SOLVE: dict[str, Callable[..., Values]] = {
    "add": lambda t, a: t - a,
    "sub": lambda t, a: a - t,
    "mul": lambda t, a: t / a,
    "div": lambda t, a: a / t,
    "rem": lambda t, a: (a - t) / 3,
    "fma": lambda t, a, b: t - a * b,
    "faa": lambda t, a, b: t - a - b,
    "sqrt": lambda t: t * t,
}


def width(type_name: str) -> int:
    """The bits of a code or integer of a type."""
    return int(type_name[1:]) if type_name in INTEGERS else get_format(type_name).k


def total_width(op: Operation) -> int:
    """The bits of all operands together."""
    return sum(map(width, op.operands))


def every(op: Operation, start: int = 0, stop: int | None = None) -> list[Codes]:
    """All cases in order, the last operand running fastest; or those from ``start`` up to ``stop``."""
    index = np.arange(start, 1 << total_width(op) if stop is None else stop, dtype=np.uint64)
    found: list[Codes] = []
    for name in reversed(op.operands):
        dtype = carrier_dtype(name)
        bits = np.uint64(width(name))
        codes = (index & np.uint64((1 << width(name)) - 1)).astype(f"u{dtype.itemsize}")
        found.append(codes.view(dtype))
        index = index >> bits
    return found[::-1]


def random_tuples(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Uniformly random codes of every operand."""
    found: list[Codes] = []
    for name in op.operands:
        dtype = carrier_dtype(name)
        if name in INTEGERS:
            limit = min(SCALES, int(np.iinfo(dtype).max))  # type: ignore[type-var]
            found.append(rng.integers(-limit if name[0] == "i" else 0, limit, n, dtype=dtype, endpoint=True))
        else:
            found.append(rng.integers(0, 1 << width(name), n, dtype=np.uint64).astype(dtype))
    return found


def sample(op: Operation, level: int, rng: np.random.Generator, marks: Values) -> list[Codes]:
    """The structured sample of an operation whose cases are too many; ``marks``: magnitudes of the result to aim at."""
    n = COUNT[level]
    kinds = [_specials(op), solved(op, n // 2, rng, marks), random_tuples(op, n // 4, rng)]
    if op.operands[-1] not in INTEGERS:
        kinds.append(mixed(op, n // 4, rng))
    joined = [np.concatenate(parts) for parts in zip(*kinds)]
    key = np.zeros(joined[0].size, np.uint64)
    for codes in joined:  # a hash is enough: a lost case is one of very many
        bits = codes.view(f"u{codes.dtype.itemsize}").astype(np.uint64)
        key = (key ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    _, first = np.unique(key, return_index=True)
    first.sort()
    return [codes[first] for codes in joined]


def special_codes(type_name: str) -> Codes:
    """Zeros, the extremes of subnormals and normals, 1, infinities, NaNs; of an integer type its ends and middle."""
    dtype = carrier_dtype(type_name)
    if type_name in INTEGERS:
        info = np.iinfo(dtype)  # type: ignore[type-var]
        near = [v for v in (-300, -17, -1, 0, 1, 17, 300) if info.min <= v <= info.max]
        return np.array([info.min, *near, info.max], dtype)
    f = get_format(type_name)
    if f.fixed_point or not f.zero:
        codes = {0, 1, f.max_code, f.max_code - 1, f.code_mask, f.sign_bit, 1 << max(f.t - 1, 0)}
        return np.array(sorted(codes), dtype)
    one = (f.bias << f.t) if 0 < f.bias < 1 << f.w else 1 << f.t
    first = 1 << f.t
    magnitudes = {0, 1, first - 1, first, first + 1, one, one + 1, f.max_code - 1, f.max_code, f.magnitude_mask}
    if f.infinities:
        magnitudes |= {f.infinity_code, f.infinity_code + 1, f.infinity_code | 1 << max(f.t - 1, 0)}
    found = {m & f.magnitude_mask for m in magnitudes}
    return np.array(sorted(found | {m | f.sign_bit for m in found}), dtype)


def _specials(op: Operation) -> list[Codes]:
    chosen = product(*(special_codes(name).tolist() for name in op.operands))
    return [np.array(column, carrier_dtype(name)) for column, name in zip(zip(*chosen), op.operands)]


def solved(op: Operation, n: int, rng: np.random.Generator, marks: Values) -> list[Codes]:
    """Random first operands, and the last one for which the exact result comes near a mark."""
    first = random_tuples(op, n, rng)
    last = op.operands[-1]
    if last in INTEGERS:
        return first
    some = np.concatenate([marks, np.zeros(max(1, marks.size // 8))])
    target = rng.choice(some, n) * rng.choice([-1.0, 1.0], n)
    values = [decode_codes(codes, get_format(name), F64).view(np.float64) for codes, name in zip(first, op.operands)]
    with np.errstate(all="ignore"):
        solve = SOLVE.get(op.family)
        if solve is not None:
            wanted = solve(target, *values[:-1])
        elif len(values) > 1:
            wanted = values[0]  # comparisons and the like: the same value and its neighbours
        else:
            wanted = target
    f = get_format(last)
    near = convert_codes(wanted.view(np.uint64), F64, f, get_projection(f, "rne", "sat"), False)[0].astype(np.int64)
    moved = np.where(near & f.magnitude_mask, near + rng.integers(-1, 2, n), near)  # a neighbour, but never over zero
    inside = (moved >= 0) & (moved <= f.code_mask)
    return [*first[:-1], np.where(inside, moved, near).astype(carrier_dtype(last))]


def mixed(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """One operand special, the others random."""
    found = random_tuples(op, n, rng)
    which = rng.integers(0, len(found), n)
    for i, name in enumerate(op.operands):
        found[i] = np.where(which == i, rng.choice(special_codes(name), n), found[i]).astype(carrier_dtype(name))
    return found
