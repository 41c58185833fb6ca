"""Random bits as an operand: which words are worth asking with each value, and the turning point of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.catalog import get_format
from ..spec.rounding import random_field
from .answers import expect
from .operation import INTEGERS, Operation, carrier_dtype

Codes = NDArray[Any]


def field_of(op: Operation) -> tuple[int, int]:
    """Which bits of a word the mode takes: (lowest bit, number of bits)."""
    source = op.operands[0]
    t = 0 if source in INTEGERS else get_format(source).t
    return random_field(op.projection.rounding, op.random_width, t - op.result_format.t)


def turning_points(op: Operation, codes: Codes) -> Codes:
    """The least random bits with which each value goes away from zero; the largest where none does.

    Those that go away do so with all larger ones.
    """
    low_bit, width = field_of(op)
    dtype = carrier_dtype(op.operands[-1])
    most, place = (1 << width) - 1, np.uint64(low_bit)
    stays = expect(op, [codes, np.zeros(codes.shape, dtype)]).codes
    low, high = np.zeros(codes.shape, np.uint64), np.full(codes.shape, most, np.uint64)
    while (low < high).any():
        middle = low + (high - low) // np.uint64(2)
        away = expect(op, [codes, (middle << place).astype(dtype)]).codes != stays
        high = np.where(away, middle, high)
        low = np.where(away, low, np.minimum(middle + np.uint64(1), high))
    return high


def with_words(op: Operation, codes: Codes, rng: np.random.Generator, often: int = 4) -> list[Codes]:
    """Every value with the words about its turning point, the least and the largest, and random ones.

    ``often``: how many of these each value gets.
    """
    p = turning_points(op, codes)
    low_bit, width = field_of(op)
    most = np.uint64((1 << width) - 1)
    below, above = p - np.minimum(p, np.uint64(1)), np.minimum(p, most - np.uint64(1)) + np.uint64(1)
    uniform = rng.integers(0, int(most), p.shape, dtype=np.uint64, endpoint=True)
    choices = np.stack([p, below, above, uniform, np.zeros_like(p), np.full_like(p, most)])
    first = rng.integers(0, len(choices), p.shape)
    rows = np.arange(p.size)
    words = np.concatenate([choices[(first + i) % len(choices), rows] for i in range(often)]) << np.uint64(low_bit)
    beside = rng.integers(0, 1 << 64, words.shape, dtype=np.uint64) & ~(most << np.uint64(low_bit))
    given = (words | beside) & np.uint64((1 << op.random_width) - 1)  # bits that the mode does not take are any
    return [np.tile(codes, often), given.astype(carrier_dtype(op.operands[-1]))]
