"""Wrong rules of conversions and decodes; those of rounding and overflow serve every other operation that rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from ...cases.answers import Expected, behaviours, expect, is_nan, project_into, project_into_with_status
from ...cases.flags import parts_of, quarter_class
from ...cases.operation import INTEGERS, Operation
from ...fast.decode import decode_codes
from ...fast.kernel import unpack_fields
from ...spec.catalog import get_format
from ...spec.codec import pack
from ...spec.datum import Datum
from ...spec.formats import Format, NaNs
from ...spec.overflow import To, get_overflow, resolve
from ...spec.projection import NaN, Negative, Projection
from ...spec.rounding import DETERMINISTIC, Rounding
from .habits import habit_rules, neighbours, reading_habits
from .nans import nan_bits, nan_choices, nan_rules
from .rule import ROUNDING_SENTENCES, Asked, Codes, Rule, where


# -- conversions ------------------------------------------------------------------------------------------------------
def asked_conversion(op: Operation, x: Codes) -> Asked:
    """The question that a conversion is."""
    source = op.operands[0]

    def project(rho: Projection, to: Format) -> Expected:
        return Expected(*project_into_with_status(source, x, rho, to, op.flags))

    precision = float("inf") if source in INTEGERS else get_format(source).p
    return Asked(op, parts_of(x, source), expect(op, [x]).codes, project, precision)


def conversion_rules(op: Operation, x: Codes) -> Iterator[Rule]:
    """Mistakes of conversions."""
    asked, source = asked_conversion(op, x), op.operands[0]
    yield from projection_rules(asked)
    yield from _operand_rules(asked)
    yield from nan_choices(asked)
    yield from nan_rules(asked, source)
    yield from habit_rules(asked, x, source)
    yield from format_rules(asked)


def projection_rules(a: Asked) -> Iterator[Rule]:
    """Mistakes in rounding and saturating an exact result, be it an operand's value or that of arithmetic."""
    f, rho, right = a.f, a.rho, a.right
    for mode in DETERMINISTIC:
        if mode is not rho.rounding:
            yield Rule(f"rounding-{mode.value}", ROUNDING_SENTENCES[mode], a.instead(rounding=mode))
    tie = quarter_class(a.parts, f) == 2
    down, odd = replace(rho, rounding=Rounding.TOWARD_ZERO), replace(rho, rounding=Rounding.TO_ODD)
    yield Rule("ties-to-zero", "ties go toward zero", lambda: np.where(tie, a.answer(down), right))
    yield Rule("ties-to-odd", "ties go to the odd code", lambda: np.where(tie, a.answer(odd), right))
    yield Rule(
        "sticky-lost",
        "bits below the rounding bit are ignored, so values just above a tie are taken for ties",
        lambda: _through(a, _finer(f), Rounding.TOWARD_ZERO),
    )
    yield Rule(
        "carry-lost",
        "a carry out of the significand does not reach the exponent",
        lambda: _carry_lost(a.answer(down), right, f),
    )
    for name in ("f16", "bf16", "f32", "tf32"):
        between = get_format(name)
        if a.precision > between.p:
            yield Rule(
                f"via-{name}", f"double rounding via {name}", partial(_through, a, between, Rounding.TIES_TO_EVEN)
            )
    yield Rule(
        "subnormals-rounded-twice",
        "rounds to full precision first and then again into the subnormal range",
        lambda: _through(a, _lower(f), rho.rounding),
    )
    yield from _overflow_rules(a)
    yield from _small_value_rules(a, down)


def format_rules(a: Asked) -> Iterator[Rule]:
    """Answers in another format, or with another sign."""
    f, right = a.f, a.right
    for step in (1, -1):
        shifted = replace(f, name=f"{f.name}, bias {f.bias + step}", bias=f.bias + step)
        yield Rule("wrong-bias", f"the bias is {f.bias + step} instead of {f.bias}", partial(_as_if, a, shifted))
    for other in neighbours(f):
        for predict in _in_neighbour(a, other):
            yield Rule(f"format-{other.name}", f"answers in {other.name}", predict, throughout=True)
    if f.signed:
        yield Rule("sign-dropped", "the sign is dropped", lambda: right & right.dtype.type(f.magnitude_mask))
        flip = np.where(is_nan(right, f.name), right, right ^ right.dtype.type(f.sign_bit))
        yield Rule("sign-flipped", "the sign is flipped", lambda: flip)


