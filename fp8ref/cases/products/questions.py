"""Dot and matrix products as questions: what their mode names, and the shapes in which they are asked.

``dot/e4m3fn.e5m2/f32/hopper.wgmma.fp8.f32;k=32`` takes a (n, K), b (n, K), c (n) and gives d (n);
``matmul/...`` takes A (n, K), B (K, N), C (n, N) and gives D (n, N), with N = 16 columns, or ``;n=257``.

``;scale=e8m0fnu`` adds the codes of scales, sa and sb: (n, K / block) each, for matmul (n, K / block) and
(K / block, N); ``;block=32`` says how many elements share one (the unit's own block, else all of K).

``;bias=bf16`` gives C in another format than the model's result; ``;scale_result=1`` adds sr (n), for matmul (n, N),
binary32 factors of the answers before they are converted.

The mode is an accumulator model; ``exact`` (the exact sum rounded by rne and the result's default),
``exact+out.rounding.overflow`` or short ``exact.rounding.overflow``; ``within.f32`` and the other classes of error
bound; or ``*``: find out.

An exact sum may have status (``;flags=1``, ``;tininess=before``, ``;snan=quiet``), the sign of a sum that is zero
(``;zero=ieee`` or ``plus``), no C at all (``;c=none``), and a result in fixed point: ``fx70.32``, where the overflow is
``sat``, ``wrap`` or ``impossible``, and C is there only where ``bias`` names its type.

``;amax=1`` asks for the amax beside D (see :mod:`.beside`).
"""

from __future__ import annotations

import difflib
import math
from dataclasses import replace

from ...arrays.factors import check_block
from ...fast.tables import exactly_holds
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.matrix.accumulate import Model
from ...spec.matrix.epilogue import exact_words
from ...spec.matrix.exact import IMPOSSIBLE, SATURATE, WRAP, Zero
from ...spec.matrix.gelu import GELU
from ...spec.matrix.models import get_model, scales_taken
from ...spec.matrix.units import Finished, check_operands, read_by
from ...spec.overflow import OverflowLike
from ...spec.projection import Projection, get_projection
from ..families import CHECKS
from ..operation import Operation
from ..scaling.questions import is_scale, scale_shapes
from .bounds import BOUNDS, Bound

DEFAULT_K, LARGEST_K, LARGEST_N = 32, 1 << 16, 1 << 12
COLUMNS = 16  # of B in a matrix product that does not say how many
EXACT, WITHIN = "exact", "within."
FLOATS = ("f16", "bf16", "f32", "f64")
OF_EXACT = ("flags", "tininess", "snan", "zero", "c")  # keys that only exact sums have


def is_product(op: Operation) -> bool:
    """Does an operation ask dot or matrix products?"""
    return op.asked.kind == "dot"


def length(op: Operation) -> int:
    """K."""
    return int(op.key("k") or DEFAULT_K)


def columns(op: Operation) -> int:
    """N of a matrix product."""
    return int(op.key("n") or COLUMNS)


def with_columns(op: Operation, n: int) -> Operation:
    """A matrix product of n columns."""
    return op if n == columns(op) else replace(op, keys=tuple(sorted({**dict(op.keys), "n": str(n)}.items())))


def is_exact(mode: str) -> bool:
    """Does a mode name the exact sum, with or without its rounding?"""
    return mode.replace("+", ".").partition(".")[0] == EXACT


def model_of(op: Operation) -> Model | None:
    """The accumulator model that a mode names; None for exact, a bound and ``*``."""
    mode = op.mode or EXACT
    if mode == "*" or mode.startswith(WITHIN) or is_exact(mode):
        return None
    return get_model(mode)


def bound_of(op: Operation) -> Bound | None:
    """The error bound that is claimed in place of a model."""
    return BOUNDS[op.mode[len(WITHIN) :]] if op.mode and op.mode.startswith(WITHIN) else None


def exact_projection(op: Operation) -> Projection:
    """How an exact sum is rounded: as the mode says; rne and the result's default where it says nothing."""
    try:
        rounding, said = exact_words(op.mode or EXACT) or (None, None)
    except ValueError as error:
        raise ValueError(f"operation {op.id!r}: {error}") from None
    options = {name: op.key(name) for name in ("tininess", "snan") if op.key(name)}
    fixed = said in (WRAP, IMPOSSIBLE) or (said is None and is_fixed(op))
    overflow: OverflowLike | None = SATURATE if fixed else said
    return get_projection(get_format(op.result), rounding or "rne", overflow, **options)


