"""Judge what came back from a device, anywhere: tables in Markdown, and the set that is shipped.

    python tools/captures/hopper/judge.py FOLDER [-o REPORT.md] [--every 1] [--pack vectors/captures]

FOLDER holds what ``session.py`` wrote, packed or not.  The page "What an H100 computes" goes into REPORT.md, or into
``what-it-computes.md`` in FOLDER.  Files that cannot be read are named, the others are judged.  Exit codes: 0 every
model agrees, 1 not so, 4 something could not be read, 5 there is nothing to judge.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import judge_dots
import judge_functions
import judge_shapes
import judge_units
import pack

from fp8ref.check.run import Request, Run
from fp8ref.cli.meter import metered
from fp8ref.fast.chunks import set_threads

AGREES, DISAGREES, UNREADABLE, NOTHING = 0, 1, 4, 5
PASSING = ("pass", "allowed")


def unpacked(folder: Path, into: Path) -> list[str]:
    """Unpack every archive; what is damaged is said."""
    said = []
    for path in sorted(folder.rglob("*.tar")):
        try:
            with tarfile.open(path) as archive:
                for member in archive:  # one by one: of a torn archive the beginning is good
                    archive.extract(member, into / path.parent.relative_to(folder) / path.stem, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            said.append(f"{path.name}: damaged: {error}")
    return said


def replayed(path: Path) -> list[tuple[str, str, int, int, str]]:
    """Operation, verdict, cases, failed and reason of a capture."""
    name = str(path).replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")
    with Run(Request(f"replay:{name}")) as run:
        return [
            (r.op, r.verdict.value, r.cases, r.failed, r.findings[0].diagnosis.sentence if r.findings else r.reason)
            for r in run.reports()
        ]


def attempt(judge: Callable[[Any], Any], one: Any) -> tuple[Any, str]:
    """What is found in a file or a part of it, or why it cannot be read."""
    try:
        return judge(one), ""
    except (ValueError, OSError, KeyError, TypeError, IndexError) as error:
        path = one if isinstance(one, Path) else one[0]
        return None, f"{path.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


class Report:
    """Sections in Markdown, and what was wrong on the way."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.sections: list[str] = []
        self.models: list[str] = []
        self.unread: list[str] = []
        self.judged = 0
        self.disagree = 0

    def each(self, what: str, paths: list[Any], judge: Callable[[Any], Any]) -> list[Any]:
        """What is found in files, or in parts of them; those that cannot be read are named."""
        answers = []
        with ProcessPoolExecutor(self.jobs) as pool, metered(what, "piece", 0) as tick:
            for answer in pool.map(attempt, repeat(judge), paths):
                answers.append(answer)
                tick(len(answers), len(paths))
        self.unread += [complaint for _, complaint in answers if complaint]
        found = [result for result, complaint in answers if not complaint]
        self.judged += len(found)
        return found

    def say_source(self, source: Mapping[str, str]) -> None:
        """Remember the device for the title."""
        self.models.append(source.get("model") or source.get("device") or source.get("name", "a device"))

    def add(self, title: str, *texts: str) -> None:
        self.sections += [f"## {title}", *texts]

    def parts(
        self, what: str, paths: list[Path], split: Callable[[Path], Any], judge: Callable[[Any], Any]
    ) -> list[Any]:
        """What is found in the parts of files, which are judged side by side."""
        every: list[Any] = []
        for path in paths:
            some, complaint = attempt(split, path)
            every += some or []
            self.unread += [complaint] if complaint else []
        return self.each(what, every, judge)

    @property
    def text(self) -> str:
        models = " and ".join(dict.fromkeys(self.models)) or "a device"
        parts = [f"# What {models} computes", *self.sections]
        if self.unread:
            parts += ["## Not read", "\n".join(f"- {line}" for line in self.unread)]
        return "\n\n".join(parts) + "\n"

    @property
    def code(self) -> int:
        if self.unread:
            return UNREADABLE
        return NOTHING if not self.judged else DISAGREES if self.disagree else AGREES


def judged(folder: Path, every: int = 1, jobs: int = 1) -> Report:
    """Everything in a folder, in so many processes."""
    report = Report(jobs)
    captured = sorted(folder.rglob("*.jsonl.gz"))
    _open_questions(report, captured)
    _sweeps(report, folder)
    _dots(report, folder, every)
    _shapes(report, folder)
    _functions(report, folder)
    _replays(report, captured)
    return report


