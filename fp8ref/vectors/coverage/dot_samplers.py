"""Candidates of dot products: the kinds of the checker, and those that bins ask for besides."""

from __future__ import annotations

import numpy as np

from ...cases.operation import Operation
from ...cases.products.cases import Codes, codes_of, dot_cases, handed, probes, random_cases, special_cases, values_of
from ...cases.products.exact import says_more
from ...cases.products.questions import (
    addend_type,
    block_of,
    blocks,
    has_addend,
    has_output_scale,
    is_fixed,
    length,
    scale_type,
)
from ...fast.kernel import code_dtype
from ...spec.catalog import get_format
from ...spec.formats import Format
from .classes import random_of_classes
from .dot_points import window
from .dot_view import Exponents
from .marks import end_marks, marks_of

DOT_BATCH = 1 << 10


def sum_cases(op: Operation, level: int, seed: int) -> tuple[list[Codes], tuple[str, ...]]:
    """The cases of a check of exact sums as units deliver them, as they are handed over, and the kind of each.

    Those of every product, and one batch of candidates of vectors, which sit where roundings, limits and status turn.
    """
    cases = dot_cases(op, level, seed)
    more = dot_batch(op, np.random.default_rng([seed, length(op)]), 1)
    operands = [np.concatenate(pair) for pair in zip(handed(op, cases), more)]
    return operands, (*cases.names, *("at a turn",) * len(more[0]))


