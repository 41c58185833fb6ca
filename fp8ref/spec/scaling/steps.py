"""What the factors of a recipe mean: single rounded operations, in the order of the source.

The steps are written once, over the single operations of ``operations.py``: ``exact.py`` runs them on one group of
exact rationals, with every operation rounded as IEEE 754 says, and ``fast`` runs the same steps on arrays.  A value is
a number of binary32; exponent bytes are such numbers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..catalog import get_format
from ..datum import power_of_two
from .operations import Arithmetic, Mask, Value
from .recipe import Recipe


@dataclass
class Scaled:
    """A group's scale: what is stored (a number of binary32, or a code), and what elements meet.

    ``divide``: elements are divided by ``factor``, else multiplied.  ``first``: what they are multiplied by before.
    ``blank``: where all codes are 0.  ``step``: the scale itself, for roundings that look at it.
    """

    stored: Value
    factor: Value
    divide: bool
    step: Value
    first: Value | None = None
    blank: Mask | None = None


def constant(text: str, r: Recipe) -> Fraction:
    """The number of a floor."""
    text = text.removesuffix("T")
    if text == "step":
        return 1 / (r.maximum * 512)
    return power_of_two(int(text[2:])) if text.startswith("2^") else Fraction(text)


def _floors(r: Recipe, what: str) -> list[str]:
    return [part[2:] for part in r.floor.split("+") if part.startswith(f"{what}:")]


def _raised(m: Arithmetic, x: Value, r: Recipe, what: str, source: str) -> Value:
    for text in _floors(r, what):
        least = m.number(constant(text, r), source if text.endswith("T") else "f32")
        x = m.choose(m.below(x, least), least, x)
    return x


def _type(name: str, source: str) -> str:
    return source if name == "T" else name


def _typed(m: Arithmetic, x: Value, name: str, source: str) -> Value:
    kind = _type(name, source)
    return x if kind == "f32" else m.to(x, kind)


def _one(m: Arithmetic) -> Value:
    return m.number(Fraction(1))


def _capped(m: Arithmetic, q: Value, r: Recipe, source: str) -> Value:
    if r.cap == "none":
        return q
    top = m.number(get_format(_type(r.cap, source)).max)
    return m.choose(m.below(top, q), top, q)


# -- the scale of the tensor -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """In place of a tensor's largest magnitude: its g or p, wherever it comes from."""

    factor: Value


def tensor_factor(r: Recipe, m: Arithmetic, whole: Value) -> Value:
    """g or p of a tensor from its largest magnitude."""
    if isinstance(whole, Given):
        return whole.factor
    top, zero, one = m.number(r.whole), m.number(Fraction(0)), _one(m)
    infinity = m.number("inf")
    if r.tensor == "p":
        return m.over(whole, top)
    if r.tensor in ("div", "te"):
        g = m.over(top, whole)
        if r.tensor == "te":
            largest = m.number(get_format("f32").max)
            g = m.choose(m.below(largest, g), largest, g)
            g = m.choose(m.equal(g, zero), one, m.choose(m.equal(whole, zero), one, g))
        return g
    if r.tensor == "rmul":
        tiny = m.number(power_of_two(-126))
        whole = m.choose(m.below(whole, tiny), tiny, whole)
    g = m.times(m.over(one, whole), top)
    if r.tensor == "rmul":
        return m.choose(m.is_nan(g), one, m.choose(m.equal(g, infinity), one, g))
    return m.choose(m.equal(whole, zero), zero, g)


def tensor_stored(r: Recipe, m: Arithmetic, whole: Value) -> Value:
    """The decode multiplier of a tensor: p, or 1 / g."""
    factor = tensor_factor(r, m, whole)
    return factor if r.tensor == "p" else m.over(_one(m), factor)


# -- the scale of a group ------------------------------------------------------------------------------------------


