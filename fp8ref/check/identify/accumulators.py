"""Hypotheses about a matrix unit: catalogued models, and every unit that fuses products, parameter by parameter.

A hypothesis is a model and the reference's answers of it.  Parameters are the fields of :class:`Fused`; an order over K
is the instruction's length and the places that each of its steps takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import is_nan, product
from ...cases.operation import Operation
from ...cases.products.cases import Cases
from ...cases.products.questions import addend_type, block_of, check_scales, length, scale_type
from ...fast.tables import exactly_holds
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Chain, Evidence, Fused, Model, Scales
from ...spec.matrix.models import QUIET_NAN, get_model, models
from ...spec.matrix.units import Finished, check_operands
from ...spec.overflow import Overflow
from ...spec.rounding import Rounding

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
FIRST_ROWS = 8  # on which a hypothesis is tried before any others: most fail there
MOST_BITS = 44  # fraction bits beyond which float64 no longer adds a step exactly
CUTS = (Rounding.TOWARD_ZERO, Rounding.TOWARD_NEGATIVE, Rounding.TOWARD_POSITIVE, Rounding.TIES_TO_EVEN)
ROUNDINGS = (*CUTS, Rounding.TIES_TO_AWAY, Rounding.TO_ODD)
NARROWING = ("rtz", "rna", "rne")  # of operands: bits ignored, cvt.rna.tf32, the usual cast
EXACT_MODES = ("rne", "rtz", "rna", "rtp", "rtn", "rto")


@dataclass(frozen=True)
class Hypothesis:
    """A model under a name; no model: the exact sum, rounded by ``rounding``."""

    name: str
    model: Model | None
    rounding: str = "rne"
    evidence: str = ""
    overflow: Overflow | None = None


def answers(op: Operation, h: Hypothesis | Model, cases: Cases, result: str | None = None) -> Codes:
    """What a hypothesis answers to cases of an operation, as codes of its result or of another one."""
    if isinstance(h, Model):
        h = Hypothesis(h.name, h)
    return product(replace(op, family="dot"), cases.operands, h.model, h.rounding, h.overflow, result)


def wrong(op: Operation, got: Codes, want: Codes) -> Mask:
    """Which answers differ, all NaNs being one."""
    off: Mask = got != want
    where = np.flatnonzero(off)
    if where.size:
        off[where[is_nan(got[where], op.result) & is_nan(want[where], op.result)]] = False
    return off


def unfinished(op: Operation, h: Hypothesis, cases: Cases) -> Codes:
    """What a hypothesis answers before an output's conversion: it shows what a short result hides."""
    if h.model is None:
        return answers(op, replace(h, overflow=None), cases, "f32")
    model = replace(h.model, rounding=None, overflow=None) if isinstance(h.model, Finished) else h.model
    return answers(op, model, cases, model.result)


