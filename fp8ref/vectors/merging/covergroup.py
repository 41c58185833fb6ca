"""The coverage table of an operation as a SystemVerilog module, which a bench samples with the bins of each case.

Simulators with covergroups get one; Verilator, which has none, gets a cover property for every bin.  Either way a bin
keeps the name it has in the table, so that what a simulator counted merges with what the suite has.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..coverage.points import Point
from ..section import NONE, Coverpoint
from .database import short

SEPARATOR = "|"  # between an operation and a bin in the label of a cover property


def digits_of(points: Sequence[Coverpoint]) -> int:
    """Hexadecimal digits of a value's number; all of them set where a case is in no bin of the point."""
    return 2 if all(len(point.values) < 255 for point in points) else 4


def none_of(points: Sequence[Coverpoint]) -> int:
    return (1 << 4 * digits_of(points)) + NONE


def escaped(name: str) -> str:
    """A name with whatever characters as an escaped identifier of SystemVerilog, which ends with a space."""
    return f"\\{name} "


def members(points: Sequence[Coverpoint]) -> str:
    """The packed struct of a case's bins, the first point leftmost."""
    width = 4 * digits_of(points)
    fields = [f"    logic [{width - 1}:0] {escaped(point.name)};" for point in points]
    return "\n".join(["  typedef struct packed {", *fields, "  } bins_t;"])


def module(name: str, package: str, scope: str, points: Sequence[Point]) -> str:
    """The module that counts; a rising edge of ``sample`` counts one case."""
    width = 4 * digits_of([point.coverpoint for point in points])
    lines = [
        f"// Coverage of {scope}: a rising edge of sample counts the case whose bins are at hit.",
        f"module {name}",
        f"  import {package}::*;",
        "(",
        "    input logic sample,",
        "    input bins_t hit",
        ");",
        "`ifdef VERILATOR",
    ]
    for point in points:
        for i, value in enumerate(point.coverpoint.values):
            if value in point.missing:
                continue
            label = escaped(f"{short(scope)}{SEPARATOR}{point.coverpoint.name}={value}")
            asked = f"hit.{escaped(point.coverpoint.name)}== {width}'d{i}"
            lines.append(f"  {label}: cover property (@(posedge sample) {asked});")
    lines += [
        "`else",
        "  covergroup fp8ref_points @(posedge sample);",
        f'    option.name = "{scope}";',
        "    option.per_instance = 1;",
    ]
    for point in points:
        lines.append(f"    {escaped(point.coverpoint.name)}: coverpoint hit.{escaped(point.coverpoint.name)}{{")
        for i, value in enumerate(point.coverpoint.values):
            kind, why = ("ignore_bins", f"  // {point.missing[value]}") if value in point.missing else ("bins", "")
            lines.append(f"      {kind} {escaped(value)}= {{{i}}};{why}")
        lines.append("    }")
    lines += ["  endgroup", "  fp8ref_points counted = new;", "`endif", "endmodule", ""]
    return "\n".join(lines)
