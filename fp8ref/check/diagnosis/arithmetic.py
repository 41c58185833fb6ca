"""Wrong rules of arithmetic: what an implementation would answer if it made one well-known mistake.

The rules of rounding are those of conversions, applied to the exact result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ...cases.answers import Codes, Expected, computed, expect, is_nan, project_into
from ...cases.families import FAMILIES
from ...cases.flags import exact_parts, operand_parts, task_of
from ...cases.operation import INTEGERS, Operation
from ...cases.tuples import total_width
from ...fast.arithmetic import Task
from ...fast.decode import decode_codes
from ...fast.exact import is_zero
from ...fast.kernel import Fields, code_dtype
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.functions.catalog import FUNCTIONS
from ...spec.operations.arithmetic import DEFINITIONS
from ...spec.operations.definition import Semantics
from ...spec.overflow import get_overflow
from ...spec.projection import NaN, Projection, Subnormal
from ...spec.rounding import Rounding
from .conversions import format_rules, neighbour_projections, projection_rules, with_nan
from .habits import neighbours
from .nans import nan_choices
from .rule import Asked, Rule, where
from .steps.compositions import composed_functions
from .steps.row_rules import row_rules

F32, F64 = get_format("f32"), get_format("f64")


def asked_arithmetic(op: Operation, operands: Sequence[Codes]) -> Asked:
    """The question that an arithmetic operation is."""
    task = task_of(op)

    def project(rho: Projection, to: Format) -> Expected:
        return computed(replace(task, rho=rho, result=to), operands, op.flags)

    return Asked(op, exact_parts(op, operands), expect(op, operands).codes, project, float("inf"))


def arithmetic_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of every arithmetic operation, then those of some."""
    task, asked = task_of(op), asked_arithmetic(op, operands)
    parts = operand_parts(op, operands)
    yield from projection_rules(asked)
    yield from _flushing_rules(asked)
    for family, more in OWN.items():
        if op.family in family.split():
            yield from more(asked, operands, parts)
    yield from composed_functions(asked, operands)
    yield from row_rules(asked, operands)
    yield from _special_rules(asked, operands, parts)
    yield from _nan_rules(asked, task, operands, parts)
    yield from nan_choices(asked)
    yield from _other_operations(asked, operands)
    yield from _order_rules(asked, operands)
    yield from _all_in_neighbour(asked, operands)
    yield from format_rules(asked)


def answers(a: Asked, operands: Sequence[Codes], /, **changed: object) -> Callable[[], Codes]:
    """The prediction of the same operation with something in its task changed, for later."""
    task = replace(task_of(a.op), **changed)  # type: ignore[arg-type]
    return lambda: computed(task, operands).codes


def _flushing_rules(a: Asked) -> Iterator[Rule]:
    for name, kind, sentence in (
        ("denormals-are-zero", Subnormal.DAZ, "subnormal operands are taken for zero"),
        ("flushes-results", Subnormal.FTZ, "tiny results are flushed to zero"),
        ("flushes-both", Subnormal.BOTH, "subnormal operands and tiny results are flushed to zero"),
    ):
        if a.rho.subnormal is not kind:
            yield Rule(name, sentence, a.instead(subnormal=kind))
    if a.rho.subnormal is not Subnormal.KEEP:
        yield Rule("subnormals-kept", "subnormals are not flushed", a.instead(subnormal=Subnormal.KEEP))


