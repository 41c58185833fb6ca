"""Constrained cases: operands of some classes or ranges of codes, cases of one bin, bins that weigh more.

An operand is said as classes and ranges joined by ``+``: ``subnormal+0x30..0x37``, ``-normal`` for negative ones alone,
``0x7F`` for one code.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import INTEGERS, Operation
from ..cases.scaling.questions import is_scale
from ..spec.catalog import get_format
from ..spec.formats import Format, NaNs
from .section import Coverpoint, columns_of

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
Ranges = tuple[tuple[int, int], ...]
CLASSES = ("zero", "subnormal", "normal", "finite", "infinity", "nan")
HEAVIEST = 1000


@dataclass(frozen=True)
class Limits:
    """``operands``: column and what it may be; ``weights``: bins (globs) and how much more often their cases are taken
    than others; ``bin``: the only bin whose cases are taken."""

    operands: tuple[tuple[str, str], ...] = ()
    weights: tuple[tuple[str, int], ...] = ()
    bin: str = ""

    def __bool__(self) -> bool:
        return bool(self.operands or self.weights or self.bin)

    @property
    def words(self) -> list[str]:
        """As a header's selection has it."""
        found = [f"{name}={text}" for name, text in self.operands]
        found += [f"weight={name}:{weight}" for name, weight in self.weights]
        return found + ([f"bin={self.bin}"] if self.bin else [])

    @property
    def options(self) -> list[str]:
        """As the command line has it."""
        found = [f"--{name} {text}" for name, text in self.operands]
        found += [f"--weight '{name}={weight}'" for name, weight in self.weights]
        return found + ([f"--select 'bin={self.bin}'"] if self.bin else [])

    @classmethod
    def read(cls, words: Sequence[str]) -> Limits:
        """Of the words of a selection.  Raises ValueError for others."""
        operands, weights, bin_ = [], [], ""
        for word in words:
            key, equals, text = word.partition("=")
            if not equals or not text:
                raise ValueError(f"{word!r:.40} constrains nothing")
            if key == "weight":
                weights.append(weight_of(text.replace(":", "=")))
            elif key == "bin":
                bin_ = text
            else:
                operands.append((key, text))
        return cls(tuple(operands), tuple(weights), bin_)

    def check(self, op: Operation, points: Sequence[Coverpoint]) -> None:
        """Raise ValueError where an operation has no such operand, codes or bins."""
        if not self:
            return
        if is_scale(op):
            raise ValueError(f"operation {op.id!r}: operands of blocks are not constrained")
        types = {column.name: column.type for column in columns_of(op)[:-1]}
        for name, text in self.operands:
            if name not in types:
                raise ValueError(f"operation {op.id!r} has no operand {name}; it has {', '.join(types)}")
            ranges(text, types[name])
        for name in [name for name, _ in self.weights] + ([self.bin] if self.bin else []):
            if not any(_names(name, one) for point in points for one in point.bins):
                known = ", ".join(point.name for point in points)
                raise ValueError(f"operation {op.id!r} has no bin {name!r:.60}; its coverpoints are {known}")

    def constrained(self, op: Operation, operands: Sequence[Codes], rng: np.random.Generator) -> list[Codes]:
        """Candidates that keep to the operands: those that do not are drawn anew, evenly among the codes allowed."""
        limits = dict(self.operands)
        found = []
        for column, codes in zip(columns_of(op), operands):
            if column.name in limits:
                allowed = ranges(limits[column.name], column.type)
                outside = ~_inside(codes, allowed)
                codes = codes.copy()
                codes[outside] = _drawn(allowed, int(outside.sum()), rng).astype(f"u{codes.itemsize}").view(codes.dtype)
            found.append(codes)
        return found

    def inside(self, op: Operation, operands: Sequence[Codes]) -> Mask:
        """Which cases keep to the operands."""
        there = np.ones(len(operands[0]), bool)
        limits = dict(self.operands)
        for column, codes in zip(columns_of(op), operands):
            if column.name in limits:
                ok = _inside(codes, ranges(limits[column.name], column.type))
                there &= ok.reshape(len(ok), -1).all(axis=1)
        return there

    def taken(self, points: Sequence[Coverpoint], bins: NDArray[np.int16], rng: np.random.Generator) -> Mask:
        """Which cases are taken by bin and weights: the heaviest always, others as often as their weight is to it."""
        there = np.ones(len(bins), bool) if not self.bin else self._in(self.bin, points, bins)
        if self.weights:
            weight = np.ones(len(bins))
            for name, times in self.weights:
                weight = np.where(self._in(name, points, bins), np.maximum(weight, times), weight)
            there &= rng.random(len(bins)) * max(times for _, times in self.weights) < weight
        return there

    @staticmethod
    def _in(name: str, points: Sequence[Coverpoint], bins: NDArray[np.int16]) -> Mask:
        found = np.zeros(len(bins), bool)
        for point, column in zip(points, bins.T):
            for value, one in enumerate(point.bins):
                if _names(name, one):
                    found |= column == value
        return found


