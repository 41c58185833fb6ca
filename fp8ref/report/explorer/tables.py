"""What the explorer knows, as plain data made by the reference when the page is written.

Between two neighbouring magnitudes a < b of a format, a conversion without random bits depends only on where its input
lies: at a, below the middle, at it, above it; flags also on whether it lies below, at or above three quarters, where a
result stops being tiny.  So six inputs a gap decide all others, and the page needs no rule of its own: it finds the gap
and the region by comparing integers, and reads the answer here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from ...arrays.conversion import FormatLike, encode
from ...cases.operation import Operation
from ...check.verdict import Report, Verdict
from ...escapes import plain_data
from ...spec.catalog import get_format
from ...spec.codec import pack, unpack
from ...spec.datum import Datum, floor_log2, power_of_two
from ...spec.formats import Format
from ...spec.overflow import NAMED, To, get_overflow
from ...spec.rounding import DIRECTIONS, Rounding
from ..findings.draw import bit_fields, class_name, value_text
from ..findings.neighbours import code_text
from ..runs.record import reports_of
from ..runs.text import remark
from .shared import block_tables

FORMATS = (
    "e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz", "e8m0fnu", "e3m2fn", "e2m3fn", "e2m1fn",
    "mxint8", "ue5m3", "binary8p3se", "binary8p4se",
)  # fmt: skip
SOURCES = ("f32", "f64", "bf16", "f16")
MODES = tuple(mode for mode in Rounding if not mode.is_stochastic)
PARTS = [Fraction(n, 8) for n in (0, 2, 4, 5, 6, 7)]  # of a gap: an input in each of its regions
LETTERS = [chr(c) for c in range(0x23, 0x7F) if chr(c) not in "\\<&"]  # a pattern each; none is markup
Outcome = list[int]  # [code, flags]


def document(formats: Iterable[FormatLike] = FORMATS, runs: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Everything that the page shows.

    ``runs``: records as :func:`fp8ref.report.runs.record.read` gives them.  Raises ValueError for a format of more than
    8 bits.
    """
    found = [get_format(f) for f in formats]
    for f in found:
        if f.k > 8:
            raise ValueError(f"{f.name} has {f.k} bits; the explorer has tables of formats of at most 8")
    return {
        "formats": {f.name: format_table(f) for f in found},
        "sources": {name: _source(get_format(name)) for name in SOURCES},
        "modes": {mode.value: DIRECTIONS[mode] for mode in MODES},
        "libraries": _libraries(runs, {f.name for f in found}),
        "blocks": block_tables({f.name for f in found}),
    }


def overflows(f: Format) -> dict[str, str]:
    """The overflow rules that a format can follow: the named ones first, then the pairs that no name stands for."""
    named = {name: str(get_overflow(name, f)) for name in NAMED}
    pairs = {}
    for finite in To:
        for infinite in (To.MAX, To.INF, To.NAN):
            try:
                pair = str(get_overflow((finite, infinite), f))
            except ValueError:
                continue
            if pair not in named.values():
                pairs[pair] = pair
    return {**named, **pairs}


def magnitudes(f: Format) -> list[Fraction]:
    """0, every magnitude, and the one that would follow with more exponents."""
    finite = {abs(x.value) for x in (unpack(code, f) for code in range(1 << f.k)) if x.is_finite}
    step = f.min_subnormal if f.fixed_point else power_of_two(f.quantum_exponent(floor_log2(f.max)))
    return [*sorted({Fraction(0), *finite}), max(finite) + step]


def format_table(f: Format) -> dict[str, Any]:
    """One format: its codes, its magnitudes, and for each mode what becomes of an input in each region."""
    lattice = magnitudes(f)
    unit = min(f.min_subnormal, Fraction(1))
    codes = [[_code(x, sign, f) for x in lattice] for sign in (0, 1)]
    patterns: dict[tuple[Any, ...], str] = {}
    pool: dict[str, int] = {}
    modes: dict[str, dict[str, list[Any]]] = {}
    for mode in MODES:
        for rule in overflows(f):
            sides: list[Any] = []
            for sign, (gaps, top) in enumerate(_asked(f, lattice, mode, rule)):
                letters = [
                    patterns.setdefault(pattern, LETTERS[len(patterns)])
                    for pattern in (_relative(gap, codes[sign], i) for i, gap in enumerate(gaps[:-1]))
                ]
                sides += [pool.setdefault("".join(letters), len(pool)), [*gaps[-1], *top]]
            modes.setdefault(mode.value, {})[rule] = sides
    return {
        "k": f.k, "signed": f.signed, "source": f.source, "zero": f.zero,
        "fields": [int(f.signed), f.k - f.signed - f.t, f.t],
        "exponent": _exponent(unit), "magnitudes": [_integer(x / unit) for x in lattice], "codes": codes,
        "table": [_drawn(code, f) for code in range(1 << f.k)],
        "overflows": overflows(f), "patterns": {letter: list(p) for p, letter in patterns.items()}, "pool": list(pool),
        "modes": modes,
    }  # fmt: skip


