"""Which cases an operation is asked at each level.

Level 1 (seconds): every case where the operands have at most 16 bits together.  Wider sources of conversions: every
threshold of the result format and its neighbours, the edges of the source, every class of NaN, and seeded random codes;
other operations: the sample of ``tuples.py``.  Level 2: many more random codes.  Level 3: every case of 32 bits
together, the deepest affordable sample of wider ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..fast.decode import decode_codes
from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from ..spec.formats import Format
from .functions.rows import rows
from .operation import INTEGERS, Operation, carrier_dtype
from .scaling.cases import scale_cases
from .scaling.questions import is_scale
from .stochastic import with_words
from .thresholds import nearby, thresholds
from .tuples import EVERY, every, random_tuples, sample, total_width

BLOCK = 1 << 20  # cases in one call of a sweep
RANDOM = {1: 1 << 14, 2: 1 << 20, 3: 1 << 24}
SWEEP_64 = 1 << 26  # random 64-bit codes at level 3
F64 = get_format("f64")

Codes = NDArray[np.generic]


@exact_floats
def cases(op: Operation, level: int, seed: int) -> list[Codes]:
    """The distinct cases that are asked first, in an order that depends on the seed alone.

    ``level`` 1 to 3.  Returns one array for each operand, one-dimensional, all of one length, each of its operand's
    carrier dtype; for scales of blocks of the operands' shapes.
    """
    if is_scale(op):
        return scale_cases(op, level, seed)
    if op.asked.kind == "constant":
        return [np.zeros(1, carrier_dtype(op.operands[0]))]
    if total_width(op) <= EVERY and op.operands[0] not in INTEGERS:
        return every(op)
    rng = np.random.default_rng([seed, *op.id.split(";")[0].encode()])
    source = op.operands[0]
    dtype = carrier_dtype(source)
    if not op.asked.arity:
        return rows(op, level, rng)
    if op.asked.kind not in ("convert", "decode"):
        marks = thresholds(op.result_format) if op.asked.kind == "arithmetic" else thresholds(get_format(source))
        return sample(op, level, rng, marks)
    if source in INTEGERS:
        found = _integers(dtype, op.result_format, RANDOM[min(level, 2)], rng)
    else:
        f = get_format(source)
        found = np.concatenate([_chosen(f, op.result_format, rng), _random(f, op.result_format, level, rng)])
    _, first = np.unique(found, return_index=True)
    found = found[np.sort(first)]
    return with_words(op, found, rng) if op.random_width else [found]


def sweep_blocks(op: Operation, level: int, seed: int, first: int, count: int) -> Iterator[list[Codes]]:
    """Blocks of further cases at level 3, from a place on: every case of up to 32 bits together, in order; random
    ones beyond.

    ``first``, ``count``: numbers of blocks of ``BLOCK`` cases, of which there are as many as :func:`sweep_size` says.
    """
    size = sweep_size(op, level)
    for number in range(first, first + count):
        start = number * BLOCK
        if total_width(op) <= 32:
            yield every(op, start, min(start + BLOCK, size))
            continue
        rng = np.random.default_rng([seed, 3, number])
        if len(op.operands) == 1:
            dtype = carrier_dtype(op.operands[0])
            yield [rng.integers(0, 1 << 64, BLOCK, dtype=np.uint64).view(dtype)]
        else:
            yield random_tuples(op, BLOCK, rng)


def sweep_size(op: Operation, level: int) -> int:
    """How many cases :func:`sweep_blocks` will give."""
    bits = total_width(op)
    if level < 3 or bits <= EVERY or not op.asked.arity or op.asked.kind in ("scale", "constant"):
        return 0
    return 1 << bits if bits <= 32 else SWEEP_64


def _chosen(source: Format, result: Format, rng: np.random.Generator) -> Codes:
    marks = thresholds(result)
    if source is F64 or source == F64:
        deep = np.concatenate([marks * (1 + s * 2.0**-j) for s in (1, -1) for j in (24, 25, 30, 40)])
        marks = np.concatenate([marks, deep])
    powers = 2.0 ** np.arange(max(-1074, source.emin - source.t), min(1023, source.emax) + 1)
    magnitudes = np.concatenate([nearby(np.concatenate([marks, powers]), source), _edges(source)])
    signs = magnitudes.dtype.type(source.sign_bit)
    return np.concatenate([magnitudes, magnitudes | signs])


def _edges(source: Format) -> Codes:
    """Zero, the extreme subnormals and normals, infinity, and NaNs of every class: quiet and signalling, each payload
    bit alone, all ones."""
    infinity = source.infinity_code
    quiet = 1 << (source.t - 1)
    payloads = [1 << i for i in range(source.t)] + [quiet | 1 << i for i in range(source.t - 1)]
    payloads += [(1 << source.t) - 1, quiet - 1]
    first_normal = 1 << source.t
    codes = [0, 1, 2, 3, first_normal - 1, first_normal, source.max_code - 1, source.max_code, infinity]
    return np.array(codes + [infinity | p for p in payloads], carrier_dtype(source.name))


def _random(source: Format, result: Format, level: int, rng: np.random.Generator) -> Codes:
    """Uniformly random codes, and values whose exponent lies around the result's range."""
    n = RANDOM[min(level, 2)]
    uniform = rng.integers(0, 1 << source.k, n, dtype=np.uint64)
    low = result.quantum_exponent(result.emin) - 3
    exponent = rng.integers(low, result.emax + 3, n, dtype=np.int64)
    field = np.clip(exponent + source.bias, 0, (1 << source.w) - 2).astype(np.uint64)
    trailing = rng.integers(0, 1 << source.t, n, dtype=np.uint64)
    sign = rng.integers(0, 2, n, dtype=np.uint64) * np.uint64(source.sign_bit)
    return np.concatenate([uniform, sign | field << np.uint64(source.t) | trailing]).astype(carrier_dtype(source.name))


def _integers(dtype: np.dtype[np.generic], result: Format, n: int, rng: np.random.Generator) -> Codes:
    info = np.iinfo(dtype)  # type: ignore[type-var]
    if dtype.itemsize <= 2:
        return np.arange(info.min, info.max + 1).astype(dtype)
    marks = [int(m) for m in thresholds(result) if 1 <= m <= info.max]
    marks += [1 << j for j in range(dtype.itemsize * 8)] + [info.max]
    near = {m * s + d for m in marks for s in (1, -1) for d in range(-3, 4)}
    near |= {
        (1 << j) * s + (1 << i) * u for j in range(20, 64) for i in (0, j // 2, j - 8) for s in (1, -1) for u in (1, -1)
    }
    near |= set(range(-1100, 1101))
    chosen = np.array(sorted(v for v in near if info.min <= v <= info.max), dtype)
    uniform = rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True)
    shifted = uniform >> rng.integers(0, dtype.itemsize * 8, n).astype(dtype)
    return np.concatenate([chosen, uniform, shifted])


def decode_values(codes: Codes, f: Format) -> NDArray[np.float64]:
    """Codes as float64 values, for pictures and patterns; rounded where float64 does not hold them."""
    return decode_codes(codes, f, F64).view(np.float64)
