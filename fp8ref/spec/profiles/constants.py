"""The constants that libraries publish of a format, by the names of ``numpy.finfo``.

Each is computed from the format's parameters by what its documentation says: NumPy's reference of ``numpy.finfo``,
where C23 5.2.5.3.3 and IEEE 754-2019 3.3 have the same quantity under another name.  ``precision`` and ``resolution``
are not among them: both are documented as approximate.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ..datum import floor_log2, power_of_two
from ..formats import Format


@dataclass(frozen=True)
class Constant:
    """``of``: its value, an int where it counts or is an exponent; None for a format where its words mean nothing."""

    name: str
    says: str
    of: Callable[[Format], Fraction | int | None]
    whole: bool = False


def _has_normals(f: Format) -> bool:
    return not f.fixed_point and f.max >= f.min_normal


def _step(f: Format, exponent: int) -> Fraction | None:
    """The distance between neighbours in a binade; None where 1 is not among the values."""
    step = power_of_two(f.quantum_exponent(exponent))
    return step if not f.fixed_point and step <= 1 else None


def _eps(f: Format) -> Fraction | None:
    return _step(f, 0) if f.lowest <= 1 < f.max else None


def _eps_below(f: Format) -> Fraction | None:
    return _step(f, -1) if f.lowest < 1 <= f.max else None


def _exponent(x: Fraction | None) -> int | None:
    return None if x is None else floor_log2(x)


def _min_normal(f: Format) -> Fraction | None:
    return f.min_normal if _has_normals(f) else None


CONSTANTS = {
    c.name: c
    for c in (
        Constant("max", "the largest finite value", lambda f: f.max),
        Constant("min", "the lowest finite value, -max in a signed format", lambda f: f.lowest),
        Constant("smallest_normal", "the least positive value with a leading 1: 2^emin", _min_normal),
        Constant("tiny", "another name of smallest_normal", _min_normal),
        Constant("smallest_subnormal", "the least positive value, with a leading 0: 2^(emin + 1 - p)",
                 lambda f: f.min_subnormal if f.has_subnormals and not f.fixed_point else None),
        Constant("eps", "from 1 to the next larger value: 2^(1 - p) where 1 is normal", _eps),
        Constant("epsneg", "from 1 to the next smaller value: 2^-p where that is normal", _eps_below),
        Constant("bits", "the width of a code", lambda f: f.k, True),
        Constant("nmant", "bits of the trailing significand: p - 1",
                 lambda f: None if f.fixed_point else f.t, True),
        Constant("nexp", "bits of the exponent field", lambda f: f.w if _has_normals(f) else None, True),
        Constant("iexp", "bits of the exponent field", lambda f: f.w if _has_normals(f) else None, True),
        Constant("minexp", "the least exponent of a leading 1: emin", lambda f: _exponent(_min_normal(f)), True),
        Constant("maxexp", "the least power of two that overflows: emax + 1",
                 lambda f: f.emax + 1 if _has_normals(f) else None, True),
        Constant("machep", "the exponent of eps", lambda f: _exponent(_eps(f)), True),
        Constant("negep", "the exponent of epsneg", lambda f: _exponent(_eps_below(f)), True),
    )
}  # fmt: skip


def get_constant(name: str) -> Constant:
    """The constant of a name.  Raises ValueError for any other, with the nearest."""
    if name not in CONSTANTS:
        near = difflib.get_close_matches(name, CONSTANTS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near and name else f"choose from {', '.join(CONSTANTS)}"
        raise ValueError(f"unknown constant {name!r}; {hint}")
    return CONSTANTS[name]


def constant(name: str, f: Format) -> Fraction | int:
    """The value of a constant.  Raises ValueError for an unknown one, and where the format has no such thing.

    >>> from fp8ref.spec import get_format
    >>> constant("eps", get_format("e4m3fn")), constant("maxexp", get_format("e4m3fn"))
    (Fraction(1, 8), 9)
    """
    value = get_constant(name).of(f)
    if value is None:
        raise ValueError(f"{f.name} has no {name}: {get_constant(name).says}")
    return value
