"""What was found inside a matrix unit, on a page or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from ...cases.products.cases import Cases, values_of
from ...cases.products.questions import addend_type, length
from ...check.identify.accumulators import Hypothesis, Order, order_of, precision_of
from ...check.identify.fitting import parameters
from ...check.identify.identify import Disagreement, Identification
from ...check.identify.sums import leaves_of
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Fused
from ...spec.rounding import DIRECTIONS, Rounding

WIDTH, INDENT = 96, 28
WORDS = {
    "order": "the order over K",
    "fraction_bits": "fraction bits",
    "cut": "rounding at alignment",
    "precision": "bits of the sum",
    "rounding": "rounding of the sum",
    "c_last": "where C joins",
    "zero_exponent": "the exponent that a zero operand shows",
    "min_exponent": "the lower bound of the exponent aligned at",
    "underflow_sign": "the sign of sums that vanish",
}
Rows = list[tuple[str, str]]


def page(r: Identification, identity: dict[str, str]) -> str:
    """The whole finding as text."""
    shown = {key: value for key, value in identity.items() if key not in ("name", "version", "license", "instruction")}
    rest = list(dict.fromkeys(shown.values()))
    head = " ".join(identity[key] for key in ("name", "version") if key in identity)
    lines = [f"{head} ({', '.join(rest)})" if rest else head, f"{r.op.id}", ""]
    for rows in (verdict_rows(r), unit_rows(r), reading_rows(r), open_rows(r)):
        lines += [*map(_line, rows), ""] if rows else []
    if r.nearest is not None:
        lines += [*disagreement(r, r.nearest.smallest, r.nearest.hypothesis), ""]
    lines += [*r.remarks, ""] if r.remarks else []
    return "\n".join([*lines, sentence(r)])


def _line(row: tuple[str, str]) -> str:
    name, text = row
    first, *more = wrap(text, WIDTH - INDENT) or [""]
    return "\n".join([f"  {name:<{INDENT - 2}}{first}", *(" " * INDENT + line for line in more)])


def sentence(r: Identification) -> str:
    """The last line: what it is."""
    if r.empty:
        return "nothing: every answer is zero"
    if r.interrupted and not r.classes:
        return "interrupted before a name was found"
    unit = "" if r.unit is None else "; a fused unit with the parameters above predicts every "
    unit += "" if r.unit is None else ("answer" if r.fit is not None and not r.fit.misses else "finite answer")
    if r.decided:
        names = [h.name for h in r.classes[0]]
        same = f", the same function as {', '.join(names[1:])}" if len(names) > 1 else ""
        composed = [c[0].name for c in r.classes[1:]]
        besides = f"; the capture cannot distinguish it from {', '.join(composed)}" if composed else ""
        return f"identified: {names[0]}{same}{besides}"
    if r.classes:
        return f"not decided: the answers fit {len(r.classes)} different functions of the catalogue"
    return f"none: no catalogued accumulator gives these answers{unit}"


def verdict_rows(r: Identification) -> Rows:
    """Which catalogued models agree, on how much, and on whose authority."""
    asked = f"{r.asked} captured products" if r.captured else f"{r.asked} products, {r.random} of them random"
    rows = [("asked", asked)]
    for members in r.classes:
        rows.append(("agrees with all", ", ".join(h.name for h in members)))
    for source in sorted({f"{h.model.evidence}: {h.model.source}" for c in r.classes[:1] for h in c[:1] if h.model}):
        rows.append(("known from", source))
    if r.nearest is not None:
        n = r.nearest
        rows.append(("nearest", f"{n.hypothesis.name}, which answers {n.misses} of {n.of} otherwise"))
    return rows


def unit_rows(r: Identification) -> Rows:
    """Order and arithmetic, as far as they were found."""
    unit = r.unit
    if unit is None:
        rows = order_rows(r)
        best = r.plain_fit or r.fit
        if best is not None:
            rows.append(
                (
                    "fused unit",
                    f"none predicts every finite answer; the best, {unit_text(best.model)}, misses {best.misses} "
                    f"of {best.of}",
                )
            )
        return rows
    f, p = unit.format, precision_of(unit)
    bits = _or_more(unit.fraction_bits, r.open.get("fraction_bits", []))
    kept = "the result's own precision" if p == f.p else f"E{f.w}M{p - 1}"
    rows = order_rows(r) or [
        ("products fused per step", str(order_of(unit).widest)),
        ("order over K", order_text(order_of(unit), length(r.op))),
        ("C joins", join_text(unit) + (" (or elsewhere: the capture cannot decide)" if "c_last" in r.open else "")),
    ]
    rows += [
        ("fraction bits kept", f"{bits} below the largest exponent of a step"),
        ("alignment", f"cuts {_or(DIRECTIONS[unit.cut], [DIRECTIONS[v] for v in r.open.get('cut', [])])}"),
        ("final rounding", f"{_or(DIRECTIONS[unit.rounding], [DIRECTIONS[v] for v in r.open.get('rounding', [])])}"),
        ("bits of the sum", f"{_span(p, r.open.get('precision', []))} ({kept})"),
    ]
    return rows


def _or(value: str, others: Sequence[str]) -> str:
    return value + (f" (or {', '.join(others)}: nothing asked distinguishes them)" if others else "")


def _or_more(value: int, others: Sequence[int]) -> str:
    if others and max(others) > value and set(others) >= set(range(value + 1, max(others) + 1)):
        return f"at least {min([value, *others])}"
    return _span(value, others)


def _span(value: int, others: Sequence[int]) -> str:
    everything = sorted({value, *others})
    if len(everything) == 1:
        return str(value)
    if everything == list(range(everything[0], everything[-1] + 1)):
        return f"{everything[0]} to {everything[-1]}"
    return ", ".join(map(str, everything))


def order_rows(r: Identification) -> Rows:
    """The order as the additions showed it."""
    if r.order is not None:
        unit = r.unit or (r.plain_fit or r.fit).model  # type: ignore[union-attr]
        return [
            ("products fused per step", str(r.order.widest)),
            ("order over K", order_text(r.order, length(r.op))),
            ("C joins", join_text(unit)),
        ]
    if r.tree is not None:
        return [("order over K", f"{tree_text(r.tree, length(r.op))}")]
    return [("order over K", f"not found: {r.no_tree}")] if r.no_tree and not r.captured else []


def join_text(unit: Fused) -> str:
    """Where C joins."""
    if unit.c_last:
        return f"last, by one addition to nearest after every {unit.k} products"
    return "in the first step, aligned with the products"


def order_text(order: Order, k: int) -> str:
    """The places of each step in words."""
    steps = [places_text(step, order.k) for step in order.steps]
    if len(steps) > 8:
        steps = [*steps[:3], "...", steps[-1]]
    each = "" if order.k == k else f", and so on in instructions of {order.k}"
    if len(order.steps) == 1 and order.k == k:
        return f"one step: {steps[0]}"
    return "; then ".join(steps) + each


def places_text(step: Sequence[int], k: int) -> str:
    """``k = 0-15``, ``k mod 4 in {0, 1}`` or a list."""
    if list(step) == list(range(step[0], step[-1] + 1)):
        return f"k = {step[0]}-{step[-1]}" if len(step) > 1 else f"k = {step[0]}"
    for modulus in range(2, k):
        if k % modulus:
            continue
        residues = sorted({p % modulus for p in step})
        if list(step) == [p for p in range(k) if p % modulus in residues]:
            return f"k mod {modulus} in {{{', '.join(map(str, residues))}}}"
    return f"k = {', '.join(map(str, step))}"


def tree_text(tree: Any, k: int) -> str:
    """A tree of additions in one line; C is a leaf; long runs are shortened."""
    widths = _widths(tree)
    shape = "a balanced tree" if _balanced(tree, k) else "a tree of additions"
    return f"{shape} of {sum(widths.values())} nodes, {_widest(widths)}: {_shown(tree, k)}"


def _widths(tree: Any) -> dict[int, int]:
    found: dict[int, int] = {}
    if isinstance(tree, tuple):
        found[len(tree)] = 1
        for child in tree:
            for width, n in _widths(child).items():
                found[width] = found.get(width, 0) + n
    return found


def _widest(widths: dict[int, int]) -> str:
    return "all of two addends" if set(widths) == {2} else f"the widest of {max(widths)} addends"


def _balanced(tree: Any, k: int) -> bool:
    if isinstance(tree, tuple) and k in tree:
        tree = next((child for child in tree if child != k), k)
    return isinstance(tree, tuple) and _even(tree)


def _even(tree: Any) -> bool:
    if not isinstance(tree, tuple):
        return True
    sizes = {len(leaves_of(child)) for child in tree}
    return len(sizes) == 1 and all(map(_even, tree))


def _shown(tree: Any, k: int, depth: int = 0) -> str:
    if not isinstance(tree, tuple):
        return "C" if tree == k else str(tree)
    leaves = sorted(leaves_of(tree))
    run = len(leaves) > 2 and leaves == list(range(leaves[0], leaves[-1] + 1)) and k not in leaves
    if run and (depth >= 3 or not any(isinstance(child, tuple) for child in tree)):
        return f"[{leaves[0]}-{leaves[-1]}]"
    if depth >= 4:
        return "..."
    return (
        "(" + " + ".join(_shown(child, k, depth + 1) for child in sorted(tree, key=lambda t: min(leaves_of(t)))) + ")"
    )


def unit_text(unit: Fused) -> str:
    """A unit in one line."""
    return (
        f"{order_of(unit).widest} products a step, {unit.fraction_bits} fraction bits cut {DIRECTIONS[unit.cut]}, "
        f"sums of {precision_of(unit)} bits rounded {DIRECTIONS[unit.rounding]}, C {'last' if unit.c_last else 'first'}"
    )


def reading_rows(r: Identification) -> Rows:
    return [(reading.name, reading.text) for reading in r.readings]


def open_rows(r: Identification) -> Rows:
    """Parameters of the fitted unit that no answer decides and that are not said elsewhere."""
    elsewhere = ("fraction_bits", "cut", "precision", "rounding", "c_last")
    words = []
    for name, values in r.open.items():
        if name in elsewhere:
            continue
        if name == "order":
            words.append(f"{WORDS[name]} ({len(values)} other(s) fit, such as {order_text(values[0], length(r.op))})")
        else:
            words.append(WORDS[name])
    where = "the capture cannot decide" if r.captured else "no case decides"
    return [(where, "; ".join(words))] if words else []


def disagreement(r: Identification, d: Disagreement, h: Hypothesis) -> list[str]:
    """The smallest case on which a model differs, product by product."""
    op, case = r.op, d.case
    fa, fb = map(get_format, op.operands)
    a, b = (values_of(codes[0], f) for codes, f in ((case.a, fa), (case.b, fb)))
    lines = [f"  smallest disagreement with {h.name}"]
    places = np.flatnonzero((case.a[0] != 0) & (case.b[0] != 0))
    for place in places[:12]:
        lines.append(f"    k = {place:<4} {_code(case.a[0][place], fa.k)} x {_code(case.b[0][place], fb.k)}   "
                     f"{a[place]:g} x {b[place]:g}")  # fmt: skip
    if len(places) > 12:
        lines.append(f"    and {len(places) - 12} products more")
    fc, fd = get_format(addend_type(op)), get_format(op.result)
    lines.append(f"    C        {_code(case.c[0], fc.k)}   {float(values_of(case.c, fc)[0])!r}")
    for name, code in ((h.name, d.want), ("answer", d.got)):
        value = float(values_of(np.array([code], f"u{max(1, fd.k // 8)}"), fd)[0])
        lines.append(f"    {name:<{max(8, len(h.name))}} {_code(code, fd.k)}   {value!r} = {value.hex()}")
    return lines


def _code(code: Any, k: int) -> str:
    return f"{int(code):0{-(-k // 4)}X}"


# -- JSON -------------------------------------------------------------------------------------------------------------
def document(r: Identification, identity: dict[str, str]) -> dict[str, Any]:
    """The finding as one JSON document; every value of the page stands in it."""
    unit = r.unit
    best = r.plain_fit or r.fit
    return {
        "kind": "identification",
        "schema": "fp8ref/identification/1",
        "implementation": dict(sorted(identity.items())),
        "op": r.op.id,
        "asked": r.asked,
        "random": r.random,
        "captured": r.captured,
        "decided": r.decided,
        "classes": [[h.name for h in members] for members in r.classes],
        "nearest": None if r.nearest is None else {
            "model": r.nearest.hypothesis.name,
            "misses": r.nearest.misses,
            "of": r.nearest.of,
            "case": case_json(r, r.nearest.smallest.case),
            "model_answers": f"{r.nearest.smallest.want:X}",
            "answer": f"{r.nearest.smallest.got:X}",
        },
        "unit": None if unit is None else {name: value_json(v) for name, v in parameters(unit).items()},
        "unit_misses": None if best is None else best.misses,
        "undecided": {name: [value_json(v) for v in values] for name, values in r.open.items()},
        "tree": r.tree,
        "no_tree": r.no_tree,
        "readings": {reading.name: reading.text for reading in r.readings},
        "remarks": list(r.remarks),
        "interrupted": r.interrupted,
        "sentence": sentence(r),
    }  # fmt: skip


def value_json(value: Any) -> Any:
    if isinstance(value, Order):
        return {"k": value.k, "steps": [list(step) for step in value.steps]}
    return value.value if isinstance(value, Rounding) else value


def case_json(r: Identification, case: Cases) -> dict[str, Any]:
    """A case as in a capture."""
    types = (*r.op.operands, addend_type(r.op))
    return {
        name: "".join(_code(code, get_format(t).k) for code in np.atleast_1d(codes[0]))
        for name, codes, t in zip("abc", case.operands, types)
    }