def scale_of(r: Recipe, m: Arithmetic, a: Value, source: str, whole: Value | None = None) -> Scaled:
    """The scale of a group from its largest magnitude ``a``, of which ``amax`` decided what a NaN does.

    ``source``: the type of the elements, f32, bf16 or f16.  ``whole``: the largest magnitude of the tensor.
    """
    if r.scale != "wide":
        a = _raised(m, a, r, "a", source)
    if r.tensor != "none":
        return _block_of_tensor(r, m, a, source, whole)
    one, zero, top = _one(m), m.number(Fraction(0)), m.number(r.maximum)
    q: Value = None
    if r.scale == "rdiv":
        q = m.over(top, a)
    elif r.scale == "rmul":
        q = m.times(m.over(one, a), top)
    elif r.scale == "wide":
        floors = _floors(r, "a")
        q = m.over_wide(r.maximum, a, floors[0] if floors else "0")
    if q is None:
        s = a
        if r.scale == "div":
            s = m.over(a, top)
        elif r.scale == "mul":
            s = m.times(a, m.number(1 / r.maximum))
        s = _typed(m, s, r.scale_in, source)
    else:
        q = _multiplier_of(r, m, a, q, source)
        s = _typed(m, m.over(one, q), r.scale_in, source)
    s = _raised(m, s, r, "s", source)
    s = _where_zero(r, m, s, a, source)
    byte: Value = None
    if r.power not in ("none", "q.drop", "q.log2"):
        byte, s = _power(r, m, s)
    direct = q
    if direct is None and r.elements in ("direct", "rdirect"):
        direct = m.over(top, a) if r.elements == "direct" else m.times(m.over(one, a), top)
        direct = _multiplier_of(r, m, a, direct, source)
    stored = _stored(r, m, s, byte)
    if r.stores_float:
        s = m.decoded(stored, r.stored)
    if r.keeps == "multiplier" and r.stored == "f32":
        stored = q if q is not None else m.over(one, s)
    factor, divide = _factor(r, m, s, byte, direct)
    found = Scaled(stored, factor, divide, s)
    smallest = byte if byte is not None else s
    if r.small == "zero":
        found.factor = m.choose(m.equal(smallest, zero), m.number("inf") if found.divide else zero, found.factor)
    elif r.small == "one":
        found.factor = m.choose(m.equal(smallest, zero), one, found.factor)
    elif r.small == "blank":
        found.blank = m.equal(smallest, zero)
    return found


def _multiplier_of(r: Recipe, m: Arithmetic, a: Value, q: Value, source: str) -> Value:
    """A multiplier with its cap, its special cases and its power of two."""
    one, zero = _one(m), m.number(Fraction(0))
    q = _capped(m, q, r, source)
    if r.zero in ("finite", "positive"):
        usual = a if r.zero == "positive" else m.choose(m.below(a, m.number("inf")), a, zero)
        q = m.choose(m.below(zero, usual), q, one)
    if r.power == "q.drop":
        q = m.cut(q)
    elif r.power == "q.log2":
        q = m.exp2(m.floor(m.log2(q)))
    return q


def _where_zero(r: Recipe, m: Arithmetic, s: Value, a: Value, source: str) -> Value:
    one, zero = _one(m), m.number(Fraction(0))
    if r.zero == "small":  # the square root of 2^-126
        return m.choose(m.below(s, m.number(power_of_two(-63))), one, s)
    if r.zero == "half":
        return m.choose(m.equal(a, zero), m.number(Fraction(1, 2) * _unit(r)), s)
    if r.zero in ("finite", "positive") and r.scale in ("div", "mul", "emax"):
        usual = a if r.zero == "positive" else m.choose(m.below(a, m.number("inf")), a, zero)
        return m.choose(m.below(zero, usual), s, m.number(_unit(r)))
    value = {"one": Fraction(1), "2^-23": power_of_two(-23), "eps": _epsilon(r, source)}.get(r.zero)
    return s if value is None else m.choose(m.equal(s, zero), m.number(value * _unit(r)), s)


def _unit(r: Recipe) -> Fraction:
    """The number that stands for a scale of 1 before the power of two is taken."""
    return power_of_two(r.format.emax) if r.scale == "emax" else Fraction(1)


def _epsilon(r: Recipe, source: str) -> Fraction:
    f = get_format(_type(r.scale_in, source)) if r.stored == "f32" else r.stored_format
    return power_of_two(-f.t)


