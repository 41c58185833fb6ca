"""What the comparison of a tensor with its original means: harmless, a choice, or a fault and its cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.recipes import encoded
from ..allowed import names
from ..tensors import Quantised
from .causes import Others, causes
from .compare import Against, recount, sparse
from .giving import same
from .original import TYPES, F32s, Original, narrowed
from .rounding import SLACK, SLACKS, table
from .samples import Sample, sample

Array = NDArray[Any]
UNRELATED = 3.0  # dB of signal to noise below which codes keep nothing
SLIGHT = 0.0625  # steps beyond a rounding interval that the arithmetic of a narrower type explains


def judge(a: Against, others: Others, originals: Callable[[Quantised], Original | None]) -> None:
    """Add to the tensor's findings what the comparison with its original shows.

    ``others``: gives the file's other tensors, whose originals ``originals`` finds.
    """
    t = a.t
    if a.fitting:
        _of_recipe(a)
        return
    if not a.wrong:
        if not a.scales and t.grid.name != "none":
            t.find("scale-searched", _nearest(a))
        _ties(a)
        return
    if any(f.kind in ("codes-nan", "scale-nan", "scale-infinite", "scale-negative", "scale-zero") for f in t.findings):
        return
    s = sample(a)
    found = next(_arithmetic(a, s), None)
    if found is None:
        found = next(causes(a, s, others), None)
    if found is None:
        s = _widened(a, s)
        if not a.wrong:
            t.find("codes-arithmetic", "all codes are roundings in an arithmetic of a narrower type")
            return
        for slack in (s.slack,) if s.slack > SLACK else tuple(SLACKS.values())[1:]:
            s.slack = slack
            found = found or next(causes(a, s, others), None)
    if found is not None:
        kind, text = found
        if kind == "arithmetic":
            a.wrong = 0
            kind = text[0]
            text = text[1]
        t.find(str(kind), str(text), _place(a))
        return
    if (a.sqnr or 0) < UNRELATED:
        for other in others():
            source = originals(other) if other is not t and other.shape == t.shape else None
            if source is not None and _of_other(s, s.numbers(source), other):
                t.find("codes-other", f"the codes are those of {source.stored.name}", _place(a))
                return
    _no_cause(a)


def _of_other(s: Sample, x: Any, other: Quantised) -> bool:
    """Are the codes the rounding of another tensor's numbers, over its scales or these?"""
    return s.off(x=x) == 0 or (other.grid == s.t.grid and s.off(other.factors(s.e), x=x) == 0)


def _widened(a: Against, s: Sample) -> Sample:
    """The sample, in which quotients of a narrower type are right where they explain most codes of most groups."""
    quiet = float(np.median(s.quiet()))
    for kind, slack in SLACKS.items():
        s.slack = slack
        if kind != "f32" and quiet > 0 and float(np.median(s.quiet())) == 0:
            recount(a, slack)
            return sample(a) if a.wrong else s
    s.slack = SLACK
    return s


def _of_recipe(a: Against) -> None:
    """A recipe gives every bit; what a reader should know of it."""
    first = a.fitting[0]
    if all(h.narrow for h in a.fitting):
        a.t.find("source-rounded", f"the original was rounded to {first.narrow} first")
    if all(h.recipe.elements_in == "bf16" or (h.recipe.elements_in == "T" and h.source == "bf16") for h in a.fitting):
        a.t.find("arithmetic-bf16", "quotients were rounded to bf16 before they became codes")
    if all(h.recipe.rounding == "down" for h in a.fitting):
        a.t.find("ties-to-zero", "ties go to the smaller magnitude")
    stacks = set(a.t.convention.stacks)
    if all(h.recipe.rounding == "rna" for h in a.fitting) and "gpt-oss" not in stacks and "Quark" not in stacks:
        a.t.find("ties-away", "every tie goes away from zero")
    if a.wrong and all(h.unrounded for h in a.fitting):
        a.t.find(
            "scale-stale",
            f"{a.wrong} codes follow the scale before it was rounded, and the rounded one is stored",
            _place(a),
        )


