"""What is done to a unit's sum before it is stored: scales, C, an activation, the output's scale and its conversion.

The steps are data, as models are: ``+out.`` and words in the order in which they act, each a rounding to nearest in the
model's result format.  ``name+out.scale.bias.sat`` computes fma(sum, scale_a * scale_b, C) and saturates.

scale_a and scale_b are rounded to binary32 where they enter one by one, and so is scale_result.

A product that is fused without C computes fma(x, s, +0), as NVIDIA's epilogues do: an exact zero becomes +0, and a
product that underflows keeps its sign.  One that is not fused keeps the sign of a zero.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..codec import pack
from ..datum import Datum
from ..formats import Format
from ..overflow import NAMED, OverflowLike
from ..projection import Projection, get_projection, project
from ..rounding import DETERMINISTIC, Rounding
from .accumulate import F32, NOTHING, Vectors, accumulate, factor, product, rounded, rounded_sum
from .exact import IMPOSSIBLE, WRAP
from .gelu import GELU, gelu
from .units import Finished, Model, Scales

STEPS = {
    "scale": "fma(x, s, C), s = scale_a * scale_b in binary32; C where bias follows, else +0",
    "sab": "x * s, rounded by itself",
    "sa": "x * scale_a, rounded by itself",
    "sb": "x * scale_b, rounded by itself",
    "fsa": "fma(x, scale_a, C or +0)",
    "fsb": "fma(x, scale_b, C or +0)",
    "bias": "x + C: joined by the product before it where that is fused, else an addition",
    "relu": "max(x, +0); a NaN stays (assumed)",
    "gelu": "x Phi(x) to nearest; a device's is judged by a bound, gelu_low to gelu_high",
    "gelu_low": "the smallest number that counts as GELU",
    "gelu_high": "the largest",
    "amax": "x; the largest magnitude of all outputs here is amax (output_amax)",
    "scale_result": "x * scale_result, rounded by itself",
}
FUSED, PRODUCTS = ("scale", "fsa", "fsb"), ("scale", "sab", "sa", "sb", "fsa", "fsb")
ROUNDINGS = tuple(mode.value for mode in DETERMINISTIC)


def is_overflow(word: str) -> bool:
    """Does a word name an overflow rule, by its name or as ``finite-infinite``?  Fixed-point results have two more."""
    return word in NAMED or "-" in word or word in (WRAP, IMPOSSIBLE)


def out_words(text: str) -> tuple[tuple[str, ...], str | None, str | None]:
    """(steps, rounding, overflow) of the words after ``+out.``.  Raises ValueError that says what is wrong."""
    words = text.split(".")
    overflow = words.pop() if is_overflow(words[-1]) else None
    rounding = words.pop() if words and words[-1] in ROUNDINGS else None
    for word in words:
        if word not in STEPS:
            known = ", ".join(STEPS)
            raise ValueError(
                f"{word!r} is no step of an epilogue; steps are {known}; then a rounding, then an overflow"
            )
    products = [word.removeprefix("f") for word in words if word in PRODUCTS]
    if len(set(words)) < len(words) or sorted(products) not in ([], ["scale"], ["sab"], ["sa", "sb"]):
        raise ValueError("the scales enter once: by scale, by sab, or by sa and sb")
    return tuple(words), rounding, overflow


def exact_words(name: str) -> tuple[str | None, str | None] | None:
    """(rounding, overflow) of ``exact``, ``exact+out.rtz.nonsat`` or short ``exact.rtz.nonsat``; None: another name.

    Raises ValueError for words that an exact sum has no place for.
    """
    head, _, rest = name.partition("+out.")
    if head != "exact":
        head, _, rest = name.partition(".")
        if head != "exact":
            return None
        if name != "exact" and (rest.partition(".")[0] not in ROUNDINGS or not is_overflow(rest.partition(".")[2])):
            raise ValueError(f"the mode is exact or exact.rounding.overflow, not {name!r}")
    if not rest:
        if name != "exact":
            raise ValueError(f"the mode is exact or exact+out.rounding.overflow, not {name!r}")
        return None, None
    steps, rounding, overflow = out_words(rest)
    if steps:
        raise ValueError(f"{name!r}: an exact sum is rounded once, and takes scales and C before that")
    return rounding, overflow


def finish(
    model: Model, v: Vectors, c: Datum | None, tensor_scale: Datum | None = None, scale_result: Datum | None = None
) -> Datum:
    """D in the model's result format, before it is converted.

    Scales that the unit does not take enter here; the default order is scale, bias, where there are any, and C joins
    inside the unit where there are none.  ``scale_result`` comes last where no step says otherwise.
    """
    inner = model.inner if isinstance(model, Finished) else model
    sa = sb = Datum.finite(1)
    given = tensor_scale is not None
    if v.scales and inner.scales is Scales.EPILOGUE:
        (sa, sb), given = v.scales[0], True
        v = Vectors(v.a, v.b, v.format_a, v.format_b)
    steps = steps_of(model, given, tensor_scale is not None, scale_result is not None)
    joins = "bias" in steps or "add" in steps
    x = accumulate(inner, v, NOTHING if joins or c is None else c)
    addend = NOTHING if c is None else c
    f = inner.format
    for step, after in zip(steps, (*steps[1:], "")):
        if step in PRODUCTS:
            apart = {"sa": sa, "sb": sb}.get(step.removeprefix("f"))
            s = _joint(sa, sb, tensor_scale) if apart is None else rounded(apart, F32)
            p = product(x, s)
            x = rounded_sum(p, addend if after == "bias" else NOTHING, f) if step in FUSED else rounded(p, f)
        elif step == "relu":
            x = NOTHING if x.sign and not x.is_nan else x
        elif step in GELU:
            x = gelu(step, x, f)
        elif step == "scale_result" and scale_result is not None:
            x = rounded(product(x, rounded(scale_result, F32)), f)
        elif step == "add":
            x = rounded_sum(x, addend, f)
    return x


def steps_of(model: Model, scaled: bool, tensor: bool, output: bool) -> tuple[str, ...]:
    """The steps to take, ``bias`` after a fused product as its addend and ``add`` where C is added by itself.

    ``scaled``: scales are there that the unit does not take; ``tensor``: a tensor's scale; ``output``: scale_result.
    Raises ValueError where they have no place.
    """
    named = model.steps if isinstance(model, Finished) else ()
    placed = any(step in PRODUCTS for step in named)
    if not placed and "bias" not in named:
        named = (*(("scale", "bias") if scaled else ()), *named)
    elif scaled and not placed:
        raise ValueError(f"{model.name} names no step for scales: begin with scale.bias")
    if tensor and any(step in ("sa", "fsa") for step in named):
        raise ValueError(f"{model.name} takes scale_a and scale_b apart: a tensor's scale has no place in it")
    if output and "scale_result" not in named:
        named = (*named, "scale_result")
    steps: list[str] = []
    for step in named:
        alone = step == "bias" and not (steps and steps[-1] in FUSED)
        steps.append("add" if alone else step)
    return tuple(steps)


def steps_to_amax(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps up to the values whose amax is delivered: to ``amax`` where it is said, else to before scale_result.

    cuBLASLt takes it there, of the values that scale_result multiplies and the output's conversion rounds (its
    ``CUBLASLT_MATMUL_DESC_AMAX_D_POINTER``): the caller chooses the next scale_result by it.
    """
    ends = [steps.index(step) for step in ("amax", "scale_result") if step in steps]
    return steps[: ends[0]] if ends else steps


