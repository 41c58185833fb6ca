"""A format in a notebook: its fields, its extremes, a number line, and the map of its codes."""

from __future__ import annotations

from ...spec.codec import unpack
from ...spec.formats import Format
from ..findings.draw import class_name, value_text
from ..findings.neighbours import code_text
from ..formats.format_page import bit_picture, extremes, title
from ..formats.scale import log_scale
from .markup import Markup, element, joined, lines, piece

WIDTH = 90
COLOURS = {"zero": "#9993", "subnormal": "#D55E0055", "normal": "#0072B2", "infinity": "#CC79A788", "NaN": "#E69F0088"}


def format_html(f: Format) -> Markup:
    text = "\n\n".join([title(f), bit_picture(f), extremes(f), log_scale(f, WIDTH)])
    return piece(lines(text), code_map(f) if f.k <= 8 else "")


def code_map(f: Format) -> Markup:
    """Codes in rows of 16, the first digit down and the second across, coloured by class and magnitude."""
    digits = -(-f.k // 4)
    head = element("tr", element("th"), [element("th", f"{low:X}", scope="col") for low in range(16)])
    rows = []
    for first in range(0, 1 << f.k, 16):
        label = f"{first:0{digits}X}"[:-1] + "_"
        cells = [_cell(f, code) for code in range(first, min(first + 16, 1 << f.k))]
        rows.append(element("tr", element("th", label, scope="row"), cells))
    kinds = {_kind(f, code) for code in range(1 << f.k)}
    legend = joined(
        [
            element(
                "span",
                name,
                style=f"background:{colour}{'66' if name == 'normal' else ''};padding:1px 7px;margin-right:6px",
            )
            for name, colour in COLOURS.items()
            if name in kinds
        ]
    )
    return joined(element("table", head, rows, class_="map"), element("p", legend))


def _kind(f: Format, code: int) -> str:
    """The entry of the legend."""
    x = unpack(code, f)
    kind = "NaN" if x.is_nan else "infinity" if not x.is_finite else class_name(code, f).split()[-1]
    return kind if kind in COLOURS else "normal"


def _cell(f: Format, code: int) -> Markup:
    x, name = unpack(code, f), class_name(code, f)
    colour = COLOURS[_kind(f, code)]
    if colour == COLOURS["normal"]:  # the larger, the stronger
        magnitude = (code & f.magnitude_mask) / f.magnitude_mask
        colour += f"{round(20 + 120 * magnitude):02X}"
    value = "NaN" if x.is_nan else value_text(x)
    shown = value if len(value) <= 9 else f"{float(x.value):+.3g}" if x.is_finite else value
    if x.is_finite and x.value:
        shown = shown.removeprefix("+")  # which would crowd the cells
    return element("td", shown, title=f"{code_text(code, f.k)} {value} {name}", style=f"background:{colour}")
