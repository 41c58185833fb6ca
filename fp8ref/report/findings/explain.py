"""One conversion explained: exact value, neighbours, answer, clause, and what every other mode would answer."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...cases.answers import expect
from ...cases.operation import ANY_MODE, INTEGERS, Operation, carrier_dtype, default_mode
from ...spec.catalog import get_format
from ...spec.codec import pack, unpack
from ...spec.datum import HALF, Datum
from ...spec.formats import Format
from ...spec.operations.arithmetic import compute_codes
from ...spec.overflow import NAMED, get_overflow
from ...spec.profiles.catalog import profiles_meeting
from ...spec.projection import NaN, Negative, Projection, get_projection, operand, project, round_to_precision
from ...spec.rounding import DETERMINISTIC, DIRECTIONS, RandomBits, Rounding
from ...spec.status import LETTERS, Status
from ..formats.numbers import ulps_text
from ..formats.scale import value_line
from .clauses import citation, clause_for
from .draw import Drawn, datum_of, draw_rows, drawn, drawn_inputs, exact_line, exact_result
from .neighbours import named, neighbours, short_value

LONG_STATUS = {"NV": "invalid", "DZ": "divideByZero", "OF": "overflow", "UF": "underflow", "NX": "inexact"}


@dataclass(frozen=True)
class Conversion:
    """A datum on its way into a format.

    ``op`` is the operation whose mode and keys decide (a free mode ``*`` leaves the answer open); ``x`` the exact
    datum; ``input`` how it was given.
    """

    op: Operation
    x: Datum
    input: Drawn | str
    codes: tuple[int, ...] = ()  # the operands of arithmetic, of which x is the exact result
    via: Drawn | None = None  # what it became on a detour through another format
    random: RandomBits | None = None

    @classmethod
    def of_case(cls, op: Operation, code: int, *codes: int) -> Conversion:
        """The conversion of an operand code, or of the exact result of arithmetic on several.

        Raises ValueError for a code that the operand's type does not have.
        """
        if op.asked.kind == "arithmetic":
            exact = exact_result(default_mode(op), [code, *codes])
            assert exact is not None
            return cls(op, exact, drawn(code, op.operands[0]), (code, *codes))
        found = cls(op, datum_of(code, op.operands[0]), drawn(code, op.operands[0]))
        source = op.source_format
        found = found if source is None else replace(found, x=operand(code, source, found.rho))
        return found.through(op.key("via")) if op.key("via") else found

    def through(self, name: str) -> Conversion:
        """The same after a detour: rounded to nearest in another format first, overflow going to infinity or NaN."""
        f = get_format(name)
        x = project(self.x, f, get_projection(f, "rne", "nonsat", "keep-sign"))[0]
        return replace(self, x=x, via=drawn(pack(x, f), f))

    @property
    def others(self) -> list[Drawn]:
        """The operands after the first, drawn."""
        return [drawn(code, name) for code, name in zip(self.codes[1:], self.op.operands[1:])]

    @property
    def f(self) -> Format:
        return self.op.result_format

    @property
    def is_open(self) -> bool:
        return self.op.mode == ANY_MODE

    @property
    def rho(self) -> Projection:
        """The projection; for a free mode the one from which the alternatives differ."""
        if self.op.family == "decode":
            return get_projection(self.f, "rne", "nonsat", "keep-sign")
        return default_mode(self.op).projection

    def answer(self, **changes: Any) -> tuple[int, Status]:
        """Code and status under the projection with some of its fields changed.

        Raises ValueError for stochastic rounding, whose answer depends on random bits.
        """
        rho = replace(self.rho, **changes)
        if rho.rounding.is_stochastic and self.random is None:
            raise ValueError(
                f"{rho.rounding.value} answers by random bits: show takes them with --random-bits; the modes that one "
                f"value explains are {', '.join(DETERMINISTIC)}"
            )
        if self.codes:
            formats = [self.f if name in INTEGERS else get_format(name) for name in self.op.operands]
            semantics = self.op.key("semantics", "ieee")
            return compute_codes(self.op.definition, self.codes, formats, self.f, rho, semantics)
        datum, status = project(self.x, self.f, rho, self.random)
        return pack(datum, self.f), status

    @property
    def overflow_name(self) -> str:
        """The overflow rule as the mode names it."""
        return (default_mode(self.op).mode or "").partition(".")[2]

    @property
    def is_below_unsigned(self) -> bool:
        """Is it a negative value on its way into an unsigned format?"""
        return bool(self.x.sign) and not self.f.signed and not self.x.is_nan and not self.x.is_zero


def conversion_block(c: Conversion, unicode: bool = True) -> str:
    """Input, place among the neighbours, answer, flags, reason and clause; and the value on a line."""
    rows: list[tuple[str, Drawn | str]] = [("input", c.input), *(("input", other) for other in c.others)]
    if c.via is not None:
        rows.append(("via", c.via))
    if c.op.family != "decode":
        rows.append(("exact", exact_line(c.x, c.f)))
    if not c.is_open:
        code, status = c.answer()
        rows += [("answer", drawn(code, c.f)), ("raised", status_text(status)), ("why", reason(c))]
        rows.append(("spec", citation(clause_for(c.op, c.x))))
        met = profiles_meeting(c.op.operands[0], c.op.result, c.rho) if c.op.family == "convert" else ()
        if met:
            rows.append(("meets", ", ".join(met)))
    n = neighbours(c.x, c.f)
    drawable = n is not None and (n.inner_code is not None or n.is_below_all) and c.op.family != "decode"
    line = [value_line(n, unicode)] if n is not None and drawable else []
    return "\n\n".join([draw_rows(rows), *line])


def explanation(c: Conversion, unicode: bool = True) -> str:
    """The block of :func:`conversion_block` and what every other mode would answer."""
    parts = [conversion_block(c, unicode)]
    if c.op.asked.mode is not None:
        parts.append("  what the other modes answer\n" + draw_alternatives(alternatives(c), c.f))
        if c.x.is_finite and (chance := stochastic_text(c)):
            parts.append("  " + chance)
    return "\n\n".join(parts)


def answer_block(op: Operation, codes: Sequence[int]) -> str:
    """Operands, answer, flags and clause of an operation that rounds nothing, or to an integer."""
    rows: list[tuple[str, Drawn | str]] = [("input", row) for row in drawn_inputs(op, codes)]
    asked = replace(op if op.mode != ANY_MODE else op.with_mode("rtz.riscv"), keys=(*op.keys, ("flags", "1")))
    found = expect(asked, [np.array([code]).astype(carrier_dtype(name)) for code, name in zip(codes, op.operands)])
    bits = found.codes.view(f"u{found.codes.dtype.itemsize}")
    rows.append(("answer", drawn(int(bits[0]), op.result)))
    if found.status is not None:
        rows.append(("raised", status_text(Status(int(found.status[0])))))
    rows.append(("spec", citation(clause_for(op, None if op.asked.kind != "int" else exact_result(op, codes)))))
    return draw_rows(rows)


def status_text(status: Status) -> str:
    """``overflow, inexact (OF NX)``; ``nothing`` for no flag."""
    names = [LONG_STATUS[letters] for bit, letters in LETTERS if status & bit]
    return f"{', '.join(names)} ({status.letters})" if names else "nothing"


def reason(c: Conversion) -> str:
    """Why the reference gives its answer, in a few words."""
    rho, f, x = c.rho, c.f, c.x
    code, _ = c.answer()
    becomes = _answer_text(code, f)
    if c.op.family == "decode":
        return "a NaN keeps its sign" if x.is_nan else "a code stands for one value; nothing is rounded"
    if x.is_nan:
        return f"a NaN under nan={rho.nan}{'' if f.has_nan else f', and {f.name} has no NaN'}: {becomes}"
    if x.sign and rho.negative is Negative.ZERO:
        return f"below +0, under negative=zero: {becomes}"
    if c.is_below_unsigned and rho.negative is Negative.LOWEST:
        return f"a negative value into an unsigned format under negative=lowest: {becomes}"
    if x.is_infinite:
        return f"an infinity under {c.overflow_name}: {becomes}"
    if not f.zero and x.magnitude < f.min_normal:
        return f"below the smallest value: {becomes}"
    if x.is_zero:
        return f"zero: {becomes}"
    negative = bool(x.sign and f.signed)
    rounded, exact = round_to_precision(x.magnitude, negative, f, rho.rounding, c.random)
    text = "no rounding: " if exact else f"{_direction(c)}: "
    if rounded > (-f.lowest if negative else f.max):
        beyond = short_value(f.lowest if negative else f.max)
        text += f"{short_value(-rounded if negative else rounded)}, beyond {beyond}"
        return f"{text}; under {c.overflow_name} {becomes}"
    flushed = unpack(code, f).magnitude != rounded
    return text + (f"a tiny result, flushed: {becomes}" if flushed else becomes)


def _direction(c: Conversion) -> str:
    n = neighbours(c.x if c.f.signed else c.x.with_sign(0), c.f)
    assert n is not None
    mode = c.rho.rounding
    if mode.is_stochastic:
        assert c.random is not None
        return f"stochastic, by the random bits {c.random.value:0{c.random.width}b}"
    if mode in (Rounding.TIES_TO_EVEN, Rounding.TIES_TO_AWAY):
        if n.eta != HALF:
            return "nearest"
        return "a tie, to the even code" if mode is Rounding.TIES_TO_EVEN else "a tie, away from zero"
    return {
        Rounding.TOWARD_POSITIVE: "toward positive",
        Rounding.TOWARD_NEGATIVE: "toward negative",
        Rounding.TO_ODD: "to the odd code",
    }.get(mode, DIRECTIONS[mode])


@dataclass(frozen=True)
class Alternative:
    """What one setting answers under each overflow rule, and which exceptions it raises."""

    setting: str
    codes: dict[str, int]
    status: Status


def alternatives(c: Conversion) -> list[Alternative]:
    """What else could have been answered: by every rounding mode (a NaN: every NaN choice) and every overflow rule."""
    settings: list[tuple[str, dict[str, Any]]]
    if c.x.is_nan:
        settings = [(f"nan={choice}", {"nan": choice}) for choice in NaN if choice is not NaN.ERROR]
    elif c.is_below_unsigned:
        rounding = Rounding.TIES_TO_EVEN if c.rho.rounding.is_stochastic else c.rho.rounding
        choices = [choice for choice in Negative if choice is not Negative.ZERO or c.f.zero]
        settings = [(f"negative={choice}", {"negative": choice, "rounding": rounding}) for choice in choices]
    else:
        settings = [(mode.value, {"rounding": mode}) for mode in DETERMINISTIC]
    rules = dict.fromkeys([*NAMED, c.overflow_name])
    found = []
    for name, changes in settings:
        answers = {rule: c.answer(overflow=get_overflow(rule, c.f), **changes) for rule in rules}
        found.append(Alternative(name, {rule: code for rule, (code, _) in answers.items()}, answers["sat"][1]))
    return found


SETTINGS = 64  # columns


def draw_alternatives(found: list[Alternative], f: Format) -> str:
    """A table of alternatives; settings that answer the same share a line, overflow rules a column."""
    columns: dict[tuple[int, ...], list[str]] = {}
    for rule in found[0].codes:
        columns.setdefault(tuple(a.codes[rule] for a in found), []).append(rule)
    rules = [names[0] for names in columns.values()]
    lines: dict[tuple[str, ...], list[str]] = {}
    for a in found:
        cells = [_answer_text(a.codes[rule], f) for rule in rules]
        lines.setdefault((*cells, a.status.letters), []).append(a.setting)
    heads = ["", *(" ".join(names) for names in columns.values()), "raised"]
    table = [heads]
    for answers, names in lines.items():
        first, *more = textwrap.wrap(" ".join(names), SETTINGS, break_on_hyphens=False)
        table += [[first, *answers], *([others, *[""] * len(answers)] for others in more)]
    widths = [max(map(len, column)) for column in zip(*table)]
    return "\n".join("  " + "   ".join(f"{cell:<{w}}" for cell, w in zip(row, widths)).rstrip() for row in table)


def stochastic_text(c: Conversion) -> str:
    """With which chance ideal stochastic rounding goes away from zero; empty where nothing is left to chance."""
    n = neighbours(c.x, c.f)
    if n is None or n.is_exact or n.is_below_all or n.inner_code is None:
        return ""
    chance = ulps_text(n.eta).removesuffix(" ulp").strip("()")
    away = named(n.outer, n.outer_code, c.f)
    return f"stochastic: {away} with probability {chance}, given enough random bits"


def _answer_text(code: int, f: Format) -> str:
    row = drawn(code, f)
    x = unpack(code, f)
    return f"{short_value(x.value) if x.is_finite and not x.is_zero else row.value} [{row.code}]"