def is_fixed(op: Operation) -> bool:
    """Is the result a fixed-point accumulator, ``fx<k>.<t>``?"""
    return op.result.startswith("fx")


def fixed_overflow(op: Operation) -> str:
    """What a fixed-point result does beyond its range: ``sat``, ``wrap`` or ``impossible``."""
    return (exact_words(op.mode or EXACT) or (None, None))[1] or "sat"


def zero_rule(op: Operation) -> Zero:
    """The sign of an exact sum that is zero; +0 where nothing is said."""
    return Zero(op.key("zero") or Zero.PLUS)


def has_addend(op: Operation) -> bool:
    """Has a product an operand C?"""
    return op.key("c") != "none" and not (is_fixed(op) and not op.key("bias"))


def limbs(f: Format) -> int:
    """Words of 64 bits in which a code travels."""
    return -(-f.k // 64)


def addend_type(op: Operation) -> str:
    """The format of C: what ``bias`` says, else the model's result format, the result where it is a float, or f32."""
    if op.key("bias"):
        return get_format(op.key("bias")).name
    model = model_of(op)
    if model is not None:
        return model.result
    return op.result if op.result in FLOATS else "f32"


def scale_type(op: Operation) -> str | None:
    """The format of a product's scales; None where it has none."""
    return op.key("scale") or None


def has_output_scale(op: Operation) -> bool:
    """Does a product hand over a factor of every answer?"""
    return op.key("scale_result", "0") == "1"


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
    scales = (scale, scale) if scale else ()
    addend = (addend_type(op),) if has_addend(op) else ()
    return (*op.operands, *addend, *scales, *(("f32",) if has_output_scale(op) else ()))


def operand_formats(op: Operation) -> tuple[Format, ...]:
    """The formats by which a product reads these: a unit may read NaN's codes as numbers."""
    model = model_of(op)
    a, b, *more = map(get_format, operand_types(op))
    return (read_by(model, a), read_by(model, b), *more)


def shapes(op: Operation, n: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the arrays handed over, and last that of the answer, for n cases."""
    if is_scale(op):
        return scale_shapes(op, n)
    if not is_product(op):
        return ((n,),) * (len(op.operands) + 1)
    k = length(op)
    nb = blocks(op) if scale_type(op) else 0
    last = 2 if has_output_scale(op) else 1
    output = (n,) if op.family == "dot" else (n, columns(op))
    addend = (output,) if has_addend(op) else ()
    words = limbs(get_format(op.result)) if is_fixed(op) else 1
    answer = output if words == 1 else (*output, words)
    if op.family == "dot":
        return ((n, k), (n, k), *addend, *(((n, nb),) * 2 if nb else ()), *(output,) * (last - 1), answer)
    wide = columns(op)
    scales = ((n, nb), (nb, wide)) if nb else ()
    return ((n, k), (k, wide), *addend, *scales, *(output,) * (last - 1), answer)


def status_shape(op: Operation, n: int) -> tuple[int, ...]:
    """The shape of the status of n cases: one for each answer, of however many words."""
    found = shapes(op, n)[-1]
    return found[:1] if is_product(op) and op.family == "dot" else found


def check_product(op: Operation, text: str) -> None:
    """Raise ValueError where mode, formats and k of a product do not fit."""
    k = op.key("k") or str(DEFAULT_K)
    if not k.isascii() or not k.isdigit() or not 1 <= int(k) <= LARGEST_K:
        raise ValueError(f"operation {text!r}: k is the number of products, 1 to {LARGEST_K}, not {k!r}")
    n = op.key("n")
    if n and (op.family != "matmul" or not n.isascii() or not n.isdigit() or not 1 <= int(n) <= LARGEST_N):
        raise ValueError(f"operation {text!r}: n is the number of columns of a matmul, 1 to {LARGEST_N}, not {n!r}")
    mode = op.mode or EXACT
    if mode.startswith(WITHIN) and mode[len(WITHIN) :] not in BOUNDS:
        near = difflib.get_close_matches(mode[len(WITHIN) :], BOUNDS, n=1, cutoff=0.4)
        hint = f"did you mean {WITHIN}{near[0]}?" if near else f"choose from {', '.join(WITHIN + b for b in BOUNDS)}"
        raise ValueError(f"operation {text!r}: unknown error bound {mode!r}; {hint}")
    if is_exact(mode):
        exact_projection(op)
    model = model_of(op)
    if model is not None:
        check_operands(model, *op.operands)
    _check_exact(op, text)
    _check_epilogue(op, text, model)
    check_scales(op, text, model)
    if op.key("amax"):
        _check_amax(op, text, model)


def _check_amax(op: Operation, text: str, model: Model | None) -> None:
    """Raise ValueError where a product has no amax that is one binary32 number."""
    if bound_of(op) is not None:
        raise ValueError(f"operation {text!r}: amax has no error bound: name a model, exact, or *")
    if op.flags:
        raise ValueError(f"operation {text!r}: amax or flags, one of them is answered beside D")
    if is_fixed(op) or not has_addend(op):
        raise ValueError(f"operation {text!r}: amax is that of sums with C in a float format")
    if model is not None and model.result == "f64":
        raise ValueError(f"operation {text!r}: amax is binary32, and {model.name} adds in f64")
    if isinstance(model, Finished) and any(step in GELU for step in model.steps):
        raise ValueError(f"operation {text!r}: nobody says which bits GELU gives, and so which its amax has")


def _check_exact(op: Operation, text: str) -> None:
    """Raise ValueError where a key, a result or an overflow rule belongs to exact sums, and this is none, or unfit."""
    said = [name for name in OF_EXACT if op.key(name, "0") != "0"]
    exact = is_exact(op.mode or EXACT)
    if said and not exact:
        raise ValueError(f"operation {text!r}: {said[0]} belongs to the exact sum; models of units have no status")
    if op.key("c") == "none" and op.key("bias"):
        raise ValueError(f"operation {text!r}: bias is the type of C, and c=none says that there is none")
    if said and op.family != "dot":
        raise ValueError(f"operation {text!r}: {said[0]} belongs to single sums: take dot/...")
    if not is_fixed(op):
        if exact and fixed_overflow(op) in (WRAP, IMPOSSIBLE):
            raise ValueError(f"operation {text!r}: {fixed_overflow(op)} is a rule of fixed-point results, fx<k>.<t>")
        return
    if not exact or op.family != "dot":
        raise ValueError(f"operation {text!r}: results in fixed point are those of exact sums, dot/.../exact")
    if fixed_overflow(op) != IMPOSSIBLE:
        return
    f = get_format(op.result)
    sources = [get_format(name) for name in op.operands]
    addends = [sources] * length(op) + ([[get_format(addend_type(op))]] if has_addend(op) else [])
    if scale_type(op):
        raise ValueError(f"operation {text!r}: with scales an overflow is possible: say wrap or sat")
    largest = sum(math.prod(max(x.max, -x.lowest) for x in one) for one in addends)
    if largest > f.max:
        need = int(largest * 2**f.t).bit_length() + 1
        raise ValueError(f"operation {text!r}: sums reach {float(largest):g}, for which {need} bits are needed")


def _check_epilogue(op: Operation, text: str, model: Model | None) -> None:
    """Raise ValueError where the type of C or an output's scale does not fit."""
    bias, output = op.key("bias"), op.key("scale_result", "0")
    own = get_format(model.result) if model is not None else get_format("f64")
    if bias and (get_format(bias).name not in FLOATS or not exactly_holds(own, get_format(bias))):
        raise ValueError(f"operation {text!r}: bias is the type of C, of {', '.join(FLOATS)} one within {own.name}")
    if output not in ("0", "1"):
        raise ValueError(f"operation {text!r}: scale_result is 0 or 1, not {output!r}")
    if output == "1" and not op.key("scale"):
        raise ValueError(f"operation {text!r}: scale_result comes with scales: name their format with scale=")
    if isinstance(model, Finished) and (model.rounding or model.overflow):
        get_projection(get_format(op.result), model.rounding or "rne", model.overflow)


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
        raise ValueError(f"operation {text!r}: {scales_taken(model)}")
    try:
        if blocks(op) > 1:
            check_block(model, block_of(op))
    except ValueError as error:
        raise ValueError(f"operation {text!r}: {error}") from None


def under(op: Operation, mode: str) -> Operation:
    """The operation under another mode, C of the type that it has: said as ``bias`` where the mode has another."""
    own, changed = addend_type(op), op.with_mode(mode)
    if addend_type(changed) == own:
        return changed
    return replace(changed, keys=tuple(sorted({**dict(op.keys), "bias": own}.items())))


def with_length(op: Operation) -> Operation:
    """The operation with its k and, where it has scales, its block said."""
    said = {"k": str(length(op))}
    if scale_type(op):
        said["block"] = str(block_of(op))
    if not has_addend(op):
        said["c"] = "none"
    if all(op.key(name) for name in said):
        return op
    return replace(op, keys=tuple(sorted({**said, **dict(op.keys)}.items())))


CHECKS["dot"] = check_product
