"""Hypothesis strategies: codes, data, arrays, blocks and dot operands that sit where implementations differ.

All shrink towards values that are easy to read: finite, few significand bits, near 1, positive.  Arrays repeat a few
elements, and shrink towards fewer, in a plain layout.

Needs Hypothesis: ``pip install '.[testing]'`` in a checkout of fp8ref.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .extras import install

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover - reported where it is missing
    raise ImportError(f"fp8ref.strategies needs Hypothesis: {install('testing')}") from error

from .cases.flags import parts_of
from .cases.operation import INTEGERS, Operation, carrier_dtype, default_mode
from .cases.products.cases import PROBES, Cases, probes
from .cases.products.questions import addend_type, length
from .cases.scaling.cases import scale_cases
from .cases.thresholds import nearby, thresholds
from .cases.tuples import special_codes, width
from .check.harness.layout import LAYOUTS
from .fast.decode import decode_codes
from .fast.encode import convert_codes
from .spec.catalog import get_format
from .spec.codec import unpack
from .spec.datum import Datum
from .spec.formats import Format
from .spec.projection import get_projection

Codes = NDArray[Any]
F64 = get_format("f64")
MOST_RANDOM_BITS = 64
NARROW = 16  # bits up to which every code stands in one list, the simplest first
DRAWN_ELEMENTS = 12  # of an array, at most; the rest repeats them
TINY = (1, 0, 2, 3)  # lengths of arrays
AROUND_VECTORS = tuple(n + d for n in (4, 8, 16, 32, 64, 128, 256) for d in (-1, 0, 1))


# -- codes ------------------------------------------------------------------------------------------------------------
def simplest_first(codes: Codes, type_name: str) -> Codes:
    """Codes in the order in which a person reads them most easily: what Hypothesis shrinks towards comes first.

    Finite before special, few significand bits before many, near 1 before far, positive before negative.
    """
    if type_name in INTEGERS:
        unsigned = np.abs(codes.astype(np.float64))
        return codes[np.lexsort((codes < 0, unsigned, np.bitwise_count(codes)))]
    x = parts_of(codes, type_name)
    bits = np.bitwise_count(x.sig)
    exponent = np.abs(x.exp + np.floor(np.log2(np.maximum(x.sig, np.uint64(1)).astype(np.float64))))
    return codes[np.lexsort((codes, x.negative, np.where(x.sig > 0, exponent, -1), bits, x.infinite, x.nan))]


def _picked(pool: Codes, name: str) -> st.SearchStrategy[int]:
    """One of a pool of codes.  Binade, significand and sign are drawn apart, so that each shrinks by itself."""
    if name in INTEGERS:
        return _sampled(pool, name)
    f, members = get_format(name), frozenset(pool.tolist())
    ordered = simplest_first(np.unique(pool), name)
    ordered = ordered[[not code & f.sign_bit or code ^ f.sign_bit not in members for code in ordered.tolist()]]
    x = parts_of(ordered, name)
    special = x.nan | x.infinite
    binade = x.exp + np.floor(np.log2(np.maximum(x.sig, np.uint64(1)).astype(np.float64))).astype(np.int64)
    groups = [ordered[~special & (x.sig == 0)].tolist()]
    for e in sorted(np.unique(binade[~special & (x.sig > 0)]).tolist(), key=lambda e: (abs(e), e)):
        groups.append(ordered[~special & (x.sig > 0) & (binade == e)].tolist())
    groups += [ordered[x.infinite].tolist(), ordered[x.nan].tolist()]
    groups = [group for group in groups if group]

    def pick(drawn: tuple[list[int], int, bool]) -> int:
        group, index, negative = drawn
        code: int = group[index % len(group)]
        return code ^ f.sign_bit if negative and code ^ f.sign_bit in members else code

    longest = max(map(len, groups))
    return st.tuples(st.sampled_from(groups), st.integers(0, longest - 1), st.booleans()).map(pick)


@lru_cache(maxsize=64)
def _every(name: str, kind: str) -> st.SearchStrategy[int]:
    """All codes of a narrow type of one kind."""
    found = np.arange(1 << width(name), dtype=np.uint64).astype(f"u{carrier_dtype(name).itemsize}")
    found = found.view(carrier_dtype(name))
    if name not in INTEGERS:
        x = parts_of(found, name)
        special = x.nan | x.infinite
        keep = {"all": ~special | special, "finite": ~special, "specials": special | (x.sig == 0)}[kind]
        found = found[keep]
    return _picked(found, name)


def codes(format: str | Format) -> st.SearchStrategy[int]:
    """Every code of a format, as an int; of an integer type (``i8`` ... ``u64``) its values.

    Raises ValueError for a name that is no format.
    """
    name = _name(format)
    if width(name) <= NARROW:
        return _every(name, "all")
    if name in INTEGERS:
        info = np.iinfo(carrier_dtype(name))  # type: ignore[type-var]
        return _sampled(special_codes(name), name) | st.integers(int(info.min), int(info.max))
    return finite(name) | specials(name)


def finite(format: str | Format) -> st.SearchStrategy[int]:
    """Codes of the finite numbers of a format."""
    f = get_format(format)
    if f.k <= NARROW:
        return _every(f.name, "finite")
    one = f.bias
    exponents = st.sampled_from(sorted(range(1 << f.w), key=lambda e: (abs(e - one), e < one)))
    exponents = exponents.filter(lambda e: e < (1 << f.w) - 1) if f.infinities or f.has_nan else exponents
    # read backwards, a small integer is a significand of few leading bits
    trailing = st.integers(0, (1 << f.t) - 1).map(lambda n: int(f"{n:0{f.t}b}"[::-1], 2))
    return st.tuples(st.booleans(), exponents, trailing).map(lambda c: c[0] * f.sign_bit | c[1] << f.t | c[2])


def specials(format: str | Format) -> st.SearchStrategy[int]:
    """Codes of zeros, infinities and NaNs; of wide formats the extremes of subnormals and normals too."""
    f = get_format(format)
    if f.k <= NARROW:
        return _every(f.name, "specials")
    return _sampled(special_codes(f.name), f.name)


def datums(format: str | Format) -> st.SearchStrategy[Datum]:
    """The exact data of a format: :class:`fp8ref.spec.datum.Datum` with Fractions."""
    f = get_format(format)
    return codes(f).map(lambda code: unpack(code, f))


def near_thresholds(result: str | Format, *, source: str | Format = "f32") -> st.SearchStrategy[int]:
    """Codes of a source on, or next to, the values at which an answer in a result format changes.

    Values, midpoints (ties) and quarter points of the result format and of the binade beyond it, powers of two times
    its largest number, and fractions of its smallest; each with both neighbours in the source, under both signs.  A
    third of them lie where overflow begins, and a third are ties.
    """
    return _near(_name(source), get_format(result).name)


@lru_cache(maxsize=64)
def _near(source: str, result: str) -> st.SearchStrategy[int]:
    marks = thresholds(get_format(result))
    if source in INTEGERS:
        info = np.iinfo(carrier_dtype(source))  # type: ignore[type-var]
        around = {int(m) + d for m in marks if m < 2.0**64 for d in (-1, 0, 1)}
        found = [s * v for v in around for s in (1, -1) if info.min <= s * v <= info.max]
        return _sampled(np.array(sorted(set(found)), carrier_dtype(source)), source)
    f, top = get_format(source), float(get_format(result).max)
    overflow = marks[(marks >= top) & (marks <= 1.25 * top)]
    ties = np.split(nearby(_ties(get_format(result)), f), 3)[1]  # below, at and above each
    pools: list[Codes] = [nearby(marks, f), nearby(overflow, f), ties]
    return st.one_of(*(_picked(_signed(pool, f), source) for pool in pools if pool.size))


def _ties(f: Format) -> NDArray[np.float64]:
    """The midpoints between neighbouring magnitudes of a format; a sample of many."""
    codes = range(0, f.max_code, max(1, f.max_code // 1024))
    found = np.array([float((f.magnitude(c) + f.magnitude(c + 1)) / 2) for c in codes])
    return np.asarray(found[np.isfinite(found)])


def _signed(magnitudes: Codes, f: Format) -> Codes:
    found: Codes = np.unique(magnitudes)
    return np.concatenate([found, found | found.dtype.type(f.sign_bit)]) if f.signed else found


def random_bits(width: int) -> st.SearchStrategy[int]:
    """Random bits for stochastic rounding: integers below 2**width, often at the ends and about the middle.

    Raises ValueError for a width that stochastic rounding does not take.
    """
    if not 1 <= width <= MOST_RANDOM_BITS:
        raise ValueError(f"random bits are 1 to {MOST_RANDOM_BITS} wide, not {width}")
    top, half = (1 << width) - 1, 1 << (width - 1)
    ends = sorted({0, top, half, half - 1, min(half + 1, top), min(1, top), top - 1})
    return st.sampled_from(ends) | st.integers(0, top)


# -- operands ---------------------------------------------------------------------------------------------------------
def operands(operation: str | Operation) -> st.SearchStrategy[tuple[int, ...]]:
    """One case of an operation that takes codes one by one: a tuple of operand codes.

    Raises ValueError for dot products and scalings, which have strategies of their own.
    """
    op = Operation.parse(operation) if isinstance(operation, str) else operation
    if op.asked.kind in ("dot", "scale"):
        raise ValueError(f"operation {op.id!r} takes rows: see dot_operands and scaled_blocks")
    return st.tuples(*(_operand(op, name) for name in op.operands))


def _operand(op: Operation, name: str) -> st.SearchStrategy[int]:
    if op.asked.kind != "convert" or width(name) <= 8:
        return codes(name)
    return near_thresholds(op.result, source=name) | codes(name)


def arrays(
    elements: st.SearchStrategy[int],
    dtype: Any,
    *,
    shapes: st.SearchStrategy[tuple[int, ...]] | None = None,
    layouts: Sequence[str] = tuple(LAYOUTS),
) -> st.SearchStrategy[Codes]:
    """Arrays of codes: of lengths on both sides of vector lengths, in the layouts that vectorised code treats unlike.

    ``elements``: a strategy of codes; ``dtype``: what holds them, or the name of their type.  ``shapes`` defaults to
    one dimension of up to 300 elements or two small ones.  ``layouts``: some of plain, offset, strided, reversed.

    Raises ValueError for an unknown layout.
    """
    unknown = set(layouts) - set(LAYOUTS)
    if unknown or not layouts:
        raise ValueError(f"layouts are some of {', '.join(LAYOUTS)}, not {', '.join(sorted(unknown)) or 'none'}")
    holder = carrier_dtype(_name(dtype)) if isinstance(dtype, str | Format) else np.dtype(dtype)
    side = st.sampled_from((1, 2, 3, 7, 8, 17))
    if shapes is None:
        row = st.sampled_from(TINY) | st.sampled_from(AROUND_VECTORS)
        shapes = row.map(lambda n: (n,)) | st.tuples(side, side)

    some, many = (st.lists(elements, min_size=n, max_size=DRAWN_ELEMENTS) for n in (1, DRAWN_ELEMENTS // 2))

    @st.composite
    def draw_array(draw: st.DrawFn) -> Codes:
        shape, layout = draw(shapes), draw(st.sampled_from(sorted(layouts, key=list(LAYOUTS).index)))
        few = draw(some | many)
        flat = np.resize(np.array(few, holder), int(np.prod(shape)))
        return laid_out(flat.reshape(shape), layout)

    return draw_array()


def laid_out(array: Codes, layout: str) -> Codes:
    """The same array in a layout of the last axis: plain, offset (unaligned), strided, reversed."""
    *rest, n = array.shape
    if layout == "offset":
        flat = np.empty(array.size + 1, array.dtype)[1:]
        found: Codes = flat.reshape(array.shape)
    elif layout == "strided":
        found = np.empty((*rest, 2 * n), array.dtype)[..., ::2]
    elif layout == "reversed":
        found = np.empty(array.shape, array.dtype)[..., ::-1]
    else:
        return np.ascontiguousarray(array)
    found[...] = array
    return found


def dot_operands(operation: str | Operation) -> st.SearchStrategy[tuple[Codes, Codes, Codes]]:
    """Operands of one dot product: codes a (1, K), b (1, K), c (1), in the dtypes that adapters take.

    Few products that are not zero; some cancel one another, some cancel with c; the checker's named probes among them.
    The operation is a ``dot/...`` id; ``;k=`` gives K.

    Raises ValueError for any other, and for products with scales.
    """
    op = default_mode(Operation.parse(operation) if isinstance(operation, str) else operation)
    if op.family != "dot" or op.key("scale"):
        raise ValueError(f"operation {op.id!r} is no dot product of a, b and c alone")
    return _dot_operands(op)


@st.composite
def _dot_operands(draw: st.DrawFn, op: Operation) -> tuple[Codes, Codes, Codes]:
    k, kinds = length(op), (*op.operands, addend_type(op))
    a, b, c = (np.zeros(s, carrier_dtype(name)) for s, name in zip(((1, k), (1, k), (1,)), kinds))
    named = _probes(op)
    if named.size and draw(st.integers(0, 9)) == 9:
        row = named.taken(np.array([draw(st.integers(0, named.size - 1))]))
        return row.a, row.b, row.c
    fa = get_format(op.operands[0])
    for at, x, y, cancels in draw(_products(k, kinds[0], kinds[1])):
        a[0, at], b[0, at] = x, y
        if cancels and fa.signed and (x != 0 or fa.has_negative_zero):
            a[0, (at + k // 2) % k], b[0, (at + k // 2) % k] = x ^ fa.sign_bit, y
    addend = draw(st.sampled_from(("zero", "any", "cancels")))
    if addend == "any":
        c[0] = draw(finite(kinds[2]))
    elif addend == "cancels":
        c[0] = _minus_sum(a, b, kinds)
    if draw(st.integers(0, 19)) == 19:
        a[0, draw(st.integers(0, k - 1))] = draw(specials(kinds[0]))
    return a, b, c


@lru_cache(maxsize=64)
def _probes(op: Operation) -> Cases:
    return probes(op, PROBES)


@lru_cache(maxsize=64)
def _products(k: int, x: str, y: str) -> st.SearchStrategy[list[tuple[int, int, int, bool]]]:
    """Places, operands, and whether a product of the other sign stands half a row further on."""
    return st.lists(st.tuples(st.integers(0, k - 1), finite(x), finite(y), st.booleans()), max_size=6)


def _minus_sum(a: Codes, b: Codes, kinds: Sequence[str]) -> int:
    """Code of the addend that leaves nothing, or little, of the sum of products."""
    fx, fy, fc = map(get_format, kinds)
    x, y = (decode_codes(codes[0], f, F64).view(np.float64) for codes, f in ((a, fx), (b, fy)))
    total = np.array([-(x @ y)])
    return int(convert_codes(total.view(np.uint64), F64, fc, get_projection(fc, "rne", "sat"), False)[0][0])


def scaled_blocks(operation: str | Operation) -> st.SearchStrategy[tuple[Codes, ...]]:
    """Operands of one scaling, such as ``scale/f32/mxfp8_e4m3/floor``: x (1, B), and amax (1) where it is asked for.

    The largest magnitude lies on or beside those at which a rule takes the next scale; elements lie near the thresholds
    of the element format; rows of zeros, subnormals, infinities and NaNs are among them.
    """
    op = default_mode(Operation.parse(operation) if isinstance(operation, str) else operation)
    if op.asked.kind != "scale":
        raise ValueError(f"operation {op.id!r} scales no blocks")
    rows = scale_cases(op, 1, 0)
    # rows with few unlike elements come first
    unlike = [np.unique(row).size for row in rows[0]]
    order = [int(i) for i in np.argsort(unlike, kind="stable")]
    return st.sampled_from(order).map(lambda i: tuple(x[i : i + 1].copy() for x in rows))


# -- common -----------------------------------------------------------------------------------------------------------
def _name(format: str | Format) -> str:
    return format if isinstance(format, str) and format in INTEGERS else get_format(format).name


def _sampled(found: Codes, name: str) -> st.SearchStrategy[int]:
    return st.sampled_from(simplest_first(found, name).tolist())
