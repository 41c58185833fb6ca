"""Under which id would answers pass: the operation with other keys, rounding or overflow that gives every one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product

import numpy as np

from ...cases.answers import Expected, differs, expect
from ...cases.keys import KEYS
from ...cases.operation import Operation
from ...cases.products.beside import has_amax
from ...cases.products.questions import is_exact, is_fixed, is_product
from ..matrix.amax import amax_off
from .heard import Part

SWITCHES = ("subnormal", "tininess", "snan", "nan", "negative", "zero", "semantics", "amax")
TRIES = 1200  # ids at most; of products, whose sums take longer, a tenth
CHANGES, FEW, NAMED = 3, 96, 3  # things changed at once; cases tried first; ids that are named
ROUNDINGS = ("rne", "rna", "rtz", "rtp", "rtn", "rto")


def passing(op: Operation, part: Part, nan: str = "class") -> list[str]:
    """The ids nearest to an operation under which every answer is right; none where there is none within reach."""
    bad = np.flatnonzero(np.logical_or.reduce([m for k, m in part.wrong.items() if k in ("result", "flags", "amax")]))
    if not bad.size:
        return []
    some = bad[:: -(-bad.size // FEW)]
    few = [x[some] for x in part.operands]
    given, everything = part.got.taken(some), part.got
    choices, left = list(_choices(op)), TRIES // 10 if is_product(op) else TRIES
    for count in range(1, CHANGES + 1):
        found: list[str] = []
        for kinds in combinations(choices, count):
            for changed in product(*kinds):
                other, left = _changed(op, dict(changed)), left - 1
                if left < 0:
                    return found[:NAMED]
                if other is None or not _gives(other, few, given, nan):
                    continue
                if _gives(other, list(part.operands), everything, nan):
                    found.append(other.id)
        if found:
            return found[:NAMED]
    return []


def _choices(op: Operation) -> Iterator[list[tuple[str, str]]]:
    """For each thing that can be chosen, what it may be instead."""
    rounding, _, overflow = _words(op)
    if rounding:
        yield [("rounding", one) for one in ROUNDINGS if one != rounding]
        rules = ("sat", "wrap") if is_product(op) and is_fixed(op) else ("sat", "nonsat", "satprop")
        yield [("overflow", one) for one in rules if one != overflow]
    for name in SWITCHES:
        key = KEYS[name]
        there = {"tininess": op.flags, "amax": has_amax(op)}.get(name, True)
        if op.asked.kind in key.kinds and isinstance(key.choices, tuple) and there:
            yield [(name, value) for value in key.choices if value != op.key(name)]


def _words(op: Operation) -> tuple[str, str, str]:
    """(rounding, ".", overflow) of a mode; empty where it has none."""
    mode = op.mode or ""
    if is_product(op):
        if not is_exact(mode or "exact") or "+" in mode:
            return "", "", ""
        mode = mode.partition(".")[2] or ("rne.sat" if is_fixed(op) else "rne.nonsat")
    return mode.partition(".") if op.asked.kind in ("convert", "arithmetic", "dot") else ("", "", "")


def _changed(op: Operation, changes: dict[str, str]) -> Operation | None:
    rounding, dot, overflow = _words(op)
    mode = f"{changes.pop('rounding', rounding)}{dot}{changes.pop('overflow', overflow)}"
    keys = tuple(sorted({**dict(op.keys), **changes}.items()))
    plain = op.mode if f"{rounding}{dot}{overflow}" == mode else f"exact.{mode}" if is_product(op) else mode
    other = replace(op, mode=plain, keys=keys)
    return other if other.is_defined else None


def _gives(op: Operation, operands: list[np.ndarray], got: Expected, nan: str) -> bool:
    try:
        with np.errstate(all="ignore"):  # signalling NaNs among operands
            want = expect(op, operands)
    except (NotImplementedError, ValueError):
        return False
    if np.asarray(differs(op, got.codes, want.codes, nan)).any():
        return False
    if got.amax is not None and want.amax is not None and amax_off(got.amax, want.amax, nan).any():
        return False
    return got.status is None or want.status is None or not (got.status != want.status).any()


def holds_with(op: Operation, part: Part, keys: dict[str, str]) -> bool:
    """Is every answer right with other keys?"""
    other = _changed(op, dict(keys))
    return other is not None and _gives(other, list(part.operands), part.got, "class")


def indistinct(op: Operation, part: Part, rule: dict[str, str]) -> bool:
    """Do the cases of an operation answer alike whether or not its keys are changed so?"""
    other = _changed(op, dict(rule))
    return other is not None and _gives(other, list(part.operands), part.want, "class")