def telling(op: Operation, got: Codes, cases: Cases) -> NDArray[np.intp]:
    """A few cases on which wrong hypotheses fail most: answers other than 0 of many products, spread over all."""
    products = ((cases.a != 0) & (cases.b != 0)).sum(axis=1)
    f = get_format(op.result)
    usual = (got & got.dtype.type(f.magnitude_mask) != 0) & ~is_nan(got, op.result)
    order = np.argsort(-np.where(usual, products, -1), kind="stable")
    best = np.sort(order[: max(FIRST_ROWS, int((products[order] * 2 > products[order[:1]]).sum()))])
    return best[:: max(1, best.size // FIRST_ROWS)][:FIRST_ROWS]


def agrees(op: Operation, got: Codes, h: Hypothesis | Model, cases: Cases) -> bool:
    """Does a hypothesis give all of these answers?  Looks at a few first, spread over all."""
    n = got.size
    for step in (n // FIRST_ROWS, n // 250, n // 2500, 1):
        which = np.arange(0, n, max(1, step))
        if wrong(op, got[which], answers(op, h, cases.taken(which))).any():
            return False
        if step <= 1:
            break
    return True


def catalogue(op: Operation) -> list[Hypothesis]:
    """The exact sum, every catalogued model that takes these operands, and those promoted to an outer sum."""
    k = length(op)
    found = [Hypothesis(f"exact.{mode}" if mode != "rne" else "exact", None, mode) for mode in EXACT_MODES]
    for model in (*models(), *rounding_first(op)):
        if not takes(model, op):
            continue
        here = [model]
        if isinstance(model, Chain) and model.order == "up":
            here.append(get_model(f"{model.name}@order=down"))
        if isinstance(model, Fused) and model.k <= k and model.scales is Scales.EPILOGUE and not model.c_last:
            lengths = {n for n in (model.k * 2**i for i in range(12)) if n < k} | {max(128, model.k)}
            if scale_type(op) and block_of(op) % model.k == 0:
                here.append(get_model(f"{model.name}+promote{block_of(op)}.ffma"))
            here += [get_model(f"{model.name}+promote{n}.fadd") for n in sorted(lengths) if n % model.k == 0]
        found += [Hypothesis(m.name, m, evidence=m.evidence.value) for m in here if fits(m, op)]
    return found


def rounding_first(op: Operation) -> Iterator[Model]:
    """Of binary32 operands: the units that take TF32 or BF16, and chains, after a rounding of the operands."""
    if op.operands != ("f32", "f32"):
        return
    chains = [get_model(name) for name in ("f32.fma", "f32.mul-add", "f32.pairwise")]
    for operand in ("tf32", "bf16"):
        units = [model for model in models() if operand in model.operands]
        for rounding in NARROWING:
            for model in (*chains, *units):
                yield get_model(f"{model.name}+in.{operand}.{rounding}")


def fits(model: Model, op: Operation) -> bool:
    """Has a model a place for an operation's scales?"""
    try:
        check_scales(op.with_mode(model.name), op.id, model)
    except ValueError:
        return False
    return True


def takes(model: Model, op: Operation) -> bool:
    """Does a model take an operation's operands and addend?"""
    try:
        check_operands(model, *op.operands)
    except ValueError:
        return False
    own, asked = get_format(model.result), get_format(addend_type(op))
    return own == asked or (own.name == "f32" and exactly_holds(own, asked))


# -- the family of fused units ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Order:
    """An instruction of k products and the places of each step; ``c_last``: C joins the instruction's result."""

    k: int
    steps: tuple[tuple[int, ...], ...]
    c_last: bool = False

    @property
    def widest(self) -> int:
        return max(map(len, self.steps))


def unit(op: Operation, order: Order, bits: int, precision: int = 0, **fields: Any) -> Fused:
    """A fused unit with an order."""
    fc = get_format(addend_type(op))
    chosen: dict[str, Any] = {"rounding": Rounding.TOWARD_ZERO if fc.name == "f32" else Rounding.TIES_TO_EVEN}
    return Fused(
        name="unit", result=fc.name, nan=QUIET_NAN[fc.name], k=order.k, products=order.widest, lanes=order.steps,
        fraction_bits=bits, precision=0 if precision == fc.p else precision, c_last=order.c_last,
        evidence=Evidence.ASSUMED, **{**chosen, **fields},
    )  # fmt: skip


def order_of(model: Fused) -> Order:
    return Order(model.k, model.steps, model.c_last)


def with_order(model: Fused, order: Order) -> Fused:
    return replace(model, k=order.k, products=order.widest, lanes=order.steps, c_last=order.c_last)


def precision_of(model: Fused) -> int:
    return model.precision or model.format.p


def alternatives(model: Fused, parameter: str, orders: Sequence[Order] = ()) -> Iterator[tuple[Any, Fused]]:
    """Every other value of one parameter, and the unit that has it."""
    if parameter == "order":
        for order in orders:
            if replace(order, c_last=False) != replace(order_of(model), c_last=False):
                yield order, with_order(model, replace(order, c_last=model.c_last))
        return
    for value in _values(model, parameter):
        if value != (precision_of(model) if parameter == "precision" else getattr(model, parameter)):
            own = 0 if parameter == "precision" and value == model.format.p else value
            changed: dict[str, Any] = {parameter: own}
            yield value, replace(model, **changed)


PARAMETERS = ("order", "fraction_bits", "cut", "precision", "rounding", "c_last")
CHOICES = ("zero_exponent", "min_exponent", "underflow_sign")  # where public evidence differs


def _values(model: Fused, parameter: str) -> Sequence[Any]:
    match parameter:
        case "fraction_bits":
            return range(2, MOST_BITS + 1)
        case "precision":
            return range(4, model.format.p + 1)
        case "cut":
            return CUTS
        case "rounding":
            return ROUNDINGS
        case "zero_exponent":
            return (None, -126)
        case "min_exponent":
            return (None, -126, -133, -132, -131, -21, -20, -19)
        case _:
            return (False, True)


def orders(k: int) -> list[Order]:
    """The orders that a unit may well have: runs of any length that divides K, and interleaved ones."""
    found: dict[Order, None] = {}
    divisors = [n for n in range(1, k + 1) if k % n == 0]
    for n in divisors:
        found[Order(n, (tuple(range(n)),))] = None
    for n in divisors:
        for modulus in (2, 4, 8, 16, 32):
            if n % modulus or n < modulus * 2:
                continue
            for parts in {2, modulus}:
                size = modulus // parts
                groups = [range(p * size, (p + 1) * size) for p in range(parts)]
                steps = tuple(tuple(i for i in range(n) if i % modulus in group) for group in groups)
                found[Order(n, steps)] = None
    for n in divisors:  # several steps in an instruction: they differ from runs only where C comes last
        for size in (d for d in range(1, n) if n % d == 0):
            found[Order(n, tuple(tuple(range(i, i + size)) for i in range(0, n, size)))] = None
    return list(found)
