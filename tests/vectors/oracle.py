"""Answers to shipped cases by the naive tables of the second oracles."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

from second_oracles.exact import INFINITE, TABLES, Table
from second_oracles.naive_arithmetic import NV, UF, deliver, exact, signals


def table(name: str) -> Table:
    return TABLES[name]


def wide(code: int, name: str) -> tuple[str, int, Fraction | None, bool]:
    """(kind, sign, value, signalling) of a code of f32, f16 or bf16."""
    if name == "f16":
        x = struct.unpack(">e", code.to_bytes(2, "big"))[0]
        sign, quiet = code >> 15, code >> 9 & 1
    else:
        code = code << 16 if name == "bf16" else code
        x = struct.unpack(">f", code.to_bytes(4, "big"))[0]
        sign, quiet = code >> 31, code >> 22 & 1
    if math.isnan(x):
        return "nan", sign, None, not quiet
    if math.isinf(x):
        return "infinite", sign, None, False
    return "finite", sign, Fraction(x), False


def converted(code: int, source: str, result: str, rounding: str, overflow: str, tininess: str) -> tuple[int, int]:
    """Code and flags of a conversion."""
    t = table(result)
    kind, sign, value, signalling = wide(code, source)
    if kind == "nan":
        if t.canonical is None:
            return t.top, NV
        return t.nan, NV if signalling else 0
    if result == "e8m0fnu":  # the contract's own choices: 0 and all below the first value become 00
        place = INFINITE if value is None else t.place(abs(value))
        return t.encode(bool(sign and value != 0), place, rounding, overflow), 0
    if kind == "infinite":
        return deliver(t, ("infinite", sign, False), rounding, overflow)
    assert value is not None
    outcome = ("number", sign, abs(value)) if value else ("zero", sign)
    answer, flags = deliver(t, outcome, rounding, overflow)
    if tininess != "after" and flags & 1 and not flags & 4:
        normal = {"e4m3fn": 8, "e5m2": 4}[result]
        small = abs(value) < t.magnitude(normal) if tininess == "before" else answer & 0x7F < normal
        flags = 1 | (UF if small else 0)
    return answer, flags


def computed(op: str, codes: list[int], name: str, rounding: str, overflow: str) -> tuple[int, int]:
    """Code and flags of an operation within one narrow format."""
    t = table(name)
    invalid = NV if any(signals(t, code) for code in codes) else 0
    meanings = [t.meaning(code) for code in codes]
    if any(kind == "nan" for kind, _, _ in meanings):
        times = op == "fma" and {0, None} == {m[2] for m in meanings[:2]} and "nan" not in [m[0] for m in meanings[:2]]
        return t.nan, NV if times else invalid  # inf * 0 + qNaN raises NV, as RISC-V has it [IEEE 754-2019 7.2]
    answer, flags = deliver(t, exact(op, meanings), rounding, overflow)
    return answer, flags | invalid
