"""One dot product explained: how a unit aligns and cuts each product, the exact sum, what every model answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ...cases.answers import expect
from ...cases.operation import ANY_MODE, Operation, carrier_dtype
from ...cases.products.bounds import BOUNDS
from ...cases.products.cases import Cases
from ...cases.products.questions import (
    addend_type,
    block_of,
    blocks,
    has_addend,
    has_output_scale,
    is_fixed,
    model_of,
    operand_types,
    scale_type,
    under,
)
from ...check.identify.accumulators import answers, catalogue
from ...check.matrix.bounds import outside, room
from ...spec.catalog import get_format
from ...spec.codec import unpack
from ...spec.datum import Datum, power_of_two
from ...spec.matrix.accumulate import (
    NOTHING,
    Addend,
    Chain,
    Fused,
    Scales,
    Vectors,
    accumulate,
    cut,
    exact_sum,
    fused_lsb,
    fused_terms,
    product,
    unpack_all,
)
from ...spec.status import Status
from .documents import datum_document
from .explain import status_text
from .products import SHOWN, amax_text, hex_code, product_case_id, short

WIDEST = 64  # bits of a window that are drawn
Rows = Sequence[Sequence[int]]


class Product:
    """A dot product in every form that the page needs."""

    def __init__(self, op: Operation, rows: Rows) -> None:
        self.op = replace(op, family="dot")
        self.definite = self.op if op.mode != ANY_MODE else under(self.op, "exact")
        self.rows = [list(row) for row in rows]
        types = operand_types(op)
        arrays = [np.array(row, np.uint64).astype(carrier_dtype(name)) for row, name in zip(rows, types)]
        single = {2} if has_addend(op) else set()
        single |= {len(types) - 1} if has_output_scale(op) else set()
        self.operands = [x if i in single else x[None] for i, x in enumerate(arrays)]
        fa, fb = map(get_format, op.operands)
        scales: tuple[tuple[Datum, Datum], ...] = ()
        if scale_type(op):
            f = get_format(scale_type(op) or "")
            first = 2 + has_addend(op)
            scales = tuple(zip(*(unpack_all(row, f) for row in self.rows[first : first + 2])))
        block = block_of(op) if scales else 1 << 62
        self.v = Vectors(unpack_all(self.rows[0], fa), unpack_all(self.rows[1], fb), fa, fb, scales, block)
        self.has_c = has_addend(op)
        self.c = unpack(self.rows[2][0], get_format(addend_type(op))) if self.has_c else Datum.finite(0)

    @property
    def cases(self) -> Cases:
        """The case as units are asked it."""
        a, b, c, *rest = self.operands
        return Cases(a, b, c, ("",), tuple(rest))

    @property
    def as_units(self) -> bool:
        """Is it a sum that units answer: with C, and in a float format?"""
        return self.has_c and not is_fixed(self.op)

    def scaled(self, i: int) -> Datum:
        """A product with its scales, exactly."""
        return product(self.v.products[i], product(*self.v.scale(i)))

    @property
    def exact(self) -> Datum:
        """The exact sum of all products and C, before any factor of the output."""
        return exact_sum([*map(self.scaled, range(len(self.v.a))), *([self.c] if self.has_c else [])])

    def answer(self) -> int:
        """The code that the operation's own mode gives; of a free mode or a bound the exact one."""
        op = self.definite
        if (op.mode or "").startswith("within."):
            op = under(op, "exact")
        found = 0
        for word in expect(op, self.operands).codes[0].reshape(-1).tolist():  # of wide fixed point the highest first
            found = found << 64 | word
        return found

    def status(self) -> int | None:
        """The exceptions beside it, where the operation asks for them and its mode is definite."""
        status = None if self.op.mode == ANY_MODE else expect(self.definite, self.operands).status
        return None if status is None else int(status[0])

    def amax(self) -> int | None:
        """The code of the amax beside it, where the operation asks for one and its mode is definite."""
        op = self.definite
        if op.mode == ANY_MODE or not op.key("amax"):
            return None
        amax = expect(op, self.operands).amax
        return None if amax is None else int(amax[0])

    def models(self) -> dict[int, list[str]]:
        """Answers and the catalogued models that give them."""
        found: dict[int, list[str]] = {}
        for h in catalogue(self.op) if self.as_units else ():
            found.setdefault(int(answers(self.op, h, self.cases)[0]), []).append(h.name)
        return found

    def bounds(self) -> dict[str, tuple[float, list[int]]]:
        """Each class of error bound: its room about the exact sum, and the models' answers that lie outside."""
        if not self.as_units:
            return {}
        codes = np.array(list(self.models()), carrier_dtype(self.op.result))
        many = self.cases.taken(np.zeros(codes.size, np.intp))
        return {
            name: (float(room(self.op, bound, self.cases)[0]),
                   [int(code) for code in codes[outside(self.op, bound, many, codes)]])
            for name, bound in BOUNDS.items()
        }  # fmt: skip


