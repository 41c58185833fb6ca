"""Wrong rules of several steps: detours through other formats, flushing at other times, two mistakes one after another.

They are tried where no rule of one step explains every answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ....cases.answers import Codes, project_into
from ....cases.operation import Operation
from ....spec.catalog import formats, get_format
from ....spec.formats import Format
from ....spec.overflow import get_overflow
from ....spec.projection import NaN, Projection, Subnormal
from ....spec.rounding import DETERMINISTIC, DIRECTIONS, Rounding
from ....spec.status import Tininess
from ..conversions import projection_rules
from ..rule import ROUNDING_SENTENCES, Asked, Rule

WIDE = ("f16", "bf16", "tf32", "f32")
FLUSHED = {
    Subnormal.FTZ: "tiny results are flushed to zero",
    Subnormal.BOTH: "subnormal inputs and tiny results are flushed to zero",
}
JUDGED = {
    Tininess.BEFORE: "tininess judged before rounding",
    Tininess.AFTER: "tininess judged after rounding to full precision",
    Tininess.DELIVERED: "tininess judged on the rounded result",
}


def detour_rules(a: Asked) -> Iterator[Rule]:
    """Flushing at other times; one format in between under every rounding; two formats."""
    yield from _flushes(a)
    between = [f for f in _betweens(a.f) if f.p < a.precision]
    for f in between:
        overflows = ("sat",) if not f.infinities else ("nonsat", "sat") if f.k <= 16 else ("nonsat",)
        for mode, name in itertools.product(DETERMINISTIC, overflows):
            text = f"goes via {f.name}, rounded {DIRECTIONS[mode]}"
            text += ", saturated" if name == "sat" and f.infinities else ""
            yield Rule(f"via-{f.name}-{mode.value}", text, partial(_through, a, [(f, mode, name)]))
    wide = [f for f in between if f.name in WIDE]
    modes = (Rounding.TIES_TO_EVEN, Rounding.TOWARD_ZERO)
    for (f, g), mode, then in itertools.product(itertools.permutations(wide, 2), modes, modes):
        if g.p < f.p or g.w < f.w:
            text = f"goes via {f.name}, rounded {DIRECTIONS[mode]}, then via {g.name}, rounded {DIRECTIONS[then]}"
            yield Rule(f"via-{f.name}-{mode.value}-{g.name}-{then.value}", text,
                       partial(_through, a, [(f, mode, "nonsat"), (g, then, "nonsat")]))  # fmt: skip


def _betweens(to: Format) -> list[Format]:
    """The formats that lie on the way: the wide ones, and the others of at most 8 bits of the same sign."""
    narrow = [
        f for f in formats()
        if f.k <= 8 and f != to and f.signed == to.signed and f.zero and not f.fixed_point
        and not f.name.startswith("binary")
    ]  # fmt: skip
    return [*map(get_format, WIDE), *narrow]


def _through(a: Asked, steps: Sequence[tuple[Format, Rounding, str]]) -> Codes:
    """Round to one format after another; NaNs and infinities are the right ones."""
    codes, at = np.zeros(0), a.f
    for n, (f, mode, name) in enumerate(steps):
        rho = Projection(mode, get_overflow(name if f.infinities else "sat", f), NaN.KEEP_SIGN)
        codes = a.answer(rho, f) if n == 0 else project_into(at, codes, rho, f)
        at = f
    return np.where(a.parts.infinite | a.parts.nan, a.right, project_into(at, codes, a.rho, a.f))


def _flushes(a: Asked) -> Iterator[Rule]:
    if a.f.has_subnormals:
        for (kind, what), (tininess, when) in itertools.product(FLUSHED.items(), JUDGED.items()):
            yield Rule(f"flush-{kind.value}-{tininess.value}", f"{what}, {when}",
                       a.instead(subnormal=kind, tininess=tininess))  # fmt: skip


def rules_after_rounding(op: Operation, asked: Callable[[Operation], Asked]) -> Iterator[Rule]:
    """Another rounding, and then every other mistake of rounding, range and sign."""
    own, _, overflow = (op.mode or "").partition(".")
    for mode in DETERMINISTIC:
        if mode.value == own:
            continue
        for rule in projection_rules(asked(op.with_mode(f"{mode.value}.{overflow}"))):
            if not rule.name.startswith(("rounding-", "ties-", "sticky-")):
                text = f"{ROUNDING_SENTENCES[mode]}; and {rule.sentence}"
                yield replace(rule, name=f"rounding-{mode.value}+{rule.name}", sentence=text)
