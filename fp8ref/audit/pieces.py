"""An audit in pieces: tensors that are judged together, each piece a task that any process on any machine can do.

What comes of a piece depends on the files and on nothing else, so that the document is the same whoever did it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..engines import Engine, EngineError, Journal, Task, run
from ..engines.task import Result, compact
from ..errors import Unreadable
from ..report.audits.heat import Heat
from ..report.audits.page import Pictures
from .files.stored import BadFile
from .kinds import KINDS, Finding
from .run import Audit, Judged, Progress, begin, end, judged

SIZE = 1 << 25  # bytes of codes up to which small tensors share a piece
FUNCTION = "fp8ref.audit.pieces:piece"


def identity(found: Audit) -> str:
    """What stands in the files: SHA-256 of the names, types, shapes and places of all tensors, and of the configs."""
    digest = hashlib.sha256()
    for files in (found.files, found.original):
        if files is None:
            continue
        digest.update(compact([files.config, files.metadata]).encode())
        for t in files.tensors.values():
            digest.update(compact([t.name, t.kind, list(t.shape), t.place, t.bytes]).encode())
    return digest.hexdigest()


def stamps(found: Audit) -> list[list[Any]]:
    """Names, sizes and times of the files, which a run that goes on must find as they were."""
    every = [path for files in (found.files, found.original) if files for path in files.sources]
    return [[str(path), about.st_size, about.st_mtime_ns] for path in every for about in [path.stat()]]


def plan(found: Audit, drawn: bool) -> list[Task]:
    """The pieces, in the order of the file.  ``drawn``: with pictures for the page."""
    about = {
        "path": str(Path(found.files.path).absolute()),
        "original": str(Path(found.original.path).absolute()) if found.original else None,
        "identity": identity(found), "drawn": drawn,
    }  # fmt: skip
    sizes = {t.name: t.codes.bytes for t in found.seen.tensors}
    tasks, names = [], []
    for unit in _units(found):
        names += unit
        if sum(sizes[name] for name in names) >= SIZE:
            tasks.append(Task(FUNCTION, {**about, "tensors": names}))
            names = []
    return [*tasks, Task(FUNCTION, {**about, "tensors": names})] if names else tasks


def _units(found: Audit) -> Iterator[list[str]]:
    """Names of tensors that are judged together: under a scale of the tensor that they share, or alone."""
    shared: dict[object, list[str]] = defaultdict(list)
    for t in found.seen.tensors:
        shared[t.shares or t.name].append(t.name)
    yield from shared.values()


def piece(argument: dict[str, Any]) -> Result:
    """Judge some tensors: the task of a worker."""
    try:
        found = _opened(argument["path"], argument["original"], argument["identity"])
        done = judged(found, argument["tensors"])
        return {"tensors": [_written(j, argument["drawn"]) for j in done]}
    except BadFile as error:
        return {"unreadable": str(error)}


@lru_cache(maxsize=2)
def _opened(path: str, original: str | None, known: str) -> Audit:
    found = begin(path, original)
    if identity(found) != known:
        raise BadFile(path, "other tensors stand there than when the audit began, or on the machine where it did")
    return found


def _written(j: Judged, drawn: bool) -> Result:
    from .pictures.maps import pictured

    return {
        "body": j.body, "findings": [[f.kind, f.text, f.at] for f in j.tensor.findings], "recipes": j.recipes,
        "fingerprint": j.fingerprint, "layout": j.tensor.grid.layout, "drawn": asdict(pictured(j)) if drawn else None,
    }  # fmt: skip


def _read(found: Audit, written: Result) -> Judged:
    """A judged tensor from what a piece says of it.  Raises LookupError, TypeError, ValueError for anything else."""
    body, recipes = written["body"], [str(name) for name in written["recipes"]]
    t = found.by_name[body["name"]]
    rows = {row.name: row for row in (*t.also, t.convention)}
    kinds = [Finding(kind, str(text), str(at)) for kind, text, at in written["findings"] if KINDS[kind]]
    tensor = replace(
        t, convention=rows[body["convention"]], grid=replace(t.grid, layout=str(written["layout"])), findings=kinds
    )
    if not {"format", "granularity", "layout", "shape", "recipes", "scales", "codes"} <= body.keys():
        raise ValueError("a part of the answer is missing")
    return Judged(tensor, body, recipes, str(written["fingerprint"]), pictures=_pictures(written["drawn"]))


def _pictures(drawn: Any) -> Pictures | None:
    if drawn is None:
        return None
    heats = {key: Heat(**drawn[key]) if drawn[key] else None for key in ("scales", "error")}
    return Pictures([int(n) for n in drawn["counts"]], int(drawn["bits"]), heats["scales"], heats["error"])


def audit_in_pieces(
    found: Audit, engine: Engine, journal: Journal | None = None, drawn: bool = False, progress: Progress | None = None
) -> None:
    """Fill in an audit that was begun.  ``journal``: keeps what is done.  ``drawn``: with pictures for the page.

    Raises Unreadable where a file cannot be read any more, EngineError, and what the journal raises.
    """
    sizes = {t.name: t.codes.bytes for t in found.seen.tensors}
    total, done = sum(sizes.values()), 0
    held: dict[str, Judged] = {}

    def read(result: Result) -> list[Judged]:
        return [_read(found, one) for one in result["tensors"]]

    for task, result in run(engine, plan(found, drawn), journal, read):
        if "unreadable" in result:
            raise Unreadable(str(result["unreadable"]))
        names = task.argument["tensors"]
        held |= {j.tensor.name: j for j in read(result)}
        done += sum(sizes[name] for name in names)
        if progress is not None:
            progress(names[-1], done, total)
    if len(held) != len(sizes):
        raise EngineError("a worker answered for other tensors than it was asked")
    found.judged = [held[t.name] for t in found.seen.tensors]
    end(found)
