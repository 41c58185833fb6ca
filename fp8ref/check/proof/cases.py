"""The reference for one case of an operation whose operands are few: what exhaustive claims are held against."""

from __future__ import annotations

from collections.abc import Callable

from ...cases.flags import task_of
from ...cases.operation import Operation
from ...spec.catalog import get_format
from ...spec.codec import unpack
from ...spec.datum import Datum
from ...spec.formats import Format
from ...spec.operations import quiet
from ...spec.operations.arithmetic import compute_codes
from ...spec.operations.compare import CLASS_PREDICATES, Relation, classify, compare, relation, total_order
from ...spec.projection import get_projection
from .runs import Reference


def next_after(code: int, of: int, f: Format) -> int:
    """The neighbour of a value on the side of another; that one where they are equal, a NaN where one is.

    [C23 F.10.8.3]
    """
    x, y = unpack(code, f), unpack(of, f)
    match relation(x, y):
        case Relation.LESS:
            return quiet.next_up(code, f)[0]
        case Relation.GREATER:
            return quiet.next_down(code, f)[0]
        case Relation.UNORDERED if not y.is_nan:
            return code
    return of


ON_CODES: dict[str, Callable[..., int]] = {
    "neg": quiet.negate,
    "abs": quiet.absolute,
    "copysign": quiet.copysign,
    "nextup": lambda code, f: quiet.next_up(code, f)[0],
    "nextdown": lambda code, f: quiet.next_down(code, f)[0],
    "nextafter": next_after,
    "totalorder": lambda a, b, f: int(total_order(unpack(a, f), unpack(b, f))),
    "classify": lambda code, f: int(classify(unpack(code, f), f)),
    "and": lambda a, b, f: int(not unpack(a, f).is_zero and not unpack(b, f).is_zero),
    "or": lambda a, b, f: int(not unpack(a, f).is_zero or not unpack(b, f).is_zero),
    "xor": lambda a, b, f: int(unpack(a, f).is_zero != unpack(b, f).is_zero),
    "not": lambda x, f: int(unpack(x, f).is_zero),
}
KINDS = ("convert", "decode", "arithmetic", "codes", "compare", "test")


def answer(op: Operation, inputs: tuple[int, ...]) -> int:
    """The code of the reference's answer to the codes of one case; ``op`` is of one of KINDS."""
    kind, definition = op.asked.kind, op.asked.definition
    if kind == "arithmetic":
        task = task_of(op)
        return compute_codes(task.op, inputs, task.operands, task.result, task.rho, task.semantics)[0]
    formats = [get_format(name) for name in op.operands]
    data = [unpack(code, f) for code, f in zip(inputs, formats)]
    if kind == "codes":
        return ON_CODES[op.family](*inputs, formats[0])
    if kind == "compare":
        return int(compare(definition, data[0], data[1])[0])
    if kind == "test" and definition == "isone":
        return int(data[0] == Datum.finite(1))
    if kind == "test":
        return (
            data[0].sign
            if definition == "issignminus"
            else int(classify(data[0], formats[0]) in CLASS_PREDICATES[definition])
        )
    rho = get_projection(op.result_format, overflow="nonsat") if kind == "decode" else op.projection
    return Reference(op.operands[0], op.result, rho).answer(inputs[0])
