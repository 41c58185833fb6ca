"""Codes and findings drawn bit by bit, as plain text.

>>> from fp8ref.report.findings.draw import draw_code
>>> print(draw_code(0x02, "e4m3fn"))
0x02  0 0000 010   +0.00390625 = +0.25 x 2^-6  subnormal
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...cases.operation import INTEGERS, UNITS, Operation
from ...escapes import shell
from ...spec.catalog import get_format
from ...spec.codec import unpack
from ...spec.datum import HALF, Datum
from ...spec.formats import Format, NaNs
from ...spec.operations.arithmetic import DEFINITIONS
from ...spec.operations.compare import Class
from ...spec.operations.definition import Context, get_semantics
from ...spec.overflow import default_overflow
from ...spec.projection import is_signalling, operand
from ..formats.numbers import decimal_text, hex_text, scaled_text
from .clauses import citation, clause_for
from .neighbours import code_text, neighbours

WIDTH = 100
BITS_DRAWN = 32  # wider codes show sign and exponent only; their hexadecimal float shows the rest


@dataclass(frozen=True)
class Drawn:
    """One code in columns: ``type code fields value remark``."""

    type: str
    code: str
    fields: str
    value: str
    remark: str = ""

    @property
    def meaning(self) -> str:
        return f"{self.value}  {self.remark}".rstrip()


def class_name(code: int, f: Format) -> str:
    """zero, subnormal, normal, infinity, NaN; in formats with IEEE NaNs NaN quiet or NaN signalling.

    A fixed-point number that is not zero is called ``fixed-point``.
    """
    x = unpack(code, f)
    if x.is_nan:
        if f.nans is not NaNs.IEEE:
            return "NaN"
        return "NaN quiet" if x.payload >= HALF else "NaN signalling"
    if x.is_infinite:
        return "infinity"
    if x.is_zero:
        return "zero"
    if f.fixed_point:
        return "fixed-point"
    return "subnormal" if x.magnitude < f.min_normal else "normal"


def bit_fields(code: int, f: Format) -> str:
    """The code's bits, in groups: sign, exponent, trailing significand.  Fixed point: a binary point.

    Codes of more than 32 bits end in ``..``.

    >>> bit_fields(0x7E, get_format("e4m3fn")), bit_fields(0xC1, get_format("mxint8"))
    ('0 1111 110', '11.000001')
    """
    bits = f"{code:0{f.k}b}"
    if f.fixed_point:
        return f"{bits[: f.k - f.t]}.{bits[f.k - f.t :]}"
    s = int(f.signed)
    trailing = bits[s + f.w :] if f.k <= BITS_DRAWN else ".."
    return " ".join(part for part in (bits[:s], bits[s : s + f.w], trailing) if part)


def datum_of(code: int, type_: Format | str) -> Datum:
    """The datum of a code, or of an integer operand, which is its own value modulo 2**k.

    Raises ValueError for a code that the type does not have.
    """
    if isinstance(type_, Format) or type_ not in INTEGERS:
        return unpack(code, get_format(type_))
    k = int(type_[1:])
    if not -(1 << (k - 1)) * (type_[0] == "i") <= code < 1 << k:
        raise ValueError(f"{code:#x} is not a code of {type_}, which has {k} bits")
    code &= (1 << k) - 1
    return Datum.finite(code - (code >> (k - 1) << k if type_[0] == "i" else 0))


def value_text(x: Datum, f: Format | None = None) -> str:
    """A datum in words: ``+0.00390625 = +0.25 x 2^-6``; ``f`` gives the exponent below which it is subnormal."""
    sign = "-" if x.sign else "+"
    if x.is_nan:
        return "NaN"
    if x.is_infinite:
        return f"{sign}Inf"
    if x.is_zero:
        return f"{sign}0"
    decimal = decimal_text(x.magnitude)
    decimal = f"~{sign}{decimal[1:]}" if decimal.startswith("~") else sign + decimal
    if f is None:
        return decimal
    if f.fixed_point:
        return f"{decimal} = {sign}{x.magnitude * 2**f.t} x 2^-{f.t}"
    if f.k > 16 and x.magnitude < f.min_normal:  # the decimal would not fit beside so many bits
        return sign + hex_text(x.magnitude)
    scaled = scaled_text(x.magnitude, f.emin)
    return f"{decimal} = {sign}{scaled.removeprefix('1 x ') if f.p == 1 else scaled}"


def drawn(code: int, type_: Format | str) -> Drawn:
    """The columns of a code of a format, an integer type, bool or class.

    Raises ValueError for a code that the type does not have.
    """
    if isinstance(type_, str) and type_ in UNITS:
        names = ("false", "true") if type_ == "bool" else [c.name.lower().replace("_", " ") for c in Class]
        if not 0 <= code < len(names):
            raise ValueError(f"{code} is no {type_}: 0 to {len(names) - 1}")
        return Drawn(type_, f"{code}", "", names[code])
    x = datum_of(code, type_)
    if isinstance(type_, str) and type_ in INTEGERS:
        k = int(type_[1:])
        code &= (1 << k) - 1
        return Drawn(type_, code_text(code, k), f"{code:0{k}b}" if k <= BITS_DRAWN else "", f"{int(x.value):+d}")
    f = get_format(type_)
    name = class_name(code, f)
    if x.is_nan:
        signed = f.signed and f.nans is not NaNs.NEGATIVE_ZERO
        value = f"{'-' if x.sign else '+'}NaN" if signed else "NaN"
        return Drawn(f.name, code_text(code, f.k), bit_fields(code, f), value, name[4:])
    remark = name if name == "subnormal" else ""
    return Drawn(f.name, code_text(code, f.k), bit_fields(code, f), value_text(x, f), remark)


def draw_code(code: int, format: Format | str) -> str:
    """One code in one line: hexadecimal, fields, exact value, and its class where it is not a normal number.

    Raises ValueError for a code that the format does not have.
    """
    f = get_format(format)
    row = drawn(code, f)
    return f"{row.code}  {row.fields}   {row.meaning}"


def draw_rows(rows: Iterable[tuple[str, Drawn | str]]) -> str:
    """Labelled lines with codes in columns; a text stands where the columns would.

    Columns are aligned as long as no line gets longer than WIDTH: the fields of a wide code may have the line alone.
    """
    rows = list(rows)
    for aligned in (("type", "code", "fields"), ("type", "code"), ()):
        lines = _lines(rows, aligned)
        if max(map(len, lines), default=0) <= WIDTH:
            break
    return "\n".join(lines)


def _lines(rows: Sequence[tuple[str, Drawn | str]], aligned: tuple[str, ...]) -> list[str]:
    label_width = max((len(label) for label, _ in rows), default=0)
    codes = [row for _, row in rows if isinstance(row, Drawn)]
    widths = {column: max((len(getattr(row, column)) for row in codes), default=0) for column in aligned}
    lines = []
    for label, row in rows:
        line = f"  {label:<{label_width}}  "
        if isinstance(row, Drawn):
            for column, space in (("type", 1), ("code", 2), ("fields", 3)):
                cell = f"{getattr(row, column):<{widths.get(column, 0)}}"
                line += cell + " " * space if cell else ""
            line += row.meaning
        else:
            line += row
        lines.append(line.rstrip())
    return lines


def case_id(op: Operation, inputs: Sequence[int]) -> str:
    """``convert/f16/e4m3fn/rne.ieee#1A00``: the operation and its operand codes, joined by a point."""
    return f"{op.id}#" + ".".join(
        code_text(code & ((1 << _width(type_)) - 1), _width(type_))[2:] for code, type_ in zip(inputs, op.operands)
    )


