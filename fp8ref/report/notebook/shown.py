"""Which object shows as what: the one door of ``fp8ref.display``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...arrays.conversion import decode
from ...check.identify.identify import Identification
from ...check.verdict import Finding, Verdict
from ...escapes import plain_data
from ...spec.scaling.named import short_text
from ..findings.identification import page as identification_page
from ..findings.siblings import causes
from ..runs import text
from .formats import code_map, format_html
from .markup import Markup, element, lines, piece, table

MOST_ROWS, MOST_ELEMENTS, MOST_FINDINGS, MOST_OPERATIONS = 16, 32, 8, 60
GOOD, OPEN = (Verdict.PASS,), (Verdict.ALLOWED, Verdict.UNDECIDED, Verdict.UNSUPPORTED, Verdict.XFAIL)


def shown_html(kind: str, shown: Any) -> str | None:
    """An object as a piece of HTML; None for a kind that none is known of."""
    make = KINDS.get(kind)
    return None if make is None else str(make(shown))


def page_html(shown: Any) -> Markup:
    return piece(lines(shown.text))


def finding_html(finding: Finding) -> Markup:
    return piece(lines(text.drawing(finding)))


def codes_html(shown: Any) -> Markup:
    """A code table: the map of a narrow format, what its text says of a wider one."""
    return piece(code_map(shown.format)) if shown.format.k <= 8 else piece(lines(repr(shown)))


def run_html(report: Any) -> Markup:
    """A report of ``fp8ref.judge``: who, the verdict, a table of operations, the smallest case of each cause."""
    header, operations = plain_data(dict(report.header)), report.operations
    style = (
        "good" if report.verdict == "conforms" else "open" if report.verdict in ("undecided", "unsupported") else "bad"
    )
    head = element("p", text.heading(header), " ", element("span", report.verdict, class_=style))
    worst = sorted(operations, key=lambda r: (r.verdict in GOOD, r.verdict in OPEN))
    rows = [
        (
            r.op,
            f"{r.cases}",
            f"{sum(r.allowed.values()) or ''}",
            f"{r.failed or ''}",
            _verdict(r.verdict),
            text.remark(r),
        )
        for r in worst[:MOST_OPERATIONS]
    ]
    names = ("operation", "cases", "allowed", "fail", "verdict", "")
    more = len(operations) - MOST_OPERATIONS
    found = causes(operations)
    drawn = [lines(text.cause_block(cause, {"impl": header["impl"]})) for cause in found[:MOST_FINDINGS]]
    rest = [f"{more} more operations"] if more > 0 else []
    rest += [f"{len(found) - MOST_FINDINGS} more causes"] if len(found) > MOST_FINDINGS else []
    last = element("p", "; ".join([text.summary(operations), *rest]))
    return piece(head, table(names, rows, numbers=(1, 2, 3)), drawn, last)


def identification_html(found: Identification) -> Markup:
    return piece(lines(identification_page(found, {})))


def _verdict(verdict: Verdict) -> Markup:
    return element("span", verdict.value, class_="good" if verdict in GOOD else "open" if verdict in OPEN else "bad")


def scaled_html(x: Any) -> Markup:
    """Blocks with their scales: a heat map of codes, darker where the magnitude is larger."""
    what = short_text(x.recipe) if x.recipe is not None else f"{x.scheme.name}, rule {x.rule}"
    shape = " x ".join(map(str, x.codes.shape))
    tensor = "" if x.tensor_scale is None else f"; tensor scale {x.tensor_scale:g}"
    head = element("p", f"{shape} codes of {x.scheme.element}, {what}, {x.block} elements a block{tensor}")
    codes, scales = (np.moveaxis(array, x.axis, -1) for array in (x.codes, x.multipliers))
    codes, scales = (
        array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1) for array in (codes, scales)
    )
    values = np.abs(decode(codes, x.scheme.element).astype(np.float64))
    top = float(np.max(values, where=np.isfinite(values), initial=0.0)) or 1.0
    rows = []
    for i in range(min(MOST_ROWS, len(codes))):
        shown = [f"{s:.4g}" for s in scales[min(i, len(scales) - 1)][:4]]
        cells = [
            element("td", f"{code:02X}", title=f"{value:g}", style=f"background:#0072B2{_strength(value, top):02X}")
            for code, value in zip(codes[i, :MOST_ELEMENTS], values[i])
        ]
        rows.append(element("tr", element("th", ", ".join(shown), scope="row"), cells))
    left = len(codes) > MOST_ROWS or codes.shape[1] > MOST_ELEMENTS
    note = f"the first {MOST_ROWS} rows of {MOST_ELEMENTS} elements and 4 scales" if left else "scales, then codes"
    return piece(head, element("table", rows, class_="map"), element("p", note))


def _strength(value: float, top: float) -> int:
    return 16 + round(176 * value / top) if np.isfinite(value) else 255


KINDS: Mapping[str, Callable[[Any], Markup]] = {
    "format": format_html, "codes": codes_html, "page": page_html, "finding": finding_html, "run": run_html,
    "scaled": scaled_html, "identification": identification_html,
}  # fmt: skip
