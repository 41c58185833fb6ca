"""Tables of rounding and overflow, computed from the specification."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import md

from fp8ref.report.findings.neighbours import code_text
from fp8ref.report.formats.numbers import decimal_text
from fp8ref.spec import (
    DETERMINISTIC,
    Datum,
    Format,
    Rounding,
    Status,
    canonical_nan,
    decode,
    encode,
    get_format,
    get_overflow,
)
from fp8ref.spec.codec import pack
from fp8ref.spec.overflow import NAMED, resolve
from fp8ref.spec.projection import NaN

KINDS = {
    "infinities": ("e5m2", "with infinities"),
    "nan": ("e4m3fn", "with a NaN and no infinities"),
    "neither": ("e2m1fn", "with neither"),
}


def pages(docs: Path) -> dict[str, str]:
    return {
        "rules/rounding.md": rounding_table(),
        "rules/overflow.md": "\n".join(overflow_section(name) for name in KINDS),
        "rules/infinity.md": infinity_table(),
        "rules/nan.md": nan_table(),
    }


def rounding_table() -> str:
    """What each deterministic mode makes of values between two codes, on both sides of zero."""
    f = get_format("e4m3fn")
    points = [Fraction(n, 32) for n in (37, 38, 39, 42)]  # below, on and above a tie; a tie above an even code
    shown = [*points, *(-x for x in points)]
    rows = []
    for mode in DETERMINISTIC:
        answers = [decimal_text(decode(encode(x, f, mode)[0], f).value) for x in shown]
        rows.append([md.code(mode.value), mode.long_name, *answers])
    return md.table(["", "mode", *(decimal_text(x) for x in shown)], rows, range(2, 2 + len(shown)))


def overflow_section(kind: str) -> str:
    """What a finite overflow becomes: 12 modes, 2 signs, 3 names, for one kind of format."""
    name, words = KINDS[kind]
    f = get_format(name)
    rows = []
    for mode in Rounding:
        outcomes = [
            outcome(resolve(get_overflow(rule, f), f, mode, negative, infinite=False), f)
            for rule in NAMED
            for negative in (False, True)
        ]
        rows.append([md.code(mode.value), *outcomes])
    headings = ["", *(f"{rule} {sign}" for rule in NAMED for sign in ("above", "below"))]
    return f"**A format {words}** ({name}):\n\n" + md.table(headings, rows)


def infinity_table() -> str:
    """What an infinity becomes under each name, by kind of format."""
    rows = []
    for name, words in KINDS.values():
        f = get_format(name)
        for negative in (False, True):
            source = "-Inf" if negative else "+Inf"
            outcomes = [
                outcome(resolve(get_overflow(rule, f), f, Rounding.TIES_TO_EVEN, negative, infinite=True), f)
                for rule in NAMED
            ]
            rows.append([f"{words} ({name})" if not negative else "", source, *outcomes])
    return md.table(["format", "input", *NAMED], rows)


def outcome(x: Datum, f: Format) -> str:
    """A delivered datum in words and as a code."""
    if x.is_nan:
        return f"NaN `{code_text(pack(canonical_nan(f), f), f.k)}`"
    if x.is_infinite:
        return f"{'-' if x.sign else '+'}Inf `{code_text(pack(x, f), f.k)}`"
    return f"{decimal_text(x.value)} `{code_text(pack(x, f), f.k)}`"


def nan_table() -> str:
    """What a quiet and a signalling NaN of either sign become under each choice, in three formats."""
    rows = []
    inputs = [Datum.nan(0), Datum.nan(1), Datum.nan(1, Fraction(1, 4))]
    for choice in NaN:
        if choice is NaN.ERROR:
            continue
        cells = []
        for name, _ in KINDS.values():
            for x in inputs:
                code, status = encode(x, name, nan=choice)
                raised = f" {status.letters}" if status & Status.INVALID else ""
                cells.append(f"`{code_text(code, get_format(name).k)}`{raised}")
        rows.append([md.code(choice.value), *cells])
    marks = ("+NaN", "-NaN", "-sNaN")
    return md.table(["", *(f"{name} {mark}" for name, _ in KINDS.values() for mark in marks)], rows)
