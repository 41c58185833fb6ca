"""Several runs in the terminal: a column an implementation, a row a question; a column is headed by its connectable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from ...check.outcome import Outcome
from ...check.verdict import Report, Verdict
from ..terminal import counted, folded, rows, shown
from .matrix import place_of, worst
from .text import ENDS, STYLES, counterexamples, heading, summary

QUIET = (Verdict.PASS, Verdict.ALLOWED)
SHOWN = 24  # rows: of more, those are shown in which somebody is not right
# the first of these that occurs is what several runs come to
WORST = (Outcome.INTERRUPTED, Outcome.ENDED, Outcome.FAILS, Outcome.OPEN, Outcome.CONFORMS)


@dataclass(frozen=True)
class Judged:
    """One of the runs; ``reports`` empty and ``header`` None where the implementation did not start, or has no such
    operation."""

    impl: str
    header: Mapping[str, Any] | None
    reports: Sequence[Report]
    ends: Outcome


def outcome_of(runs: Sequence[Judged]) -> Outcome:
    """What several runs come to: the worst of them."""
    return min((run.ends for run in runs), key=WORST.index)


def table(runs: Sequence[Judged], width: int, verbose: bool) -> Iterator[Text]:
    """The rows; where the columns do not fit side by side, the implementations stand below their question."""
    cells: dict[str, dict[int, list[Report]]] = {}
    for i, run in enumerate(runs):
        for report in run.reports:
            cells.setdefault(place_of(report.op).key, {}).setdefault(i, []).append(report)
    loud = {key for key, own in cells.items() if any(r.verdict not in QUIET for found in own.values() for r in found)}
    listed = list(cells) if verbose or len(cells) <= SHOWN else [key for key in cells if key in loud]
    heads = ["operation", *(run.impl for run in runs)]
    for brief in (False, True):
        lines: list[list[str | Text]] = [
            [
                key if brief else _question(key, cells[key]),
                *(_cell(cells[key].get(i, []), brief) for i in range(len(runs))),
            ]
            for key in listed
        ]
        widths = [max(map(len, column)) for column in zip(*[heads, *lines])]
        if sum(widths) + 2 * (len(widths) - 1) <= width:
            yield from rows(heads, lines, width)
            break
    else:
        names = max(len(run.impl) for run in runs)
        for key in listed:
            yield Text(folded(_question(key, cells[key]), width))
            for i, run in enumerate(runs):
                yield from rows(("", ""), [[f"    {run.impl:<{names}}", _cell(cells[key].get(i, []))]], width)
    if rest := len(cells) - len(listed):
        yield Text(f"and {counted(rest, 'operation')} in which nobody is wrong (--verbose lists them all)")


def _question(key: str, own: Mapping[int, Sequence[Report]]) -> str:
    modes = {report.op for found in own.values() for report in found}
    return modes.pop() if len(modes) == 1 else key


def _cell(reports: Sequence[Report], brief: bool = False) -> Text:
    if not reports:
        return Text("-", "dim")
    verdict = worst(reports)
    failed = sum(report.failed for report in reports if report.verdict is verdict)
    said = f"{verdict.value}{f' {failed}' if failed else ''}"
    if brief:
        return Text(said, STYLES[verdict])
    if len(reports) == 1:
        mode = place_of(reports[0].op).mode
        return Text(said, STYLES[verdict]) + Text(f"  {mode}" if mode else "", "dim")
    same = sum(report.verdict is verdict for report in reports)
    return Text(said, STYLES[verdict]) + Text(f"  {same} of {len(reports)} modes", "dim")


def render(console: Console, runs: Sequence[Judged], verbose: bool) -> None:
    """The table, a counterexample for each cause, the totals of each, and last what all come to."""
    width = console.width
    for run in runs:
        shown(console, [folded(heading(run.header) if run.header else f"{run.impl}: not judged", width)])
    shown(console, [""])
    shown(console, table(runs, width, verbose))
    for run in runs:
        if run.header is not None:
            counterexamples(console, run.header, run.reports, verbose)
    shown(console, [""])
    for run in runs:
        said = summary(run.reports, run.ends is not Outcome.INTERRUPTED, run.ends) if run.header else "not judged"
        shown(console, [folded(f"{run.impl}: {said}", width)])
    ends = outcome_of(runs)
    shown(console, [folded(last(runs), width)], ENDS.get(ends, "bold red"))


def last(runs: Sequence[Judged]) -> str:
    """What all come to."""
    ends = outcome_of(runs)
    same = sum(run.ends is ends for run in runs)
    said = {
        Outcome.CONFORMS: f"conforms: all {len(runs)} implementations",
        Outcome.FAILS: f"does not conform: {same} of {counted(len(runs), 'implementation')}",
        Outcome.OPEN: f"not judged, or undecided: {same} of {counted(len(runs), 'implementation')}",
        Outcome.ENDED: f"crashed, hung or did not start: {same} of {counted(len(runs), 'implementation')}",
        Outcome.INTERRUPTED: f"the run did not finish: {same} of {counted(len(runs), 'implementation')}",
    }
    return said[ends]
