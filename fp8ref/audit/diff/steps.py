"""The questions about a pair, in order: same form? same recipe? same scales? same codes? same values?

Each is answered with its first difference explained; the verdict says what the answers decide together, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...spec.scaling.named import get_recipe
from ...spec.scaling.recipe import FACTORS, Recipe, sentence
from ..kinds import FAULT
from ..run import Judged
from .counting import Counts

EQUAL, VALUES, BOTH, OWN = "equal", "equal values", "both right", "right under their own scales"
FAULTY, OPEN, DIFFER, UNEXPLAINED = "fault", "open", "differ", "unexplained"
CAST, KEPT, DECODED = "cast", "kept", "dequantised"
# verdict: (is every difference explained?, what it means)
VERDICTS: dict[str, tuple[bool, str]] = {
    EQUAL: (True, "the same codes under the same scales"),
    VALUES: (True, "other codes or scales, the same values"),
    BOTH: (True, "both right, by different recipes"),
    OWN: (True, "both sides' codes are the rounding under their own scales, of which one follows no known recipe"),
    CAST: (True, "the values of one are those of the other, rounded to its type"),
    DECODED: (True, "one side holds the other's values, dequantised"),
    KEPT: (True, "one side keeps what the other one quantised"),
    FAULTY: (False, "a side has faults"),
    OPEN: (False, "they differ, and only the original weights can decide who is right: --original"),
    DIFFER: (False, "values differ"),
    UNEXPLAINED: (False, "no known recipe gives both sides"),
}
PLACE = ("group", "layout", "element")  # factors that say where groups lie, not what is computed


@dataclass(frozen=True)
class Step:
    """``same``: None where the files do not decide.  ``first``: the first difference, explained."""

    question: str
    same: bool | None
    answer: str
    differ: int = 0
    of: int = 0
    first: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        return {"question": self.question, "same": self.same, "answer": self.answer, "differ": self.differ,
                "of": self.of, "first": self.first}  # fmt: skip


@dataclass
class Answered:
    """A pair with its answers."""

    name: str
    verdict: str
    steps: list[Step] = field(default_factory=list)
    a: dict[str, Any] = field(default_factory=dict)
    b: dict[str, Any] = field(default_factory=dict)

    @property
    def explained(self) -> bool:
        return VERDICTS[self.verdict][0]

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "verdict": self.verdict, "explained": self.explained, "a": self.a, "b": self.b,
                "steps": [step.document() for step in self.steps]}  # fmt: skip


def described(j: Judged) -> dict[str, Any]:
    """What a side is."""
    t = j.tensor
    return {"tensor": t.name, "convention": t.convention.name, "format": t.element, "granularity": t.granularity,
            "recipes": list(j.recipes), "sqnr_db": getattr(j.against, "sqnr", None),
            "faults": [f.kind for f in t.findings if f.severity == FAULT]}  # fmt: skip


def answer(name: str, a: Judged, b: Judged, n: Counts, judged: bool) -> Answered:
    """The answers for two quantised tensors.  ``judged``: their original was there."""
    steps = [_form(a, b), _recipe(a, b, n, judged), _scales(a, b, n), _codes(a, b, n), _values(a, b, n)]
    return Answered(name, _verdict(a, b, n, judged), steps, described(a), described(b))


def _verdict(a: Judged, b: Judged, n: Counts, judged: bool) -> str:
    if n.comparable_codes and n.comparable_scales and not n.codes and not n.scales:
        return EQUAL
    if any(f.severity == FAULT for j in (a, b) for f in j.tensor.findings):
        return FAULTY
    if not n.values:
        return VALUES
    if not judged:
        return OPEN
    sides = [_side(j) for j in (a, b)]
    if all(side == "recipe" for side in sides):
        return BOTH
    return OWN if all(side in ("recipe", "rounded") for side in sides) else UNEXPLAINED


def _side(j: Judged) -> str:
    """recipe: one gives every bit; rounded: codes are the rounding under the stored scales; other."""
    if j.against is None:
        return "other"
    document = j.document()
    if document["scales"]["by_recipe"] and document["codes"]["rounded"] and not document["codes"]["differ"]:
        return "recipe"
    return "rounded" if document["codes"]["rounded"] else "other"


# -- the questions -----------------------------------------------------------------------------------------------------


def _form(a: Judged, b: Judged) -> Step:
    s, t = a.tensor, b.tensor
    parts = []
    for what, x, y in (
        ("codes", s.element, t.element), ("groups", s.granularity, t.granularity),
        ("scales", s.scale_format, t.scale_format), ("layout of scales", s.grid.layout, t.grid.layout),
        ("order in bytes", s.pack or "one a byte", t.pack or "one a byte"),
        ("convention", s.convention.name, t.convention.name),
    ):  # fmt: skip
        if x != y:
            parts.append(f"{what}: {x} in A, {y} in B")
    same = f"{s.element}, {s.granularity}, scales {s.scale_format}"
    return Step("same form?", not parts, "; ".join(parts) or same, len(parts))


def _recipe(a: Judged, b: Judged, n: Counts, judged: bool) -> Step:
    common = [name for name in a.recipes if name in b.recipes]
    question = "same recipe?"
    if not judged:
        if not (a.recipes and b.recipes):
            side = "A" if not a.recipes else "B"
            return Step(question, None, f"no known recipe can have made {side}")
        if common:
            return Step(question, None, f"{len(common)} recipes can have made both: {_some(common)}")
        return Step(question, False, f"A: {_some(a.recipes)}; B: {_some(b.recipes)}; none can have made both")
    if common and not (n.codes or n.scales):
        return Step(question, True, _some(common))
    # one recipe that gives both, where they differ, was fed other types: a recipe may follow the type of its source
    mine, others = ([name for name in j.recipes if name not in common] for j in (a, b))
    if mine and others:
        left, right, apart = _closest(mine, others)
        return Step(question, False, f"A: {_some(mine)}; B: {_some(others)}", len(apart), 0,
                    {"a": left, "b": right, "text": _apart(apart)} if left else None)  # fmt: skip
    if common:
        return Step(question, False, f"{_some(common)} in both, from another type of the source or in another group")
    known = [f"{side}: {_some(j.recipes) if j.recipes else 'none that is known'}" for side, j in (("A", a), ("B", b))]
    return Step(question, False, "; ".join(known))


def _closest(left: Sequence[str], right: Sequence[str]) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Of the recipes of both sides two that differ in the fewest factors, and those factors."""
    best: tuple[str, str, list[tuple[str, str, str]]] = ("", "", [])
    for x in left[:24]:
        for y in right[:24]:
            r, q = _parsed(x), _parsed(y)
            if r is None or q is None:
                continue
            apart = [(f, getattr(r, f), getattr(q, f)) for f in FACTORS
                     if f not in PLACE and getattr(r, f) != getattr(q, f)]  # fmt: skip
            if not best[0] or len(apart) < len(best[2]):
                best = (x, y, apart)
    return best