def dot_batch(op: Operation, rng: np.random.Generator, number: int) -> list[Codes]:
    """The kinds of the checker, the named probes first, and sums that grow as far as they can."""
    n = max(64, DOT_BATCH * 32 // max(length(op), 32))
    parts = [special_cases(op, n // 4, rng), random_cases(op, n // 2, rng)]
    parts += [probes(op)] if number == 0 else []
    columns = [list(part.operands) for part in parts] + [_extremes(op, n // 8, rng), _windows(op, n // 4, rng)]
    columns.append(_addends(op, n // 8, rng))
    columns += [_gated(op, n // 8, rng), _shapes(op, n // 8, rng)]
    if says_more(op):
        columns.append(_solved(op, n // 4, rng))
    columns = [_with_scales(op, column, rng) for column in columns]
    if scale_type(op):
        columns.append(_outputs(op, _solved(op, n // 2, rng, _powers(op, n // 2, rng)), rng))
        if blocks(op) > 1:
            columns.append(_outputs(op, _deep(op, n // 4, rng), rng))
    joined = [np.concatenate(column) for column in zip(*columns)]
    if not has_addend(op):
        del joined[2]
    order = rng.permutation(len(joined[0])) if number else np.arange(len(joined[0]))
    return [column[order] for column in joined]


def _with_scales(op: Operation, columns: list[Codes], rng: np.random.Generator) -> list[Codes]:
    """The operands, with scales of every class in some cases and near 1 in the others."""
    name = scale_type(op)
    if name is None:
        return columns
    n, count, f = len(columns[0]), blocks(op), get_format(name)
    found = columns[:3]
    one = (f.bias << f.t) if f.bias < 1 << f.w else 1
    odd = rng.random((n, 1)) < 0.5
    for _ in "ab":
        near = np.clip(one + rng.integers(-6 << f.t, 7 << f.t, (n, count)), 1 if f.zero else 0, f.max_code)
        strange = random_of_classes(name, n * count, rng).reshape(n, count)
        strange = np.where(rng.random((n, 1)) < 0.4, strange[:, :1], strange)
        found.append(np.where(odd, strange, near).astype(strange.dtype))
    return _outputs(op, found, rng)


def _outputs(op: Operation, columns: list[Codes], rng: np.random.Generator) -> list[Codes]:
    """The operands, with a factor of everything where the operation has it."""
    if not has_output_scale(op):
        return columns
    n = len(columns[0])
    usual = codes_of(np.ldexp(1 + rng.integers(0, 8, n) / 8, rng.integers(-6, 7, n)), get_format("f32"))
    return [*columns, np.where(rng.random(n) < 0.3, random_of_classes("f32", n, rng), usual).astype(np.uint32)]


def _extremes(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """All products the largest there are and of one sign; c zero, or anything."""
    found = random_cases(op, 2 * n, rng, ("one sign", "C"))
    a, b, c = (x[:n].copy() for x in found.operands[:3])
    for codes, name in ((a, op.operands[0]), (b, op.operands[1])):
        f = get_format(name)
        sign = rng.integers(0, 2, (n, 1)) * f.sign_bit
        equal = rng.random((n, 1)) < 0.5
        codes[:] = np.where(equal, f.max_code, rng.integers(1, f.max_code + 1, (n, 1))) | sign
    c[: n // 2] = 0
    return [a, b, c]


def _addends(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """c of every class, with zeros for products."""
    a, b = (x[:n] for x in random_cases(op, n, rng, ("normal",)).operands[:2])
    f = get_format(op.operands[1])
    b[:] = 0 if f.zero else 1
    if f.has_negative_zero:
        b[:] = rng.integers(0, 2, (n, 1)) * f.sign_bit
    return [a, b, random_of_classes(addend_type(op), n, rng)]


def _windows(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Up to four products, the later ones a chosen number of binades below the first; c at a chosen distance, too."""
    k, (fa, fb) = length(op), map(get_format, op.operands)
    a, b = np.zeros((n, k)), np.zeros((n, k))
    rows = np.arange(n)
    tops = rng.integers(fa.emin, fa.emax + 1, n), rng.integers(fb.emin, fb.emax + 1, n)
    lows = fa.emin - fa.t, fb.emin - fb.t
    for i in range(min(4, k)):
        gap = rng.integers(0, 40, n) if i else np.zeros(n, np.int64)
        part = np.minimum(gap, tops[0] - lows[0])
        place = (rows + i * max(1, k // 4)) % k
        a[rows, place] = np.ldexp(rng.choice([-1.0, 1.0], n), tops[0] - part)
        b[rows, place] = np.ldexp(1.0, np.maximum(tops[1] - (gap - part), lows[1]))
    fc = get_format(addend_type(op))
    c = np.ldexp(1 + rng.random(n), np.clip(sum(tops) + rng.integers(-40, 41, n), fc.emin - fc.t, fc.emax))
    c *= rng.choice([-1.0, 0.0, 1.0], n)
    cancels = rng.random(n) < 0.3
    c = np.where(cancels, -a[rows, rows % k] * b[rows, rows % k], c)
    return [codes_of(a, fa), codes_of(b, fb), codes_of(c, fc)]


def _least(f: Format) -> int:
    """The exponent of a format's smallest power of two."""
    return f.emin - f.t if f.has_subnormals else f.emin


def _powers(op: Operation, n: int, rng: np.random.Generator) -> Exponents:
    """Exponents (n) of scales that are powers of two, both of a pair together, of the whole range or near 1."""
    f = get_format(scale_type(op) or "")
    near = rng.integers(-8, 9, n)
    return np.where(rng.random(n) < 0.5, rng.integers(2 * _least(f), 2 * f.emax + 1, n), near)


def _pairs(op: Operation, exponents: Exponents, rng: np.random.Generator) -> list[Codes]:
    """The scales of A and of B (n, blocks), powers of two whose product has these exponents (n, blocks)."""
    f = get_format(scale_type(op) or "")
    half = np.clip(exponents // 2 + rng.integers(-6, 7, exponents.shape), _least(f), f.emax)
    other = np.clip(exponents - half, _least(f), f.emax)
    return [codes_of(np.ldexp(1.0, e), f) for e in (np.clip(exponents - other, _least(f), f.emax), other)]


def _deep(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """Two opposite products under large scales, and one under small ones, as far below as the window or more."""
    k, block, f = length(op), block_of(op), get_format(scale_type(op) or "")
    rows = np.arange(n)
    first = rng.integers(0, k // block, n)
    second = (first + rng.integers(1, max(k // block, 2), n)) % blocks(op)
    lane = first * block + rng.integers(0, block, n)
    twin = first * block + (lane - first * block + 1 + rng.integers(0, max(block - 1, 1), n)) % block
    low = np.minimum(second * block + rng.integers(0, block, n), k - 1)
    depth = rng.integers(-2, 8, n) + window(op)
    columns, tops, lows = [], np.zeros(n, np.int64), np.zeros(n, np.int64)
    for name in op.operands:
        g = get_format(name)
        high = rng.integers(g.max_code // 2, g.max_code + 1, n)
        small = rng.integers(1 if g.zero else 0, max(g.max_code // 2, 2), n)
        codes = np.zeros((n, k), code_dtype(g))
        codes[rows, lane], codes[rows, twin], codes[rows, low] = high, high, small
        tops += np.frexp(values_of(high.astype(codes.dtype), g))[1]
        lows += np.frexp(values_of(small.astype(codes.dtype), g))[1]
        columns.append(codes)
    last = get_format(op.operands[1])
    if last.signed:
        columns[1][rows, twin] |= columns[1].dtype.type(last.sign_bit)
    top = rng.integers(2 * _least(f), 2 * f.emax + 1, n)
    top = np.where(rng.random(n) < 0.7, np.maximum(top, 2 * f.emax - rng.integers(0, 4, n)), top)
    exponents = np.broadcast_to(top[:, None], (n, blocks(op))).copy()
    exponents[rows, second] = np.maximum(top + tops - lows - depth, 2 * _least(f))
    c = np.zeros(n, code_dtype(get_format(addend_type(op))))
    return [*columns, c, *_pairs(op, exponents, rng)]


def _solved(op: Operation, n: int, rng: np.random.Generator, powers: Exponents | None = None) -> list[Codes]:
    """Sums solved for the marks of the result: up to four products and C each take what is left of one.

    ``powers``: exponents (n) of the scales that multiply every product.
    """
    k, (fa, fb), fc = length(op), map(get_format, op.operands), get_format(addend_type(op))
    f = get_format(op.result)
    if is_fixed(op):
        marks = np.ldexp(rng.integers(1, 1 << 12, n), rng.integers(-f.t, max(f.k - f.t - 11, 1 - f.t), n))
    else:
        near = "f32" if f.name == "f64" else op.result
        marks = np.where(rng.random(n) < 0.5, rng.choice(marks_of(near), n), rng.choice(end_marks(near), n))
    left = np.minimum(marks, 2.0**200) * rng.choice([-1.0, 1.0], n)
    if has_addend(op):  # C first takes half of it or more, or none
        c = codes_of(left * rng.choice([0.0, 0.5, 1.0, 1.5], n), fc)
    else:
        c = np.zeros(n, np.uint32)
    left = left - (values_of(c, fc) if has_addend(op) else 0.0)
    scales: list[Codes] = []
    if powers is not None:  # half of them so that the first product reaches what is left
        reach = np.frexp(np.where(left == 0, 1.0, left))[1] + rng.integers(-10, 11, n)
        wanted = np.where(rng.random(n) < 0.8, reach, powers)
        scales = _pairs(op, np.broadcast_to(wanted[:, None], (n, blocks(op))), rng)
        unit = [values_of(x[:, 0], get_format(scale_type(op) or "")) for x in scales]
        left = left / (unit[0] * unit[1])
    a, b = (codes_of(np.zeros((n, k)), x) for x in (fa, fb))
    rows = np.arange(n)
    places = np.argsort(rng.random((n, k)), axis=1)
    for i in range(min(4, k)):
        e = np.frexp(left)[1] - 1
        low = np.maximum(fb.emin - fb.t, e - fa.emax)
        high = np.minimum(fb.emax, e - (fa.emin - fa.t))
        power = np.clip(e // 2 + rng.integers(-6, 7, n), low, np.maximum(low, high))
        y = codes_of(np.ldexp(rng.choice([1.0, 1.0, 1.25, 1.5, 1.75], n), np.clip(power, -300, 300)), fb)
        values = values_of(y, fb)
        x = codes_of(np.where(values == 0, 0.0, left / np.where(values == 0, 1.0, values)), fa)
        place = places[:, i]
        a[rows, place], b[rows, place] = x, y
        left = left - values_of(x, fa) * values
    if powers is not None:
        left = left * (unit[0] * unit[1])
    if has_addend(op):
        own = values_of(c, fc)
        c = np.where(rng.random(n) < 0.7, codes_of(own + left, fc), c)
        ends = c.dtype.type(fc.max_code) | rng.integers(0, 2, n).astype(c.dtype) * c.dtype.type(fc.sign_bit)
        c = np.where(rng.random(n) < 0.1, ends, c)  # the largest, and a little more or less
    return [a, b, c, *scales]


def _gated(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """NaNs and infinities times zero in one lane of numbers, of either operand; units that gate zeros lose them."""
    found = random_cases(op, n, rng, ("normal",))
    a, b, c = (x[:n].copy() for x in found.operands[:3])
    rows, lane = np.arange(len(a)), rng.integers(0, length(op), len(a))
    for one, other, which in ((a, b, 0), (b, a, 1)):
        f, g = (get_format(name) for name in (op.operands[which], op.operands[1 - which]))
        special = [*([f.infinity_code] if f.infinities else []), *([f.nan_canonical] if f.has_nan else [])]
        if special and g.zero:
            here = rng.random(len(a)) < 0.5
            sign = rng.integers(0, 2, (2, len(a)))
            codes = np.array(special)[rng.integers(0, len(special), len(a))]
            codes = codes | np.where(f.nans is not f.nans.NEGATIVE_ZERO, sign[0] * f.sign_bit, 0)
            one[rows, lane] = np.where(here, codes, one[rows, lane])
            zero = sign[1] * (g.sign_bit if g.has_negative_zero else 0)
            other[rows, lane] = np.where(here, zero, other[rows, lane])
    return [a, b, c]


def _shapes(op: Operation, n: int, rng: np.random.Generator) -> list[Codes]:
    """One lane alone, all lanes equal, all of the largest magnitude with any signs, or zeros of one sign; C of every
    kind."""
    k = length(op)
    c = random_cases(op, 2 * n, rng, ("normal", "wide")).c[:n].copy()
    kind = rng.integers(0, 4, (n, 1))
    alone = np.arange(k) == rng.integers(0, k, (n, 1))
    columns = []
    minus = rng.integers(0, 2, (n, k))
    sign = rng.integers(0, 2, (n, 1))  # of all products of the last kind
    zeros = minus
    for name in op.operands:
        f = get_format(name)
        codes = rng.integers(f.zero, f.max_code + 1, (n, 1)) | rng.integers(0, 2, (n, 1)) * f.sign_bit
        most = f.max_code | minus * f.sign_bit
        nothing = zeros * (f.sign_bit if f.has_negative_zero else 0)
        minus, zeros = minus ^ rng.integers(0, 2, (n, 1)), zeros ^ sign
        column = np.select([kind == 0, kind == 1, kind == 2], [np.where(alone, codes, 0), codes, most], nothing)
        columns.append(column.astype(code_dtype(f)))
    fc = get_format(addend_type(op))
    c[rng.random(n) < 0.3] = 0
    alike = (kind[:, 0] == 3) & (rng.random(n) < 0.7)
    signs = sign[:, 0].astype(c.dtype) * c.dtype.type(fc.sign_bit)
    return [*columns, np.where(alike, signs, c)]
