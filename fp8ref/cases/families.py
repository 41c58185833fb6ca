"""The kinds of question: one row each, with the definition that answers it and the TestFloat word for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..spec.operations.compare import CLASS_PREDICATES, PREDICATES

PROJECTION, INTEGER_MODE, ACCUMULATOR, RULE = "projection", "rounding.range", "accumulator", "rule"
CONSTANT = "constant"


@dataclass(frozen=True)
class Family:
    """A kind of question: how many operands (0: a row of any number), what its mode is, and how it is answered.

    ``mode``: ``projection`` (rounding.overflow), ``rounding.range`` for results that are integers, ``accumulator`` for
    dot products, ``rule`` for scales of blocks, ``constant`` for what libraries publish of a format, None where nothing
    is rounded.  ``definition``: the name of the operation in the specification.  ``kind``: which of the checker's
    answers serves it.  ``result``: its type where that is always the same.  ``testfloat``: TestFloat's word for it.
    """

    name: str
    arity: int
    mode: str | None
    asks: str
    kind: str = ""
    definition: str = ""
    result: str = ""
    testfloat: str = ""
    example: str = ""


def _arithmetic(name: str, arity: int, definition: str, asks: str, testfloat: str = "") -> Family:
    operands = ".".join(["e4m3fn"] * (arity or 4)) if name != "scaleb" else "e4m3fn.i32"
    return Family(
        name, arity, PROJECTION, asks, "arithmetic", definition, "", testfloat, f"{name}/{operands}/e4m3fn/rne.nonsat"
    )


def _codes(name: str, arity: int, asks: str) -> Family:
    return Family(name, arity, None, asks, "codes", example=f"{name}/{'.'.join(['e5m2'] * arity)}/e5m2")


def _function(name: str, asks: str, arity: int = 1) -> Family:
    return _arithmetic(name, arity, name, asks)


FUNCTIONS = {  # elementary functions of one operand, each by the name that it has in the specification
    "exp": "e^x", "exp2": "2^x", "exp10": "10^x", "expm1": "e^x - 1", "exp2m1": "2^x - 1", "exp10m1": "10^x - 1",
    "log": "the natural logarithm", "log2": "the logarithm to base 2", "log10": "the logarithm to base 10",
    "log1p": "log(1 + x)", "log2p1": "log2(1 + x)", "log10p1": "log10(1 + x)",
    "sin": "the sine of x radians", "cos": "the cosine of x radians", "tan": "the tangent of x radians",
    "asin": "the arc sine", "acos": "the arc cosine", "atan": "the arc tangent",
    "sinpi": "sin(pi x)", "cospi": "cos(pi x)", "tanpi": "tan(pi x)",
    "asinpi": "asin(x) / pi", "acospi": "acos(x) / pi", "atanpi": "atan(x) / pi",
    "deg2rad": "x pi / 180", "rad2deg": "180 x / pi",
    "sinh": "the hyperbolic sine", "cosh": "the hyperbolic cosine", "tanh": "the hyperbolic tangent",
    "asinh": "the inverse of sinh", "acosh": "the inverse of cosh", "atanh": "the inverse of tanh",
    "cbrt": "the cube root", "rsqrt": "1 / sqrt(x)", "reciprocal": "1 / x", "square": "x^2",
    "erf": "the error function", "erfc": "1 - erf(x)",
    "sigmoid": "1 / (1 + e^-x)", "softplus": "log(1 + e^x)", "log_sigmoid": "-log(1 + e^-x)",
    "silu": "x / (1 + e^-x)", "gelu": "x/2 (1 + erf(x / sqrt 2))",
    "gelu_tanh": "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", "mish": "x tanh(log(1 + e^x))",
}  # fmt: skip
FUNCTIONS_OF_TWO = {
    "pow": "a^b", "powr": "exp(b log a)", "hypot": "sqrt(a^2 + b^2)", "atan2": "the angle of (x, y) = (b, a)",
    "atan2pi": "that angle over pi", "logaddexp": "log(e^a + e^b)", "logaddexp2": "log2(2^a + 2^b)",
}  # fmt: skip
OF_ROWS = {  # of a row of operands, for the first of them
    "softmax": "e^a / sum of e^x", "log_softmax": "a - log(sum of e^x)", "logsumexp": "log(sum of e^x)",
    "layernorm": "(a - mean) / sqrt(variance + eps)", "rmsnorm": "a / sqrt(mean of squares + eps)",
}  # fmt: skip
WITH_EPSILON = {"layernorm": "layer_norm", "rmsnorm": "rms_norm"}
PARTS = {  # of NumPy and C: name -> definition, operands, what it asks
    "floordiv": ("floor_divide", 2, "the integer at or below a / b"), "mod": ("modulo", 2, "a - b floor(a / b)"),
    "fmod": ("fmod", 2, "a - b trunc(a / b)"), "sign": ("sign", 1, "-1, 0 or 1"),
    "heaviside": ("heaviside", 2, "0 below 0, 1 above it, b at it"),
    "frac": ("fraction", 1, "x - trunc(x), the first result of modf"),
    "significand": ("significand", 1, "x 2^-e in [1/2, 1), the first result of frexp"),
}  # fmt: skip
RELATIONS = {
    "eq": "a = b", "ne": "not a = b", "lt": "a < b", "le": "a <= b", "gt": "a > b", "ge": "a >= b",
    "lg": "a < b or a > b", "un": "a or b is a NaN", "ord": "neither is a NaN", "nlt": "not a < b",
    "nle": "not a <= b", "ngt": "not a > b", "nge": "not a >= b", "nlg": "a = b or unordered",
}  # fmt: skip
TESTS = (*CLASS_PREDICATES, "issignminus", "isone")
_TESTFLOAT_RELATIONS = {"eq": "eq", "le": "le", "lt": "lt"}

FAMILIES = {
    f.name: f
    for f in (
        Family("convert", 1, PROJECTION, "codes of one format to codes of another; operand x (n) -> z (n)", "convert",
               example="convert/f32/e4m3fn/rne.sat"),
        Family("decode", 1, None, "codes of a narrow format to a wide float; operand x (n) -> z (n)", "decode",
               example="decode/e4m3fn/f32"),
        Family("int", 1, INTEGER_MODE, "codes to integers; out of range: riscv, arm or x86; exact=0 raises no NX",
               "int", example="int/e4m3fn/i32/rtz.riscv"),
        _arithmetic("add", 2, "add", "a + b; a, b (n) -> z (n)", "add"),
        _arithmetic("sub", 2, "subtract", "a - b", "sub"),
        _arithmetic("mul", 2, "multiply", "a b", "mul"),
        _arithmetic("div", 2, "divide", "a / b", "div"),
        _arithmetic("rem", 2, "remainder", "a - n b, n the integer nearest a/b", "rem"),
        _arithmetic("sqrt", 1, "sqrt", "the square root of x", "sqrt"),
        _arithmetic("fma", 3, "fma", "a b + c, rounded once; a, b, c (n) -> z (n)", "mulAdd"),
        _arithmetic("faa", 3, "faa", "a + b + c, rounded once"),
        _arithmetic("rint", 1, "round_to_integral", "the integral value next to x in the mode's direction",
                    "roundToInt"),
        _arithmetic("rintx", 1, "round_to_integral_exact", "the same, raising NX"),
        _arithmetic("logb", 1, "log_b", "the exponent of the leading bit, as a number"),
        _arithmetic("scaleb", 2, "scale_b", "x times 2^n; x codes, n integers"),
        _arithmetic("min", 2, "minimum", "the smaller; a NaN where there is one"),
        _arithmetic("max", 2, "maximum", "the larger; a NaN where there is one"),
        _arithmetic("minnum", 2, "minimum_number", "the smaller; the number of a number and a NaN"),
        _arithmetic("maxnum", 2, "maximum_number", "the larger; the number of a number and a NaN"),
        _arithmetic("minmag", 2, "minimum_magnitude", "the one of smaller magnitude"),
        _arithmetic("maxmag", 2, "maximum_magnitude", "the one of larger magnitude"),
        _arithmetic("minmagnum", 2, "minimum_magnitude_number", "minmag, but a number rather than a NaN"),
        _arithmetic("maxmagnum", 2, "maximum_magnitude_number", "maxmag, but a number rather than a NaN"),
        _arithmetic("minfin", 2, "minimum_finite", "the smaller; a finite number rather than a NaN or an infinity"),
        _arithmetic("maxfin", 2, "maximum_finite", "the larger; a finite number rather than a NaN or an infinity"),
        _arithmetic("clamp", 3, "clamp", "x held between lo and hi; x, lo, hi (n) -> z (n)"),
        _arithmetic("negative", 1, "negative", "-x, rounded"),
        _arithmetic("absolute", 1, "absolute", "the magnitude of x, rounded"),
        _arithmetic("signed", 2, "copy_sign", "a with the sign of b, rounded"),
        *(_function(name, asks) for name, asks in FUNCTIONS.items()),
        *(_function(name, asks, 2) for name, asks in FUNCTIONS_OF_TWO.items()),
        *(_function(name, asks + ", of a row of any length", 0) for name, asks in OF_ROWS.items()),
        *(_arithmetic(name, arity, definition, asks) for name, (definition, arity, asks) in PARTS.items()),
        _codes("neg", 1, "the sign bit inverted; rounds nothing"),
        _codes("abs", 1, "the sign bit cleared"),
        _codes("copysign", 2, "a with the sign of b"),
        _codes("nextup", 1, "the least value above x"),
        _codes("nextdown", 1, "the greatest value below x"),
        _codes("nextafter", 2, "the neighbour of a on the side of b; b where they are equal"),
        *(
            Family(name, 2, None, f"{asks}? 1 or 0; signalling=1 or 0 chooses the form", "compare", name, "bool",
                   _TESTFLOAT_RELATIONS.get(name, ""), f"{name}/e4m3fn.e4m3fn/bool")
            for name, asks in RELATIONS.items()
        ),
        *(
            Family(name, arity, None, f"{asks}, where every number but 0 and every NaN is true", "codes",
                   result="bool", example=f"{name}/{'.'.join(['e5m2'] * arity)}/bool")
            for name, arity, asks in (("and", 2, "a and b"), ("or", 2, "a or b"), ("xor", 2, "one of them"),
                                      ("not", 1, "not x"))
        ),
        Family("totalorder", 2, None, "is a at or before b in the total order?", "codes", result="bool",
               example="totalorder/e5m2.e5m2/bool"),
        *(
            Family(name, 1, None, f"{name}: 1 or 0", "test", name, "bool", example=f"{name}/e5m2/bool")
            for name in TESTS
        ),
        Family("dot", 2, ACCUMULATOR, "sums of products; a, b (n,K), c (n) -> d (n); c in the result format", "dot",
               example="dot/e4m3fn.e5m2/f32/hopper.wgmma.fp8.f32;k=32"),
        Family("matmul", 2, ACCUMULATOR, "matrix products; A (M,K), B (K,N), C (M,N) -> D (M,N)", "dot",
               example="matmul/e4m3fn.e4m3fn/f32/exact;k=32"),
        Family("scale", 1, RULE, "blocks to scales and codes; x (n,B) [amax (n)] -> (n,S+B) bytes, the scale's S first",
               "scale", example="scale/f32/mxfp8_e4m3/floor"),
        Family("fake", 1, RULE, "blocks to what their codes and scales stand for; x (n,B) [amax (n)] -> (n,W B) bytes: "
               "values of x's type, W bytes each", "scale", example="fake/f32/e4m3fn/vllm-group;k=128"),
        Family("classify", 1, None, "0 to 9: -Inf, -normal, -subnormal, -0, +0, ..., +Inf, sNaN, qNaN", "codes",
               result="class", example="classify/e5m2/class"),
        Family("finfo", 1, CONSTANT, "a constant of the format of x, whatever x (n) -> z (n): values f64, counts i64",
               "constant", example="finfo/e4m3fn/f64/max"),
    )
}  # fmt: skip

assert set(RELATIONS) == set(PREDICATES)
# what a kind of question asks of an operation beyond its types: (operation, text as written) -> raises ValueError.
# The module of the kind fills it in, which stands above ``operation``
CHECKS: dict[str, Callable[[Any, str], None]] = {}
BY_TESTFLOAT = {f.testfloat: f for f in FAMILIES.values() if f.testfloat}