def _power(r: Recipe, m: Arithmetic, s: Value) -> tuple[Value, Value]:
    """The exponent byte of a power of two, as it is stored, and the scale that elements meet."""
    offset = m.number(Fraction(r.format.emax if r.scale == "emax" else 0))
    bias, nan = m.number(Fraction(127)), m.is_nan(s)
    if r.power.startswith("log2"):
        rounded = {"log2.ceil": m.ceil, "log2.floor": m.floor, "log2.round": m.nearest}[r.power](m.log2(s))
        byte = m.plus(m.minus(rounded, offset), bias)
    elif r.power == "rp":
        byte = m.code(s, "e8m0.rp")
    else:
        v = s
        if r.power in ("even", "even1", "even.log2"):
            v = m.more(s, 1 << (22 - (r.format.t if r.power != "even1" else 1)))
        byte = m.field(v)
        if r.power in ("even1", "even.log2"):  # a logarithm is taken of the bits: an infinity has an infinite one
            byte = m.choose(m.below(v, m.number("inf")), byte, m.number("inf"))
        if r.power == "up":
            byte = m.plus(byte, m.ragged(s))
        byte = m.minus(byte, offset)
    if r.nan_scale == "zero":
        byte = m.choose(nan, m.number(Fraction(0)), byte)
    elif r.nan_scale == "nan":
        byte = m.choose(nan, m.number("nan"), byte)
    low, high = {"1-254": (1, 254), "0-254": (0, 254), "0-255": (0, 255), "0-nan": (0, 255)}.get(r.limits, (None, None))
    if r.limits == "wrap-stored":
        byte = m.choose(m.below(byte, m.number(Fraction(0))), m.number(Fraction(0)), byte)
    exact = m.exp2(m.minus(byte, bias))
    if r.limits == "wrap":
        byte = m.modulo(byte)
        exact = m.exp2(m.minus(byte, bias))
    elif low is not None and high is not None:
        for bound, under in ((Fraction(low), True), (Fraction(high), False)):
            limit = m.number(bound)
            byte = m.choose(m.below(byte, limit) if under else m.below(limit, byte), limit, byte)
        exact = m.exp2(m.minus(byte, bias))
        if r.limits == "0-nan" or (r.top == "nan" and r.stored == "e8m0fnu"):
            exact = m.choose(m.equal(byte, m.number(Fraction(255))), m.number("nan"), exact)
        if r.top == "inf":
            exact = m.choose(m.is_nan(byte), m.number("inf"), exact)
    if r.limits == "wrap-stored":
        byte = m.modulo(byte)
    byte = m.choose(m.is_nan(byte), m.number(Fraction(255)), byte)
    if r.small == "normal":
        least = m.number(power_of_two(-126))
        exact = m.choose(m.below(exact, least), least, exact)
    return byte, exact


def _stored(r: Recipe, m: Arithmetic, s: Value, byte: Value) -> Value:
    if r.stored == "f32":
        return s
    return byte if r.stored == "e8m0fnu" else m.code(s, r.stored)


def _factor(r: Recipe, m: Arithmetic, s: Value, byte: Value, direct: Value) -> tuple[Value, bool]:
    """What elements are divided by or multiplied with."""
    if r.elements == "bits":
        q = m.exp2(m.minus(m.number(Fraction(127)), byte))
        q = m.choose(m.below(m.number(Fraction(254)), byte), m.times(m.number("inf"), m.number(Fraction(-1))), q)
        return m.choose(m.equal(byte, m.number(Fraction(254))), m.number(Fraction(0)), q), False
    if r.elements == "div":
        return s, True
    return (m.over(_one(m), s) if r.elements == "mul" else direct), False


def _block_of_tensor(r: Recipe, m: Arithmetic, a: Value, source: str, whole: Value) -> Scaled:
    """Two levels: a scale of the block under a scale of the tensor."""
    one, zero, top = _one(m), m.number(Fraction(0)), m.number(r.maximum)
    reciprocal = m.number(1 / r.maximum)
    w = tensor_factor(r, m, whole)
    if r.elements == "pre":
        a = m.times(a, w)
    if r.scale == "g.te":
        wish = m.times(a, m.times(w, reciprocal))
    elif r.scale == "g.mul":
        wish = m.times(w, m.times(a, reciprocal))
    elif r.scale == "p.joint":
        wish = m.over(a, m.times(top, w))
    else:
        wish = _typed(m, m.over(a, top), r.scale_in, source)
        if r.elements != "pre":
            wish = m.over(wish, w) if r.scale == "p.div" else m.times(wish, w)
    if r.zero == "one":
        wish = m.choose(m.equal(wish, zero), one, wish)
    wish = _raised(m, wish, r, "s", source)
    stored = m.code(wish, r.stored)
    d = m.decoded(stored, r.stored)
    if r.zero == "eps":
        stored = m.choose(m.equal(d, zero), m.code(m.number(_epsilon(r, source)), r.stored), stored)
        d = m.decoded(stored, r.stored)
    return _under_tensor(r, m, stored, d, w, source)