def _overflow_rules(a: Asked) -> Iterator[Rule]:
    f, rho, right, fields = a.f, a.rho, a.right, a.parts
    for mode in behaviours(f):
        rounding, _, name = mode.partition(".")
        rule = get_overflow(name, f)
        if rounding == rho.rounding.value and rule != rho.overflow:
            yield Rule(f"overflow-{name}", overflow_sentence(rule.finite, rule.infinite), a.instead(overflow=rule))
    wide = _higher(f)
    if wide is not None and not f.fixed_point:
        exact = a.answer(Projection(Rounding.TOWARD_ZERO, get_overflow("sat", wide)), wide)
        magnitude = exact & exact.dtype.type(wide.magnitude_mask)
        inexact = quarter_class(fields, f) != 0
        beyond = ~fields.nan & ((magnitude > f.max_code) | (magnitude == f.max_code) & inexact | fields.infinite)
        by_sign = [pack(resolve(rho.overflow, f, rho.rounding, s, infinite=False), f) for s in (False, True)]
        instead = np.where(fields.negative, by_sign[1], by_sign[0]).astype(right.dtype)
        yield Rule(
            "overflow-before-rounding",
            "overflow is tested before rounding",
            lambda: np.where(beyond & ~fields.infinite, instead, right),
        )
        rounded = a.answer(Projection(rho.rounding, get_overflow("sat", wide)), wide)
        wrapped = (rounded & rounded.dtype.type(f.magnitude_mask)).astype(right.dtype)
        signed = wrapped | np.where(fields.negative, f.sign_bit, 0).astype(right.dtype)
        yield Rule(
            "overflow-wraps",
            "overflow goes unnoticed and the exponent wraps around",
            lambda: np.where(fields.nan | fields.infinite, right, signed),
        )
    for step in (1, 2):
        capped = np.minimum(right & f.magnitude_mask, f.max_code - step).astype(right.dtype) | (right & f.sign_bit)
        sentence = f"saturates {step} code{'s' * (step > 1)} below the largest finite value"
        kept = is_nan(right, f.name) | fields.infinite & (rho.overflow.infinite is not To.MAX)
        yield Rule("max-too-low", sentence, where(kept, right, capped))


def overflow_sentence(finite: To, infinite: To) -> str:
    becomes = {
        To.MAX: "saturates",
        To.IEEE: "goes to infinity or NaN",
        To.INF: "becomes infinity",
        To.NAN: "becomes NaN",
    }
    infinity = {To.MAX: "saturates", To.IEEE: "stays", To.INF: "stays", To.NAN: "becomes NaN"}
    return f"finite overflow {becomes[finite]} and infinity {infinity[infinite]}"


def _small_value_rules(a: Asked, down: Projection) -> Iterator[Rule]:
    f, right, fields, sign, zero = a.f, a.right, a.parts, a.sign, a.zero
    finite = ~(fields.nan | fields.infinite)
    magnitude = right & right.dtype.type(f.magnitude_mask)
    if f.has_subnormals:
        subnormal = finite & (magnitude > 0) & (magnitude < (1 << f.t))
        truncated = a.answer(down)
        tiny = finite & ((truncated & truncated.dtype.type(f.magnitude_mask)) < (1 << f.t))
        yield Rule("flush-to-zero", "subnormal results are flushed to zero", lambda: np.where(subnormal, zero, right))
        yield Rule(
            "flush-to-positive-zero",
            "subnormal results are flushed to +0",
            lambda: np.where(subnormal, 0, right).astype(right.dtype),
        )
        yield Rule(
            "flush-tiny",
            "everything below the smallest normal is flushed to zero before rounding",
            lambda: np.where(tiny, zero, right),
        )
        yield Rule("subnormals-truncated", "subnormal results are truncated", lambda: np.where(tiny, truncated, right))
        normal = np.array(1 << f.t, right.dtype)
        yield Rule(
            "subnormals-to-min-normal",
            "subnormal results become the smallest normal",
            lambda: np.where(subnormal, normal | sign, right),
        )
        least = np.array(1, right.dtype)
        vanishes = finite & (fields.sig != 0) & (magnitude == 0)
        yield Rule("never-zero", "nonzero values never become zero", lambda: np.where(vanishes, least | sign, right))
        half = vanishes & (quarter_class(fields, f) == 2)
        yield Rule("half-min-up", "half the smallest subnormal goes up", lambda: np.where(half, least | sign, right))
    if f.has_negative_zero:
        is_zero = finite & (magnitude == 0)
        from_zero = is_zero & (fields.sig == 0)
        plus = np.zeros_like(right)
        yield Rule("zero-sign-lost", "every zero result is +0", lambda: np.where(is_zero, plus, right))
        yield Rule("minus-zero-lost", "-0 becomes +0", lambda: np.where(from_zero, plus, right))
        yield Rule(
            "underflow-sign-lost",
            "values that underflow lose their sign",
            lambda: np.where(is_zero & ~from_zero, plus, right),
        )


