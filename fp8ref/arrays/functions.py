"""Elementary functions on arrays of codes: the true value, rounded once.

Each takes codes of any shape in formats of at most 16 bits (wider operands are answered one by one), and the keywords
of :mod:`fp8ref.arrays.arithmetic`: ``result``, ``rounding``, ``overflow``, ``semantics``, ``flags`` and the others.
The special values are those of IEEE 754-2019 clause 9.2 or, with ``semantics="p3109"``, P3109's.  The first call for a
16-bit format makes a table in some seconds; it is kept in the user's cache folder.

>>> exp([0x38, 0xB8], "e4m3fn"), exp([0x38], "e4m3fn", result="e5m2", rounding="rtp", flags=True)
(array([67, 44], dtype=uint8), (array([66], dtype=uint8), array([1], dtype=uint8)))
"""

from __future__ import annotations

from typing import Any, Protocol, Unpack

import numpy as np
from numpy.typing import ArrayLike

from .arithmetic import Options, compute_arrays_of
from .conversion import FormatLike


class Unary(Protocol):
    """A function of one operand."""

    def __call__(
        self,
        a: ArrayLike,
        format: FormatLike | None = None,
        *,
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any: ...


class Binary(Protocol):
    """A function of two operands, whose formats may differ."""

    def __call__(
        self,
        a: ArrayLike,
        b: ArrayLike,
        format: FormatLike | None = None,
        format_b: FormatLike | None = None,
        *,
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any: ...


class WithInteger(Protocol):
    """A function of an operand and an array of integers, which are values and not codes."""

    def __call__(
        self,
        a: ArrayLike,
        n: ArrayLike,
        format: FormatLike | None = None,
        *,
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any: ...


class OfRows(Protocol):
    """A function of rows along an axis; its time grows with the square of their length."""

    def __call__(
        self,
        a: ArrayLike,
        format: FormatLike | None = None,
        *,
        axis: int = -1,
        eps: str = "1e-5",
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any: ...


RAISES = "Raises as :func:`fp8ref.add` does"


def _named(function: Any, op: str, what: str, more: str = "") -> Any:
    function.__name__ = function.__qualname__ = op
    function.__doc__ = f"{what}, rounded once.  {RAISES}{more}."
    return function


def _unary(op: str, what: str) -> Unary:
    def function(
        a: ArrayLike, format: FormatLike | None = None, *, result: FormatLike | None = None, **options: Unpack[Options]
    ) -> Any:
        return compute_arrays_of(op, (a,), (format,), result, options)

    found: Unary = _named(function, op, what)
    return found


def _binary(op: str, what: str) -> Binary:
    def function(
        a: ArrayLike,
        b: ArrayLike,
        format: FormatLike | None = None,
        format_b: FormatLike | None = None,
        *,
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any:
        return compute_arrays_of(op, (a, b), (format, format_b), result, options)

    found: Binary = _named(function, op, what)
    return found


def _with_integer(op: str, what: str) -> WithInteger:
    def function(
        a: ArrayLike,
        n: ArrayLike,
        format: FormatLike | None = None,
        *,
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any:
        return compute_arrays_of(op, (a,), (format,), result, options, n)

    found: WithInteger = _named(function, op, what, ", and TypeError where n is not integers")
    return found


exp = _unary("exp", "e**a  [P3109 Exp]")
exp2 = _unary("exp2", "2**a  [P3109 Exp2]")
exp10 = _unary("exp10", "10**a")
expm1 = _unary("expm1", "e**a - 1  [P3109 ExpMinusOne]")
exp2m1 = _unary("exp2m1", "2**a - 1")
exp10m1 = _unary("exp10m1", "10**a - 1")
log = _unary("log", "The natural logarithm; of 0 it is -infinity and DZ, of negative numbers NV  [P3109 Log]")
log2 = _unary("log2", "The logarithm to base 2  [P3109 Log2]")
log10 = _unary("log10", "The logarithm to base 10")
log1p = _unary("log1p", "log(1 + a)  [P3109 LogOnePlus]")
log2p1 = _unary("log2p1", "log2(1 + a)")
log10p1 = _unary("log10p1", "log10(1 + a)")
sin = _unary("sin", "The sine of a in radians  [P3109 Sin]")
cos = _unary("cos", "The cosine of a in radians  [P3109 Cos]")
tan = _unary("tan", "The tangent of a in radians  [P3109 Tan]")
asin = _unary("asin", "The arc sine in radians  [P3109 ArcSin]")
acos = _unary("acos", "The arc cosine in radians  [P3109 ArcCos]")
atan = _unary("atan", "The arc tangent in radians  [P3109 ArcTan]")
sinpi = _unary("sinpi", "sin(pi a)  [P3109 SinPi]")
cospi = _unary("cospi", "cos(pi a)  [P3109 CosPi]")
tanpi = _unary("tanpi", "tan(pi a)  [P3109 TanPi]")
asinpi = _unary("asinpi", "The arc sine over pi  [P3109 ArcSinPi]")
acospi = _unary("acospi", "The arc cosine over pi  [P3109 ArcCosPi]")
atanpi = _unary("atanpi", "The arc tangent over pi  [P3109 ArcTanPi]")
deg2rad = _unary("deg2rad", "a pi/180")
rad2deg = _unary("rad2deg", "a 180/pi")
sinh = _unary("sinh", "The hyperbolic sine  [P3109 Sinh]")
cosh = _unary("cosh", "The hyperbolic cosine  [P3109 Cosh]")
tanh = _unary("tanh", "The hyperbolic tangent  [P3109 Tanh]")
asinh = _unary("asinh", "The inverse hyperbolic sine  [P3109 ArcSinh]")
acosh = _unary("acosh", "The inverse hyperbolic cosine  [P3109 ArcCosh]")
atanh = _unary("atanh", "The inverse hyperbolic tangent  [P3109 ArcTanh]")
cbrt = _unary("cbrt", "The cube root")
rsqrt = _unary("rsqrt", "1/sqrt(a); of +-0 it is +-infinity and DZ  [P3109 RSqrt]")
reciprocal = _unary("reciprocal", "1/a; of +-0 it is +-infinity and DZ  [P3109 Recip]")
square = _unary("square", "a squared")
erf = _unary("erf", "The error function")
erfc = _unary("erfc", "1 - erf(a)")
sigmoid = _unary("sigmoid", "1/(1 + e**-a), the logistic function")
softplus = _unary("softplus", "log(1 + e**a)  [P3109 Softplus]")
log_sigmoid = _unary("log_sigmoid", "-log(1 + e**-a)")
silu = _unary("silu", "a/(1 + e**-a), also called swish")
gelu = _unary("gelu", "a/2 (1 + erf(a/sqrt 2))")
gelu_tanh = _unary("gelu_tanh", "a/2 (1 + tanh(sqrt(2/pi) (a + 0.044715 a**3)))")
mish = _unary("mish", "a tanh(log(1 + e**a))")
pow = _binary("pow", "a**b; of negative a for integral b alone")
powr = _binary("powr", "exp(b log a), for a >= 0")
hypot = _binary("hypot", "sqrt(a**2 + b**2)  [P3109 Hypot]")
atan2 = _binary("atan2", "The angle of the point (b, a) in radians  [P3109 ArcTan2]")
atan2pi = _binary("atan2pi", "The angle of the point (b, a) over pi  [P3109 ArcTan2Pi]")
logaddexp = _binary("logaddexp", "log(e**a + e**b)")
logaddexp2 = _binary("logaddexp2", "log2(2**a + 2**b)")
pown = _with_integer("pown", "a**n")
rootn = _with_integer("rootn", "The n-th root of a")
compound = _with_integer("compound", "(1 + a)**n")


def _of_rows(op: str, what: str) -> OfRows:
    def function(
        a: ArrayLike,
        format: FormatLike | None = None,
        *,
        axis: int = -1,
        eps: str = "1e-5",
        result: FormatLike | None = None,
        **options: Unpack[Options],
    ) -> Any:
        rows = np.moveaxis(np.asarray(a), axis, 0)
        if not rows.size:
            raise ValueError(f"{op}: an array of shape {np.shape(a)} has no rows along axis {axis}")
        name = f"{op.replace('norm', '_norm')} {eps}" if "norm" in op else op
        places = range(1) if op == "logsumexp" else range(len(rows))
        found = [
            compute_arrays_of(name, (rows[i], *np.delete(rows, i, 0)), (format,) * len(rows), result, options)
            for i in places
        ]
        if op == "logsumexp":
            return found[0]
        if isinstance(found[0], tuple):
            return tuple(np.stack(part, axis=axis) for part in zip(*found))
        return np.stack(found, axis=axis)

    function.__name__ = function.__qualname__ = op
    more = "  ``eps`` is a decimal of 0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-3." if "norm" in op else ""
    function.__doc__ = f"{what} along an axis, rounded once.  {RAISES}, and for empty rows.{more}"
    return function


softmax = _of_rows("softmax", "e**x / sum of e**x")
log_softmax = _of_rows("log_softmax", "x - log(sum of e**x)")
logsumexp = _of_rows("logsumexp", "log(sum of e**x)")
layernorm = _of_rows("layernorm", "(x - mean) / sqrt(variance + eps)")
rmsnorm = _of_rows("rmsnorm", "x / sqrt(mean of squares + eps)")

# the same by numpy's and the frameworks' names
logistic = sigmoid
swish = silu
power = pow
arcsin = asin
arccos = acos
arctan = atan
arctan2 = atan2
arcsinh = asinh
arccosh = acosh
arctanh = atanh

__all__ = [
    "acos",
    "acosh",
    "acospi",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "asinpi",
    "atan",
    "atan2",
    "atan2pi",
    "atanh",
    "atanpi",
    "cbrt",
    "compound",
    "cos",
    "cosh",
    "cospi",
    "deg2rad",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp2m1",
    "exp10",
    "exp10m1",
    "expm1",
    "gelu",
    "gelu_tanh",
    "hypot",
    "layernorm",
    "log",
    "log1p",
    "log2",
    "log2p1",
    "log10",
    "log10p1",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logistic",
    "logsumexp",
    "mish",
    "pow",
    "power",
    "pown",
    "powr",
    "rad2deg",
    "reciprocal",
    "rmsnorm",
    "rootn",
    "rsqrt",
    "sigmoid",
    "silu",
    "sin",
    "sinh",
    "sinpi",
    "softmax",
    "softplus",
    "square",
    "swish",
    "tan",
    "tanh",
    "tanpi",
]