def _under_tensor(r: Recipe, m: Arithmetic, stored: Value, d: Value, w: Value, source: str) -> Scaled:
    one, zero = _one(m), m.number(Fraction(0))
    first, divide = None, False
    if r.elements == "g.mul":
        factor = m.over(one, m.times(d, m.over(one, w)))
    elif r.elements == "p.mul":
        factor = m.over(m.over(one, w), d)
    elif r.elements == "pre":
        factor, first = m.over(one, d), w
    else:
        factor, divide = (m.over(d, w) if r.elements == "g.div" else m.times(d, w)), True
    found = Scaled(stored, factor if divide else _capped(m, factor, r, source), divide, d, first)
    if r.small in ("zero", "product"):
        inverse = one if r.small == "zero" else m.choose(m.equal(w, zero), zero, m.over(one, w))  # of 0 it is 0
        nothing = m.equal(m.times(d, inverse), zero)
        found.factor = m.choose(nothing, m.number("inf") if divide else zero, found.factor)
    return found


# -- elements ----------------------------------------------------------------------------------------------------------


def scaled_element(r: Recipe, m: Arithmetic, x: Value, s: Scaled, source: str) -> Value:
    """An element under its scale, before it is rounded to the element format."""
    if s.first is not None:
        x = m.times(x, s.first)
    y = m.over(x, s.factor) if s.divide else m.times(x, s.factor)
    return _typed(m, y, r.elements_in, source)


def four_or_six(
    r: Recipe, m: Arithmetic, a: Value, xs: Sequence[Value], whole: Value, source: str
) -> tuple[Scaled, Scaled, Mask]:
    """Both candidates of four over six, scaled to 6 and to 4, and where the second has the smaller error.

    ``xs``: the elements, one value a place.  The error of an element is ((code * d) * A) / (6 T) - x, its magnitude or
    its square, summed in the order of the elements; 16 rows of 16 each, and these sums as a balanced tree.
    """
    w = tensor_factor(r, m, whole)
    base = m.times(m.over(a, m.number(r.maximum)), w)
    top = m.number(Fraction(448))
    wishes = [base, m.times(base, m.number(Fraction(3, 2)))]
    found, errors = [], []
    for wish in wishes:
        stored = m.code(m.choose(m.below(top, wish), top, wish), r.stored)
        d = m.decoded(stored, r.stored)
        s = _under_tensor(r, m, stored, d, w, source)
        each = []
        for x in xs:
            value = m.decoded(m.code(scaled_element(r, m, x, s, source), r.element), r.element)
            back = m.over(m.times(m.times(value, d), whole), m.number(r.whole))
            error = m.minus(back, x)
            each.append(m.magnitude(error) if r.choose == "mae" else m.times(error, error))
        rows = [_sum(m, each[i : i + 16]) for i in range(0, len(each), 16)] if len(each) == 256 else [_sum(m, each)]
        while len(rows) > 1:
            half = len(rows) // 2
            rows = [m.plus(x, y) for x, y in zip(rows[:half], rows[half:])]
        found.append(s)
        errors.append(rows[0])
    return found[0], found[1], m.below(errors[1], errors[0])


def _sum(m: Arithmetic, xs: Sequence[Value]) -> Value:
    total = m.number(Fraction(0))
    for x in xs:
        total = m.plus(total, x)
    return total


# -- values ------------------------------------------------------------------------------------------------------------


def value_of(r: Recipe, m: Arithmetic, e: Value, d: Value, whole: Value, used: Scaled | None, source: str) -> Value:
    """The value that an element and its scales stand for, in the source's type: what a fake quantiser returns.

    ``e``: the element; ``d``: the decoded scale, ``whole``: the tensor's, None where there is one level; ``used``: what
    the element met, for ``values=undo`` and ``back``.
    """
    if r.values in ("undo", "back"):
        assert used is not None
        factor, zero = used.factor, m.number(Fraction(0))
        if used.divide:
            y = m.times(e, factor)
        elif r.values == "undo":
            y = m.over(e, factor)
        else:  # what was multiplied by 0 stays 0
            y = m.times(e, m.choose(m.equal(factor, zero), zero, m.over(_one(m), factor)))
    elif whole is None:
        y = m.times(e, d)
    elif r.values == "joint":
        y = m.times(e, m.times(d, whole))
    else:
        y = m.times(m.times(e, d), whole)
    return _typed(m, y, "T", source)