def _exponent(unit: Fraction) -> int:
    return unit.numerator.bit_length() - unit.denominator.bit_length()


def _integer(x: Fraction) -> str:
    assert x.denominator == 1, x
    return f"{x.numerator:x}"


def _asked(
    f: Format, lattice: Sequence[Fraction], mode: Rounding, rule: str
) -> list[tuple[list[list[Outcome]], list[Outcome]]]:
    """What the reference answers, of each sign: for every gap six outcomes, then four more.

    Those are at the magnitude that would come next, beyond it, at infinity, and for NaN.
    """
    points = [a + part * (b - a) for a, b in pairwise(lattice) for part in PARTS]
    assert all(Fraction(float(x)) == x for x in points)
    values = np.array([float(x) for x in (*points, lattice[-1], 4 * lattice[-1])] + [np.inf, np.nan])
    both = np.stack([values, np.copysign(values, -1.0)])
    out, status = (array.tolist() for array in encode(both, f, rounding=mode, overflow=rule, flags=True))
    found, n = [], len(PARTS)
    for codes, flags in zip(out, status):
        outcomes = [list(pair) for pair in zip(codes, flags)]
        found.append(([outcomes[i : i + n] for i in range(0, len(points), n)], outcomes[len(points) :]))
    return found


def _relative(gap: Sequence[Outcome], codes: Sequence[int | None], i: int) -> tuple[Any, ...]:
    """Six outcomes in terms of the gap's two ends: -1 for the code of its lower one, -2 for the upper, else a code."""
    ends = {codes[i + 1]: -2, codes[i]: -1}
    return tuple((ends.get(code, code), flags) for code, flags in gap)


def _code(x: Fraction, sign: int, f: Format) -> int | None:
    try:
        return pack(Datum.finite(x, sign) if not x else Datum.finite(-x if sign else x), f)
    except ValueError:
        return None


def _drawn(code: int, f: Format) -> list[str]:
    x = unpack(code, f)
    value = "NaN" if x.is_nan else value_text(x, f)
    return [code_text(code, f.k), bit_fields(code, f), value, class_name(code, f)]


def _source(f: Format) -> dict[str, int]:
    return {"k": f.k, "p": f.p, "bias": f.bias, "emin": f.emin, "emax": f.emax}


def _libraries(runs: Sequence[Mapping[str, Any]], formats: set[str]) -> dict[str, list[dict[str, Any]]]:
    """What recorded libraries answered when asked to convert into a format."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        run = plain_data(run)
        identity = run["header"]["implementation"]
        name = " ".join(identity[key] for key in ("name", "version") if key in identity)
        for report in reports_of(run):
            op = Operation.parse(report.op)
            if op.family == "convert" and op.result in formats and op.operands[0] in SOURCES and op.mode:
                found.setdefault(op.result, []).append(_answered(name, op, report))
    return {name: sorted(rows, key=lambda row: (row["library"].lower(), row["from"])) for name, rows in found.items()}


def _answered(name: str, op: Operation, report: Report) -> dict[str, Any]:
    rounding, _, rule = (op.mode or "").partition(".")
    keys = {key for key, _ in op.keys}
    known = report.verdict is Verdict.PASS and keys <= {"nan"} and rounding in {m.value for m in MODES}
    f = get_format(op.result)
    if known and rule not in overflows(f):
        same = str(get_overflow(rule, f))
        rule = next((own for own, pair in overflows(f).items() if pair == same), "")
    return {
        "library": name, "from": op.operands[0], "rounding": rounding, "overflow": rule, "known": bool(known and rule),
        "verdict": report.verdict.value, "failed": report.failed, "cases": report.cases, "remark": remark(report)[:200],
    }  # fmt: skip
