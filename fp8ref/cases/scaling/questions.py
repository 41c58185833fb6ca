"""Block scaling as questions: which quantiser a result names, and the shapes in which it is asked.

``scale/f32/mxfp8_e4m3/floor`` takes x (n, B) and gives (n, S + B) bytes: the code of the scale in S bytes, its lowest
byte first, then one byte for the code of each element.  B is the block; ``;k=`` makes it shorter, and says it for
schemes without a block of their own (32 by default).  ``scale/f32.f32/nvfp4/te`` takes x and the largest magnitude of
the tensor (n).

``fake/f32/e4m3fn/vllm-group;k=128`` takes the same and gives values in x's type, (n, 4 B) bytes, and no scale.

``scale/f32/e4m3fn/vllm-group;k=128``: the result is the format of the elements and the rule a recipe (``recipes.py``).

A scheme of a system outside the formats' standards is one more entry of ``systems.SYSTEM_QUANTISERS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...arrays.quantisers import Quantiser
from ..families import CHECKS
from ..operation import Operation, carrier_dtype
from .quantisers import get_quantiser
from .recipes import FakeQuantiser, is_element, of_fake, of_recipe

Codes = NDArray[Any]
SOURCES = ("f32", "f16", "bf16")
LONGEST, DEFAULT = 1 << 16, 32


def is_scale(op: Operation) -> bool:
    """Does an operation ask for blocks to be scaled?"""
    return op.asked.kind == "scale"


def is_recipe(op: Operation) -> bool:
    """Is the rule a recipe, and the result the format of its elements?"""
    return is_scale(op) and is_element(op.result)


def is_fake(op: Operation) -> bool:
    """Are values answered, not codes and scales?"""
    return op.family == "fake"


def quantiser(op: Operation) -> Quantiser:
    if is_recipe(op):
        return (of_fake if is_fake(op) else of_recipe)(
            op.result, op.mode or "*", op.operands[0], len(op.operands) > 1, op.key("scale")
        )
    return get_quantiser(op.result)


def as_recipe(op: Operation) -> Operation | None:
    """The same blocks asked of any recipe; None where no recipe answers such rows."""
    q = quantiser(op)
    if is_recipe(op) or not is_element(q.element):
        return None
    try:
        return Operation.parse(f"scale/{'.'.join(op.operands)}/{q.element}/*;k={elements(op)};scale={q.scale}")
    except ValueError:
        return None


def elements(op: Operation) -> int:
    """B, the elements of a case."""
    return int(op.key("k") or quantiser(op).block or DEFAULT)


@lru_cache(maxsize=64)
def scale_bytes(q: Quantiser) -> int:
    """S, the bytes of a stored scale; 0 where values are answered."""
    return 0 if isinstance(q, FakeQuantiser) else carrier_dtype(q.scale).itemsize


def element_bytes(q: Quantiser) -> int:
    """The bytes of an answered element: 1 of a code, more of a value."""
    return carrier_dtype(q.element).itemsize if isinstance(q, FakeQuantiser) else 1


def scale_shapes(op: Operation, n: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the operands, and last that of the answer."""
    b, q = elements(op), quantiser(op)
    return ((n, b), *(((n,),) if q.tensor else ()), (n, scale_bytes(q) + b * element_bytes(q)))


def check_scale(op: Operation, text: str) -> None:
    """Raise ValueError where operands, rule and k of a scaling do not fit."""
    try:
        q = quantiser(op)
    except ValueError as error:
        raise ValueError(f"operation {text!r}: {error}") from None
    if is_fake(op) and not is_recipe(op):
        raise ValueError(f"operation {text!r}: fake quantisers have a format of elements as the result and a recipe")
    wanted = "x and amax: two operands" if q.tensor else "x: one operand"
    if len(op.operands) != 1 + q.tensor:
        raise ValueError(f"operation {text!r}: {q.name} takes {wanted}, not {len(op.operands)}")
    if op.operands[0] not in SOURCES or (q.tensor and op.operands[1] != "f32"):
        raise ValueError(f"operation {text!r}: x is one of {', '.join(SOURCES)}, and amax is f32")
    if op.flags:
        raise ValueError(f"operation {text!r}: scale has no status flags")
    if op.mode != "*" and op.mode not in q.rules and not is_recipe(op):
        raise ValueError(f"operation {text!r}: {q.name} has the rules {', '.join(q.rules)}, not {op.mode!r}")
    if q.block and q.block > LONGEST:
        raise ValueError(f"operation {text!r}: a block of {q.block} elements; at most {LONGEST} are asked in a case")
    k, most = op.key("k", "1"), q.block or LONGEST
    if not k.isascii() or not k.isdigit() or not 1 <= int(k) <= most:
        raise ValueError(f"operation {text!r}: k is the number of elements of a block, 1 to {most}, not {k!r}")


def values(op: Operation, operands: Sequence[Codes]) -> tuple[Codes, Codes | None]:
    """x and the tensor's amax in binary32, from codes."""
    x = np.ascontiguousarray(operands[0]).view(FLOAT_DTYPES[op.operands[0]]).astype(np.float32, copy=False)
    return x, np.ascontiguousarray(operands[1]).view(np.float32) if len(operands) > 1 else None


def scaled_rows(op: Operation, operands: Sequence[Codes], rule: str | None = None) -> Codes:
    """The specification's rows of bytes, by the operation's own rule or another."""
    x, amax = values(op, operands)
    return quantiser(op).rows(x, rule or op.mode or "", amax)


def split(op: Operation, rows: Codes) -> tuple[Codes, Codes]:
    """The codes of the scales (n; zeros where none is answered) and of the elements (n, B)."""
    q = quantiser(op)
    size = scale_bytes(q)
    if not size:
        return np.zeros(len(rows), np.uint8), np.ascontiguousarray(rows).view(carrier_dtype(q.element))
    scale = np.ascontiguousarray(rows[:, :size]).view(carrier_dtype(q.scale))[:, 0]
    return scale, rows[:, size:]


CHECKS["scale"] = check_scale
