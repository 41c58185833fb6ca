"""Dot products as cases, and the named probes in which units differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.decode import decode_codes
from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.projection import get_projection
from ..operation import Operation, carrier_dtype
from .questions import addend_type, blocks, has_addend, has_output_scale, length, operand_types, scale_type, shapes

Codes = NDArray[Any]
Floats = NDArray[np.float64]
F64 = get_format("f64")


@dataclass(frozen=True)
class Cases:
    """Operands of dot products: codes a (n, K), b (n, K), c (n), and scales (n, K / block) where there are any.

    Last of the scales, where the operation has it, the factor (n) of the answers.

    ``names`` gives the kind of each case.
    """

    a: Codes
    b: Codes
    c: Codes
    names: tuple[str, ...]
    scales: tuple[Codes, ...] = ()

    @property
    def size(self) -> int:
        return len(self.names)

    @property
    def operands(self) -> list[Codes]:
        return [self.a, self.b, self.c, *self.scales]

    def taken(self, which: NDArray[np.intp]) -> Cases:
        a, b, c, *scales = (codes[which] for codes in self.operands)
        return Cases(a, b, c, tuple(self.names[i] for i in which), tuple(scales))

    @classmethod
    def joined(cls, parts: list[Cases]) -> Cases:
        a, b, c, *scales = (np.concatenate(codes) for codes in zip(*(part.operands for part in parts)))
        return cls(a, b, c, tuple(name for part in parts for name in part.names), tuple(scales))


def codes_of(values: Floats, f: Format) -> Codes:
    """Codes of float64 values, rounded to nearest; beyond the largest finite value it is taken."""
    rho = get_projection(f, "rne", "sat")
    return convert_codes(np.ascontiguousarray(values, np.float64).view(np.uint64), F64, f, rho, False)[0]


def values_of(codes: Codes, f: Format) -> Floats:
    """The float64 values of codes of at most 32 bits."""
    return decode_codes(codes, f, F64).view(np.float64)


# -- named probes -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Probe:
    """``terms``: places and the values of a and b there; zeros elsewhere."""

    name: str
    terms: tuple[tuple[int, float, float], ...]
    c: float = 0.0


def _row(*pairs: tuple[float, float]) -> tuple[tuple[int, float, float], ...]:
    return tuple((k, x, y) for k, (x, y) in enumerate(pairs))


_BIG = (256.0, 256.0)
PROBES = (
    Probe("C alone, 1+2^-13", (), 1 + 2.0**-13),
    Probe("C alone, 1+2^-14", (), 1 + 2.0**-14),
    Probe("C alone, 1+2^-23", (), 1 + 2.0**-23),
    Probe("1 + 2^-13", _row((1, 1), (2.0**-7, 2.0**-6))),
    Probe("1 + 2^-14", _row((1, 1), (2.0**-7, 2.0**-7))),
    Probe("1 + 15 times 2^-14", _row((1, 1), *((2.0**-7, 2.0**-7),) * 15)),
    Probe("-1 - 1.5 times 2^-14", _row((-1, 1), (-1.5 * 2.0**-6, 2.0**-8))),
    Probe("1 - 2^-14", _row((1, 1), (-(2.0**-7), 2.0**-7))),
    Probe("2^16, -2^16 and 2^-10 at k = 16", ((0, *_BIG), (1, -256, 256), (16, 2.0**-5, 2.0**-5))),
    Probe("2^16, -2^16 and 2^-10 at k = 2", ((0, *_BIG), (1, -256, 256), (2, 2.0**-5, 2.0**-5))),
    Probe("2^16, -2^16 and C = 2^-10", ((0, *_BIG), (1, -256, 256)), 2.0**-10),
    Probe("1.875^2 - 1.875 + 2^-13", _row((1.875, 1.875), (-1.875, 1), (2.0**-7, 2.0**-6))),
    Probe("28800 - 15360 - 13440 + 2^-12", _row((120, 240), (-120, 128), (-120, 112), (2.0**-6, 2.0**-6))),
    Probe("2^16 + 2^-9 - 2^16", ((0, *_BIG), (1, 2.0**-4, 2.0**-5), (2, -256, 256))),
    Probe("2^16 + 2^-10 - 2^16", ((0, *_BIG), (1, 2.0**-5, 2.0**-5), (2, -256, 256))),
    Probe("2^14 and -2^14 at even k, 2^-11 at an odd one", ((0, 128, 128), (2, -128, 128), (1, 2.0**-5, 2.0**-6))),
    Probe("0 times 448, C = 2^-20", ((0, 0, 448),), 2.0**-20),
    Probe("all 1.875^2", tuple((k, 1.875, 1.875) for k in range(32))),
    Probe("all 2^-9 times 2^-9", tuple((k, 2.0**-9, 2.0**-9) for k in range(32))),
    Probe("1 + 2^-12 + 2^-14, C = -1", _row((1, 1), (2.0**-6, 2.0**-6), (2.0**-7, 2.0**-7)), -1.0),
)


def probes(op: Operation, chosen: Iterable[Probe] = PROBES) -> Cases:
    """The named probes that an operation's formats and K can ask."""
    k, (fa, fb), fc = length(op), map(get_format, op.operands), get_format(addend_type(op))
    rows = []
    for probe in chosen:
        a, b, c = np.zeros(k), np.zeros(k), np.array([probe.c])
        if any(place >= k for place, _, _ in probe.terms):
            continue
        for place, x, y in probe.terms:
            a[place], b[place] = x, y
        codes = [codes_of(values, f) for values, f in ((a, fa), (b, fb), (c, fc))]
        if all(np.array_equal(values_of(z, f), v) for z, f, v in zip(codes, (fa, fb, fc), (a, b, c))):
            rows.append(Cases(codes[0][None], codes[1][None], codes[2], (probe.name,), ones(op)))
    return Cases.joined(rows) if rows else no_cases(op)


def no_cases(op: Operation) -> Cases:
    keys = tuple((key, value) for key, value in op.keys if key != "c")
    op = (
        replace(op, family="dot", mode="exact", result="f32", keys=keys)
        if not has_addend(op)
        else replace(op, family="dot")
    )
    a, b, c, *scales = (np.zeros(shape, carrier_dtype(name)) for shape, name in zip(shapes(op, 0), operand_types(op)))
    return Cases(a, b, c, (), tuple(scales))


def ones(op: Operation) -> tuple[Codes, ...]:
    """Scales of 1 for one case."""
    name = scale_type(op)
    if name is None:
        return ()
    one = codes_of(np.ones((1, blocks(op))), get_format(name))
    return (one, one, *((codes_of(np.ones(1), get_format("f32")),) if has_output_scale(op) else ()))
