"""The specification of dot products: one dot product of codes, exactly or as a matrix unit computes it."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog import get_format
from ..codec import pack
from ..datum import Datum
from ..formats import Format
from ..overflow import OverflowLike
from ..projection import get_projection, project
from ..rounding import Rounding
from .accumulate import Model, Scales, Vectors, exact_sum, product, unpack_all
from .epilogue import exact_words, finish, output_code
from .models import get_model
from .units import check_operands, read_by


def dot(
    a: Sequence[int],
    b: Sequence[int],
    format_a: Format | str,
    format_b: Format | str | None = None,
    *,
    c: Datum | None = None,
    accumulator: str | Model = "exact",
    result: Format | str | None = None,
    rounding: Rounding | str = Rounding.TIES_TO_EVEN,
    overflow: OverflowLike | None = None,
    scales: Sequence[tuple[Datum, Datum]] = (),
    block: int | None = None,
    tensor_scale: Datum | None = None,
    scale_result: Datum | None = None,
) -> int:
    """The code of ``sum(a * scale_a * b * scale_b) * tensor_scale + c`` in a result format.

    ``exact``: the infinitely precise value, rounded once into ``result`` (f32 by default) [P3109 BlockDotProduct; OCP
    MX 1.0 6.1].  NaN if an addend is NaN, if an infinity meets a zero in a product, or if infinities of both signs
    meet; an infinity goes by the overflow rule; a zero sum is +0, and a nonzero sum that rounds to zero keeps its sign.

    A model: its own arithmetic, an absent C being +0; ``result`` other than its own converts its answer, by the
    rounding and overflow of its name where that says them.  ``scales``: one pair for every ``block`` elements, or one
    pair.  ``scale_result`` multiplies the answer before the conversion; ``exact``: one more factor, of C too.

    Raises ValueError for lengths, formats, scales and models that do not fit.
    """
    fa = get_format(format_a)
    fb = fa if format_b is None else get_format(format_b)
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} elements and b {len(b)}")
    model: Model | None = None
    words = exact_words(accumulator) if isinstance(accumulator, str) else None
    if isinstance(accumulator, Model):
        model = accumulator
    elif words is None:
        model = get_model(accumulator)
    else:
        rounding, overflow = words[0] or rounding, words[1] or overflow
    if model is not None:
        check_operands(model, fa.name, fb.name)
        fa, fb = read_by(model, fa), read_by(model, fb)
    v = Vectors(unpack_all(a, fa), unpack_all(b, fb), fa, fb, tuple(scales), block or 1 << 62)
    if model is None:
        one = Datum.finite(1)
        output = one if scale_result is None else scale_result
        addends = []
        for i, (x, y) in enumerate(zip(v.a, v.b)):
            scale_a, scale_b = v.scale(i)
            p = product(product(x, scale_a), product(y, scale_b))
            addends.append(product(product(p, one if tensor_scale is None else tensor_scale), output))
        return _project(
            exact_sum(addends + ([] if c is None else [product(c, output)])),
            get_format(result or "f32"),
            rounding,
            overflow,
        )
    if scales and len(scales) > 1 and model.scales is Scales.EPILOGUE:
        raise ValueError(f"{model.name} takes one scale for all of K; block scales enter with +promote<N>.ffma")
    d = finish(model, v, c, tensor_scale, scale_result)
    return output_code(model, d, model.format if result is None else get_format(result), rounding, overflow)


def _project(x: Datum, f: Format, rounding: Rounding | str, overflow: OverflowLike | None) -> int:
    return pack(project(x, f, get_projection(f, rounding, overflow))[0], f)
