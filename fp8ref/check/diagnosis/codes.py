"""Wrong rules of comparisons, class tests, sign-bit operations, neighbours and conversions to integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ...cases.answers import Codes, Expected, expect
from ...cases.families import FAMILIES
from ...cases.flags import operand_parts
from ...cases.operation import Operation, carrier_dtype
from ...fast.exact import is_zero
from ...fast.kernel import Fields
from ...spec.catalog import formats, get_format
from ...spec.formats import Format
from ...spec.operations.integers import OutOfRange, get_integer
from ...spec.rounding import DETERMINISTIC
from .rule import ROUNDING_SENTENCES, Rule, where


def _as(op: Operation, operands: Sequence[Codes], /, **changed: object) -> Expected:
    """The answer to the same question with something in it changed."""
    return expect(replace(op, **changed), operands)  # type: ignore[arg-type]


def _others(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Other questions of the same shape."""
    for other in FAMILIES.values():
        alike = other.arity == len(operands) and (other.result or "format") == (op.asked.result or "format")
        if other.name != op.family and alike and other.mode is None and other.kind != "decode":
            question = replace(op, family=other.name)
            if question.is_defined:
                yield Rule(f"wrong-operation-{other.name}", f"answers {other.name}: {other.asks}",
                           lambda q=question: expect(q, operands))  # type: ignore[misc]  # fmt: skip