def explain_product(op: Operation, rows: Rows) -> str:
    """The whole page."""
    p = Product(op, rows)
    flat = [code for row in rows for code in row]
    parts = [product_case_id(op, flat), "\n".join(_addends(p)), *_steps(p), "\n".join(_sum(p))]
    parts += ["\n".join(_models(p)), "\n".join(_bounds(p))] if p.as_units else []
    return "\n\n".join(filter(None, parts))


def product_document(op: Operation, rows: Rows) -> dict[str, Any]:
    """The same as plain data."""
    p = Product(op, rows)
    k = get_format(op.result).k
    return {
        "case": product_case_id(op, [code for row in rows for code in row]),
        "exact": datum_document(p.exact),
        "answer": None if op.mode == ANY_MODE else hex_code(p.answer(), k),
        **({} if (status := p.status()) is None else {"flags": f"{status:02X}"}),
        **({} if (amax := p.amax()) is None else {"amax": hex_code(amax, 32)}),
        "steps": [
            {
                "places": [places[0], places[-1]], "last_bit": lsb, "result": datum_document(d),
                "addends": [_addend_document(i, t, lsb, model) for i, t in terms.items()],
            }
            for model, places, terms, lsb, d in _traced(p)
        ],
        "models": [{"answer": hex_code(code, k), "names": names} for code, names in p.models().items()],
        "bounds": {name: {"room": found, "outside": [hex_code(code, k) for code in codes]}
                   for name, (found, codes) in p.bounds().items()},
    }  # fmt: skip


def _addend_document(i: int, t: Addend, lsb: int, model: Fused) -> dict[str, Any]:
    exact, kept = datum_document(_value(t)), datum_document(_kept(t, lsb, model))
    return {"k": None if i < 0 else i, "exact": exact, "kept": kept}


def _addends(p: Product) -> list[str]:
    fa, fb = p.v.format_a, p.v.format_b
    shown = [i for i, x in enumerate(p.v.products) if not x.is_zero]
    lines = []
    if p.v.scales:
        n = blocks(p.op)
        for which, side in zip("ab", zip(*p.v.scales)):
            listed = ", ".join(map(short, side[:SHOWN])) + (", ..." if n > SHOWN else "")
            lines.append(f"  scales {which} {listed}  (one for {block_of(p.op)} elements)")
    for i in shown[:SHOWN]:
        x, y = p.v.a[i], p.v.b[i]
        codes = f"{hex_code(p.rows[0][i], fa.k)} x {hex_code(p.rows[1][i], fb.k)}"
        scaled = f", scaled {short(p.scaled(i))}" if p.v.scales else ""
        lines.append(f"  k = {i:<4} {codes}   {short(x)} x {short(y)} = {short(p.v.products[i])}{scaled}")
    if len(shown) > SHOWN:
        lines.append(f"  ...      and {len(shown) - SHOWN} products more that are not zero")
    if not shown:
        lines.append("  every product is zero")
    if p.has_c:
        lines.append(f"  C        {hex_code(p.rows[2][0], get_format(addend_type(p.op)).k)}   {short(p.c)}")
    return lines


# -- the unit's window ------------------------------------------------------------------------------------------------
Step = tuple[Fused, tuple[int, ...], dict[int, Addend], int, Datum]


def _traced(p: Product) -> Iterator[Step]:
    """Each step of a fused unit: the places, the addends, the exponent of the last bit kept, and the sum so far."""
    model = model_of(p.definite) if not (p.definite.mode or "").startswith("within.") else None
    if not isinstance(model, Fused) or (p.v.scales and model.scales is not Scales.PRODUCT):
        return
    d = p.c
    for start in range(0, len(p.v.a), model.k):
        chunk = p.v.part(start, start + model.k)
        first = NOTHING if model.c_last else d
        for places in model.steps:
            v = chunk.pick(places)
            finite = all(x.is_finite for x in (*v.a, *v.b, first, *v.scale(0)))
            terms = fused_terms(model, v, first) if finite else {}
            lsb = fused_lsb(model, terms)
            one = replace(model, k=len(places), products=len(places), lanes=(), c_last=False)
            first = accumulate(one, v, first)
            there = tuple(start + i for i in places)
            named = {-1 if i < 0 else there[i]: term for i, term in terms.items()}
            if lsb is not None and finite and there[0] < len(p.v.a):
                yield model, tuple(i for i in there if i < len(p.v.a)), named, lsb, first
        d = accumulate(model, chunk, d)