def _names(pattern: str, one: str) -> bool:
    """Does a glob name a bin ``point=value``, or its value alone, with its sign or without?"""
    value = one.partition("=")[2]
    return any(fnmatch.fnmatchcase(said, pattern) for said in (one, value, value.lstrip("+-")))


def weight_of(text: str) -> tuple[str, int]:
    """``tie=5``, ``result=subnormal=3``: a bin and its weight.  Raises ValueError for anything else."""
    name, equals, times = text.rpartition("=")
    if not equals or not name or not times.isascii() or not times.isdigit() or not 1 < int(times) <= HEAVIEST:
        raise ValueError(f"a weight is BIN=N with N from 2 to {HEAVIEST}, not {text!r:.60}")
    return name, int(times)


# -- codes ------------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=256)
def ranges(text: str, type_name: str) -> Ranges:
    """The codes that a text allows, as pairs of first and last.  Raises ValueError for others, and for none."""
    bits = int(type_name[1:]) if type_name in INTEGERS else get_format(type_name).k
    found: list[tuple[int, int]] = []
    words = re.findall(r"(?:^|\+)([+-]?[^+]+)", text)
    if "+".join(words) != text:
        raise ValueError(f"{text!r:.40}: classes and ranges are joined by one +")
    for word in words:
        number = re.fullmatch(r"(0[xX][0-9a-fA-F]{1,16})(?:\.\.(0[xX][0-9a-fA-F]{1,16}))?", word)
        if number is not None:
            low, high = (int(x, 16) for x in (number[1], number[2] or number[1]))
            if low > high or high >= 1 << bits:
                raise ValueError(f"{word!r}: codes of {type_name} go up from 0x0 to 0x{(1 << bits) - 1:X}")
            found.append((low, high))
            continue
        if type_name in INTEGERS or word.lstrip("+-") not in CLASSES:
            choices = "" if type_name in INTEGERS else f"{', '.join(CLASSES)} (with - or + before for one sign), "
            raise ValueError(f"{word!r:.40}: an operand is {choices}0xFIRST..0xLAST or 0xCODE, joined by +")
        here = _class(word.lstrip("+-"), word[:1], get_format(type_name))
        if not here:
            raise ValueError(f"{word!r}: {type_name} has none")
        found += here
    return tuple(found)


def _class(word: str, sign: str, f: Format) -> list[tuple[int, int]]:
    if word == "finite":
        return [one for part in ("zero", "subnormal", "normal") for one in _class(part, sign, f)]
    if f.fixed_point:
        raise ValueError(f"{word!r}: {f.name} is said by its codes, 0xFIRST..0xLAST")
    single = f.nans is NaNs.NEGATIVE_ZERO
    beyond = f.infinity_code if f.infinities else f.max_code
    low, high = {
        "zero": (0, 0 if f.zero else -1),
        "subnormal": (1, (1 << f.t) - 1),
        "normal": (max(1 << f.t, 1) if f.zero else 0, f.max_code),
        "infinity": (f.infinity_code, f.infinity_code) if f.infinities else (0, -1),
        "nan": (beyond + 1, f.magnitude_mask if f.nans is not NaNs.NONE else -1),
    }[word]
    plus = [(low, high)] if low <= high and sign != "-" else []
    minus = [(low | f.sign_bit, high | f.sign_bit)] if low <= high and sign != "+" and f.signed else []
    if single:
        minus = [] if word == "zero" else minus
        if word == "nan":
            plus, minus = [], [(f.sign_bit, f.sign_bit)] if sign != "+" else []
    return plus + minus


def _inside(codes: Codes, allowed: Ranges) -> Mask:
    bits = codes.view(f"u{codes.itemsize}").astype(np.uint64)
    return np.asarray(np.logical_or.reduce([(bits >= np.uint64(a)) & (bits <= np.uint64(b)) for a, b in allowed]), bool)


def _drawn(allowed: Ranges, n: int, rng: np.random.Generator) -> Codes:
    sizes = np.array([b - a + 1 for a, b in allowed], np.float64)
    which = rng.choice(len(allowed), n, p=sizes / sizes.sum())
    first, last = (np.array([pair[i] for pair in allowed], np.uint64)[which] for i in (0, 1))
    return rng.integers(first, last, dtype=np.uint64, endpoint=True)
