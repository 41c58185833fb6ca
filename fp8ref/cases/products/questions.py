"""Dot and matrix products as questions: what their mode names, and the shapes in which they are asked.

``dot/e4m3fn.e5m2/f32/hopper.wgmma.fp8.f32;k=32`` takes a (n, K), b (n, K), c (n) and gives d (n);
``matmul/...`` takes A (n, K), B (K, N), C (n, N) and gives D (n, N), with N = 16 columns.

``;scale=e8m0fnu`` adds the codes of scales, sa and sb: (n, K / block) each, for matmul (n, K / block) and
(K / block, N); ``;block=32`` says how many elements share one (the unit's own block, else all of K).

The mode is an accumulator model; ``exact`` (the exact sum rounded by rne.nonsat) or ``exact.rounding.overflow``;
``within.f32`` and the other classes of error bound; or ``*``: find out.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

from ...arrays.products import check_block
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Model
from ...spec.matrix.models import check_operands, get_model
from ...spec.projection import Projection, get_projection
from ..families import CHECKS
from ..operation import Operation
from ..scaling.questions import is_scale, scale_shapes
from .bounds import BOUNDS, Bound

DEFAULT_K, LARGEST_K = 32, 1 << 16
COLUMNS = 16  # of B in a matrix product
EXACT, WITHIN = "exact", "within."
FLOATS = ("f16", "bf16", "f32", "f64")


def is_product(op: Operation) -> bool:
    """Does an operation ask dot or matrix products?"""
    return op.asked.kind == "dot"


def length(op: Operation) -> int:
    """K."""
    return int(op.key("k") or DEFAULT_K)


def model_of(op: Operation) -> Model | None:
    """The accumulator model that a mode names; None for exact, a bound and ``*``."""
    mode = op.mode or EXACT
    if mode == "*" or mode.partition(".")[0] in (EXACT, WITHIN[:-1]):
        return None
    return get_model(mode)


def bound_of(op: Operation) -> Bound | None:
    """The error bound that is claimed in place of a model."""
    return BOUNDS[op.mode[len(WITHIN) :]] if op.mode and op.mode.startswith(WITHIN) else None


def exact_projection(op: Operation) -> Projection:
    """How an exact sum is rounded: the mode ``exact.rounding.overflow``, rne.nonsat where nothing is said."""
    rounding, _, overflow = (op.mode or "").removeprefix(EXACT).lstrip(".").partition(".")
    if rounding and not overflow:
        raise ValueError(f"operation {op.id!r}: the mode is exact or exact.rounding.overflow, not {op.mode!r}")
    f = get_format(op.result)
    return get_projection(f, rounding or "rne", overflow or ("nonsat" if f.infinities or f.has_nan else "sat"))


def addend_type(op: Operation) -> str:
    """The format of C: the model's own result format, else the result where it is a float, else f32."""
    model = model_of(op)
    if model is not None:
        return model.result
    return op.result if op.result in FLOATS else "f32"


def scale_type(op: Operation) -> str | None:
    """The format of a product's scales; None where it has none."""
    return op.key("scale") or None


def block_of(op: Operation) -> int:
    """How many elements share a scale."""
    model = model_of(op)
    own = None if model is None else model.block
    return int(op.key("block") or own or length(op))


def blocks(op: Operation) -> int:
    """How many scales each operand has along K."""
    return -(-length(op) // block_of(op))


def operand_types(op: Operation) -> tuple[str, ...]:
    """The types of the arrays that are handed over: the operands, and for products C and the scales."""
    if not is_product(op):
        return op.operands
    scale = scale_type(op)
    return (*op.operands, addend_type(op), *((scale, scale) if scale else ()))


def shapes(op: Operation, n: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the arrays handed over, and last that of the answer, for n cases."""
    if is_scale(op):
        return scale_shapes(op, n)
    if not is_product(op):
        return ((n,),) * (len(op.operands) + 1)
    k = length(op)
    nb = blocks(op) if scale_type(op) else 0
    if op.family == "dot":
        return ((n, k), (n, k), (n,), *(((n, nb),) * 2 if nb else ()), (n,))
    scales = ((n, nb), (nb, COLUMNS)) if nb else ()
    return ((n, k), (k, COLUMNS), (n, COLUMNS), *scales, (n, COLUMNS))


def check_product(op: Operation, text: str) -> None:
    """Raise ValueError where mode, formats and k of a product do not fit."""
    k = op.key("k") or str(DEFAULT_K)
    if not k.isascii() or not k.isdigit() or not 1 <= int(k) <= LARGEST_K:
        raise ValueError(f"operation {text!r}: k is the number of products, 1 to {LARGEST_K}, not {k!r}")
    if op.flags:
        raise ValueError(f"operation {text!r}: {op.family} has no status flags")
    for name in op.operands:
        if get_format(name).k > 16:
            raise ValueError(f"operation {text!r}: operands of products have at most 16 bits, not {name}")
    mode = op.mode or EXACT
    if mode.startswith(WITHIN) and mode[len(WITHIN) :] not in BOUNDS:
        near = difflib.get_close_matches(mode[len(WITHIN) :], BOUNDS, n=1, cutoff=0.4)
        hint = f"did you mean {WITHIN}{near[0]}?" if near else f"choose from {', '.join(WITHIN + b for b in BOUNDS)}"
        raise ValueError(f"operation {text!r}: unknown error bound {mode!r}; {hint}")
    if mode.partition(".")[0] == EXACT:
        exact_projection(op)
    model = model_of(op)
    if model is not None:
        check_operands(model, *op.operands)
    check_scales(op, text, model)


def check_scales(op: Operation, text: str, model: Model | None) -> None:
    """Raise ValueError where the scales of a product do not fit, or its model has no place for them."""
    block = op.key("block")
    if not op.key("scale"):
        if block:
            raise ValueError(f"operation {text!r}: block says how many elements share a scale; name it with scale=")
        return
    if get_format(op.key("scale")).k > 32:
        raise ValueError(f"operation {text!r}: scales have at most 32 bits, not {op.key('scale')}")
    if block and not (block.isascii() and block.isdigit() and 1 <= int(block) <= LARGEST_K):
        raise ValueError(f"operation {text!r}: block is the number of elements that share a scale, not {block!r}")
    if model is None:
        return
    if model.scale_formats and get_format(op.key("scale")).name not in model.scale_formats:
        raise ValueError(f"operation {text!r}: {model.name} takes scales in {', '.join(model.scale_formats)}")
    try:
        if blocks(op) > 1:
            check_block(model, block_of(op))
    except ValueError as error:
        raise ValueError(f"operation {text!r}: {error}") from None


def with_length(op: Operation) -> Operation:
    """The operation with its k and, where it has scales, its block said."""
    said = {"k": str(length(op))}
    if scale_type(op):
        said["block"] = str(block_of(op))
    if all(op.key(name) for name in said):
        return op
    return replace(op, keys=tuple(sorted({**said, **dict(op.keys)}.items())))


CHECKS["dot"] = check_product
