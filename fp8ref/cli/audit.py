"""``fp8ref audit``: which convention and recipe made the quantised tensors of a model file, and where it breaks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from ..audit.kinds import KINDS
from ..audit.pieces import audit_in_pieces, identity, stamps
from ..audit.run import Audit, begin
from ..engines import EngineError, Journal, NoRoom, open_engine
from ..errors import Unreadable
from ..escapes import json_text, one_line, plain, shell
from ..report.audits.text import audit_page
from . import engine as engines
from .console import print_json
from .errors import BadInput, OneLine
from .files import require_form, require_free, write
from .say import say, status

FAULTY = 1
PATIENCE = 2.0  # seconds after which a line says how far it is
NOT_STARTED = 6
SMALL = 1 << 25  # bytes of codes for which no other process is started


@click.command("audit", cls=OneLine)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--original", type=click.Path(path_type=Path), help="The weights that were quantised: a file or folder of any form."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, fp8ref/audit/1.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Also write a page with heat maps and code usage.",
)  # fmt: skip
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the JSON document there; a killed run can be resumed.",
)
@click.option(
    "--resume",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Continue the unfinished run that was to write FILE.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@engines.engine_options
def audit_(
    path: Path,
    original: Path | None,
    as_json: bool,
    page: Path | None,
    output: Path | None,
    resume: Path | None,
    force: bool,
    jobs: int | None,
    engine: str,
    scheduler: str,
) -> None:
    """Which convention and recipe made a model's quantised tensors, and what is wrong?

    PATH is a safetensors file, an index of shards, a folder with a model, or a file of GGUF, ONNX, npz or torch
    (read with weights_only).  Scales and codes are compared with what the file declares.  With --original, also
    with the weights: which recipe gives every bit, and which codes are no rounding under the stored scale.

    \b
    fp8ref audit model.safetensors
    fp8ref audit Qwen3-8B-FP8/ --original Qwen3-8B/ --json
    fp8ref audit model.safetensors --html audit.html
    fp8ref audit DeepSeek-V3/ -o audit.json --engine dask --scheduler tcp://head:8786

    The findings do not depend on the number of processes or machines.

    Exit codes: 0 no fault, 1 a fault, 2 interrupted, 4 a file cannot be read, 6 no engine.
    """
    if resume is not None and output is not None:
        raise BadInput("--resume writes the file that it names: leave out --output")
    output = resume or output
    require_free(page, output, force=force)
    if page is not None:
        require_form("html")
    workers, engine = engines.chosen(jobs, engine, scheduler)
    found = begin(path, original)
    journal = _journal(found, output, page is not None, resume is not None, force)
    again = " ".join(
        ["fp8ref audit", shell(str(path)), *(["--original", shell(str(original))] if original else []),
         *(["--html", shell(str(page))] if page else []), "--resume", shell(str(output))]
    )  # fmt: skip
    _in_pieces(found, workers, engine, scheduler, journal, page is not None, output, again)
    document = found.document()
    files: dict[Path, str | bytes] = {} if output is None else {output: json_text(document) + "\n"}
    if page is not None:
        files[page] = _page(found, document)
    if files:
        write(files, force)
    if journal is not None:
        journal.remove()
    if as_json:
        print_json(document)
    else:
        say(audit_page(document))
    sys.exit(0 if found.clean else FAULTY)


def _journal(found: Audit, output: Path | None, drawn: bool, resumed: bool, force: bool) -> Journal | None:
    """Where finished pieces are kept.  BadInput where a run that is to go on began with other files."""
    if output is None:
        return None
    head = {
        "kind": "audit", "path": str(found.files.path), "drawn": drawn, "identity": identity(found),
        "original": None if found.original is None else str(found.original.path), "files": stamps(found),
    }  # fmt: skip
    if not resumed:
        return engines.begin(output, head, force)
    journal = engines.resume(output, "audit")
    for name, what in (("path", "PATH"), ("original", "--original"), ("drawn", "--html")):
        if journal.head.get(name) != head[name]:
            raise BadInput(f"{journal.path} began with {what} {journal.head.get(name)!r:.120}, not {head[name]!r:.120}")
    if (journal.head.get("identity"), journal.head.get("files")) != (head["identity"], head["files"]):
        raise BadInput(f"the files changed after the run of {output} began: start it again with --force")
    return journal


def _in_pieces(
    found: Audit, workers: int, engine: str, scheduler: str, journal: Journal | None, drawn: bool,
    output: Path | None, again: str,
) -> None:  # fmt: skip
    """Judge all tensors, with a line that says how far it is."""
    began = time.monotonic()

    def progress(name: str, done: int, total: int) -> None:
        spent = time.monotonic() - began
        if spent > PATIENCE and done:
            left = spent * (total - done) / done
            status(f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB, {left:.0f} s left, {one_line(name, 40)} ...")

    small = sum(t.codes.bytes for t in found.seen.tensors) < SMALL
    try:
        where = open_engine("serial" if engine == "processes" and small else engine, workers, scheduler)
        try:
            audit_in_pieces(found, where, journal, drawn, progress)
        finally:
            where.close()
    except Unreadable:
        if journal is not None:
            journal.remove()
        raise
    except EngineError as error:
        say(plain(str(error)), err=True)
        sys.exit(NOT_STARTED)
    except NoRoom as error:
        assert output is not None
        engines.no_room(output, error)
    except KeyboardInterrupt:
        if output is not None:
            say(f"{again} goes on", err=True)
        sys.exit(engines.INTERRUPTED)
    finally:
        status()


def _page(found: Audit, document: dict[str, Any]) -> str:
    from ..audit.pictures.maps import pictures
    from ..report.audits.page import html

    return html(document, pictures(found), {name: kind.about for name, kind in KINDS.items()})
