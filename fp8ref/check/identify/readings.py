"""What answers say by themselves, whatever model stands behind them: subnormals, NaNs, infinities, zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import is_nan
from ...cases.operation import Operation
from ...cases.products.cases import Probe, probes, values_of
from ...cases.products.questions import addend_type
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Fused
from .accumulators import Hypothesis, answers, wrong
from .fitting import Ask, Observed
from .sums import scale, split

EXACT = Hypothesis("exact", None)


@dataclass(frozen=True)
class Reading:
    """One property and what was seen of it."""

    name: str
    text: str


def readings(op: Operation, seen: Observed, ask: Ask | None) -> list[Reading]:
    """Subnormal operands, C and results; NaNs; infinities; zeros.  Without ``ask`` only what the cases hold."""
    found = []
    if ask is not None:
        found += [*_subnormal_operands(op, ask), *_subnormal_c(op, ask)]
    else:
        found.append(Reading("subnormals", _held(op, seen)))
    return [*found, *_specials(op, seen), *_zeros(op, seen)]


def _subnormal_operands(op: Operation, ask: Ask) -> list[Reading]:
    """The smallest subnormal of a times 1 or 2, and so of b."""
    found = []
    for i, name in enumerate(op.operands):
        f, other = get_format(name), get_format(op.operands[1 - i])
        if not f.has_subnormals:
            continue
        small, one = float(f.min_subnormal), min(1.0, float(other.max))
        pair = (small, one) if i == 0 else (one, small)
        asked = probes(op, [Probe("subnormal operand", ((0, *pair),))])
        if not asked.size:
            continue
        (d,) = values_of(ask(asked), get_format(op.result))
        found.append(f"{'ab'[i]} " + ("used exactly" if d == small * one else "flushed" if d == 0 else f"gives {d:g}"))
    if not found:
        return []
    same = {text[2:] for text in found}
    return [Reading("subnormal operands", same.pop() if len(same) == 1 else ", ".join(found))]


def _subnormal_c(op: Operation, ask: Ask) -> list[Reading]:
    """C subnormal with every product zero: does it come back?"""
    f = get_format(addend_type(op))
    if f.t < 8:
        return []
    c = np.array([0x12345 & ((1 << f.t) - 1) if f.t > 16 else 0x155 & ((1 << f.t) - 1)])
    asked = probes(op, [Probe("subnormal C", (), float(values_of(c.astype(f"u{f.k // 8}"), f)[0]))])
    got = ask(asked)
    if op.result != f.name:
        return []
    if got[0] == c[0]:
        return [Reading("subnormal C", "kept")]
    if got[0] == 0:
        return [Reading("subnormal C", "flushed to zero")]
    digits = f.k // 4
    return [Reading("subnormal C", f"kept in part: {int(c[0]):0{digits}X} gives {int(got[0]):0{digits}X}")]


def _held(op: Operation, seen: Observed) -> str:
    """Do captured cases hold subnormal operands?"""
    count = 0
    for codes, name in zip(seen.cases.operands, op.operands):
        f = get_format(name)
        x = np.abs(values_of(codes, f))
        count += int(((x > 0) & (x < float(f.min_normal))).any(axis=-1).sum()) if f.has_subnormals else 0
    return f"{count} cases hold subnormal operands" if count else "not in the capture"


def _specials(op: Operation, seen: Observed) -> list[Reading]:
    got = seen.got
    digits = -(-get_format(op.result).k // 4)
    codes = [f"{int(code):0{digits}X}" for code in np.unique(got[is_nan(got, op.result)])]
    found: list[Reading] = []
    f = get_format(op.result)
    seen = seen.named(("special lane", "special C")) if "special lane" in seen.cases.names else seen
    got = seen.got
    exact = answers(op, EXACT, seen.cases)
    special = _not_finite(op, seen)
    if not special.any():
        return [Reading("NaN and infinity", "not in the capture")]
    if codes:
        found.append(Reading("NaN", " ".join(codes[:4]) + (f" and {len(codes) - 4} more" if len(codes) > 4 else "")))
    where = np.flatnonzero(special)
    want = exact[where]
    off = wrong(op, got[where], want) & (is_nan(want, op.result) | np.isinf(values_of(want, f)))
    said = "NaN operands, 0 x Inf and Inf - Inf make NaN, Inf stays" if f.infinities else "as the exact sum has them"
    if off.any():
        said = f"other than IEEE 754 has it in {int(off.sum())} of {where.size} cases"
    found.append(Reading("infinity", said))
    return found


def _not_finite(op: Operation, seen: Observed) -> NDArray[np.bool_]:
    found = np.zeros(seen.got.shape, bool)
    for codes, name in zip(seen.cases.operands, (*op.operands, addend_type(op))):
        bad = ~np.isfinite(values_of(codes, get_format(name)))
        found |= bad.any(axis=-1) if bad.ndim > 1 else bad
    return found


def _zeros(op: Operation, seen: Observed) -> list[Reading]:
    """The sign of zero results where every addend is -0, where some are, and where numbers cancel or underflow."""
    f = get_format(op.result)
    if not f.has_negative_zero:
        return []
    fa, fb, fc = map(get_format, (*op.operands, addend_type(op)))
    zero = np.flatnonzero(values_of(seen.got, f) == 0)
    if not zero.size:
        return [Reading("zeros", "no zero results were seen")]
    cases = seen.cases.taken(zero)
    a, b, c = (values_of(x, y) for x, y in zip(cases.operands, (fa, fb, fc)))
    with np.errstate(invalid="ignore"):
        products = a * b
    addends = np.concatenate([products, c[:, None]], axis=1)
    all_minus = ((addends == 0) & np.signbit(addends)).all(axis=1)
    minus = (seen.got[zero] & f.sign_bit) != 0
    if not minus.any():
        return [Reading("zeros", "+0 always" + ("" if all_minus.any() else " (no sum of -0 alone was seen)"))]
    if (minus == all_minus).all():
        return [Reading("zeros", "-0 where every addend is -0, else +0, as in IEEE 754")]
    underflow = (addends != 0).any(axis=1) & minus
    parts = [f"-0 in {int(minus.sum())} of {zero.size} zero results"]
    if underflow.any():
        parts.append(f"{int(underflow.sum())} of them sums that vanish")
    return [Reading("zeros", ", ".join(parts))]


def product_exponent(op: Operation, model: Fused, ask: Ask) -> Reading | None:
    """Does 1.5 * 1.5 = 2.25 count with exponent 0, the sum of its fields, or with its own, 1?"""
    step = max(model.steps, key=len)
    if len(step) < 3:
        return None
    e = scale(op, subnormal=True).large - 2
    u = 2.0 ** (e - model.fraction_bits)
    (v, w), (x, y) = split(e, op), split(e - model.fraction_bits, op)
    terms = ((step[0], 1.5 * v, 1.5 * w), (step[1], -1.5 * v, 1.5 * w), (step[2], x, y))
    asked = probes(op, [Probe("product exponent", terms)])
    if not asked.size or u < get_format(op.result).min_subnormal:
        return None
    (d,) = values_of(ask(asked), get_format(op.result))
    text = "the sum of its operands' exponent fields" if d == u else "its own, after normalising" if d == 0 else None
    return None if text is None else Reading("product exponent", text)


__all__ = ["Reading", "product_exponent", "readings"]
