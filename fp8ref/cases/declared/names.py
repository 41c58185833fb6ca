"""P3109's names of operations and projections, and ours  [Interim Report v4.0, clauses 4.6 to 4.14].

Also the names that the exemplars of declarations use, whose text is older (3.2.0).
"""

from __future__ import annotations

from dataclasses import dataclass

ROUNDINGS = {
    "NearestTiesToEven": "rne", "NearestTiesToAway": "rna", "TowardZero": "rtz", "TowardPositive": "rtp",
    "TowardNegative": "rtn", "ToOdd": "rto", "StochasticA": "sr-a", "StochasticB": "sr-b", "StochasticC": "sr-c",
}  # fmt: skip
SATURATIONS = {"SatNone": "nonsat", "SatFinite": "sat", "SatPropagate": "satprop"}
OLDER_ROUNDINGS = {"ToZero": "TowardZero", "ToPositive": "TowardPositive", "ToNegative": "TowardNegative"}
OLDER_SATURATIONS = {"OvfInf": "SatNone", "SatOvf": "SatNone"}
OLDER_OPERATIONS = {"Rsqrt": "RSqrt", "IsNan": "IsNaN"}


@dataclass(frozen=True)
class Named:
    """An operation: its family, how many formats of operands it has, and whether a result is projected."""

    family: str
    arity: int
    projects: bool = True


def _all(arity: int, names: dict[str, str], projects: bool = True) -> dict[str, Named]:
    return {name: Named(family, arity, projects) for name, family in names.items()}


OPERATIONS: dict[str, Named] = {
    **_all(1, {
        "Convert": "convert", "Abs": "absolute", "Negate": "negative", "Sqrt": "sqrt", "Recip": "reciprocal",
        "RSqrt": "rsqrt", "Exp": "exp", "Exp2": "exp2", "ExpMinusOne": "expm1", "Log": "log", "Log2": "log2",
        "LogOnePlus": "log1p", "Softplus": "softplus", "Sin": "sin", "Cos": "cos", "Tan": "tan", "ArcSin": "asin",
        "ArcCos": "acos", "ArcTan": "atan", "SinPi": "sinpi", "CosPi": "cospi", "TanPi": "tanpi",
        "ArcSinPi": "asinpi", "ArcCosPi": "acospi", "ArcTanPi": "atanpi", "Sinh": "sinh", "Cosh": "cosh",
        "Tanh": "tanh", "ArcSinh": "asinh", "ArcCosh": "acosh", "ArcTanh": "atanh",
    }),
    **_all(2, {
        "CopySign": "signed", "Add": "add", "Subtract": "sub", "Multiply": "mul", "Divide": "div", "Hypot": "hypot",
        "ArcTan2": "atan2", "ArcTan2Pi": "atan2pi", "Minimum": "min", "Maximum": "max", "MinimumNumber": "minnum",
        "MaximumNumber": "maxnum", "MinimumFinite": "minfin", "MaximumFinite": "maxfin",
        "MinimumMagnitude": "minmag", "MaximumMagnitude": "maxmag", "MinimumMagnitudeNumber": "minmagnum",
        "MaximumMagnitudeNumber": "maxmagnum",
    }),
    **_all(3, {"FMA": "fma", "FAA": "faa", "Clamp": "clamp"}),
    **_all(2, {
        "CompareLess": "lt", "CompareLessEqual": "le", "CompareEqual": "eq", "CompareGreater": "gt",
        "CompareGreaterEqual": "ge",
    }, False),
    **_all(1, {
        "IsZero": "iszero", "IsOne": "isone", "IsNaN": "isnan", "IsInfinite": "isinf", "IsFinite": "isfinite",
        "IsSignMinus": "issignminus", "IsNormal": "isnormal", "IsSubnormal": "issubnormal",
    }, False),
}  # fmt: skip
NOT_ASKED = {  # operations that have no question of their own: why
    **dict.fromkeys(
        ("ConvertFromBlock", "ConvertToBlock", "ConvertToBlockMaxAbsFinite", "BlockReduceAdd", "BlockReduceMultiply",
         "BlockDotProduct"), "operations on blocks have no signature of this form"),
    **dict.fromkeys(("Class", "TotalOrder", "NextGreaterThan", "NextLessThan"), "its answers have no common form"),
}  # fmt: skip


def operation(name: str) -> Named | None:
    return OPERATIONS.get(OLDER_OPERATIONS.get(name, name))


def rounding(name: str) -> str | None:
    """Our name of a rounding mode; None for what is none."""
    return ROUNDINGS.get(OLDER_ROUNDINGS.get(name, name))


def saturation(name: str) -> str | None:
    """Our name of a saturation mode; None for what is none."""
    return SATURATIONS.get(OLDER_SATURATIONS.get(name, name))