def _read_otherwise(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Codes read as another format's."""
    own = [get_format(name) for name in op.operands]
    for f in formats():
        if f.k == own[0].k and f != own[0] and f.signed == own[0].signed and not f.name.startswith("binary"):
            result = f.name if op.result == op.operands[0] else op.result
            question = replace(op, operands=(f.name,) * len(own), result=result)
            if len({*op.operands}) == 1 and question.is_defined:
                yield Rule(f"format-{f.name}", f"reads the codes as {f.name}",
                           lambda q=question: expect(q, operands), throughout=True)  # type: ignore[misc]  # fmt: skip


def _in_two(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    right = expect(op, operands).codes
    yield Rule("inverted", "true and false are exchanged", lambda: 1 - right)
    yield Rule("always-false", "the answer is always false", lambda: np.zeros_like(right))
    yield Rule("always-true", "the answer is always true", lambda: np.ones_like(right))


def comparison_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of comparisons."""
    right = expect(op, operands).codes
    parts = operand_parts(op, operands)
    f, g = (get_format(name) for name in op.operands)
    a, b = operands
    nan = parts[0].nan | parts[1].nan
    yield Rule("unordered-true", "true where an operand is a NaN", where(nan, np.uint8(1), right))
    yield Rule("unordered-false", "false where an operand is a NaN", where(nan, np.uint8(0), right))
    test = getattr(np, _NUMPY[op.family], None) if op.family in _NUMPY else None
    if test is not None and f == g:
        magnitude = [x & x.dtype.type(h.magnitude_mask) for x, h in ((a, f), (b, g))]
        signed = [
            np.where(p.negative, ~m.astype(np.int64), m.astype(np.int64)) for p, m in zip(parts, magnitude)
        ]  # sign and magnitude, -0 below +0
        numeric = [np.where(p.negative, -m.astype(np.int64), m.astype(np.int64)) for p, m in zip(parts, magnitude)]
        zeros = is_zero(parts[0]) & is_zero(parts[1])
        for name, sentence, keys in (
            ("zeros-ordered", "-0 is less than +0", None),
            ("nan-as-number", "NaN codes are compared as numbers", numeric),
            ("total-order", "compares in the total order: NaNs by their codes, -0 below +0", signed),
            ("codes-unsigned", "compares the codes as unsigned integers", [a, b]),
            (
                "codes-signed",
                "compares the codes as two's complement",
                [x.view(f"i{x.dtype.itemsize}") for x in (a, b)],
            ),
            ("sign-ignored", "compares magnitudes", magnitude),
        ):
            if keys is None:
                predicted = np.where(zeros, test(*signed), right).astype(np.uint8)
            else:
                predicted = test(*keys).astype(np.uint8)
            yield Rule(name, sentence, lambda predicted=predicted: predicted)  # type: ignore[misc]
            if name in ("codes-unsigned", "codes-signed", "sign-ignored"):  # of the others NaNs are the mistake
                kept = np.where(nan, right, predicted)
                yield Rule(f"{name}-but-nan", f"{sentence}, NaNs apart", lambda kept=kept: kept)  # type: ignore[misc]
    small = [np.where(_subnormal(p, h), x & x.dtype.type(h.sign_bit), x) for p, h, x in zip(parts, (f, g), (a, b))]
    yield Rule("denormals-are-zero", "subnormal operands are taken for zero", partial(_as, op, small))
    infinite = parts[0].infinite | parts[1].infinite
    yield Rule("infinity-unordered", "false where an operand is infinite", where(infinite, np.uint8(0), right))
    yield Rule("operands-swapped", "the operands are exchanged",
               partial(_as, op, [b, a], operands=op.operands[::-1]))  # fmt: skip
    yield from _others(op, operands)
    yield from _in_two(op, operands)
    yield from _read_otherwise(op, operands)
    loud = {"1": "0", "0": "1", "": "0" if op.family not in ("eq", "ne", "un", "ord") else "1"}[op.key("signalling")]
    if op.flags:
        said = tuple(sorted({**dict(op.keys), "signalling": loud}.items()))
        sentence = "every NaN raises invalid" if loud == "1" else "a quiet NaN does not raise invalid"
        yield Rule("compares-loudly" if loud == "1" else "compares-quietly", sentence,
                   partial(_as, op, operands, keys=said))  # fmt: skip


_NUMPY = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}


def _subnormal(x: Fields, f: Format) -> Codes:
    small: Codes = ~(x.nan | x.infinite) & (x.sig < np.uint64(1 << f.t)) & f.has_subnormals
    return small


def test_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of class tests."""
    right = expect(op, operands).codes
    (x,) = operand_parts(op, operands)
    f = get_format(op.operands[0])
    for name, there in (
        ("NaN", x.nan), ("an infinity", x.infinite), ("zero", is_zero(x)),
        ("a subnormal", _subnormal(x, f) & ~is_zero(x)),
        ("a negative NaN", x.nan & x.negative), ("a positive NaN", x.nan & ~x.negative),
        ("-0", is_zero(x) & x.negative), ("an infinity or NaN", x.nan | x.infinite),
    ):  # fmt: skip
        for value, word in ((1, "true"), (0, "false")):
            slug = name.removeprefix("a ").removeprefix("an ").replace(" ", "-").lower()
            yield Rule(f"{slug}-{word}", f"{word} for {name}", where(there, np.uint8(value), right))
    yield from _others(op, operands)
    yield from _in_two(op, operands)
    yield from _read_otherwise(op, operands)


def code_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of operations on codes."""
    right = expect(op, operands).codes
    parts = operand_parts(op, operands)
    x = operands[0]
    f = get_format(op.operands[0])
    if op.result == op.operands[0]:
        sign = x.dtype.type(f.sign_bit)
        if op.family in ("neg", "abs", "copysign") and f.signed:
            flipped = {"neg": x ^ sign, "abs": x & ~sign, "copysign": x & ~sign | operands[-1] & sign}[op.family]
            yield Rule(
                "sign-bit-blind", "the sign bit is set whatever the code, so that a zero becomes NaN" if
                not f.has_negative_zero else "the sign bit alone is changed", lambda: flipped,
            )  # fmt: skip
        yield Rule("negative-zero-kept", "-0 keeps its sign", where(is_zero(parts[0]), x, right))
        yield Rule("returns-a", "operand a comes back", lambda: x)
        small = _subnormal(parts[0], f)
        zero = x & sign if f.has_negative_zero else np.zeros_like(x)
        yield Rule("flush-to-zero", "subnormals are flushed to zero", where(small, zero, right))
        yield Rule("zero-sign-lost", "every zero result is +0",
                   lambda: np.where(right & f.magnitude_mask == 0, 0, right).astype(right.dtype))  # fmt: skip
        if op.family in ("nextup", "nextdown", "nextafter"):
            top = np.where(right & f.magnitude_mask > f.max_code, f.max_code | right & f.sign_bit, right)
            yield Rule("saturates", "the largest finite value stays", lambda: top.astype(right.dtype))
            step = -1 if op.family == "nextdown" else 1
            yield Rule("code-plus-one", "the code is counted on, whatever its sign",
                       lambda: (x.astype(np.int64) + step & f.code_mask).astype(x.dtype))  # fmt: skip
            least = np.where((right & f.magnitude_mask) == 0, 0, right).astype(right.dtype)
            yield Rule("negative-zero-lost", "a step to zero from below gives +0", lambda: least)
    if len(operands) == 2:
        yield Rule("operands-swapped", "the operands are exchanged", partial(_as, op, operands[::-1]))
    if op.result == "bool":
        yield from _in_two(op, operands)
    yield from _others(op, operands)
    yield from _read_otherwise(op, operands)


def integer_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of conversions to integers."""
    rounding, rule = op.integer_mode
    right = expect(op, operands).codes
    for mode in DETERMINISTIC:
        if mode is not rounding:
            yield Rule(f"rounding-{mode.value}", ROUNDING_SENTENCES[mode],
                       partial(_as, op, operands, mode=f"{mode.value}.{rule.value}"))  # fmt: skip
    for other in OutOfRange:
        if other is not rule:
            yield Rule(f"range-{other.value}", f"out of range as {other.value} has it",
                       partial(_as, op, operands, mode=f"{rounding.value}.{other.value}"))  # fmt: skip
    wide = expect(replace(op, result="i64"), operands).codes
    (x,) = operand_parts(op, operands)
    finite = ~(x.nan | x.infinite)
    wrapped = wide.astype(carrier_dtype(op.result))
    yield Rule("wraps", "out of range, the low bits are kept", where(finite, wrapped, right))
    to = get_integer(op.result)
    for name, there in (("nan", x.nan), ("infinity", x.infinite)):
        for word, value in (("zero", 0), ("largest", to.largest), ("lowest", to.lowest)):
            code = np.array(value, carrier_dtype(op.result))
            yield Rule(f"{name}-{word}", f"{name} gives the {word}", where(there, code, right))
    yield Rule("magnitude", "the sign is dropped", lambda: np.abs(right))
    yield from _read_otherwise(op, operands)
