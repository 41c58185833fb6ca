"""The formats gallery: parameters, codes, names, pictures and value tables, computed from ``fp8ref.spec``."""

from __future__ import annotations

from pathlib import Path

import md
import pictures

from fp8ref.report.findings.neighbours import code_text
from fp8ref.report.formats.format_page import census, format_page, infinity_codes, nan_ranges
from fp8ref.report.formats.numbers import decimal_text
from fp8ref.report.notebook.formats import code_map
from fp8ref.report.notebook.markup import STYLE
from fp8ref.spec import Format, aliases, formats
from fp8ref.spec.catalog import P3109
from fp8ref.spec.datum import floor_log2, power_of_two

COLUMNS = ("format", "k", "p", "t", "w", "bias", "emin", "emax", "max", "min normal", "smallest", "inf", "NaN", "-0")
NUMBERS = range(1, 11)


def pages(docs: Path) -> dict[str, str]:
    listed = [f for f in formats() if f.source != P3109]
    family = [f for f in formats() if f.source == P3109]
    drawn = pictures.draw([f for f in listed if f.k <= 8], list(pictures.KINDS), docs)
    drawn |= pictures.draw([f for f in family if f.k == 8], ["number-line"], docs)
    return {
        "formats/overview.md": md.table(COLUMNS, [row(f, link=True) for f in listed], NUMBERS),
        "formats/thumbnails.md": thumbnails(listed, drawn),
        **{f"../format/{f.name}.md": page(f, drawn.get(f.name, ())) for f in listed},
        "formats/p3109.md": "\n".join(by_width(family, k, drawn) for k in sorted({f.k for f in family}, reverse=True)),
    }


def row(f: Format, link: bool = False) -> list[str]:
    fields = [str(f.bias), str(f.emin), str(f.emax)] if not f.fixed_point else ["", "", str(f.emax)]
    return [
        f"[{f.name}](format/{f.name}.md)" if link else md.code(f.name),
        *map(str, (f.k, f.p, f.t, f.w)),
        *fields,
        size(f.max),
        "" if f.fixed_point else size(f.min_normal),
        size(f.min_subnormal),
        "yes" if f.infinities else "",
        f"{n}" if (n := census(f).get("NaN", 0)) and n <= 1024 else "many" if n else "",
        "yes" if f.has_negative_zero else "",
    ]


def size(x: object) -> str:
    """A value in decimal where that is short, else as a power of two or rounded."""
    from fractions import Fraction

    assert isinstance(x, Fraction)
    e = floor_log2(x)
    return f"2^{e}" if x == power_of_two(e) and not -4 < e < 10 else decimal_text(x, 7, 5)


def thumbnails(listed: list[Format], drawn: dict[str, tuple[str, ...]]) -> str:
    """A grid of pictures, each leading to the page of its format."""
    cards = []
    for f in listed:
        paths = drawn.get(f.name, ())
        picture = f'<img src="{_image(paths[0])}" alt="number line of {f.name}" loading="lazy">' if paths else ""
        said = f"{f.k} bits, to {size(f.max)}"
        cards.append(f'<a href="format/{f.name}.html">{picture}<strong>{f.name}</strong><span>{said}</span></a>')
    hidden = "\n".join(["```{toctree}", ":hidden:", "", *(f"format/{f.name}" for f in listed), "```", ""])
    # pictures that only raw HTML names are copied where Markdown names them, too: on the pages of the formats
    return md.fence("\n".join(['<div class="fp8ref-cards">', *cards, "</div>"]), "{raw} html") + "\n" + hidden


def _image(path: str) -> str:
    return f"_images/{Path(path).name}"


def page(f: Format, drawn: tuple[str, ...]) -> str:
    """One format: its definition, its parameters, its codes by value and class, its names, pictures, values."""
    codes_map = []
    if f.k <= 8:
        colours = "".join(code_map(f))
        codes_map = [
            "## Its codes\n",
            "The first hexadecimal digit gives the row, the second the column. Colours show the class; larger normal "
            "numbers are stronger. Point at one to see its value.\n",
            md.fence(f'<style>{STYLE}</style><div class="fp8ref fp8ref-scroll">{colours}</div>', "{raw} html"),
        ]
    parts = [
        f"({f.name})=\n# {f.name}\n",
        f"{f.source}\n",
        md.table(["", ""], parameters(f)),
        *codes_map,
        "## Its values\n" if drawn else "",
        "".join(f"![{caption(f, path)}]({_beside(path)})\n\n" for path in drawn),
        md.folded(f"fp8ref show {f.name}", format_page(f)),
        f"Every conversion into it: type a number in [the explorer](../explorer.md). "
        f"In a terminal: `fp8ref show {f.name} --from 0.1`.\n",
    ]
    return "\n".join(part for part in parts if part)


def _beside(path: str) -> str:
    """A picture's path from a page of one format."""
    return f"../{path}"


def parameters(f: Format) -> list[list[str]]:
    """The parameters of a format as rows of two cells."""
    rows = [("code width k", f"{f.k} bits"), ("precision p, trailing significand t", f"{f.p}, {f.t} bits")]
    if not f.fixed_point:
        rows += [
            ("exponent field w, bias", f"{f.w} bits, {f.bias}"),
            ("emin, emax", f"{f.emin}, {f.emax}"),
        ]
    rows.append(("largest finite value", f"{decimal_text(f.max)} at `{code_text(f.max_code, f.k)}`"))
    if not f.fixed_point and f.zero:
        rows.append(("smallest normal", f"{decimal_text(f.min_normal)} = 2^{f.emin}"))
    if f.has_subnormals:
        rows.append(("smallest subnormal", f"{decimal_text(f.min_subnormal)} = 2^{f.emin - f.t}"))
    if not f.zero:
        rows.append(("smallest value", f"{decimal_text(f.min_subnormal)} = 2^{f.emin} at `{code_text(0, f.k)}`"))
    zeros = ([0] if f.zero else []) + ([f.sign_bit] if f.has_negative_zero else [])
    rows.append(("zeros", codes(zeros, f)))
    rows.append(("infinities", codes(infinity_codes(f), f)))
    spans = [code_text(a, f.k) if a == b else f"{code_text(a, f.k)} to {code_text(b, f.k)}" for a, b in nan_ranges(f)]
    canonical = "" if f.nan_canonical is None else f"; canonical `{code_text(f.nan_canonical, f.k)}`"
    rows.append(("NaN", (", ".join(map(md.code, spans)) or "none") + (canonical if spans else "")))
    names = aliases(f)
    if names:
        rows.append(("other names", ", ".join(map(md.code, names))))
    return [[what, text] for what, text in rows]


def codes(found: list[int], f: Format) -> str:
    return ", ".join(md.code(code_text(c, f.k)) for c in found) or "none"


def caption(f: Format, path: str) -> str:
    kind = Path(path).stem.removeprefix(f.name).strip("-").replace("-", " ")
    return f"{kind} of {f.name}"


def by_width(family: list[Format], k: int, drawn: dict[str, tuple[str, ...]]) -> str:
    """The P3109 formats of one width: their table, then each with its values drawn."""
    these = [f for f in family if f.k == k]
    parts = [f"## {k} bits\n", md.table(COLUMNS, [row(f) for f in these], NUMBERS)]
    for f in these:
        parts += [f"![{caption(f, path)}]({path})\n" for path in drawn.get(f.name, ())]
        parts.append(md.folded(f"fp8ref show {f.name}", format_page(f)))
    return "\n".join(parts)
