"""How matrix units add: one interpreter over exact integers and rationals for every accumulator model.

A model is data (``units.py``, ``models.py``); this file says what the data mean.  There are seven ways to add products:

- :class:`Fused`: a few products and C are aligned at their largest exponent, cut to a number of fraction bits, summed
  exactly and rounded once (NVIDIA tensor cores);
- :class:`FusedLate`: the same for the products in groups, C joining afterwards through a window of its own (CDNA3);
- :class:`GroupDot`: exact dot products of small groups, scaled, then aligned and cut like single products (FP4 units);
- :class:`ExactStep`: a few products and C added exactly and rounded once (CDNA1, Arm);
- :class:`Chain`: IEEE fma, or multiply and add, one product after another;
- :class:`Tree`: IEEE additions in a balanced tree (pairwise summation; CDNA2);
- :class:`TwoChains`: two chains that are added, then added to C (x86 tiles).

:class:`Promote`, :class:`Split` and :class:`Converted` compose them; ``epilogue.py`` finishes them.
``exact_sum`` is the eighth answer: no rounding at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from ..catalog import get_format
from ..codec import unpack
from ..datum import ZERO, Datum, floor_log2, power_of_two
from ..formats import Format
from ..projection import Projection, Subnormal, get_projection, project
from ..rounding import Rounding
from .sums import (
    TO_INFINITY,
    TO_LARGEST,
    Addend,
    addend,
    cut,
    exact_sum,
    flushed,
    product,
    rounded,
    rounded_sum,
    special_sum,
)
from .units import (
    Chain,
    Composed,
    Converted,
    Evidence,
    ExactStep,
    Fused,
    FusedLate,
    GroupDot,
    Join,
    Model,
    Promote,
    Scales,
    Split,
    Tree,
    TwoChains,
)  # fmt: skip

__all__ = [
    "F32", "NOTHING", "TO_INFINITY", "Addend", "Chain", "Composed", "Evidence", "ExactStep", "Fused",
    "FusedLate", "GroupDot", "Join", "Model", "Promote", "Scales", "Split", "Tree", "TwoChains", "Vectors",
    "accumulate", "addend", "cut", "exact_sum", "factor", "fused_lsb", "fused_terms", "product", "rounded",
    "rounded_sum", "special_sum", "unpack_all",
]  # fmt: skip

F32 = get_format("f32")
NOTHING = Datum.finite(ZERO)
NEAREST = Rounding.TIES_TO_EVEN
FLUSHES = (Subnormal.KEEP, Subnormal.FTZ)


# -- the interpreter --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vectors:
    """The operands of one dot product: data, their formats, and a pair of scales for every ``block`` elements."""

    a: tuple[Datum, ...]
    b: tuple[Datum, ...]
    format_a: Format
    format_b: Format
    scales: tuple[tuple[Datum, Datum], ...] = ()
    block: int = field(default=1 << 62)

    def part(self, start: int, stop: int) -> Vectors:
        """Elements start .. stop-1, padded with zeros; start must begin a block."""
        pad = (NOTHING,) * (stop - max(start, min(stop, len(self.a))))
        first = start // self.block
        last = -(-stop // self.block)
        return Vectors(
            self.a[start:stop] + pad,
            self.b[start:stop] + pad,
            self.format_a,
            self.format_b,
            self.scales[first:last],
            self.block,
        )

    def gather(self, runs: Sequence[tuple[int, int]]) -> Vectors:
        """The elements of some runs (start, stop), one after another; each must begin a block."""
        parts = [self.part(start, stop) for start, stop in runs]
        a, b, scales = (tuple(x for p in parts for x in getattr(p, name)) for name in ("a", "b", "scales"))
        return Vectors(a, b, self.format_a, self.format_b, scales, self.block)

    def pick(self, places: Sequence[int]) -> Vectors:
        """The elements at these places, which share one block."""
        a, b = tuple(self.a[i] for i in places), tuple(self.b[i] for i in places)
        return Vectors(a, b, self.format_a, self.format_b, self.scales, self.block)

    def converted(self, f: Format, rounding: Rounding) -> Vectors:
        """The same with every element rounded into a format."""
        rho = get_projection(f, rounding)
        a, b = (tuple(project(x, f, rho)[0] for x in side) for side in (self.a, self.b))
        return replace(self, a=a, b=b, format_a=f, format_b=f)

    def flushed(self, f: Format, own: Sequence[str] = ()) -> Vectors:
        """The same with zeros of their sign for what lies below the normal range of f, or of its own, if named."""
        least = [max(f.min_normal, g.min_normal if g.name in own else ZERO) for g in (self.format_a, self.format_b)]
        a, b = (
            tuple(Datum.finite(ZERO, x.sign) if x.is_finite and x.magnitude < low else x for x in side)
            for side, low in zip((self.a, self.b), least)
        )
        return replace(self, a=a, b=b)

    @property
    def products(self) -> tuple[Datum, ...]:
        """The exact products, without scales."""
        return tuple(map(product, self.a, self.b))

    def scale(self, i: int) -> tuple[Datum, Datum]:
        """The scales of element i: 1 where none are given, 0 in the padding beyond the last block."""
        if not self.scales:
            return (Datum.finite(1), Datum.finite(1))
        block = i // self.block
        return self.scales[block] if block < len(self.scales) else (NOTHING, NOTHING)


def accumulate(model: Model, v: Vectors, c: Datum = NOTHING) -> Datum:
    """D of a model for one dot product: a datum of the model's result format, or of the register it keeps.

    ``c`` is a datum of the result format; an absent one is +0.  Scales enter where the model has them (product, group,
    chunk); what comes after the sum is ``epilogue.finish``'s.
    """
    match model:
        case Converted():
            return accumulate(model.inner, v.converted(model.to, model.rounding), c)
        case Promote():
            for start in range(0, len(v.a), model.every):
                c = _joined(model, v.part(start, min(start + model.every, len(v.a))), c)
            return c
        case Split():
            return rounded_sum(_split(model, v), c, model.format)
        case Chain():
            return _chain(model, v.part(0, -(-len(v.a) // model.k) * model.k), c)
        case TwoChains():
            for start in range(0, len(v.a), model.k):
                turns = -(-min(len(v.a) - start, model.k) // model.turn)
                c = _two_chains(model, v.part(start, start + turns * model.turn), c)
            return c
        case Tree() if model.k == 1:
            return rounded_sum(_tree(model, v.products), c, model.format) if v.a else c
    if isinstance(model, Tree):
        c = _flushed(model, c, sign=model.signed)
    step = STEPS[type(model)]
    for start in range(0, len(v.a), model.k):
        c = step(model, v.part(start, start + model.k), c)
    return c


def factor(scales: tuple[Datum, Datum]) -> Datum:
    """The product of a pair of scales as a unit in binary32 computes it."""
    return rounded(product(*scales), F32)


def _joined(model: Promote, chunk: Vectors, c: Datum) -> Datum:
    """The register after one chunk."""
    f = model.format
    p = accumulate(model.inner, Vectors(chunk.a, chunk.b, chunk.format_a, chunk.format_b))
    if model.join is Join.FADD or not chunk.scales:
        return rounded_sum(p, c, f)
    sa, sb = (rounded(s, F32) for s in chunk.scales[0])
    match model.join:
        case Join.FFMA:
            p = product(p, factor(chunk.scales[0]))
        case Join.FMUL:
            p = rounded(product(p, factor(chunk.scales[0])), f)
        case Join.TRITON:
            p = product(rounded(product(p, sa), f), sb)
        case Join.TRITON_FMUL:
            p = rounded(product(rounded(product(p, sa), f), sb), f)
    return rounded_sum(p, c, f)


def _split(model: Split, v: Vectors) -> Datum:
    f = model.sum_format
    parts = [
        rounded(accumulate(model.inner, v.gather(piece)), f) if piece else NOTHING for piece in model.pieces(len(v.a))
    ]
    total: Datum | None = None
    for group in model.order(len(parts)):
        here = parts[group[0]]
        for s in group[1:]:
            here = rounded_sum(here, parts[s], f)
        total = here if total is None else rounded_sum(total, here, f)
    return NOTHING if total is None else total


def _chain(model: Chain, v: Vectors, c: Datum) -> Datum:
    f = model.format
    if model.flush:
        v, c = v.flushed(f), flushed(c, f)
    for i in model.places(len(v.a)):
        p = product(v.a[i], v.b[i])
        p = p if model.fused else rounded(p, f, flush=model.flush)
        c = rounded_sum(p, c, f, flush=model.flush)
    return c


def _two_chains(model: TwoChains, v: Vectors, c: Datum) -> Datum:
    """One instruction, its products a multiple of those of one turn."""
    f = model.format
    v = v.flushed(f, model.daz)
    taken = list(v.products)
    if model.pairs:
        terms = [rounded(p, f, flush=True) for p in taken]
        taken = [rounded_sum(p, q, f, flush=True) for p, q in zip(terms[::2], terms[1::2])]
    first = second = NOTHING
    for p, q in zip(taken[::2], taken[1::2]):
        first, second = rounded_sum(p, first, f, flush=True), rounded_sum(q, second, f, flush=True)
    return rounded_sum(flushed(c, f), rounded_sum(first, second, f, flush=True), f, flush=True)


def _fused(model: Fused, v: Vectors, c: Datum) -> Datum:
    """One instruction of a fused unit: its steps, then C where C comes last."""
    d = NOTHING if model.c_last else c
    for places in model.steps:
        d = _fused_step(model, v.pick(places), d)
    return rounded_sum(d, c, model.format, model.c_rounding) if model.c_last else d


def _fused_step(model: Fused, v: Vectors, c: Datum) -> Datum:
    scale_a, scale_b = v.scale(0)
    if not all(x.is_finite for x in (*v.a, *v.b, c, scale_a, scale_b)):
        special = special_sum([product(product(x, scale_a), product(y, scale_b)) for x, y in zip(v.a, v.b)] + [c])
        if special is not None:
            return special
    terms = fused_terms(model, v, c)
    lsb = fused_lsb(model, terms)
    if lsb is None:
        return NOTHING
    total = sum(cut(t, lsb, model.cut) for t in terms.values())
    if total == 0:
        return NOTHING
    d = rounded(Datum.finite(total * power_of_two(lsb)), model.register, model.rounding)
    return NOTHING if d.is_zero and not model.underflow_sign else d


def fused_terms(model: Fused, v: Vectors, c: Datum) -> dict[int, Addend]:
    """What a step adds, by place in the step; C, where it is not zero, stands at -1.  All are finite."""
    scale_a, scale_b = v.scale(0)
    shift = floor_log2(scale_a.magnitude) + floor_log2(scale_b.magnitude)
    terms = {}
    for i, (x, y) in enumerate(zip(v.a, v.b)):
        if model.zero_exponent is None and (x.is_zero or y.is_zero):
            continue
        p, q = addend(x, v.format_a, model.zero_exponent), addend(y, v.format_b, model.zero_exponent)
        terms[i] = Addend(p.units * q.units, p.lsb + q.lsb + shift, p.exponent + q.exponent + shift)
    if not c.is_zero:
        terms[-1] = addend(c, model.format)
    return terms


def fused_lsb(model: Fused, terms: Mapping[int, Addend]) -> int | None:
    """The exponent of the last bit that a step keeps of its addends; None where there is nothing to add."""
    exponents = [t.exponent for t in terms.values()] + ([] if model.min_exponent is None else [model.min_exponent])
    return max(exponents) - model.fraction_bits if exponents else None


def _fused_late(model: FusedLate, v: Vectors, c: Datum) -> Datum:
    products = v.products
    if model.product_limit is not None:
        limit = power_of_two(model.product_limit)
        products = tuple(Datum.infinity(p.sign) if p.is_finite and p.magnitude >= limit else p for p in products)
    special = special_sum([*products, c])
    if special is not None:
        return special
    sums = []
    for g in range(model.groups):
        terms = []
        for x, y in zip(v.a[g :: model.groups], v.b[g :: model.groups]):
            p, q = addend(x, v.format_a, model.zero_exponent), addend(y, v.format_b, model.zero_exponent)
            terms.append(Addend(p.units * q.units, p.lsb + q.lsb, p.exponent + q.exponent))
        e = max(t.exponent for t in terms)
        lsb = e - model.fraction_bits
        sums.append(Addend(sum(cut(t, lsb, Rounding.TOWARD_ZERO) for t in terms), lsb, e))
    e = max(s.exponent for s in sums)
    lsb = e - model.fraction_bits
    total = Addend(sum(cut(s, lsb, Rounding.TOWARD_NEGATIVE) for s in sums), lsb, e)
    late = addend(c, model.format)
    top = max(e, late.exponent)
    s = cut(total, top - model.sum_bits, Rounding.TOWARD_NEGATIVE) * power_of_two(top - model.sum_bits)
    if model.window is None or late.exponent >= top - model.window:
        grid = top - model.fraction_bits
        s += cut(late, grid, Rounding.TOWARD_NEGATIVE) * power_of_two(grid)
    if model.keep_bits is not None and s:
        unit = power_of_two(max(floor_log2(abs(s)), model.format.emin) - model.keep_bits)
        s = (s // unit) * unit
    return rounded(Datum.finite(s), model.format)


def _group_dot(model: GroupDot, v: Vectors, c: Datum) -> Datum:
    """Scales lose their sign."""
    pairs = [v.scale(i) for i in range(0, model.k, model.group)]
    if c.is_nan or any(s.is_nan for pair in pairs for s in pair):
        return Datum.nan()
    if c.is_infinite:
        return c
    terms = [addend(c, model.format, model.min_exponent)]
    for i, (scale_a, scale_b) in zip(range(0, model.k, model.group), pairs):
        products = v.products[i : i + model.group]
        if model.zero_groups == "absent" and (scale_a.is_zero or scale_b.is_zero or all(p.is_zero for p in products)):
            continue
        dot = sum((p.value for p in products), ZERO)
        e = 0
        for scale in (scale_a, scale_b):
            e += _scale_exponent(scale.magnitude, model)
            dot *= scale.magnitude
        lsb = e - 64  # finer than any product of FP4 values and scale significands
        units = dot / power_of_two(lsb)
        terms.append(Addend(units.numerator // units.denominator, lsb, e))
    lsb = max(model.min_exponent, *(t.exponent for t in terms)) - model.fraction_bits
    total = sum(cut(t, lsb, Rounding.TOWARD_ZERO) for t in terms)
    d = rounded(Datum.finite(total * power_of_two(lsb)), model.format, Rounding.TOWARD_ZERO)
    return NOTHING if d.is_zero else d


def _scale_exponent(scale: Fraction, model: GroupDot) -> int:
    emin = min(get_format(name).emin for name in model.scale_formats)
    return -126 if scale == 0 else max(floor_log2(scale), emin)


def _tree(model: Tree, addends: Sequence[Datum]) -> Datum:
    if len(addends) == 1:
        return _flushed(model, rounded(addends[0], model.format))
    half = 1 << ((len(addends) - 1).bit_length() - 1)
    return _flushed(model, rounded_sum(_tree(model, addends[:half]), _tree(model, addends[half:]), model.format))


def _flushed(model: Tree, x: Datum, f: Format | None = None, *, sign: bool = True) -> Datum:
    return flushed(x, f or model.format, sign=sign) if model.flush else x


def _small_tree(model: Tree, v: Vectors, c: Datum) -> Datum:
    a = [_flushed(model, x, v.format_a, sign=model.signed) for x in v.a]
    b = [_flushed(model, x, v.format_b, sign=model.signed) for x in v.b]
    total = _tree(model, [product(x, y) for x, y in zip(a, b)])
    return _flushed(model, rounded_sum(total, c, model.format))


def _exact_step(model: ExactStep, v: Vectors, c: Datum) -> Datum:
    f, unit = model.format, product(product(*v.scale(0)), Datum.finite(power_of_two(-model.lscale)))
    addends = [product(p, unit) for p in v.products]
    c = flushed(c, f) if model.flush else c
    if model.c_last:
        s = rounded(exact_sum(addends), f, flush=model.flush)
        return rounded_sum(s, c, f, flush=model.flush)
    addends.append(c)
    d = exact_sum(addends)
    if d.is_zero and model.zero == "ieee":
        d = d.with_sign(min(x.sign if x.is_zero else 0 for x in addends))
    rho = Projection(NEAREST, TO_LARGEST if model.saturate else TO_INFINITY, subnormal=FLUSHES[model.flush])
    return project(d, f, rho)[0]


STEPS: dict[type, Callable[[Any, Vectors, Datum], Datum]] = {
    Fused: _fused,
    FusedLate: _fused_late,
    GroupDot: _group_dot,
    ExactStep: _exact_step,
    Tree: _small_tree,
}


def unpack_all(codes: Sequence[int], f: Format) -> tuple[Datum, ...]:
    """The data of codes."""
    return tuple(unpack(code, f) for code in codes)
