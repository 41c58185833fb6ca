"""What wrong answers that nothing explains have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....cases.answers import Expected
from ....cases.flags import flags_of, operand_parts, parts_of
from ....cases.operation import Operation
from ....cases.scaling.questions import is_scale
from ....fast.kernel import floor_log2_u64
from ....spec.catalog import get_format
from ...harness.observe import LAYOUT_NAMES, Observations
from ..rule import Rule
from ..scaling import scale_pattern

Mask = NDArray[np.bool_]


def pattern(
    op: Operation, seen: Observations, want: Expected, wrong: Mask, partial: list[tuple[int, Rule]] | None = None
) -> str:
    """What the wrong answers have in common, in one line: count, sign, binades, distance, place."""
    bad = np.flatnonzero(wrong)
    if op.asked.kind == "constant":
        return "it is no other constant, and none of a format of the same fields"
    parts = [f"{bad.size} of {seen.size} answers"]
    if is_scale(op):
        parts += scale_pattern(op, [x[seen.case[bad]] for x in seen.operands], seen.got[bad], want.codes[bad])
    elif len(op.operands) == 1:
        (fields,) = operand_parts(op, [seen.operands[0][seen.case[bad]]])
        finite = ~(fields.nan | fields.infinite) & (fields.sig != 0)
        if fields.negative.all() or not fields.negative.any():
            parts.append("all negative" if fields.negative.any() else "all positive")
        if finite.any():
            e = (floor_log2_u64(fields.sig) + fields.exp)[finite]
            parts.append(f"binades 2^{e.min()} to 2^{e.max()}" if e.min() < e.max() else f"binade 2^{e.min()}")
        for text, count in (("NaN", fields.nan.sum()), ("infinite", fields.infinite.sum())):
            if count:
                parts.append(f"{count} {text}")
    else:
        for flag, there in flags_of(op, [codes[seen.case[bad]] for codes in seen.operands]).items():
            if there.all():
                parts.append(f"all {flag}")
    if op.asked.kind == "decode" and (uneven := _uneven(op, seen, bad)):
        parts.append(uneven)
    distance = seen.got[bad].astype(np.int64) - want.codes[bad].astype(np.int64)
    if is_scale(op):
        pass
    elif not distance.any():
        parts.append("only the status is wrong")
    elif np.unique(distance).size <= 2:
        parts.append("code off by " + " or ".join(f"{d:+d}" for d in np.unique(distance)))
    for n in (64, 32, 16, 8, 4, 2):
        residues = np.unique(seen.position[bad] % n)
        if residues.size == 1 and bad.size >= 4:
            parts.append(f"positions {residues[0]} modulo {n}")
            break
    layouts = np.unique(seen.layout[bad])
    if layouts.size < len(LAYOUT_NAMES):
        parts.append("layouts " + ", ".join(LAYOUT_NAMES[i] for i in layouts))
    # short arrays are right only if they were asked a case that longer ones get wrong
    shortest = seen.length[bad].min()
    if (np.isin(seen.case, np.unique(seen.case[bad])) & (seen.length < shortest)).any():
        parts.append(f"only arrays of {shortest} elements or more")
    if partial:
        count, rule = max(partial, key=lambda item: item[0])
        if 2 * count >= bad.size:  # a rule that fits fewer is no hint
            parts.append(f"{count} of them as if: {rule.sentence}")
    return "; ".join(parts)


def _uneven(op: Operation, seen: Observations, bad: NDArray[np.intp]) -> str:
    """What is to be said of wrong values of subnormal codes: whether they are multiples of the code."""
    f, carrier = get_format(op.operands[0]), op.result_format
    codes, at = np.unique(seen.operands[0][seen.case[bad]] & f.magnitude_mask, return_index=True)
    small = (codes > 0) & (codes < 1 << f.t)
    if not f.has_subnormals or not small.all() or small.sum() < 2:
        return ""
    x = parts_of(seen.got[bad][at], carrier.name)
    values = np.ldexp(x.sig.astype(np.float64), x.exp.astype(np.int32))
    linear = np.allclose(values * codes[0], values[0] * codes, rtol=1e-6, atol=0)
    return "all subnormal codes, " + ("linear in the code" if linear else "not linear in the code")