def _special_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    """Infinities of finite operands, operations without a result, and zeros."""
    f, right, x = a.f, a.right, a.parts
    finite = ~np.logical_or.reduce([p.nan | p.infinite for p in parts])
    nan_operand = np.logical_or.reduce([p.nan for p in parts])
    pole, invalid = x.infinite & finite, x.nan & ~nan_operand
    top = right.dtype.type(f.max_code) | a.sign
    nan = right.dtype.type(f.nan_canonical or 0)
    outcomes = [
        ("zero", "+0", np.zeros_like(right)),
        ("zero", "a zero of its sign", a.zero),
        ("max", "the largest finite value", top),
    ]
    if f.has_nan:
        outcomes.append(("nan", "NaN", np.full_like(right, nan)))
    if f.infinities:
        outcomes.append(("infinity", "an infinity", right.dtype.type(f.infinity_code) | a.sign))
    for name, text, codes in outcomes:
        yield Rule(f"divide-by-zero-{name}", f"x/0 gives {text}", where(pole, codes, right))
        for kind, sentence, there in (
            ("invalid", "every operation without a result", invalid),
            ("inf-minus-inf", "infinity less infinity", invalid & _unlike_infinities(a.op, parts)),
            ("zero-times-infinity", "0 times infinity", invalid & _zero_times_infinity(a.op, parts)),
            ("zero-over-zero", "0/0", invalid & np.logical_and.reduce([is_zero(p) for p in parts])),
            ("infinity-over-infinity", "infinity over infinity", invalid & np.logical_and.reduce(
                [p.infinite for p in parts])),
        ):  # fmt: skip
            yield Rule(f"{kind}-{name}", f"{sentence} gives {text}", where(there, codes, right))
    if f.has_negative_zero:
        zero = ~x.nan & ~x.infinite & (x.sig == 0)
        plus, minus = np.zeros_like(right), np.full_like(right, f.sign_bit)
        first = np.where(parts[0].negative, minus, plus)
        sums = zero & ~np.logical_and.reduce([p.sig == 0 for p in parts])
        yield Rule("zero-sum-negative", "a sum that cancels is -0", where(sums, minus, right))
        yield Rule("zero-sum-positive", "a sum that cancels is +0", where(sums, plus, right))
        yield Rule("zero-sum-first", "a zero sum has the sign of the first term", where(zero, first, right))
        yield Rule("exact-zero-negative", "an exact zero is -0", where(zero, minus, right))
        yield Rule("zero-sign-of-first", "a zero has the sign of a",
                   where((right & f.magnitude_mask) == 0, first, right))  # fmt: skip
    if f.signed and a.op.family in ("mul", "div"):
        keep = right & right.dtype.type(f.magnitude_mask)
        signed = keep | np.where(parts[0].negative, f.sign_bit, 0).astype(right.dtype)
        yield Rule(
            "sign-of-first", "the result has the sign of a", lambda: np.where(is_nan(right, f.name), right, signed)
        )
    other = Semantics.P3109 if a.op.key("semantics", "ieee") == "ieee" else Semantics.IEEE
    yield Rule(f"semantics-{other.value}", f"special values follow {other.value}",
               answers(a, operands, semantics=other))  # fmt: skip


def _unlike_infinities(op: Operation, parts: Sequence[Fields]) -> Codes:
    infinite = [p.infinite for p in parts]
    if op.family in ("add", "sub"):
        return infinite[0] & infinite[1]
    if op.family == "fma":
        return (infinite[0] | infinite[1]) & infinite[2]
    return np.add.reduce([i.astype(int) for i in infinite]) > 1  # type: ignore[no-any-return]


def _zero_times_infinity(op: Operation, parts: Sequence[Fields]) -> Codes:
    if op.family not in ("mul", "fma"):
        return np.zeros(parts[0].nan.shape, bool)
    return (is_zero(parts[0]) & parts[1].infinite) | (parts[0].infinite & is_zero(parts[1]))