def _open_questions(report: Report, captured: list[Path]) -> None:
    found = report.each("open questions", captured, judge_units.questions_of)
    answered = [a for some in found for a in some]
    if answered:
        report.add("Open questions", judge_units.questions_table(answered))


def _sweeps(report: Report, folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*.blocks") if path.parent.name == "sweep")
    found = report.parts("every input", paths, judge_units.conversions_of, judge_units.swept)
    if found:
        report.say_source(found[0].source)
        report.disagree += sum(bool(s.differ) for s in found)
        report.unread += [complaint for s in found for complaint in s.complaints]
        report.add("Every input of a conversion", judge_units.sweep_table(found))


def _dots(report: Report, folder: Path, every: int) -> None:
    drawn = sorted(folder.rglob("dot_*.blocks"))
    found = report.each("drawn products", drawn, partial(judge_dots.judge, every=every))
    if found:
        report.disagree += sum(not j.agrees for j in found)
        report.say_source(found[0].source)
        devices = dict.fromkeys(", ".join(f"{k} {v}" for k, v in j.source.items()) for j in found)
        report.add("Drawn products", *devices, judge_dots.table(found), judge_dots.classes_table(found))
        report.add("What the answers say by themselves", judge_dots.questions_table(found))
        report.sections += [f"```text\n{j.page}\n```" for j in found if j.page]
        report.unread += [f"{j.op.id}: {complaint}" for j in found for complaint in j.complaints]
        report.unread += [f"{j.op.id}: {j.torn} bytes of a torn record" for j in found if j.torn]


def _shapes(report: Report, folder: Path) -> None:
    for source, some, torn in report.each("shapes", sorted(folder.rglob("shapes*.blocks")), judge_shapes.judge):
        report.disagree += sum(bool(e.nearest) for e in some)
        report.add(
            "Matrix products by shape", ", ".join(f"{k} {v}" for k, v in source.items()), judge_shapes.table(some)
        )
        report.sections += filter(None, [judge_shapes.algorithms(some)])
        report.unread += [f"shapes: {torn} bytes of a torn record"] * bool(torn)


def _functions(report: Report, folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*.blocks") if path.parent.name == "functions")
    found = report.parts("functions", paths, judge_functions.functions_of, judge_functions.computed)
    if found:
        report.say_source(found[0].source)
        report.unread += [complaint for c in found for complaint in c.complaints]
        report.add("Approximate functions and quotients", judge_functions.functions_table(found))
    for attended in report.each("attention", sorted(folder.rglob("attention.blocks")), judge_functions.attention_of):
        source = ", ".join(f"{k} {v}" for k, v in attended.source.items())
        report.add("Attention", source, judge_functions.attention_table(attended))


def _replays(report: Report, captured: list[Path]) -> None:
    rows = ["| operation | verdict | cases | failed | |", "| --- | --- | ---: | ---: | --- |"]
    for reports in report.each("captures", captured, replayed):
        for op, verdict, cases, failed, reason in reports:
            report.disagree += verdict not in PASSING
            rows.append(f"| `{op}` | {verdict} | {cases:,} | {failed:,} | {reason} |")
    if len(rows) > 2:
        report.add("Captures", "\n".join(rows))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--every", type=int, default=1, help="look at one in so many blocks that are digests alone")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="write the set that is shipped")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; default: one for each core")
    given = parser.parse_args(arguments)
    set_threads(1)
    if not given.folder.is_dir():
        print(f"{given.folder} is no folder", file=sys.stderr)
        return UNREADABLE
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        said = unpacked(given.folder, here)
        for path in given.folder.rglob("*"):  # what is not packed is judged in place
            if path.name.endswith((".blocks", ".jsonl.gz")) and path.is_file():
                (here / "loose" / path.parent.name).mkdir(parents=True, exist_ok=True)
                (here / "loose" / path.parent.name / path.name).symlink_to(path.resolve())
        report = judged(here, given.every, given.jobs)
        report.unread += said
        if given.pack is not None:
            try:
                files = pack.pack(here, given.pack)
                total = sum(path.stat().st_size for path in files)
                print(f"{len(files)} files of {total:,} bytes in {given.pack}", file=sys.stderr)
            except (pack.Refused, ValueError) as error:
                report.unread.append(f"nothing is packed: {error}")
    output = given.output or given.folder / "what-it-computes.md"
    output.write_text(report.text, encoding="utf-8")
    print(f"{output}: {report.judged} parts judged, {report.disagree} disagree, {len(report.unread)} complaints")
    return report.code


if __name__ == "__main__":
    sys.exit(main())