def _place(a: Against) -> str:
    if a.first is None:
        return ""
    e, i, k = a.first
    return f"[{e}, {i}, {k}]" if a.t.grid.matrices > 1 else f"[{i}, {k}]"


def _nearest(a: Against) -> str:
    if a.nearest is None:
        return "no recipe in use has scales of these types"
    nearest = names([a.nearest[0].recipe])[0]
    return f"{a.nearest[1]} of {a.groups.a.size} scales differ from those of {nearest}, the nearest"


def _ties(a: Against) -> None:
    """Codes that are roundings: do exact ties all go one way?"""
    s = sample(a)
    here = s.spread(s.factors).astype(np.float64)
    f = a.t.format
    x = s.x.astype(np.float64)
    with np.errstate(all="ignore"):
        q = (x / here).astype(np.float32)
    q = np.where(np.isfinite(q), q, np.float32(0))
    even, away, zero = (encoded(q, f, how) for how in ("rne", "rna", "rtz"))
    values = table(a.t.element).values.astype(np.float64)
    with np.errstate(all="ignore"):
        tie = (away != zero) & ((values[away] + values[zero]) / 2 * here == x)
    down, up = tie & (even == zero), tie & (even == away)  # by where the even code is
    if int(down.sum()) >= 4 and bool((s.codes[tie] == away[tie]).all()):
        if "gpt-oss" not in a.t.convention.stacks:
            a.t.find("ties-away", f"all {int(tie.sum())} ties go away from zero")
    elif int(up.sum()) >= 4 and bool((s.codes[tie] == zero[tie]).all()):
        a.t.find("ties-to-zero", f"all {int(tie.sum())} ties go to the smaller magnitude")


def _no_cause(a: Against) -> None:
    """Codes that no other reading explains: single ones, a rounding of its own, or another tensor."""
    t, off = a.t, a.off
    sqnr = a.sqnr if a.sqnr is not None else 0.0
    if sparse(a) and off.signs and off.signs >= off.more:
        t.find("signs", f"{off.signs} of {t.size} codes have the other sign", _place(a))
    elif sparse(a):
        t.find("codes-single", f"{a.wrong} of {t.size} codes are off in an otherwise complete rounding", _place(a))
    elif off.excess <= SLIGHT and not off.more:
        t.find("codes-arithmetic", f"{a.wrong} of {t.size} codes near a tie went the other way", _place(a))
    elif sqnr < UNRELATED:
        t.find("codes-unrelated", f"the codes keep nothing of {a.original.stored.name}: {sqnr:g} dB", _place(a))
    elif not off.more:
        t.find("codes-learned", f"{a.wrong} of {t.size} codes are one step off, none more", _place(a))
    else:
        t.find("codes-compensated", f"{off.one} codes one step off, {off.more} more", _place(a))


def _arithmetic(a: Against, s: Sample) -> Iterator[tuple[str, Any]]:
    here: F32s = s.spread(s.factors).astype(np.float32)
    here = np.where(here == 0, np.float32(1), here)  # a group of zeros
    for kind in TYPES:
        with np.errstate(all="ignore"):
            x = narrowed(s.x, kind)
            ways: list[F32s] = [
                narrowed(x / here, kind),
                narrowed(x * narrowed(np.divide(1, here, dtype=np.float32), kind), kind),
                narrowed(np.divide(x, narrowed(here, kind), dtype=np.float32), kind),
                narrowed(np.divide(s.x, here, dtype=np.float32), kind),
            ]
        for y in ways:
            if same(encoded(y, a.t.format), s.codes, a.t.element) or _but_zeros(encoded(y, a.t.format), s.codes, a.t):
                yield "arithmetic", ("arithmetic-bf16", f"quotients were rounded to {kind} before they became codes")
        if s.off(x=x) == 0:
            yield "arithmetic", ("source-rounded", f"the original was rounded to {kind} first")


def _but_zeros(a: Array, b: Array, t: Quantised) -> bool:
    """Equal but for the signs of zeros."""
    mask = t.format.magnitude_mask
    return bool(((a == b) | (((a & mask) == 0) & ((b & mask) == 0))).all())
