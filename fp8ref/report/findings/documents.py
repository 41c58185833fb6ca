"""What the pages show as plain data for JSON: codes in hexadecimal, exact values as text, no floats."""

from __future__ import annotations

from typing import Any

from ...spec.catalog import aliases
from ...spec.codec import unpack
from ...spec.datum import Datum
from ...spec.formats import Format
from ..formats.format_page import census, infinity_codes, nan_ranges
from .clauses import citation, clause_for
from .draw import Drawn, bit_fields, class_name
from .explain import Conversion, alternatives
from .neighbours import code_text, neighbours

Document = dict[str, Any]


def datum_document(x: Datum) -> str:
    """An exact datum as text: a ratio such as ``5/16``, ``-0``, ``Inf``, ``NaN``."""
    if x.is_nan:
        return "NaN"
    sign = "-" if x.sign else ""
    return f"{sign}Inf" if x.is_infinite else f"{sign}{x.magnitude}"


def code_document(code: int, f: Format) -> Document:
    """A code, its fields, class and value."""
    return {
        "format": f.name,
        "code": code_text(code, f.k),
        "fields": bit_fields(code, f) if f.k <= 32 else f"{code:0{f.k}b}",
        "class": class_name(code, f),
        "value": datum_document(unpack(code, f)),
    }


def format_document(f: Format) -> Document:
    """The parameters of a format; for at most 8 bits every code too."""
    document: Document = {
        "format": f.name,
        "source": f.source,
        "aliases": list(aliases(f)),
        **{name: getattr(f, name) for name in ("k", "p", "t", "w", "bias", "emin", "emax", "signed", "fixed_point")},
        **{name: str(getattr(f, name)) for name in ("max", "lowest", "min_normal", "min_subnormal")},
        "infinities": [code_text(code, f.k) for code in infinity_codes(f)],
        "nan": [[code_text(a, f.k), code_text(b, f.k)] for a, b in nan_ranges(f)],
        "nan_canonical": None if f.nan_canonical is None else code_text(f.nan_canonical, f.k),
        "zeros": [code_text(c, f.k) for c in ([0] if f.zero else []) + ([f.sign_bit] if f.has_negative_zero else [])],
        "codes": census(f),
    }
    if f.k <= 8:
        document["values"] = [
            {key: value for key, value in code_document(code, f).items() if key != "format"} for code in range(1 << f.k)
        ]
    return document


def conversion_document(c: Conversion, case: str | None = None) -> Document:
    """A conversion: input, neighbours, answer, clause and alternatives."""
    document: Document = {} if case is None else {"case": case}
    given = {"type": c.input.type, "code": c.input.code} if isinstance(c.input, Drawn) else {"text": c.input}
    document["input"] = {**given, "value": datum_document(c.x)}
    document["result"] = c.f.name
    if c.op.mode is not None:
        document["mode"] = c.op.mode
    n = neighbours(c.x, c.f)
    if n is not None:
        sides = (("inner", n.inner, n.inner_code), ("outer", n.outer, n.outer_code))
        document["neighbours"] = {
            name: {"value": str(value), "code": None if code is None else code_text(code, c.f.k)}
            for name, value, code in sides
        }
        document["neighbours"]["ulps_from_inner"] = str(n.eta)
    if not c.is_open:
        code, status = c.answer()
        clause = clause_for(c.op, c.x)
        document["answer"] = {**code_document(code, c.f), "status": int(status), "flags": status.letters}
        document["clause"] = {"id": clause, "text": citation(clause)}
    if c.op.family == "convert":
        document["alternatives"] = [
            {
                "setting": a.setting,
                "status": int(a.status),
                "codes": {rule: code_text(code, c.f.k) for rule, code in a.codes.items()},
            }
            for a in alternatives(c)
        ]
    return document