def _operand_rules(a: Asked) -> Iterator[Rule]:
    source, x = a.op.source_format, a.parts
    if source is not None and source.has_subnormals:
        small = ~(x.nan | x.infinite) & (x.sig < np.uint64(1 << source.t)) & (x.sig != 0)
        yield Rule("denormals-are-zero", "subnormal inputs are taken for zero", where(small, a.zero, a.right))
    below = x.negative & ~x.nan
    if a.rho.negative is Negative.ZERO:
        kept, nothing = a.instead(negative=Negative.LOWEST), (x.sig == 0) & ~x.infinite
        yield Rule("not-rectified", "negative values are kept", kept)
        for name, what, there in (("infinity", "-infinity", x.infinite), ("zero", "-0", nothing)):
            yield Rule(f"minus-{name}-kept", f"{what} is kept", where(below & there, kept().codes, a.right))
    elif below.any() and a.f.zero:
        yield Rule("rectified", "negative values become +0", a.instead(negative=Negative.ZERO))


def _higher(f: Format) -> Format | None:
    """The format with codes going on beyond its top: the same codes below."""
    if f.fixed_point or not f.zero or f.k > 16:
        return None
    return Format(f"{f.name} higher", f.k + 8, f.p, f.bias, signed=f.signed, nans=NaNs.ALL_ONES)


def _lower(f: Format) -> Format | None:
    """The format whose normals go on far below its own."""
    if f.fixed_point or not f.zero or f.k > 16:
        return None
    return Format(f"{f.name} lower", f.k + 3, f.p, f.bias + (1 << f.w), signed=f.signed, nans=NaNs.ALL_ONES)


def _finer(f: Format) -> Format | None:
    """The format with one more bit of precision."""
    if f.fixed_point or not f.zero or f.k > 16:
        return None
    return Format(f"{f.name} fine", f.k + 1, f.p + 1, f.bias, signed=f.signed, nans=NaNs.ALL_ONES)


def _through(a: Asked, between: Format | None, rounding: Rounding) -> Codes:
    """Round to a format in between first."""
    if between is None:
        raise NotImplementedError
    first = Projection(rounding, get_overflow("nonsat" if between.infinities else "sat", between), NaN.KEEP_SIGN)
    second = project_into(between, a.answer(first, between), a.rho, a.f)
    return np.where(a.parts.infinite | a.parts.nan, a.right, second)


def _as_if(a: Asked, other: Format) -> Codes:
    """Answers in another format, under the rule of the same name."""
    rho = a.rho
    try:
        rule = get_overflow(rho.overflow, other)
    except ValueError:
        rule = get_overflow("sat" if rho.overflow.finite is To.MAX else "nonsat", other)
    return a.answer(replace(rho, overflow=rule), other)


def neighbour_projections(rho: Projection, other: Format) -> Iterator[tuple[Projection, int | None]]:
    """Each way in which an encoder of another format may project, and the code of its NaN."""
    codes: list[int | None] = [None]
    if other.has_nan and other.nans is not NaNs.NEGATIVE_ZERO:
        codes += [code for code in (other.magnitude_mask, other.nan_canonical or 0) if other.is_nan_code(code)]
    for rule in dict.fromkeys(get_overflow(name, other) for name in ("sat", "nonsat", "satprop")):
        for code in codes:
            yield replace(rho, overflow=rule, nan=NaN.KEEP_SIGN if code is None else NaN.CANONICAL), code