def _width(type_: str) -> int:
    return int(type_[1:]) if type_ in INTEGERS else get_format(type_).k


def exact_result(op: Operation, inputs: Sequence[int]) -> Datum | None:
    """The datum before it is rounded to the result; None for families that round nothing.

    An irrational root is shown by a number that no projection distinguishes from it.
    """
    if op.asked.kind in ("convert", "decode", "int"):
        return datum_of(inputs[0], op.operands[0])
    if op.asked.kind != "arithmetic":
        return None
    definition, rho = DEFINITIONS[op.definition], op.projection
    data = [
        datum_of(code, name) if name in INTEGERS else operand(code, get_format(name), rho)
        for code, name in zip(inputs, op.operands)
    ]
    numbers = [x for x in data if not x.is_nan]
    semantics = get_semantics(op.key("semantics", "ieee"))
    if len(numbers) < len(data):
        known = definition.despite_nan(data, semantics) if definition.despite_nan else None
        if known is not None and not any(is_signalling(x) for x in data):
            return known[0]
        return numbers[0] if definition.drops_nan(semantics) and numbers else Datum.nan()
    return definition.exact(*data, Context(op.result_format, rho.rounding, semantics))[0]


def exact_line(x: Datum, f: Format) -> str:
    """Where a datum lies among the values of a format."""
    found = neighbours(x, f)
    if found is not None:
        return found.text
    if x.is_finite:
        return f"{value_text(x)}, below 0: {f.name} has no negative values"
    return "NaN" if x.is_nan else f"{value_text(x)}, which is not rounded"


