"""Asking an adapter about plain numbers, and the answers that a naive search expects.

Nothing here encodes or decodes with fp8ref: numbers become codes by NumPy's own view, and the expected code comes from
the tables of ``second_oracles.exact``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from second_oracles.exact import INFINITE, TABLES, Table
from second_oracles.points import around

from fp8ref.adapters import Adapter
from fp8ref.cases import Operation

Codes = NDArray[Any]
FLOATS: dict[str, Any] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def codes_of(values: Iterable[float], source: str) -> Codes:
    """Codes of numbers that the float type ``source`` holds."""
    with np.errstate(all="ignore"):
        x = np.array(list(values), np.float64).astype(FLOATS[source])
    return x.view(UNSIGNED[x.itemsize])


def claim(adapter: Adapter, prefix: str) -> Operation:
    """The one claimed operation whose id begins so."""
    found = [c for c in adapter.capabilities() if (c + ";").startswith(prefix)]
    assert len(found) == 1, (prefix, found)
    return Operation.parse(found[0])


def ask(adapter: Adapter, prefix: str, values: Iterable[float]) -> list[int]:
    op = claim(adapter, prefix)
    result = adapter.run(op, codes_of(values, op.operands[0]))
    assert isinstance(result, np.ndarray)
    return [int(code) for code in result]


def chosen(table: Table, source: str) -> list[float]:
    """Numbers of ``source`` at and next to every value, quarter and midpoint of a format, both signs, and specials."""
    dtype = FLOATS[source]
    points = {x for x in around(table) if x.denominator & (x.denominator - 1) == 0}
    found = {0.0, math.inf}
    with np.errstate(all="ignore"):
        for x in points:
            if Fraction(float(x)) != x or x >= 2**120:
                continue
            here = np.array(float(x)).astype(dtype)
            for y in (np.nextafter(here, dtype(0)), here, np.nextafter(here, dtype(math.inf))):
                found.add(float(y))
    return sorted(found) + [-x for x in sorted(found)]


def expected(table: Table, value: float, rounding: str, overflow: str, *, magnitude: bool = False) -> int:
    """The code that the tables give; ``magnitude``: without the sign."""
    negative = math.copysign(1, value) < 0 and not magnitude
    place = INFINITE if math.isinf(value) else table.place(abs(Fraction(value)))
    if place != INFINITE and not table.signed:
        negative = negative and value != 0
    code: int = table.encode(negative, place, rounding, overflow)
    return code


def disagreements(
    adapter: Adapter,
    prefix: str,
    rounding: str,
    overflow: str,
    *,
    magnitude: bool = False,
    keep: Callable[[float], bool] = lambda x: True,
) -> list[tuple[float, str, str]]:
    """(number, code it got, code it should get) over the chosen numbers, NaN codes as one class."""
    op = claim(adapter, prefix)
    table = TABLES[op.result]
    values = [x for x in chosen(table, op.operands[0]) if keep(x)]
    assert len(values) > 100
    wrong = []
    for x, got in zip(values, ask(adapter, prefix, values), strict=True):
        want = expected(table, x, rounding, overflow, magnitude=magnitude)
        if got != want and not (got in table.nans and want in table.nans):
            wrong.append((x, hex(got), hex(want)))
    return wrong


def decodes_exactly(adapter: Adapter, source: str, result: str) -> bool:
    """Is every finite value and infinity of a narrow format delivered exactly, and every NaN as a NaN?"""
    table = TABLES[source]
    op = claim(adapter, f"decode/{source}/{result};")
    codes = np.arange(2**table.k, dtype=np.uint8)
    answer = adapter.run(op, codes)
    assert isinstance(answer, np.ndarray)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = answer.view(FLOATS[result]).astype(np.float64)
    for code, got in enumerate(values.tolist()):
        kind, sign, value = table.meaning(code)
        if kind == "nan":
            right = math.isnan(got)
        else:
            want = math.inf if kind == "infinite" else abs(float(value or 0))
            right = abs(got) == want and (math.copysign(1, got) < 0) == bool(sign)
        if not right:
            return False
    return True


def layouts(codes: Codes) -> dict[str, Codes]:
    """The same codes as they may lie in memory (``transposed`` repeats them in three columns)."""
    wide = np.zeros((codes.size, 3), codes.dtype)
    wide[:, 1] = codes
    raw = np.zeros(codes.nbytes + 1, np.uint8)
    odd = raw[1:].view(codes.dtype)
    odd[:] = codes
    readonly = codes.copy()
    readonly.setflags(write=False)
    return {
        "strided": wide[:, 1],
        "reversed": codes[::-1].copy()[::-1],
        "odd address": odd,
        "read-only": readonly,
        "other byte order": codes.astype(codes.dtype.newbyteorder()),
        "transposed": np.broadcast_to(codes, (3, codes.size)).copy().T,
        "repeated": np.broadcast_to(codes, (3, codes.size)),
        "empty": codes[:0],
    }


def same_in_every_layout(adapter: Adapter, prefix: str, values: Iterable[float]) -> None:
    op = claim(adapter, prefix)
    codes = codes_of(values, op.operands[0])
    want = adapter.run(op, codes)
    for name, operand in layouts(codes).items():
        before = operand.copy()
        got = adapter.run(op, operand)
        assert isinstance(got, np.ndarray)
        assert isinstance(want, np.ndarray)
        assert got.shape == operand.shape, name
        if name == "empty":
            continue
        rows = {"transposed": got.T, "repeated": got}.get(name, got[None])
        for row in rows:
            np.testing.assert_array_equal(row, want, err_msg=name)
        np.testing.assert_array_equal(operand, before, err_msg=f"{name}: the operand was changed")


def well_formed(adapter: Adapter, name: str) -> None:
    """The protocol is kept: an identity of strings; claims that parse back, each once, each with a source."""
    assert isinstance(adapter, Adapter)
    identity = adapter.identify()
    assert identity["name"] == name
    assert identity["version"]
    assert identity["device"]
    assert all(isinstance(text, str) for pair in identity.items() for text in pair)
    claims = list(adapter.capabilities())
    assert len(set(claims)) == len(claims)
    for text in claims:
        op = Operation.parse(text)
        assert op.id == text
        assert adapter.source(op)  # type: ignore[attr-defined]
