"""What a step of a matrix unit does, drawn as strips of bits: align, cut, add, round.

The numbers come from the specification's own interpreter; each picture ends at the code that ``dot`` gives.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import md

from fp8ref.report.formats.numbers import decimal_text
from fp8ref.spec.catalog import get_format
from fp8ref.spec.codec import pack, unpack
from fp8ref.spec.datum import Datum, floor_log2, power_of_two
from fp8ref.spec.matrix.accumulate import Addend, Vectors, addend, cut, fused_lsb, fused_terms, rounded
from fp8ref.spec.matrix.models import get_model
from fp8ref.spec.matrix.products import dot
from fp8ref.spec.matrix.units import Fused, FusedLate
from fp8ref.spec.rounding import Rounding

UNITS = {
    "ada.mma.fp8.f32": "Ada: two steps of 16 products, 13 bits, sums of 14 bits",
    "hopper.wgmma.fp8.f32": "Hopper: one step of 32 products, 13 bits, sums of 14 bits",
    "blackwell.tcgen05.fp8.f32": "Blackwell: one step of 32 products, 25 bits, sums of 24 bits",
    "cdna3.mfma.fp8.f32": "CDNA3: 16 products, even and odd places apart, 24 bits; C joins late, to nearest",
}
LENGTH = 32
# place: the two factors, which OCP's and FNUZ's E4M3 both have
FACTORS = {
    0: (Fraction(15), Fraction(18)),
    1: (Fraction(-13, 16), Fraction(11, 16)),
    2: (Fraction(5, 256), Fraction(9, 32)),
    20: (Fraction(11, 512), Fraction(13, 512)),
}
C_CODE = 0x3DCCCCCD  # 0.1 in binary32
TOP, BOTTOM = 9, -28  # exponents of the first and the last column
CELL, ROW, LEFT, RIGHT = 15, 22, 128, 185
F32 = get_format("f32")


@dataclass(frozen=True)
class Strip:
    """A row: an exact value, the exponent of the last bit that is kept (None: all), and what it is."""

    label: str
    value: Fraction
    lsb: int | None = None
    kind: str = "addend"  # addend, sum, result
    note: str = ""


def pages(docs: Path) -> dict[str, str]:
    parts = []
    for name, title in UNITS.items():
        strips, code = drawn(name)
        parts.append(f"### {title}\n\n" + md.fence(svg(name, title, strips, code), "{raw} html"))
    return {"steps.md": "\n".join(parts)}


def operands(f: str) -> tuple[list[int], list[int]]:
    """The codes of both vectors."""
    places = [FACTORS.get(i, (Fraction(0), Fraction(0))) for i in range(LENGTH)]
    a, b = ([pack(Datum.finite(pair[n]), get_format(f)) for pair in places] for n in (0, 1))
    return a, b


def drawn(name: str) -> tuple[list[Strip], int]:
    """The strips of a unit, and the code of its answer, which is that of ``dot``."""
    model = get_model(name)
    f = model.operands[0]
    a, b = operands(f)
    c = unpack(C_CODE, F32)
    right = dot(a, b, f, c=c, accumulator=name)
    x, y = (tuple(unpack(code, get_format(f)) for code in codes) for codes in (a, b))
    v = Vectors(x, y, get_format(f), get_format(f))
    strips: list[Strip] = []
    for start in range(0, LENGTH, model.k):
        part = v.part(start, start + model.k)
        if isinstance(model, Fused):
            for places in model.steps:
                c = fused(model, part.pick(places), c, start + places[0], strips)
        elif isinstance(model, FusedLate):
            c = late(model, part, c, start, strips)
    assert pack(c, F32) == right, name
    return strips, right


def fused(model: Fused, v: Vectors, c: Datum, start: int, strips: list[Strip]) -> Datum:
    """One step of a fused unit."""
    terms = fused_terms(model, v, c)
    lsb = fused_lsb(model, terms)
    assert lsb is not None
    for place, term in sorted(terms.items(), key=lambda item: item[0] % LENGTH):
        strips.append(Strip(addend_name(place, start), exact(term), lsb))
    total = sum(cut(term, lsb, model.cut) for term in terms.values()) * power_of_two(lsb)
    return finished(total, rounded(Datum.finite(total), model.register, model.rounding), strips, "toward zero")


def late(model: FusedLate, v: Vectors, c: Datum, start: int, strips: list[Strip]) -> Datum:
    """One instruction of CDNA3: groups, their sums, then C."""
    groups = []
    for g in range(model.groups):
        terms = {}
        for i in range(g, model.k, model.groups):
            p, q = (addend(x[i], f, model.zero_exponent) for x, f in ((v.a, v.format_a), (v.b, v.format_b)))
            terms[i] = Addend(p.units * q.units, p.lsb + q.lsb, p.exponent + q.exponent)
        e = max(term.exponent for term in terms.values())
        lsb = e - model.fraction_bits
        shown = {i: term for i, term in terms.items() if term.units}
        strips += [Strip(addend_name(i, start), exact(term), lsb) for i, term in shown.items()]
        groups.append(Addend(sum(cut(term, lsb, Rounding.TOWARD_ZERO) for term in terms.values()), lsb, e))
    e = max(group.exponent for group in groups)
    lsb = e - model.fraction_bits
    total = Addend(sum(cut(group, lsb, Rounding.TOWARD_NEGATIVE) for group in groups), lsb, e)
    own = addend(c, model.format)
    top = max(e, own.exponent)
    value = cut(total, top - model.sum_bits, Rounding.TOWARD_NEGATIVE) * power_of_two(top - model.sum_bits)
    if model.window is None or own.exponent >= top - model.window:
        grid = top - model.fraction_bits
        strips.append(Strip(addend_name(-1, start), exact(own), grid, note="floor"))
        value += cut(own, grid, Rounding.TOWARD_NEGATIVE) * power_of_two(grid)
    if model.keep_bits is not None and value:
        unit = power_of_two(max(floor_log2(abs(value)), model.format.emin) - model.keep_bits)
        value = (value // unit) * unit
    return finished(value, rounded(Datum.finite(value), model.format), strips, "to nearest")


def finished(total: Fraction, d: Datum, strips: list[Strip], how: str) -> Datum:
    strips += [Strip("sum", total, kind="sum"), Strip("D", d.value, kind="result", note=how)]
    return d


def addend_name(place: int, start: int) -> str:
    return ("C" if start == 0 else "D before") if place == -1 else f"a·b, k = {start + place}"


def exact(term: Addend) -> Fraction:
    return term.units * power_of_two(term.lsb)


def svg(name: str, title: str, strips: list[Strip], code: int) -> str:
    width, height = LEFT + (TOP - BOTTOM + 1) * CELL + RIGHT, (len(strips) + 2) * ROW
    said = f"{title}. The answer is {code:08X}."
    body = [*axis(), *(line for i, strip in enumerate(strips) for line in row(i, strip))]
    end = (len(strips) + 1.6) * ROW
    body.append(f'<text x="{LEFT}" y="{end:.0f}">{html.escape(name)} answers 0x{code:08X}, '
                f"{html.escape(decimal_text(unpack(code, F32).value, 12, 12))}</text>")  # fmt: skip
    return (
        f'<div class="fp8ref-scroll"><svg class="fp8ref-steps" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{html.escape(said)}">' + "\n".join(body) + "</svg></div>"
    )


def axis() -> Iterator[str]:
    for e in range(TOP, BOTTOM - 1, -4):
        yield f'<text class="quiet" x="{at(e) + CELL / 2:.0f}" y="12" text-anchor="middle">2^{e}</text>'


def at(e: int) -> int:
    return LEFT + (TOP - e) * CELL


def row(i: int, strip: Strip) -> Iterator[str]:
    """One strip: its name, its bits from the leading one to the last, those that are cut, and its value."""
    y = (i + 1) * ROW
    sign = "\u2212" if strip.value < 0 else "+"
    yield f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{html.escape(strip.label)} {sign}</text>'
    magnitude = abs(strip.value)
    lowest = -((magnitude.denominator).bit_length() - 1)
    for e in range(floor_log2(magnitude), max(lowest, BOTTOM) - 1, -1):
        bit = (magnitude // power_of_two(e)) % 2
        gone = strip.lsb is not None and e < strip.lsb
        kind = "cut" if gone else strip.kind
        yield f'<rect class="{kind}{" one" if bit else ""}" x="{at(e)}" y="{y}" width="{CELL - 2}" height="{ROW - 6}"/>'
        yield f'<text class="bit" x="{at(e) + (CELL - 2) / 2:.1f}" y="{y + 12}" text-anchor="middle">{bit}</text>'
    if strip.lsb is not None and strip.lsb >= BOTTOM:
        x = at(strip.lsb) + CELL - 1
        yield f'<path class="edge" d="M{x} {y - 3}v{ROW}"/>'
    value = decimal_text(strip.value, 9, 9) + (f", {strip.note}" if strip.note else "")
    yield f'<text class="quiet" x="{at(BOTTOM) + CELL + 6}" y="{y + 12}">{html.escape(value)}</text>'