def repro_command(op: Operation, inputs: Sequence[int]) -> str:
    """The command that shows the case without the device."""
    rounding, _, overflow = (op.mode or "").partition(".")
    if op.family == "convert" and overflow and not op.keys:
        command = f"fp8ref show {op.result} --from {op.operands[0]}:{case_id(op, inputs).rpartition('#')[2]}"
        command += f" --rounding {rounding}" if rounding != "rne" else ""
        return command + (f" --overflow {overflow}" if overflow != default_overflow(op.result_format) else "")
    return f"fp8ref explain {shell(case_id(op, inputs))}"


def drawn_inputs(op: Operation, inputs: Sequence[int]) -> list[Drawn]:
    """The operands in columns; none for a constant, which is asked of a format and not of a value."""
    if op.asked.kind == "constant":
        return []
    return [drawn(code, type_) for code, type_ in zip(inputs, op.operands)]


def draw_case(
    op: Operation,
    inputs: Sequence[int],
    want: int,
    got: int | None = None,
    why: str = "",
    clause: str | None = None,
    repro: str | None = None,
) -> str:
    """A case as a block of lines: input, exact, want, got, why, spec, repro.

    ``inputs``, ``want`` and ``got`` are codes; ``got`` None leaves its line out, and so does an empty ``why``.
    ``clause`` (an id of ``clauses``, or any text) and ``repro`` default to what the reference and the case say.

    Raises ValueError for input and ``want`` codes that their formats do not have; such a ``got`` is shown as it is.
    """
    result = op.result
    rows: list[tuple[str, Drawn | str]] = [("input", row) for row in drawn_inputs(op, inputs)]
    exact = exact_result(op, inputs)
    if exact is not None and op.asked.kind in ("convert", "arithmetic"):
        rows.append(("exact", exact_line(exact, op.result_format)))
    rows.append(("want", drawn(want, result)))
    if got is not None:
        rows.append(("got", _drawn_or_foreign(got, result)))
    if why:
        rows.append(("why", why))
    if clause is None:
        clause = clause_for(op, exact)
    if clause:
        rows.append(("spec", citation(clause)))
    rows.append(("repro", repro if repro is not None else repro_command(op, inputs)))
    return draw_rows(rows)


def _drawn_or_foreign(code: int, type_: str) -> Drawn:
    try:
        return drawn(code, type_)
    except ValueError:
        return Drawn(type_, f"{code:#X}".replace("X", "x"), "", f"not a code of {type_}")