def with_nan(answer: Codes, f: Format, code: int | None) -> Codes:
    """Answers with this code for every NaN; None leaves them."""
    return answer if code is None else np.where(is_nan(answer, f.name), answer.dtype.type(code), answer)


def _in_neighbour(a: Asked, other: Format) -> Iterator[Callable[[], Codes]]:
    """Answers in another format under the rule of the same name, under its others, and with each of its NaNs."""
    yield partial(_as_if, a, other)
    for rho, code in neighbour_projections(a.rho, other):
        yield lambda rho=rho, code=code: with_nan(a.answer(rho, other), other, code)  # type: ignore[misc]


def _carry_lost(down: Codes, right: Codes, f: Format) -> Codes:
    ones = right.dtype.type((1 << f.t) - 1)
    carried = (down != right) & (down & ones == ones) & ((down & f.magnitude_mask) <= f.max_code)
    return np.where(carried, down & ~ones, right)


# -- decoding ---------------------------------------------------------------------------------------------------------
def decode_rules(op: Operation, x: Codes) -> Iterator[Rule]:
    """Mistakes of decoding."""
    f, carrier = get_format(op.operands[0]), op.result_format
    right = expect(op, [x]).codes
    fields = unpack_fields(x, f)
    sign = np.where(fields.negative, carrier.sign_bit, 0).astype(right.dtype)
    magnitude = x & x.dtype.type(f.magnitude_mask)
    for step in (1, -1):
        shifted = replace(f, name=f"{f.name}, bias {f.bias + step}", bias=f.bias + step)
        yield Rule(
            "wrong-bias", f"the bias is {f.bias + step} instead of {f.bias}", partial(decode_codes, x, shifted, carrier)
        )
    for other in neighbours(f):
        yield Rule(f"format-{other.name}", f"reads the codes as {other.name}", partial(decode_codes, x, other, carrier))
    if f.has_subnormals:
        subnormal = ~(fields.nan | fields.infinite) & (magnitude > 0) & (magnitude < (1 << f.t))
        yield Rule("flush-to-zero", "subnormal codes are read as zero", lambda: np.where(subnormal, sign, right))
        no_subnormals = Format(f.name, f.k, f.p, f.bias, f.signed, zero=False)
        as_normal = decode_codes(x, no_subnormals, carrier)
        yield Rule(
            "subnormals-as-normals",
            "subnormal codes are read with an implicit bit",
            lambda: np.where(subnormal, as_normal, right),
        )
    for name, what, datum in (("zero", "zero", Datum.finite(0)), ("infinity", "infinity", Datum.infinity())):
        code = right.dtype.type(pack(datum, carrier))
        yield Rule(f"nan-{name}", f"NaN codes are read as {what}", where(fields.nan, code | sign, right))
        if f.signed:
            sentence = f"NaN codes are read as {what}, those of both signs as +"
            yield Rule(f"nan-{name}", sentence, where(fields.nan, code, right))
    every_code = Format(f.name, f.k, f.p, f.bias, f.signed, zero=f.zero) if not f.fixed_point else f
    as_number = decode_codes(x, every_code, carrier)
    if not (unpack_fields(as_number, carrier).infinite & fields.nan).any():  # as infinity else
        yield Rule("nan-as-number", "NaN codes are read as numbers", lambda: np.where(fields.nan, as_number, right))
    yield Rule(
        "inf-as-number", "infinity codes are read as numbers", lambda: np.where(fields.infinite, as_number, right)
    )
    if f.infinities:
        yield Rule(
            "specials-as-numbers",
            "infinity and NaN codes are read as numbers",
            lambda: np.where(fields.infinite | fields.nan, as_number, right),
        )
    nan = right.dtype.type(carrier.nan_canonical or 0)
    yield Rule("inf-nan", "infinity codes are read as NaN", lambda: np.where(fields.infinite, nan | sign, right))
    is_zero = (right & right.dtype.type(carrier.magnitude_mask)) == 0
    yield Rule("zero-sign-lost", "-0 is read as +0", lambda: np.where(is_zero, 0, right).astype(right.dtype))
    yield Rule("sign-dropped", "the sign is dropped", lambda: right & right.dtype.type(carrier.magnitude_mask))
    yield from reading_habits(x, f, carrier, right, fields)
    yield from nan_bits(right, fields, f, carrier)
