"""Wrong rules that conversions of today's kernels share: clamps, shifts of small values, codes of scales."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ...cases.answers import is_nan, project_into
from ...fast.decode import decode_codes
from ...fast.kernel import Fields, floor_log2_u64
from ...spec.catalog import formats, get_format
from ...spec.codec import pack
from ...spec.datum import Datum
from ...spec.formats import Format, NaNs
from ...spec.projection import encode
from .rule import Asked, Codes, Rule, where


def neighbours(f: Format) -> list[Format]:
    """The other named formats of the same width and sign."""
    return [g for g in formats() if (g.k, g.signed) == (f.k, f.signed) and g != f and not g.name.startswith("binary")]


def habit_rules(a: Asked, x: Codes, source: str) -> Iterator[Rule]:
    """Habits of conversions."""
    f = a.f
    if f.fixed_point:
        return
    if f.zero:
        yield from _clamps(a)
        yield from _top_binade(a)
        yield from _shifts(a, source)
    else:
        yield from _scale_codes(a)
    if x.dtype == a.right.dtype and source != f.name:
        yield Rule("bits-kept", f"the codes of {source} are kept as codes of {f.name}", lambda: x)


def _number(v: Fraction) -> str:
    return f"{float(v):g}"


def _clamps(a: Asked) -> Iterator[Rule]:
    """A clamp to the largest value of a neighbour."""
    f, right = a.f, a.right
    tops: dict[Fraction, list[str]] = {}
    for g in neighbours(f):
        if g.max < f.max:
            tops.setdefault(g.max, []).append(g.name)
    finite = ~(a.parts.nan | a.parts.infinite)
    nan = is_nan(right, f.name)
    beyond = nan | ((right & right.dtype.type(f.magnitude_mask)) > f.max_code)
    for top, names in tops.items():
        code = right.dtype.type(encode(top, f, "rtz", "sat")[0])
        over = ~a.parts.nan & (beyond | ((right & right.dtype.type(f.magnitude_mask)) > code))
        sentence = f"clamps to {_number(top)}, the largest value of {' and '.join(names)}"
        for there in (over, over & finite):
            yield Rule(f"clamp-{_number(top)}", sentence, where(there, code | a.sign, right))


def _top_binade(a: Asked) -> Iterator[Rule]:
    """The top binade is taken for overflow."""
    f, right, x = a.f, a.right, a.parts
    finite = ~(x.nan | x.infinite) & (x.sig != 0)
    e = np.where(finite, floor_log2_u64(x.sig) + x.exp, -(1 << 20))
    magnitudes = right & right.dtype.type(f.magnitude_mask)
    rounded = (magnitudes >> right.dtype.type(f.t)) >= (f.max_code >> f.t)
    bound = _number(Fraction(2) ** f.emax)
    becomes = [("max", "the largest finite value", f.max_code)]
    if f.has_nan and f.nans is not NaNs.NEGATIVE_ZERO:
        becomes.append(("nan", "NaN", f.nan_canonical or 0))
    if f.infinities:
        becomes.append(("infinity", "an infinity", f.infinity_code))
    becomes += [
        (f"infinity-of-{g.name}", f"the code of {g.name}'s infinity", g.infinity_code)
        for g in neighbours(f)
        if g.infinities and (g.p, g.bias) == (f.p, f.bias)
    ]
    for name, what, code in becomes:
        codes = right.dtype.type(code) | a.sign
        for there in (
            finite & (e >= f.emax),
            (finite & (e >= f.emax)) | x.infinite,
            finite & rounded,
            finite & rounded | x.infinite,
        ):
            yield Rule(f"top-binade-{name}", f"everything from {bound}, the top binade, becomes {what}",
                       where(there, codes, right))  # fmt: skip


def _shifts(a: Asked, source: str) -> Iterator[Rule]:
    """Shift counts of small values that the machine takes modulo its word."""
    f, right, x = a.f, a.right, a.parts
    finite = ~(x.nan | x.infinite) & (x.sig != 0)
    e = floor_log2_u64(x.sig) + x.exp
    count = f.emin - f.t - x.exp
    for word in (32, 64):
        far = finite & (e < f.emin) & (count >= word)
        if not far.any():
            continue
        shift = (np.where(far, count, 0) % word).astype(np.uint64)
        kept = x.sig >> shift
        lost = x.sig - (kept << shift)
        half = np.where(shift == 0, np.uint64(0), np.uint64(1) << np.maximum(shift, np.uint64(1)) - np.uint64(1))
        up = (shift != 0) & ((lost > half) | ((lost == half) & (kept & np.uint64(1) != 0)))
        sentence = f"the shift count is taken modulo {word}, so that tiny values come back large"
        sound = (x.sig >= np.uint64(1) << np.uint64(get_format(source).t)) if a.op.source_format else finite
        for ulps in (kept + up, kept):
            capped = np.minimum(ulps, np.uint64(f.max_code)).astype(right.dtype) | a.sign
            cut = (ulps & np.uint64(f.magnitude_mask)).astype(right.dtype) | a.sign
            for codes in (capped, cut):
                for there in (far, far & sound):
                    yield Rule(f"shift-modulo-{word}", sentence, where(there, codes, right))
        # the quantity itself is too large by whole words, and is rounded rightly
        moved = x.exp + np.where(far, count // word * word, 0)
        value = np.ldexp(x.sig.astype(np.float64), np.clip(moved, -1060, 900).astype(np.int32))
        yield Rule(f"shift-modulo-{word}", sentence, lambda far=far, v=value: _of_floats(a, v, far))  # type: ignore[misc]


def _of_floats(a: Asked, value: Codes, there: Codes) -> Codes:
    """The right codes of float64 magnitudes, with the sign asked for."""
    codes = project_into("f64", value.view(np.uint64), a.rho, a.f)
    return np.where(there, codes | a.sign, a.right).astype(a.right.dtype)


def _scale_codes(a: Asked) -> Iterator[Rule]:
    """Habits of computing a power of two: E8M0."""
    f, right, x = a.f, a.right, a.parts
    usual = ~(x.nan | x.infinite | x.negative) & (x.sig != 0)
    v = np.where(usual, np.ldexp(x.sig.astype(np.float64), np.clip(x.exp, -1074, 900).astype(np.int32)), 1.0)
    log = np.log2(v).astype(np.float32)
    for name, what, e in (
        ("ceil-log2", "the ceiling of a logarithm rounded to binary32", np.ceil(log)),
        ("floor-log2", "the floor of a logarithm rounded to binary32", np.floor(log)),
        ("round-log2", "a logarithm rounded to the nearest integer", np.rint(log)),
        ("frexp", "the exponent of frexp, so that exact powers are doubled", np.frexp(v)[1]),
    ):
        code = np.clip(np.nan_to_num(e).astype(np.int64) + f.bias, 0, f.max_code).astype(right.dtype)
        yield Rule(f"scale-{name}", f"the exponent is {what}", where(usual, code, right))


def reading_habits(x: Codes, f: Format, carrier: Format, right: Codes, fields: Fields) -> Iterator[Rule]:
    """Habits of decoding."""
    if f.has_subnormals:
        magnitude = x & x.dtype.type(f.magnitude_mask)
        small = ~(fields.nan | fields.infinite) & (magnitude < (1 << f.t))
        no_subnormals = decode_codes(x, Format(f.name, f.k, f.p, f.bias, f.signed, zero=False), carrier)
        yield Rule("zero-as-normal", "zero and subnormal codes are read with an implicit bit, by re-biasing alone",
                   where(small, no_subnormals, right))  # fmt: skip
        rebiased = decode_codes(x, Format(f.name, f.k, f.p, f.bias - 1, f.signed, zero=False), carrier)
        yield Rule("subnormals-rebiased", "the exponent of zero and subnormal codes is re-biased as if it were 1",
                   where(small, rebiased, right))  # fmt: skip
        nonzero = small & (magnitude != 0)
        yield Rule("subnormals-rebiased", "the exponent of subnormal codes is re-biased as if it were 1",
                   where(nonzero, rebiased, right))  # fmt: skip
    if f.zero or f.signed:
        return
    for step in (1, -1):
        moved = Format(f.name, f.k, f.p, f.bias + step, f.signed, zero=False)
        yield Rule("wrong-bias", f"the code is read as 2^(code - {f.bias + step}), NaN too",
                   lambda moved=moved: decode_codes(x, moved, carrier))  # type: ignore[misc]  # fmt: skip
    numbers = [pack(Datum.finite(Fraction(i)), carrier) if _holds(carrier, i) else None for i in range(1 << f.k)]
    if None not in numbers:
        table = np.array(numbers, right.dtype)
        yield Rule("code-as-number", "the code itself is read as a number", lambda: table[x])
        nan_kept = np.where(fields.nan, right, table[x])
        yield Rule("code-as-number", "the code itself is read as a number", lambda: nan_kept)
    if carrier.w == f.k:
        sentence = "the code is shifted into the exponent field, so that 00 is zero and FF is an infinity"
        yield Rule("code-shifted", sentence, lambda: x.astype(right.dtype) << right.dtype.type(carrier.t))


def _holds(carrier: Format, i: int) -> bool:
    return i == 0 or (i.bit_length() - ((i & -i).bit_length() - 1)) <= carrier.p
