"""Blocks with a shared scale, as plain data for the explorer: which largest magnitudes get which scale code.

A rule of MX looks at the largest magnitude of a block alone, and its scale never falls while that grows.  So the least
binary32 number of every scale code determines a rule.  They are found by bisection over the reference's answers,
and since most lie an octave apart, written as runs: a distance of codes, and how often it comes.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import encode
from ...arrays.scaling import scale_blocks
from ...spec.scaling.schemes import E8M0_RULES, SOURCES, Scheme, get_scheme

SCHEMES = ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8")
BLOCK = 32  # elements of each
ROUNDING, OVERFLOW = "rne", "sat"  # of elements, in every rule
LARGEST, INFINITE, NAN = 0x7F7FFFFF, 0x7F800000, 0x7FC00000  # binary32 codes


def block_tables(formats: Collection[str]) -> dict[str, Any]:
    """The schemes whose elements are among the formats, and the rules with their sources."""
    schemes = {name: get_scheme(name) for name in SCHEMES}
    found = {name: _scheme(s) for name, s in schemes.items() if s.element.name in formats}
    return {"schemes": found, "rules": SOURCES["mx"], "block": BLOCK, "rounding": ROUNDING, "overflow": OVERFLOW}


def _scheme(s: Scheme) -> dict[str, Any]:
    unused = s.element.sign_bit if s.element.fixed_point else None
    return {
        "element": s.element.name,
        "rules": {rule: _rule(s, rule) for rule in E8M0_RULES},
        "blank": int(encode(np.float32("nan"), s.element)),  # every element under a NaN scale
        "unused": unused,  # a code that the scheme leaves out, and what stands for it: that of -2 under the scale 1
        "instead": None if unused is None else int(scale_blocks(np.array([-1.9999], np.float32), s.name).codes[0]),
    }


def _rule(s: Scheme, rule: str) -> dict[str, Any]:
    ends = _scales(s, rule, np.array([0, INFINITE, NAN], np.uint32)).tolist()
    least = thresholds(s, rule)
    steps = [b - a for a, b in pairwise(least)]
    runs = [[step, len(list(same))] for step, same in groupby(steps)]
    lowest = int(_scales(s, rule, np.array([1], np.uint32))[0])
    return {"zero": ends[0], "infinite": ends[1], "nan": ends[2], "lowest": lowest, "first": least[0], "runs": runs}


def thresholds(s: Scheme, rule: str) -> list[int]:
    """The least binary32 code of a largest magnitude for each scale code above that of the smallest number.

    Of a scale code that does not occur it is the one of the next that does.  The last is that of the largest number.
    """
    bottom, top = (int(code) for code in _scales(s, rule, np.array([1, LARGEST], np.uint32)))
    wanted = np.arange(bottom + 1, top + 1)
    low, high = np.full(wanted.shape, 1, np.int64), np.full(wanted.shape, LARGEST, np.int64)
    while (high - low).max() > 1:  # below the threshold, and at it or above
        middle = (low + high) // 2
        reached = _scales(s, rule, middle.astype(np.uint32)) >= wanted
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return [int(code) for code in high]


def _scales(s: Scheme, rule: str, amax: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The scale codes of blocks with these largest magnitudes."""
    found: NDArray[np.uint8] = scale_blocks(amax.view(np.float32).reshape(-1, 1), s.name, rule=rule).scales
    return found.reshape(-1)
