"""One code of a format on one page."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ...spec.codec import pack, unpack
from ...spec.datum import Datum
from ...spec.formats import Format, NaNs
from ..findings.clauses import citation, value_clause
from ..findings.draw import Drawn, class_name, draw_rows, drawn
from ..findings.neighbours import Neighbours, code_text, neighbours
from .numbers import exact_text, hex_text, scaled_text
from .scale import value_line


def code_page(code: int, f: Format, unicode: bool = True) -> str:
    """What a code stands for, how its fields make the value, and the codes beside it.

    Raises ValueError for a code that the format does not have.
    """
    x, row = unpack(code, f), drawn(code, f)
    rows: list[tuple[str, Drawn | str]] = [("class", class_name(code, f))]
    if x.is_finite:
        if not x.is_zero:
            rows.append(("exactly", _forms(x.value)))
        rows.append(("fields", formula(code, f)))
        n = neighbours(x, f)
        assert n is not None
        rows.append(("ulp", scaled_text(n.ulp).removeprefix("1 x ")))
        for label, beside in (("next up", beside_code(n, up=True)), ("next down", beside_code(n, up=False))):
            rows.append((label, "none" if beside is None else _bare(beside, f)))
    else:
        rows.append(("fields", _special_rule(f) if x.is_nan else _infinity_rule(f)))
    if f.signed and not f.fixed_point and not (x.is_nan and f.nans is NaNs.NEGATIVE_ZERO) and (code ^ f.sign_bit):
        rows.append(("negated", _bare(code ^ f.sign_bit, f) if not x.is_zero or f.has_negative_zero else "itself"))
    rows.append(("spec", citation(value_clause(f))))
    head = f"{f.name} {row.code}  {row.fields}   {row.value}"
    line = [value_line(n, unicode)] if x.is_finite and n is not None else []
    return "\n\n".join([head, draw_rows(rows), *line])


def formula(code: int, f: Format) -> str:
    """The value rule of the format with the fields of a finite code put in.

    >>> from fp8ref.spec import get_format
    >>> formula(0x2A, get_format("e4m3fn")), formula(0x02, get_format("e4m3fn"))
    ('(-1)^0 x 2^(5 - 7) x (1 + 2/8)', '(-1)^0 x 2^-6 x 2/8')
    """
    if f.fixed_point:
        return f"{code - (f.code_mask + 1 if code & f.sign_bit else 0)} x 2^-{f.t}"
    sign = f"(-1)^{int(bool(code & f.sign_bit))} x " if f.signed else ""
    exponent, trailing = (code & f.magnitude_mask) >> f.t, code & ((1 << f.t) - 1)
    part = f"{trailing}/{1 << f.t}" if f.t <= 10 else f"{trailing} x 2^-{f.t}"
    if exponent == 0 and f.zero:
        return f"{sign}2^{f.emin} x {part}" if f.t else f"{sign}0"
    return f"{sign}2^({exponent} - {f.bias})" + (f" x (1 + {part})" if f.t else "")


def beside_code(n: Neighbours, up: bool) -> int | None:
    """The code of the next datum above or below an exact one, infinities included; None at an end."""
    f, away = n.f, up != bool(n.x.sign)
    if not away:
        return None if n.before is None else n.before[1]
    if n.outer_code is None and f.infinities and (f.signed or up):
        return pack(Datum.infinity(n.x.sign), f)
    return n.outer_code


def _bare(code: int, f: Format) -> Drawn:
    return replace(drawn(code, f), type="")


def _forms(value: Fraction) -> str:
    forms = [exact_text(value), hex_text(value)]
    if value.denominator != 1 and value.denominator <= 1 << 20:
        forms.insert(0, str(value))
    return " = ".join(dict.fromkeys(forms))


def _special_rule(f: Format) -> str:
    return {
        NaNs.IEEE: "exponent field all ones, trailing significand not zero",
        NaNs.ALL_ONES: "all ones below the sign" if f.signed else "all ones",
        NaNs.NEGATIVE_ZERO: "where -0 would be",
        NaNs.NONE: "",
    }[f.nans]


def _infinity_rule(f: Format) -> str:
    if f.nans is NaNs.IEEE:
        return "exponent field all ones, trailing significand zero"
    return f"the magnitude code after the largest finite one, {code_text(f.max_code, f.k)}"
