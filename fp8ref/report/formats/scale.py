"""Number lines for a terminal: the values of a format on a logarithmic scale, and one value between its neighbours."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

from ...spec.datum import floor_log2, power_of_two
from ...spec.formats import Format
from ..findings.neighbours import Neighbours, code_text, short_value
from .numbers import decimal_text

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " ..:::|||"


class LogScale:
    """Columns of a logarithmic axis over the positive values: equal parts of binades, or groups of whole binades."""

    def __init__(self, f: Format, width: int) -> None:
        self.f = f
        self.lowest = floor_log2(f.min_subnormal)
        binades = f.emax - self.lowest + 1
        self.parts = 1 << ((width // binades).bit_length() - 1) if binades <= width else 1
        self.group = -(-binades // width)
        self.columns = -(-binades * self.parts // self.group)

    def column(self, value: Fraction) -> int:
        """The column of a positive value."""
        e = floor_log2(value)
        part = int(self.parts * math.log2(value / power_of_two(e)))
        return ((e - self.lowest) * self.parts + part) // self.group

    def counts(self) -> list[int]:
        """How many values of the format lie in each column."""
        found = [0] * self.columns
        for e in range(self.lowest, self.f.emax + 1):
            ulp = power_of_two(self.f.quantum_exponent(e))
            size = int(power_of_two(e) / ulp)  # the ulps in a whole binade; the top one may end early
            last = min(2 * size - 1, int(self.f.max / ulp)) - size
            edges = [math.ceil(size * (2 ** (part / self.parts) - 1)) for part in range(self.parts + 1)]
            for part, (a, b) in enumerate(pairwise(edges)):
                column = ((e - self.lowest) * self.parts + part) // self.group
                found[column] += max(0, min(b, last + 1) - a)
        return found


def log_scale(f: Format, width: int, unicode: bool = True) -> str:
    """How dense the positive values lie: bars over a logarithmic axis, labelled at the values that matter."""
    scale = LogScale(f, width)
    counts = scale.counts()
    blocks, line, tick = (BLOCKS, "─", "┴") if unicode else (ASCII_BLOCKS, "-", "+")
    counts = counts[: scale.column(f.max) + 1]
    bars = "".join(blocks[-(-8 * n // max(counts))] for n in counts)
    axis, labels = [line] * len(counts), [" "] * width
    for value in (f.min_subnormal, f.max, Fraction(1), f.min_normal):
        if not f.min_subnormal <= value <= f.max:
            continue
        text, column = short_value(value), scale.column(value)
        start = max(0, min(column, width - len(text)))
        if all(c == " " for c in labels[max(0, start - 2) : start + len(text) + 2]):
            axis[column] = tick
            labels[start : start + len(text)] = text
    return "\n".join("  " + row.rstrip() for row in (bars, "".join(axis), "".join(labels)))


SPAN = 61  # columns between two neighbours: odd, so that a tie has a column of its own
MARGIN = 8


def value_line(n: Neighbours, unicode: bool = True) -> str:
    """A value between its neighbours, to scale: codes above the line, values below, the value itself last.

    A value that has a code of its own stands between the next ones below and above; the mark between two neighbours is
    the tie.  A value closer to a mark than one column is drawn one column beside it.
    """
    left, line, half, right, dot = "├─┴┤●" if unicode else "|-+|o"
    points: dict[Fraction, int | None] = {n.inner: n.inner_code, n.outer: n.outer_code}
    if n.is_exact and n.before is not None:
        points |= dict([n.before])
    x, tie, low, high = n.x.value, (n.inner + n.outer) / 2, min(points), max(points)

    def column(value: Fraction) -> int:
        return MARGIN + round((value - low) / (high - low) * (SPAN - 1))

    at = column(x)
    axis = [" "] * MARGIN + [line] * SPAN
    for value in points:
        axis[column(value)] = left if value == low else right if value == high else line
    if x not in points:
        axis[column(tie)] = half
        if x < tie:
            at = min(max(at, MARGIN + 1), column(tie) - 1)
        elif x > tie:
            at = max(min(at, MARGIN + SPAN - 2), column(tie) + 1)
    axis[at] = dot
    rows = [
        _labels({column(v): code_text(c, n.f.k) if c is not None else "no code" for v, c in points.items()}),
        "".join(axis),
        _labels({column(v): short_value(v) for v in points}),
    ]
    if x not in points:
        decimal = decimal_text(x)
        rows.append(_labels({at: (short_value(x) if "e" in decimal else decimal) + (", a tie" if x == tie else "")}))
    return "\n".join("  " + row for row in rows)


def _labels(labels: dict[int, str]) -> str:
    """Texts centred on columns of one line."""
    row = ""
    for column, text in sorted(labels.items()):
        start = max(column - len(text) // 2, len(row) + 1 if row else 0)
        row = f"{row:<{start}}{text}"
    return row