def _steps(p: Product) -> list[str]:
    """The steps drawn: every addend's bits above the last that is kept, and what is cut."""
    model = None if (p.definite.mode or "").startswith("within.") else model_of(p.definite)
    if isinstance(model, Chain):
        return ["\n".join(_chain(p, model))]
    traced = list(_traced(p))
    if not traced:
        if model is None:
            return []
        return [f"  {model.name} adds in steps that are not drawn here; its answer stands below"]
    parts = []
    for model, places, terms, lsb, d in traced[:4]:
        top = lsb + model.fraction_bits
        heading = f"  step of k = {places[0]} to {places[-1]}: largest exponent {top}, last bit kept 2^{lsb}"
        lines = [f"{heading} ({model.fraction_bits} fraction bits, cut {model.cut.value})"]
        busy = [i for i, t in terms.items() if t.units]
        for i in busy[:SHOWN]:
            t = terms[i]
            lost = _value(t).value - _kept(t, lsb, model).value
            name = "C" if i < 0 else f"k = {i}"
            lines.append(f"    {name:<8} {_bits(t, lsb, top, model)}{_lost('cut', lost)}")
        if len(busy) > SHOWN:
            lines.append(f"    ...      and {len(busy) - SHOWN} more")
        total = sum(cut(t, lsb, model.cut) for t in terms.values())
        lines.append(f"    sum      {short(Datum.of(total * power_of_two(lsb)))}, rounded {short(d)}")
        parts.append("\n".join(lines))
    if len(traced) > 4:
        parts.append(f"  ... and {len(traced) - 4} steps more")
    return parts


def _value(t: Addend) -> Datum:
    return Datum.of(t.units * power_of_two(t.lsb))


def _kept(t: Addend, lsb: int, model: Fused) -> Datum:
    return Datum.of(cut(t, lsb, model.cut) * power_of_two(lsb))


def _bits(t: Addend, lsb: int, top: int, model: Fused) -> str:
    """``+1.0000000000000|`` and the bits behind the bar that are cut."""
    low = min(t.lsb, lsb)
    if top - low > WIDEST:
        return f"{short(_value(t))}, last bit 2^{t.lsb}"
    units = abs(t.units) << (t.lsb - low)
    whole, rest = divmod(units, 1 << (lsb - low))
    digits = f"{whole:0{model.fraction_bits + 1}b}"
    cut_bits = f"{rest:0{lsb - low}b}".rstrip("0") if lsb > low else ""
    sign = "-" if t.units < 0 else "+"
    point = len(digits) - model.fraction_bits
    return f"{sign}{digits[:point]}.{digits[point:]}|{cut_bits}"


def _lost(what: str, value: Fraction | int) -> str:
    return f"   {what} {short(Datum.of(value))}" if value else ""


def _chain(p: Product, model: Chain) -> list[str]:
    """The running sum of a chain after each product that is not zero."""
    lines, c = [f"  {model.name}: the running sum"], p.c
    shown = 0
    if model.order != "up" or p.v.scales:
        return [f"  {model.name} adds in an order, or by scales, that are not drawn here; its answer stands below"]
    for i in range(len(p.v.a)):
        one = accumulate(model, Vectors(p.v.a[i : i + 1], p.v.b[i : i + 1], p.v.format_a, p.v.format_b), c)
        if not p.v.products[i].is_zero and shown < SHOWN:
            exact = exact_sum([p.v.products[i], c])
            lost = exact.value - one.value if exact.is_finite and one.is_finite else 0
            lines.append(f"    k = {i:<4} {short(one)}{_lost('rounding loses', lost)}")
            shown += 1
        c = one
    return lines


# -- side by side -----------------------------------------------------------------------------------------------------
def _sum(p: Product) -> list[str]:
    k = get_format(p.op.result).k
    lines = [f"  exact    {short(p.exact)}"]
    if p.op.mode != ANY_MODE:
        code = p.answer()
        lines.append(f"  answer   {hex_code(code, k)}   {short(unpack(code, get_format(p.op.result)))}  by {p.op.mode}")
        if (status := p.status()) is not None:
            lines.append(f"  flags    {status:02X}   {status_text(Status(status))}")
        if (beside := p.amax()) is not None:
            lines.append(f"  amax     {amax_text(beside)}")
    return lines


def _models(p: Product) -> list[str]:
    f = get_format(p.op.result)
    lines = ["  what the models answer"]
    for code, names in sorted(p.models().items(), key=lambda item: -len(item[1])):
        head = f"    {hex_code(code, f.k)}  {short(unpack(code, f)):<14} "
        lines += [("" if i else head).ljust(len(head)) + ", ".join(names[i : i + 3]) for i in range(0, len(names), 3)]
    return lines


def _bounds(p: Product) -> list[str]:
    f = get_format(p.op.result)
    lines = ["  how far from the exact sum the classes of error bound reach"]
    for name, (found, codes) in p.bounds().items():
        beyond = f"   outside: {', '.join(hex_code(code, f.k) for code in codes)}" if codes else ""
        lines.append(f"    within.{name:<14} {found:<12.6g}{beyond}".rstrip())
    return lines