def amax(outputs: Iterable[Datum], nan: bool = False) -> Datum:
    """The largest magnitude of outputs, +0 of none.

    NaNs are left out as by maximumNumber and C's fmaxf, or with ``nan`` they make it a NaN, as by maximum
    [IEEE 754-2019 9.6]: cuBLASLt does not say.
    """
    found = Datum.finite(0)
    for x in outputs:
        if x.is_nan:
            if nan:
                return x
        elif not found.is_infinite and (x.is_infinite or x.magnitude > found.magnitude):
            found = Datum.infinity() if x.is_infinite else Datum.finite(x.magnitude)
    return found


def _joint(sa: Datum, sb: Datum, tensor_scale: Datum | None) -> Datum:
    s = factor((sa, sb))
    return s if tensor_scale is None else rounded(product(s, tensor_scale), F32)


def nan_code(model: Model, f: Format) -> int:
    """The code of a NaN in an output format: all bits but the sign's where the unit's own NaN is so, else canonical."""
    if f == model.format:
        return model.nan
    everywhere = model.nan == model.format.magnitude_mask
    return f.magnitude_mask if everywhere and f.is_nan_code(f.magnitude_mask) else f.nan_canonical or 0


def output_projection(
    model: Model | None, f: Format, rounding: Rounding | str, overflow: OverflowLike | None
) -> Projection:
    """How an answer is converted to an output format: as the model says, where it says nothing as the caller does."""
    if isinstance(model, Finished):
        rounding, overflow = model.rounding or rounding, model.overflow or overflow
    return get_projection(f, rounding, overflow)


def converts(model: Model, f: Format) -> bool:
    """Is an answer converted at all: into another format, or by an overflow rule that the model names?"""
    return f != model.format or (isinstance(model, Finished) and model.overflow is not None)


def output_code(model: Model, d: Datum, f: Format, rounding: Rounding | str, overflow: OverflowLike | None) -> int:
    """The code of a model's answer in an output format."""
    if d.is_nan and f.has_nan:
        return nan_code(model, f)
    if not converts(model, f):
        return pack(d, f)
    return pack(project(d, f, output_projection(model, f, rounding, overflow))[0], f)
