"""A finding about a dot product, product by product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...cases.operation import Operation
from ...cases.products.questions import (
    addend_type,
    block_of,
    blocks,
    has_addend,
    has_output_scale,
    length,
    operand_types,
    scale_type,
)
from ...check.diagnosis.diagnose import Diagnosis
from ...spec.catalog import get_format
from ...spec.codec import unpack
from ...spec.datum import Datum
from ...spec.matrix.accumulate import exact_sum, product
from .draw import value_text

SHOWN = 10


def hex_code(code: int, k: int) -> str:
    return f"0x{code:0{-(-k // 4)}X}"


def row_text(codes: Sequence[int], k: int) -> str:
    """Codes of k bits as a row of a case: joined, or equal ones counted where that is shorter.

    >>> row_text([0x38, 0xC0], 8), row_text([0x38, 0, 0, 0, 0, 0], 8)
    ('38C0', '38,00*5')
    """
    digits = -(-k // 4)
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][0] == code:
            runs[-1][1] += 1
        else:
            runs.append([code, 1])
    counted = ",".join(f"{code:0{digits}X}" + (f"*{n}" if n > 1 else "") for code, n in runs)
    plain = "".join(f"{code:0{digits}X}" for code in codes)
    return counted if len(counted) < len(plain) else plain


def product_rows(op: Operation, inputs: Sequence[int]) -> str:
    """The rows of a product's case joined by points, from its codes one after the other."""
    sizes = [
        length(op),
        length(op),
        *([1] * has_addend(op)),
        *([blocks(op)] * 2 if scale_type(op) else []),
        *([1] * has_output_scale(op)),
    ]
    at, rows = 0, []
    for size, type_ in zip(sizes, operand_types(op)):
        rows.append(row_text(inputs[at : at + size], get_format(type_).k))
        at += size
    return ".".join(rows)


def product_case_id(op: Operation, inputs: Sequence[int]) -> str:
    """``dot/e4m3fn.e4m3fn/f32/exact;k=2#3838.3840.00000000``: one dot product, whatever the shape it was asked in."""
    return f"{replace(op, family='dot').id}#{product_rows(op, inputs)}"


def operands_of(op: Operation, inputs: Sequence[int]) -> tuple[list[int], list[int], int]:
    """a, b and c (0 where there is none) from the codes of a finding, one after the other."""
    k = length(op)
    return list(inputs[:k]), list(inputs[k : 2 * k]), inputs[2 * k] if has_addend(op) else 0


def draw_product(op: Operation, inputs: Sequence[int], want: int, got: int, why: str | Diagnosis) -> str:
    """The products that are not zero, C, the exact sum, and the two answers."""
    fa, fb, fc, fd = map(get_format, (*op.operands, addend_type(op), op.result))
    a, b, c = operands_of(op, inputs)
    pairs = [(unpack(x, fa), unpack(y, fb)) for x, y in zip(a, b)]
    lines, factors = _scales(op, inputs)
    shown = [i for i, (x, y) in enumerate(pairs) if not (x.is_zero or y.is_zero)]
    for i in shown[:SHOWN]:
        x, y = pairs[i]
        codes = f"{hex_code(a[i], fa.k)} x {hex_code(b[i], fb.k)}"
        p = product(x, y)
        lines.append(f"  k = {i:<4} {codes}   {short(x)} x {short(y)} = {short(p)}")
    if len(shown) > SHOWN:
        lines.append(f"  ...      and {len(shown) - SHOWN} products more")
    addends = [unpack(c, fc)] if has_addend(op) else []
    lines += [f"  C        {hex_code(c, fc.k)}   {short(addend)}" for addend in addends]
    scaled = [product(product(x, y), factors[i // block_of(op)]) for i, (x, y) in enumerate(pairs)]
    total = exact_sum([*scaled, *addends])
    lines.append(f"  exact    {short(total)}")
    for name, code in (("want", want), ("got", got)):
        lines.append(f"  {name:<8} {hex_code(code, fd.k)}   {value_text(unpack(code, fd), fd)}")
    return "\n".join([*lines, f"  why      {why}"])


def _scales(op: Operation, inputs: Sequence[int]) -> tuple[list[str], list[Datum]]:
    """Lines that show the scales, and the product of both for each block."""
    name = scale_type(op)
    if name is None:
        return [], [Datum.finite(1)] * blocks(op)
    f, n = get_format(name), blocks(op)
    codes = inputs[2 * length(op) + has_addend(op) :]
    sides = [[unpack(code, f) for code in codes[:n]], [unpack(code, f) for code in codes[n : 2 * n]]]
    lines = []
    for which, side in zip("ab", sides):
        values = ", ".join(map(short, side[:SHOWN])) + (", ..." if n > SHOWN else "")
        lines.append(f"  scales {which} {values}")
    return lines, [product(x, y) for x, y in zip(*sides)]


def amax_text(code: int) -> str:
    """A binary32 amax, its code and its value."""
    f = get_format("f32")
    return f"{hex_code(code, 32)}   {value_text(unpack(code, f), f)}"


def short(x: object) -> str:
    """A datum without its scaled form."""
    return value_text(x).partition(" = ")[0]  # type: ignore[arg-type]
