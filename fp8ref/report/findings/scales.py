"""A block rendered: its largest magnitude, the scale, and each element with the code it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...cases.operation import ANY_MODE, INTEGERS, Operation, carrier_dtype
from ...cases.scaling.questions import element_bytes, is_fake, quantiser, scale_bytes, scaled_rows, split, values
from ...check.diagnosis.diagnose import Diagnosis
from ...spec.catalog import get_format
from ...spec.codec import unpack
from ...spec.datum import Datum, floor_log2
from .clauses import citation, clause_for
from .draw import value_text
from .neighbours import code_text
from .products import short

SHOWN = 12
WHOLE = 40  # operands of a case that a text gives whole


def scale_case_id(op: Operation, inputs: Sequence[int]) -> str:
    """``scale/f32/mxfp4/floor#40400000.C0D00000``: elements joined by points, zeros at the end left out; the tensor's
    amax comes last."""
    tensor = quantiser(op).tensor
    last = max((i for i, code in enumerate(inputs[: len(inputs) - tensor]) if code), default=0)
    some = (
        [*inputs[: last + 1], *inputs[len(inputs) - tensor :]] if tensor else inputs[: last + 1]
    )  # zeros change nothing
    digits = [_hex(code, name) for code, name in zip(some, _types(op, len(some)))]
    return f"{op.id}#{'.'.join(digits)}"


def scale_case_text(op: Operation, inputs: Sequence[int]) -> str:
    """The same for people: of a long group the first elements and the last; records have all of them."""
    head, _, codes = scale_case_id(op, inputs).partition("#")
    digits = codes.split(".")
    if len(digits) <= WHOLE:  # `fp8ref explain` reads it
        return f"{head}#{codes}"
    first, last = digits[: SHOWN // 2], digits[-2:]
    return f"{head}#{'.'.join(first)}.({len(digits) - len(first) - len(last)} more).{'.'.join(last)}"


def block_of(op: Operation, inputs: Sequence[int]) -> tuple[Operation, list[np.ndarray]]:
    """The operation with its number of elements said, and the operands of one case.

    Raises ValueError where there are too many elements.
    """
    tensor = quantiser(op).tensor
    n = len(inputs) - tensor
    if n < 1:
        raise ValueError(f"{op.id} takes elements{' and the largest magnitude of the tensor' if tensor else ''}")
    others = tuple(pair for pair in op.keys if pair[0] != "k")
    keys = others if n == quantiser(op).block else tuple(sorted([*others, ("k", str(n))]))
    op = Operation.parse(replace(op, keys=keys).id)
    x = np.array(inputs[:n], carrier_dtype(op.operands[0]))[None]
    return op, [x, np.array(inputs[n:], np.uint32)] if tensor else [x]


def draw_scale(op: Operation, inputs: Sequence[int], want: int, got: int, why: str | Diagnosis = "") -> str:
    """A finding about a block: what should be answered, and what is."""
    _, operands = block_of(op, inputs)
    size = scale_bytes(quantiser(op)) + operands[0].shape[1] * element_bytes(quantiser(op))
    rows = [np.frombuffer(x.to_bytes(size, "big"), np.uint8)[None] for x in (want, got)]
    lines = _block(op, inputs, operands, rows)
    lines += [f"  why      {why}"] if str(why) else []
    return "\n".join([*lines, f"  spec     {citation(clause_for(op, None))}"])


def explain_scale(op: Operation, inputs: Sequence[int]) -> str:
    """What the reference answers to one block, and what the other rules would choose."""
    op, operands = block_of(op, inputs)
    definite = op if op.mode != ANY_MODE else op.with_mode(quantiser(op).rules[0])
    lines = _block(op, inputs, operands, [scaled_rows(definite, operands)])
    lines += [f"  spec     {citation(clause_for(definite, None))}", "", "  what the rules answer"]
    names = quantiser(op).rules
    for name in names:
        scale, codes = split(op, scaled_rows(op, operands, name))
        shown = SHOWN if not is_fake(op) else SHOWN // 2
        listed = " ".join(_hex(int(code), quantiser(op).element) for code in codes[0, :shown])
        more = " ..." if codes.shape[1] > shown else ""
        kept = f"{_scale_text(op, int(scale[0]))}   " if not is_fake(op) else ""
        lines.append(f"  {name:<{max(map(len, names))}}  {kept}{listed}{more}")
    return "\n".join([f"{scale_case_id(op, inputs)}", "", *lines])


def _block(op: Operation, inputs: Sequence[int], operands: list[np.ndarray], rows: list[np.ndarray]) -> list[str]:
    q = quantiser(op)
    x, amax = values(op, operands)
    size = np.abs(x[0])
    top = np.nan if np.isnan(size).any() else size.max()
    lines = [f"  amax     {_number(top)} of {x.shape[1]} elements"]
    if amax is not None:
        lines.append(f"  tensor   {_number(amax[0])}, its largest magnitude")
    parts = [split(op, row) for row in rows]
    names = ("want", "got")[: len(parts)] if len(parts) > 1 else ("answer",)
    for name, (scale, _) in zip(names, parts) if scale_bytes(q) else ():
        lines.append(f"  {name:<8} scale {_scale_text(op, int(scale[0]))}")
    different = parts[0][1][0] != parts[-1][1][0]
    shown = np.flatnonzero(different | (x[0] != 0)) if not different.any() else np.flatnonzero(different)
    for k in shown[:SHOWN]:
        code = _hex(int(inputs[k]), op.operands[0])
        listed = "   ".join(f"{name} {_element_text(int(c[0, k]), q.element)}" for name, (_, c) in zip(names, parts))
        lines.append(f"  k = {k:<4} 0x{code} {_number(x[0, k])}   {listed}")
    if shown.size > SHOWN:
        lines.append(f"  ...      and {shown.size - SHOWN} elements more")
    return lines


def _types(op: Operation, n: int) -> list[str]:
    tensor = quantiser(op).tensor
    return [op.operands[0]] * (n - tensor) + ["f32"] * tensor


def _hex(code: int, name: str) -> str:
    k = int(name[1:]) if name in INTEGERS else get_format(name).k
    return code_text(code & ((1 << k) - 1), k)[2:]


def _number(x: float) -> str:
    return short(Datum.of(float(x)))


def _scale_text(op: Operation, code: int) -> str:
    name = quantiser(op).scale
    f = get_format(name)
    x = unpack(code, f)
    return f"0x{code:0{max(2, -(-f.k // 4))}X} = {short(x) if f.zero or x.is_nan else f'2^{floor_log2(x.magnitude)}'}"


def _element_text(code: int, name: str) -> str:
    if name in INTEGERS:
        return f"0x{code:02X}"
    f = get_format(name)
    value = value_text(unpack(code, f)) if code <= f.code_mask else f"no code of {f.name}"
    return f"0x{code:0{max(2, -(-f.k // 4))}X} {value}"
