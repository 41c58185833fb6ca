"""The forms in which vectors are written: one row each.

A module is imported only when its form is asked for, so that a form may need a package that others do not.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..section import Block, Section

Sections = Iterable[tuple[Section, Iterator[Block]]]  # each section's blocks are taken before the next section
Writer = Callable[[Sections, IO[bytes]], None]
Exporter = Callable[[Sections, Path, bool], list[Path]]  # True replaces existing files
Reader = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True)
class Form:
    """One form of vector files.

    ``writes``: ``module:function`` in this package; for a form of one ``stream`` a :data:`Writer`, else an
    :data:`Exporter`, which writes one or more files beside the path it is given and returns them.  ``reads``: a
    function from a :class:`~fp8ref.vectors.source.Source` to an iterator of :class:`~fp8ref.vectors.source.Found`;
    empty where the form is only written.  ``pipes``: the writer into a pipe, where that is another one.
    """

    name: str
    suffix: str
    asks: str
    writes: str
    reads: str = ""
    stream: bool = True
    pipes: str = ""

    @property
    def pipe_writer(self) -> Writer:
        found: Writer = _resolve(self.pipes or self.writes)
        return found

    @property
    def writer(self) -> Writer:
        found: Writer = _resolve(self.writes)
        return found

    @property
    def exporter(self) -> Exporter:
        found: Exporter = _resolve(self.writes)
        return found

    @property
    def reader(self) -> Reader:
        if not self.reads:
            read = ", ".join(form.name for form in FORMS.values() if form.reads)
            raise ValueError(f"{self.name} is written only; {read} are read")
        found: Reader = _resolve(self.reads)
        return found


def _resolve(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(f"{__package__}.{module}"), name)


FORMS = {
    form.name: form
    for form in (
        Form("jsonl", ".jsonl", "JSON lines, the source of truth", "jsonl:write", "jsonl:read", pipes="jsonl:stream"),
        Form("testfloat", ".fpv", "TestFloat's lines with @ headers", "testfloat:write", "testfloat:read"),
        Form("memh", ".memh", "words for $readmemh, a sidecar and an SV package", "memh:write", "memh:read", False),
        Form("npz", ".npz", "numpy arrays without pickle", "npz:write", "npz:read", False),
        Form("parquet", ".parquet", "Parquet columns; needs pyarrow", "parquet:write", "parquet:read", False),
        Form("c-header", ".h", "a C header with the cases as tables", "c_header:write", "", False),
    )
}


def get_form(name: str) -> Form:
    """The form of a name.  Raises ValueError with the nearest name."""
    if name in FORMS:
        return FORMS[name]
    near = difflib.get_close_matches(name, FORMS, n=1, cutoff=0.4)
    raise ValueError(
        f"unknown form {name!r:.80}; " + (f"did you mean {near[0]}?" if near else f"choose from {', '.join(FORMS)}")
    )


def form_of(path: Path) -> Form | None:
    """The form that a file's suffix names, ``.gz`` taken off."""
    name = path.name.removesuffix(".gz")
    return next((form for form in FORMS.values() if name.endswith(form.suffix)), None)
