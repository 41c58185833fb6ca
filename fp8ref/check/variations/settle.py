"""Settling what the standards leave open: one of the answers in use holds throughout an operation, or none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import differs, is_nan
from ...cases.operation import Operation
from ...cases.products.cases import Cases
from ...cases.scaling.questions import element_bytes, is_scale, quantiser, scale_bytes, split
from .asked import Answer, Asked, Variation, exact_sum, minus_zeros_alone, through
from .catalog import open_to

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass
class Settled:
    """``want``: what is expected once the answers are chosen; ``chosen``: variation to answer; ``allowed``: where each
    of them changed a wrong answer into a right one."""

    want: Codes
    chosen: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, Mask] = field(default_factory=dict)


def settle(
    op: Operation,
    operands: Sequence[Codes],
    got: Codes,
    want: Codes,
    given: Mapping[str, str] | None = None,
    status: bool = False,
) -> Settled:
    """Choose for each open question the answer that holds for every case, or for most; the others are wrong.

    ``given``: what was chosen before, for these cases too; then nothing else is.  ``status``: ``got`` and ``want`` are
    status bits.
    """
    asked, found = Asked(op, operands, got, want), Settled(want)
    counted = np.zeros(len(got), bool)
    between = op.key("via")
    if between and not status:  # the implementation documents that it rounds to this format first
        name, detour = f"documented-via-{between}", through(op, operands[0], between)
        there = detour != want
        off = _unequal(op, got, want) & there
        holds = bool(off.any()) and not _unequal(op, got, detour)[there].any()
        if name in given if given is not None else holds:
            found.chosen[name], asked = "throughout", replace(asked, want=detour)
            _count(found, counted, name, off)
    for v in open_to(op, status):
        if given is not None and v.name not in given:
            continue
        mask = v.covers(asked)
        off = mask & _unequal(op, got, asked.want, status)
        if given is None and not off.any():
            continue
        chosen = _held(op, v, asked, mask, int(off.sum()), status) if given is None else _named(v, given[v.name])
        if chosen is None:
            continue
        codes = chosen.codes(asked)
        asked = replace(asked, want=v.then(asked, np.where(mask, codes, asked.want).astype(want.dtype)))
        found.chosen[v.name] = chosen.name
        _count(found, counted, v.name, off & ~_unequal(op, got, codes, status))
    found.want = asked.want
    return found


def as_exact_sums(op: Operation, cases: Cases, got: Codes) -> Codes:
    """The answers, with the exact sum's +0 wherever all sums of minus zeros have the other answer in use."""
    exact = op.with_mode("exact")
    if not exact_sum(exact):
        return got
    mask = minus_zeros_alone(Asked(exact, cases.operands, got, np.zeros_like(got)))
    want = np.where(mask, 0, got).astype(got.dtype)
    settled = settle(exact, cases.operands, got, want)
    return got if _unequal(op, got, settled.want).any() else want


def _held(op: Operation, v: Variation, asked: Asked, mask: Mask, off: int, status: bool) -> Answer | None:
    """The first answer that holds throughout; else the one that most cases have, beside which the others are wrong.

    ``off``: how many cases have another answer than the reference's own, which is one of those in use.
    """
    misses = [int((_unequal(op, asked.got, a.codes(asked), status) & mask).sum()) for a in v.answers]
    fewest = min(misses, default=off)
    if fewest and not (fewest < off and 2 * fewest < mask.sum()):
        return None
    return v.answers[misses.index(fewest)] if misses else None


def _named(v: Variation, name: str) -> Answer | None:
    return next((answer for answer in v.answers if answer.name == name), None)


def _count(found: Settled, counted: Mask, name: str, off: Mask) -> None:
    rows = (off if off.ndim == 1 else off.any(axis=1)) & ~counted
    if rows.any():
        found.allowed[name] = found.allowed.get(name, False) | rows
        counted |= rows


def _unequal(op: Operation, got: Codes, want: Codes, status: bool = False) -> Mask:
    """Which answers differ, NaNs being one; of scalings each byte of a row."""
    if status:
        return np.asarray(got != want)
    if not is_scale(op):
        return differs(op, got, want)
    found: Mask = got != want
    q, size = quantiser(op), scale_bytes(quantiser(op))
    if found.any():
        for name, here in ((q.scale, slice(0, size)), (q.element, slice(size, None))):
            i = 0 if name == q.scale and here.start == 0 else 1
            both = is_nan(split(op, got)[i], name) & is_nan(split(op, want)[i], name)
            both = both if both.ndim == 2 else both[:, None]
            found[:, here] &= ~np.repeat(both, element_bytes(q) if i else 1, axis=1)
    return found