def _parsed(text: str) -> Recipe | None:
    try:
        return get_recipe(text)
    except ValueError:
        return None


def _apart(factors: Sequence[tuple[str, str, str]]) -> str:
    """What sets two recipes apart, in words."""
    if not factors:
        return "they differ in the groups alone"
    return "; ".join(f"{name}: in A {_clause(name, x)}, in B {_clause(name, y)}" for name, x, y in factors)


def _clause(factor: str, choice: str) -> str:
    try:
        return sentence(factor, choice)
    except (KeyError, ValueError):
        return choice


def _scales(a: Judged, b: Judged, n: Counts) -> Step:
    question = "same scales?"
    if not n.comparable_scales:
        return Step(question, None, f"groups are {a.tensor.granularity} in A and {b.tensor.granularity} in B")
    if not n.scales:
        return Step(question, True, f"all {n.groups} are", 0, n.groups)
    text = f"{n.scales} of {n.groups} differ"
    if n.one_bit:
        text += f", {n.one_bit} of them by one unit in the last place" if n.one_bit < n.scales else ", each by one unit"
    if n.least <= n.most:
        text += f"; B is {n.least:.9g} to {n.most:.9g} times A" if n.least < n.most else f"; B is {n.least:.9g} times A"
    return Step(question, False, text, n.scales, n.groups, _first_scale(a, b, n))


def _first_scale(a: Judged, b: Judged, n: Counts) -> dict[str, Any]:
    assert n.first_scale is not None
    e, i, j = n.first_scale
    s, t = a.tensor, b.tensor
    found: dict[str, Any] = {"at": [e, i, j], "a": _stored(a, e, i, j), "b": _stored(b, e, i, j)}
    amax = _amax(a, e, i, j)
    left, right = float(s.factors(e)[i, j]), float(t.factors(e)[i, j])
    text = f"group {_at(e, i, j, s.grid.matrices)}: {found['a']} in A ({left:.9g}), {found['b']} in B ({right:.9g})"
    if amax is not None:
        found["amax"] = amax
        text += f"; the largest magnitude {amax:.9g} becomes {_over(amax, left)} in A, {_over(amax, right)} in B"
    return found | {"text": text}