def _nan_rules(a: Asked, task: Task, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    """NaN operands that come out as something else."""
    f, right = a.f, a.right
    nan = np.logical_or.reduce([p.nan for p in parts])
    if not nan.any():
        return
    which = [("a NaN operand", nan), *((f"a NaN as operand {n}", p.nan) for n, p in zip("abc", parts))]
    becomes = [
        ("zero", "zero", np.zeros_like(right)),
        ("max", "the largest finite value", np.full_like(right, f.max_code)),
        *((f"operand-{n}", f"operand {n}", codes) for n, codes in zip("abc", operands) if codes.dtype == right.dtype),
    ]
    if f.infinities:
        becomes.append(("infinity", "an infinity", np.full_like(right, f.infinity_code)))
    for text, there in which:
        for name, what, codes in becomes:
            yield Rule(f"nan-{name}", f"{text} gives {what}", where(there, codes, right))
    numbers = tuple(
        Format(g.name, g.k, g.p, g.bias, g.signed, zero=g.zero) if not g.fixed_point else g for g in task.operands
    )
    as_numbers = answers(a, operands, operands=numbers)
    yield Rule("nan-as-number", "NaN operands are read as numbers", lambda: np.where(nan, as_numbers(), right))
    yield Rule("specials-as-numbers", "infinity and NaN operands are read as numbers", as_numbers)


def _other_operations(a: Asked, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Another operation than the one that was asked."""
    for other in FAMILIES.values():
        if other.kind != "arithmetic" or other.name == a.op.family or other.arity != len(operands):
            continue
        if other.definition in FUNCTIONS and (a.op.definition not in FUNCTIONS or total_width(a.op) > 8):
            continue  # dozens of functions: compared where their tables cost nothing
        if (
            "scaleb" in (other.name, a.op.family)
            or DEFINITIONS[other.definition].selects != DEFINITIONS[a.op.definition].selects
        ):
            continue
        yield Rule(f"wrong-operation-{other.name}", f"answers {other.name}: {other.asks}",
                   answers(a, operands, op=other.definition),
                   throughout=bool({other.definition, a.op.definition} & FUNCTIONS.keys()))  # fmt: skip
    formats = task_of(a.op).operands
    for n, codes, g in zip("abc", operands, formats):
        if g == a.f:
            yield Rule(f"returns-{n}", f"operand {n} comes back", lambda codes=codes: codes)  # type: ignore[misc]


def _all_in_neighbour(a: Asked, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Operands read as codes of a neighbouring format, and the answer given in it."""
    task = task_of(a.op)
    if any(f != a.f for f in task.operands):
        return
    for other in neighbours(a.f):
        for rho, nan in neighbour_projections(a.rho, other):

            def predict(other: Format = other, rho: Projection = rho, nan: int | None = nan) -> Codes:
                changed = replace(task, operands=(other,) * len(task.operands), result=other, rho=rho)
                return with_nan(computed(changed, operands).codes, other, nan)

            yield Rule(f"reads-and-answers-{other.name}", f"reads the operands as {other.name} and answers in it",
                       predict, throughout=True)  # fmt: skip


def _order_rules(a: Asked, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Operands in another order."""
    formats = task_of(a.op).operands
    orders: dict[int, dict[str, tuple[int, ...]]] = {
        2: {"operands-swapped": (1, 0)},
        3: {"addend-first": (2, 1, 0), "addend-second": (0, 2, 1)},
    }
    if len(formats) != len(operands):
        return
    for name, order in orders.get(len(operands), {}).items():
        text = " and ".join("abc"[i] for i in range(len(order)) if order[i] != i)
        yield Rule(name, f"operands {text} are exchanged",
                   answers(a, [operands[i] for i in order], operands=tuple(formats[i] for i in order)))  # fmt: skip


# -- rules of some operations -----------------------------------------------------------------------------------------
def _first_rounded(a: Asked, to: Format, operation: str, operands: Sequence[Codes], formats: Sequence[Format]) -> Codes:
    """A step of a calculation, rounded to nearest in a format, NaN and infinity kept where it has them."""
    rho = Projection(Rounding.TIES_TO_EVEN, get_overflow("nonsat" if to.infinities else "sat", to), NaN.KEEP_SIGN)
    return computed(Task(operation, tuple(formats), to, rho), operands).codes


def _unfused_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    x, y, z = operands
    f, g, h = task_of(a.op).operands

    def unfused(to: Format, last: Format) -> Codes:
        product = _first_rounded(a, to, "multiply", [x, y], [f, g])
        if last == a.f:
            return computed(Task("add", (to, h), a.f, a.rho), [product, z]).codes
        total = _first_rounded(a, last, "add", [product, z], [to, h])
        return project_into(last, total, a.rho, a.f)

    def own_product() -> Codes:
        product = computed(Task("multiply", (f, g), a.f, a.rho), [x, y]).codes
        return computed(Task("add", (a.f, h), a.f, a.rho), [product, z]).codes

    yield Rule("fma-unfused", "the product is rounded before the sum", own_product)
    for name in ("f16", "bf16", "f32"):
        to = get_format(name)
        yield Rule(f"product-in-{name}", f"the product is rounded to {name} first", partial(unfused, to, a.f))
        yield Rule(f"unfused-in-{name}", f"product and sum are rounded in {name} first", partial(unfused, to, to))
    yield Rule("addend-dropped", "the addend is ignored",
               lambda: computed(Task("multiply", (f, g), a.f, a.rho), [x, y]).codes)  # fmt: skip
    minus = z ^ z.dtype.type(h.sign_bit)
    yield Rule("addend-negated", "c is subtracted", answers(a, [x, y, minus]))


def _division_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    x, y = operands
    f, g = task_of(a.op).operands

    def by_reciprocal(to: Format) -> Codes:
        one = np.full(y.shape, F32.bias << F32.t, code_dtype(F32))
        inverse = _first_rounded(a, to, "divide", [one, y], [F32, g])
        return computed(Task("multiply", (f, to), a.f, a.rho), [x, inverse]).codes

    for to in dict.fromkeys((a.f, *map(get_format, ("f16", "bf16", "f32")))):
        sentence = f"multiplies by a reciprocal that is rounded to {to.name}"
        yield Rule(f"reciprocal-{to.name}", sentence, partial(by_reciprocal, to))


def _remainder_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    x, y = (decode_codes(c, get_format(n), F64).view(np.float64) for c, n in zip(operands, a.op.operands))
    for name, function, sentence in (
        ("truncated", np.fmod, "n is a/b truncated, as C's fmod has it"),
        ("floored", np.remainder, "n is the floor of a/b, as Python's % has it"),
    ):
        with np.errstate(all="ignore"):
            found = function(x, y)
        predicted = project_into(F64, found.view(np.uint64), replace(a.rho, nan=NaN.CANONICAL), a.f)
        yield Rule(f"remainder-{name}", sentence, lambda predicted=predicted: predicted)  # type: ignore[misc]


def _selection_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    """What ``a < b ? a : b`` and its relatives make of NaNs and zeros."""
    x, y = operands
    if x.dtype != y.dtype or x.dtype != a.right.dtype or len({*a.op.operands, a.op.result}) > 1:
        return
    least = a.op.family.startswith("min")

    def holds(first: Codes, second: Codes, family: str) -> Codes:
        question = Operation(family, a.op.operands[:2], "bool", None, ())
        return expect(question, [first, second]).codes.astype(bool)

    less, more = ("lt", "gt") if least else ("gt", "lt")
    yield Rule("select-second", f"a {'<' if least else '>'} b ? a : b, so that b wins where there is a NaN",
               lambda: np.where(holds(x, y, less), x, y))  # fmt: skip
    yield Rule("select-first", f"b {'<' if least else '>'} a ? b : a, so that a wins where there is a NaN",
               lambda: np.where(holds(x, y, more), y, x))  # fmt: skip
    if a.f.has_negative_zero:
        zeros = is_zero(parts[0]) & is_zero(parts[1])
        yield Rule("zeros-by-place", "of two zeros the second wins", where(zeros, y, a.right))
        yield Rule("zeros-by-place", "of two zeros the first wins", where(zeros, x, a.right))


def _sqrt_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    f = get_format(a.op.operands[0])
    magnitude = operands[0] & operands[0].dtype.type(f.magnitude_mask)
    yield Rule("sqrt-of-magnitude", "the root of the magnitude", answers(a, [magnitude]))


def _scale_rules(a: Asked, operands: Sequence[Codes], parts: Sequence[Fields]) -> Iterator[Rule]:
    x, n = operands
    yield Rule("scale-negated", "the exponent is subtracted", answers(a, [x, (-n.astype(np.int64))]))
    if a.op.operands[1] in INTEGERS:
        yield Rule("scale-wraps", "the exponent is cut to 8 bits", answers(a, [x, n.astype(np.int8).astype(np.int64)]))


OWN: dict[str, Callable[[Asked, Sequence[Codes], Sequence[Fields]], Iterator[Rule]]] = {
    "fma": _unfused_rules,
    "div": _division_rules,
    "rem": _remainder_rules,
    "min max minnum maxnum": _selection_rules,
    "sqrt": _sqrt_rules,
    "scaleb": _scale_rules,
}
