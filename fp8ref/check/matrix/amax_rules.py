"""Wrong rules of an amax beside a product: of which values it is taken, and how they are reduced to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import expect
from ...cases.operation import Operation
from ...cases.products.beside import NAN, Singles, amax_codes, before_output, keyed, singles, to_amax
from ...cases.products.probes import codes_of
from ...cases.products.questions import addend_type, has_output_scale, model_of, operand_types, scale_type
from ...spec.catalog import get_format
from ...spec.matrix.units import Finished

Codes = NDArray[Any]
Values = Callable[["Block"], Singles]
Reduced = Callable[["Block", Singles], Codes]


@dataclass(frozen=True)
class Block:
    """One call: its operation, operands and answers, and the amax that came with them: (n) of sums, (1) of a matrix."""

    op: Operation
    operands: tuple[Codes, ...]
    got: Codes
    amax: Codes

    @cached_property
    def x(self) -> Singles:
        """The values whose amax is right."""
        return values(*to_amax(self.op, self.operands))

    @cached_property
    def scaled(self) -> Singles:
        """The same times scale_result, in binary32."""
        _, scaled = before_output(self.op)
        if scaled or not has_output_scale(self.op):
            return self.x
        with np.errstate(all="ignore"):
            return np.asarray(self.x * self.operands[-1].view(np.float32), np.float32)

    def of(self, change: Callable[[int, str, Codes], Codes]) -> Singles:
        """The values that other operands have; ``change``: of an operand by place and type."""
        given = [change(i, name, x) for i, (name, x) in enumerate(zip(operand_types(self.op), self.operands))]
        return values(*to_amax(self.op, given))


def values(op: Operation, operands: Sequence[Codes]) -> Singles:
    return singles(expect(op, operands).codes, op.result)


@dataclass(frozen=True)
class AmaxRule:
    """A mistake by name and in words: of which values, reduced how."""

    name: str
    sentence: str
    values: Values
    reduced: Reduced
    running: bool = False  # what earlier calls gave counts, too

    def predicted(self, blocks: Sequence[Block]) -> list[Codes]:
        """The amax of every call."""
        with np.errstate(all="ignore"):
            found = [self.reduced(block, self.values(block)) for block in blocks]
        return _running(found) if self.running else found


def amax_rules(op: Operation) -> Iterator[AmaxRule]:
    """Every mistake that an amax of this operation can have."""
    for name, sentence, of in _taken_of(op):
        for nan in (False, True):
            yield AmaxRule(f"amax-{name}", sentence, of, _reduced(nan))
    for name, sentence, reduced in _reductions(op):
        yield AmaxRule(f"amax-{name}", sentence, lambda block: block.x, reduced)
    for nan in (False, True):
        yield AmaxRule(
            "amax-not-reset", "amax starts from what it was before: nothing resets it", lambda block: block.x,
            _reduced(nan), running=True,
        )  # fmt: skip


def _reduced(nan: bool) -> Reduced:
    return lambda block, x: amax_codes(block.op, x, nan)


# -- of what ----------------------------------------------------------------------------------------------------------
def _taken_of(op: Operation) -> Iterator[tuple[str, str, Values]]:
    f = get_format(op.result)
    output = has_output_scale(op)
    if output:
        if model_of(op) is None:
            yield "after-scale", "amax is taken after the output's scale", _scaled_exactly
        yield "after-scale", "amax is taken after the output's scale", lambda block: block.scaled
        yield "divided-back", "amax is that of D divided by the output's scale again", _divided
    if f.name != "f32":
        scaled = "the output's scale, " if output else ""
        yield "of-result", f"amax is that of D as it is stored: after {scaled}rounding and overflow", _of_result
        yield "of-saturated", "amax is taken of values that are saturated already, and not yet rounded", _saturated
        for name in dict.fromkeys((f.name, "bf16", "f16")):
            yield f"via-{name}", f"amax is rounded to {name}", _rounded(name)
    yield (
        "before-c",
        "amax is taken before C is added",
        lambda block: block.of(lambda i, name, x: np.zeros_like(x) if i == 2 else x),
    )
    if scale_type(op):
        one = codes_of(np.ones(1), get_format(scale_type(op) or ""))[0]
        sides = (3, 4)
        yield (
            "before-scales",
            "amax is taken before the scales of A and B, and before C",
            lambda block: block.of(
                lambda i, name, x: np.full_like(x, one) if i in sides else np.zeros_like(x) if i == 2 else x
            ),
        )
        yield (
            "without-scales",
            "amax is taken without the scales of A and B",
            lambda block: block.of(lambda i, name, x: np.full_like(x, one) if i in sides else x),
        )
    model = model_of(op)
    if isinstance(model, Finished) and "relu" in model.steps:
        yield "before-relu", "amax is taken before the activation", _without_relu


def _without_relu(block: Block) -> Singles:
    asked, given = to_amax(block.op, block.operands)
    head, _, steps = (asked.mode or "").partition("+out.")
    left = [step for step in steps.split(".") if step not in ("relu", "")]
    return values(replace(asked, mode=f"{head}+out.{'.'.join(left)}" if left else head), given)


def _scaled_exactly(block: Block) -> Singles:
    asked = keyed(replace(block.op, result="f32", mode="exact"), amax="", bias=addend_type(block.op))
    return values(asked, block.operands)


def _of_result(block: Block) -> Singles:
    return singles(block.got, block.op.result)


def _divided(block: Block) -> Singles:
    return np.asarray(_of_result(block) / block.operands[-1].view(np.float32), np.float32)


def _saturated(block: Block) -> Singles:
    most = np.float32(float(get_format(block.op.result).max))
    return np.asarray(np.clip(block.scaled, -most, most), np.float32)


def _rounded(name: str) -> Values:
    """Rounded to another format, to nearest; what is too large is an infinity where the format has one."""
    overflow = "nonsat" if get_format(name).infinities else "sat"
    op = Operation.convert("f32", name, f"rne.{overflow}")

    def rounded(block: Block) -> Singles:
        return np.where(np.isnan(block.x), block.x, values(op, [block.x.view(np.uint32)]))

    return rounded


# -- how ------------------------------------------------------------------------------------------------------------
def _reductions(op: Operation) -> Iterator[tuple[str, str, Reduced]]:
    for nan in (False, True):
        yield "signed", "the largest value is taken, not the largest magnitude", _of(nan, lambda x: np.maximum(x, 0))
        yield "negative", "the magnitude of negative values alone is taken", _of(nan, lambda x: np.maximum(-x, 0))
        yield "no-infinity", "infinities are left out", _of(nan, lambda x: np.where(np.isinf(x), np.float32(0), x))
    promised = op.key("amax")
    if promised == "number":
        yield "nan-spreads", "a NaN makes amax a NaN, which it promises to leave out", _reduced(True)
    if promised == "nan":
        yield "nan-ignored", "NaNs are left out, which it promises to deliver", _reduced(False)
    yield (
        "nan-as-infinity",
        "a NaN counts as infinity",
        lambda block, x: amax_codes(block.op, np.where(np.isnan(x), np.float32(np.inf), x), False),
    )
    yield "zero", "amax is always 0", lambda block, x: np.zeros_like(block.amax)
    if op.family == "dot":
        return
    yield "nan-forgets", "a NaN forgets what came before it", _forgetting
    for nan in (False, True):
        for name, sentence, kept in (
            ("last-row-lost", "the last row is left out", np.s_[:-1]),
            ("last-column-lost", "the last column is left out", np.s_[:, :-1]),
            ("first-row-alone", "only the first row counts", np.s_[:1]),
            ("first-column-alone", "only the first column counts", np.s_[:, :1]),
            ("first-alone", "only the first element counts", np.s_[:1, :1]),
            ("last-alone", "only the last element counts", np.s_[-1:, -1:]),
        ):
            yield name, f"amax: {sentence}", _part(nan, kept)


def _of(nan: bool, change: Callable[[Singles], Any]) -> Reduced:
    return lambda block, x: amax_codes(block.op, np.asarray(change(x), np.float32), nan)


def _part(nan: bool, kept: Any) -> Reduced:
    return lambda block, x: amax_codes(block.op, x[kept], nan)


def _forgetting(block: Block, x: Singles) -> Codes:
    """Row by row ``m < |x| ? |x| : m`` with the operands so that a NaN is taken, and lost to the next number."""
    flat = x.reshape(-1)
    last = np.flatnonzero(np.isnan(flat))
    rest = flat[last[-1] + 1 :] if last.size else flat
    if last.size and not rest.size:
        return np.array([NAN])
    return np.asarray(np.abs(rest).max(initial=np.float32(0)), np.float32).reshape(1).view(np.uint32)


def _running(found: list[Codes]) -> list[Codes]:
    """Each the largest so far, in the order in which they were asked."""
    flat: Codes = np.maximum.accumulate(np.concatenate(found))  # codes of magnitudes are in their order, NaN last
    return np.split(flat, np.cumsum([part.size for part in found])[:-1])


def promised_nan(op: Operation) -> bool | None:
    """Does the operation promise that a NaN makes amax one; None where it leaves that open."""
    return {"number": False, "nan": True}.get(op.key("amax"))
