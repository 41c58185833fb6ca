"""Operations as a person names them in a connectable: ids or TestFloat names joined by ``+``, with globs."""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Iterator

from ...cases.families import FAMILIES
from ...cases.operation import INTEGERS, LONGEST, WIDE, Operation, from_testfloat
from ...cases.products.questions import is_product, shapes, with_length
from ...cases.scaling.questions import is_scale
from ...spec import catalog
from ...vectors.patterns import GLOB, is_pattern, with_modes

_JOINT = re.compile(r"\+(?=[A-Za-z0-9*?\[\]]+[/_])")  # an accumulator's name has + inside, too
MOST = 2000


def named_operations(text: str) -> list[Operation]:
    """The operations of a text, with globs for types and modes.  Raises ValueError where one is none, or none matches.

    >>> [op.id for op in named_operations("f32_to_e4m3fn+decode/e[45]m[23]*/f32")][:3]
    ['convert/f32/e4m3fn/*', 'decode/e4m3fn/f32', 'decode/e5m2/f32']
    """
    found: dict[Operation, None] = {}
    for part in _JOINT.split(text):
        if len(part) > LONGEST:
            raise ValueError(f"op={ascii(part[:80])[1:-1]}...: an operation has at most {LONGEST} characters")
        head = part.partition(";")[0].split("/")[:3]
        if any(c in GLOB for word in head for c in word):
            ops = list(_matching(part))
        else:
            ops = with_modes(part) if is_pattern(part) else [Operation.parse_claim(part)]
        if not ops:
            raise ValueError(
                f"op={ascii(part[:80])[1:-1]}: no operation matches; write it as family/operands/result/mode"
            )
        if len(ops) > MOST:
            raise ValueError(f"op={ascii(part[:80])[1:-1]}: {len(ops)} operations match; name at most {MOST}")
        found.update((askable(op), None) for op in ops)
    return list(found)


def askable(op: Operation) -> Operation:
    """The operation as it is asked, a product with its k and block said.

    Raises ValueError where its operands are not one piece for each case.
    """
    if is_scale(op):
        raise ValueError(f"operation {op.id!r}: a device is asked for one code a case, not for blocks and their scales")
    if any(shape[0] != 2 for shape in shapes(op, 2)) or op.family == "matmul":
        raise ValueError(f"operation {op.id!r}: a device is asked single cases; claim the dot product instead")
    return with_length(op) if is_product(op) else op


def _matching(pattern: str) -> Iterator[Operation]:
    """The operations of the catalogue's types whose family, operands and result match a pattern with a literal rest."""
    head, semicolon, keys = (from_testfloat(pattern) or pattern).partition(";")
    family, operands, result, *mode = (*head.split("/"), "", "")[: max(3, len(head.split("/")))]
    types = [*dict.fromkeys((*WIDE, *INTEGERS, *(f.name for f in catalog.formats())))]
    for kind in FAMILIES.values():
        if not fnmatch.fnmatchcase(kind.name, family):
            continue
        patterns = operands.split(".")
        if len(patterns) != kind.arity:
            continue
        matching = [fnmatch.filter(types, p) for p in patterns]
        results = fnmatch.filter([kind.result] if kind.result else types, result)
        for some in itertools.product(*matching):
            for one in results:
                if kind.name == "convert" and some == (one,):
                    continue
                text = "/".join([kind.name, ".".join(some), one, *(mode if kind.mode else [])]) + semicolon + keys
                yield from (op for op in _parsed(text) if not is_product(op))


def _parsed(text: str) -> list[Operation]:
    try:
        return with_modes(text) if is_pattern(text) else [Operation.parse_claim(text)]
    except ValueError:
        return []