def _stored(j: Judged, e: int, i: int, k: int) -> str:
    x = np.ascontiguousarray(j.tensor.stored_scales(e)[i, k])
    width = 2 * x.dtype.itemsize
    wide = {2: np.uint8, 4: np.uint16, 8: np.uint32, 16: np.uint64}[width]
    return f"{int(x.view(wide).reshape(-1)[0]):0{width}X}"


def _amax(j: Judged, e: int, i: int, k: int) -> float | None:
    original = getattr(j.against, "original", None)
    if original is None:
        return None
    g = j.tensor.grid
    x = original.part(e, i * g.r, min((i + 1) * g.r, j.tensor.rows))[:, k * g.c : (k + 1) * g.c]
    return float(np.abs(x).max(initial=0))


def _over(x: float, s: float) -> str:
    return f"{x / s:.9g}" if s else "0 / 0" if not x else "no number"


def _codes(a: Judged, b: Judged, n: Counts) -> Step:
    question = "same codes?"
    if not n.comparable_codes:
        return Step(question, None, f"codes are {a.tensor.element} in A and {b.tensor.element} in B")
    if not n.codes:
        return Step(question, True, f"all {n.elements} are", 0, n.elements)
    parts = [f"{n.codes} of {n.elements} differ"]
    if n.under_bit:
        parts.append(f"{n.under_bit} under a scale that differs by one unit in the last place")
    if n.under_other:
        parts.append(f"{n.under_other} under another scale")
    if n.under_one:
        parts.append(f"{n.under_one} under the same scale")
    if n.one_step:
        parts.append(f"{n.one_step} by one step")
    if n.signs:
        parts.append(f"{n.signs} in the sign of zero alone")
    return Step(question, False, "; ".join(parts), n.codes, n.elements, _first_code(a, b, n))


def _first_code(a: Judged, b: Judged, n: Counts) -> dict[str, Any]:
    assert n.first_code is not None
    e, i, k = n.first_code
    found: dict[str, Any] = {"at": [e, i, k]}
    parts = []
    x = None
    original = getattr(a.against, "original", None)
    if original is not None:
        x = found["x"] = float(original.part(e, i, i + 1)[0, k])
    for side, j in (("a", a), ("b", b)):
        t = j.tensor
        code = int(t.elements(e, i, i + 1)[0, k])
        s = float(np.broadcast_to(t.spread(t.factors(e), i, i + 1), (1, t.columns))[0, k])
        width = (t.format.k + 3) // 4
        found[side] = f"{code:0{width}X}"
        quotient = f"{x:.9g} / {s:.9g} = {_over(x, s)}, " if x is not None else f"under {s:.9g} "
        parts.append(f"{side.upper()}: {quotient}code {found[side]}")
    return found | {"text": f"{_at(e, i, k, a.tensor.grid.matrices)}: " + "; ".join(parts)}


def _values(a: Judged, b: Judged, n: Counts) -> Step:
    step = values_step(n, a.tensor.grid.matrices)
    sides = [f"{side} {j.against.sqnr} dB" for side, j in (("A", a), ("B", b)) if j.against and j.against.sqnr]
    if not sides:
        return step
    text = f"{step.answer}; against the original: {', '.join(sides)}"
    return Step(step.question, step.same, text, step.differ, step.of, step.first)


def values_step(n: Counts, matrices: int = 1) -> Step:
    """The last question, also for tensors that are not quantised."""
    question = "same values?"
    if not n.values:
        return Step(question, True, f"all {n.elements} are", 0, n.elements)
    text = f"{n.values} of {n.elements} differ, the largest difference is {n.largest:.6g}"
    if n.nans:
        text += f"; {n.nans} are NaN on one side"
    if n.sqnr is not None:
        text += f"; {n.sqnr} dB from A"
    first = None
    if n.first_value is not None and n.first_pair is not None:
        x, y = n.first_pair
        first = {
            "at": list(n.first_value),
            "a": x,
            "b": y,
            "text": f"{_at(*n.first_value, matrices)}: {x:.9g} in A, {y:.9g} in B",
        }
    return Step(question, False, text, n.values, n.elements, first)


def _at(e: int, i: int, j: int, matrices: int = 1) -> str:
    return f"[{e}, {i}, {j}]" if matrices > 1 else f"[{i}, {j}]"


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
