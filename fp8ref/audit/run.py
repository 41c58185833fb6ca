"""One audit: files opened, tensors recognised and judged, and one document of it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..escapes import one_line, plain_data
from ..report.audits.page import Pictures
from ..version import __version__
from .against.arrange import arrange
from .against.compare import Against, compare
from .against.original import Original, find_original, top_of
from .against.verdicts import judge
from .allowed import by_file
from .conventions import FUSED, SATELLITES
from .files.folder import open_files
from .files.stored import FLOATS, Files
from .kinds import FAULT, Finding
from .recognise import Recognised, recognise
from .scan import Scan, scan
from .tensors import Quantised

SCHEMA = "fp8ref/audit/1"
NEIGHBOURS = 32  # tensors that are looked at for what belongs to another
# what is declared: the producers who declare it
OWN = {
    "compressed-tensors": ("compressed-tensors", "llm-compressor"), "modelopt": ("ModelOpt",), "quark": ("amd-quark",),
    "torchao": ("torchao",), "quanto": ("optimum-quanto",), "comfyui": ("ComfyUI", "convert-to-quant"),
    "auto-round": ("auto-round",), "fbgemm_fp8": ("FBGEMM",), "mxfp4": ("gpt-oss",),
}  # fmt: skip
Progress = Callable[[str, int, int], None]  # what is read, bytes so far, bytes in all


@dataclass
class Judged:
    """A tensor and what was found of it.

    ``body``: its part of the document, but for the findings.  ``fingerprint``: equal for tensors with the same codes,
    "" where that says nothing.  ``scan``, ``against``: where it was judged in this process: what it holds, and the
    comparison with its original.  ``pictures``: for the page, where they were asked for.
    """

    tensor: Quantised
    body: dict[str, Any]
    recipes: list[str]
    fingerprint: str = ""
    scan: Scan | None = None
    against: Against | None = None
    pictures: Pictures | None = None

    def document(self) -> dict[str, Any]:
        return {**self.body, "findings": [f.document() for f in self.tensor.findings]}


def _body(t: Quantised, s: Scan, recipes: list[str], against: Against | None) -> dict[str, Any]:
    """A tensor's part of the document, but for its findings."""
    scales: dict[str, Any] = {"by_recipe": None, "differ": None}
    codes: dict[str, Any] = {"rounded": None, "differ": None, "steps": None}
    more: dict[str, Any] = {}
    if against is not None:
        scales, codes, more = against.documents()
    scales |= {"format": t.scale_format, "smallest": s.smallest, "largest": s.largest}
    codes |= {"zeros": round(s.zeros, 6), "saturated": round(s.saturated, 6), "at_top": round(s.at_top, 6)}
    return {
        "name": t.name,
        "convention": t.convention.name,
        "format": t.element,
        "granularity": t.granularity,
        "layout": "; ".join(x for x in (f"scales {t.grid.layout}", f"codes {t.pack}" if t.pack else "") if x),
        "shape": list(t.shape),
        "recipes": recipes,
        "scales": scales,
        "codes": codes,
        **more,
    }


@dataclass
class Audit:
    """What an audit found."""

    files: Files
    seen: Recognised
    judged: list[Judged] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    original: Files | None = None

    @cached_property
    def by_name(self) -> dict[str, Quantised]:
        """The quantised tensors as they were recognised."""
        return {t.name: t for t in self.seen.tensors}

    @property
    def clean(self) -> bool:
        """No finding is a fault."""
        return all(f.severity != FAULT for f in self.everything())

    def everything(self) -> list[Finding]:
        return [*self.findings, *(f for j in self.judged for f in j.tensor.findings)]

    def document(self) -> dict[str, Any]:
        """The document ``fp8ref/audit/1``; every text in it is plain."""
        names = [j.tensor.convention.name for j in self.judged]
        usual = max(dict.fromkeys(names), key=names.count, default=None)
        books = {name: len(tensors) for name, tensors in self.seen.books.items()}
        if usual is None and books:
            usual = next(iter(books))
        return dict(
            plain_data(
                {
                    "schema": SCHEMA,
                    "fp8ref": __version__,
                    "path": one_line(str(self.files.path)),
                    "original": one_line(str(self.original.path)) if self.original else None,
                    "convention": usual,
                    "conventions": {name: names.count(name) for name in dict.fromkeys(names)},
                    "declared": self.seen.said.method,
                    "producers": self._producers(),
                    "code_books": books,
                    "others": len(self.seen.others),
                    "tensors": [j.document() for j in self.judged],
                    "findings": [f.document() for f in self.findings],
                    "clean": self.clean,
                }
            )
        )

    def _producers(self) -> list[str]:
        """Whose files look like this: those that are declared, or all that the table knows."""
        rows = {id(row): row for j in self.judged for row in (j.tensor.convention, *j.tensor.also)}
        found = list(dict.fromkeys(p for row in rows.values() for p in row.producers))
        own = OWN.get(self.seen.said.method or "", ())
        return [p for p in found if p in own] or found


def audit(path: str | Path, original: str | Path | None = None, progress: Progress | None = None) -> Audit:
    """Audit a file or a folder of a model, against its original weights where they are given, in this process.

    ``progress(text, bytes, of)`` is called as tensors are read.  Raises :class:`fp8ref.audit.files.stored.BadFile`, one
    line with the place, where one of them cannot be read.
    """
    found = begin(path, original)
    total = sum(t.codes.bytes for t in found.seen.tensors)
    done = 0

    def went(name: str, n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(name, min(done, total), total)

    found.judged = judged(found, list(found.by_name), went)
    end(found)
    return found


def begin(path: str | Path, original: str | Path | None = None) -> Audit:
    """Open the files of an audit and recognise the tensors.  Raises BadFile."""
    files = open_files(Path(path))
    return Audit(files, recognise(files), original=open_files(Path(original)) if original is not None else None)


def end(found: Audit) -> None:
    """What is found of all tensors together, after each was judged."""
    found.findings += found.seen.findings
    _satellites(found)
    _fused(found)
    _twins(found)
    for name, tensors in found.seen.books.items():
        found.findings.append(Finding("code-book", f"{len(tensors)} tensors of {name} are not judged", tensors[0]))


def judged(found: Audit, names: list[str], went: Callable[[str, int], None] = lambda name, n: None) -> list[Judged]:
    """Judge tensors of an audit.  Those under one scale of the tensor are named together."""
    said = found.seen.said
    tops: dict[tuple[str, float] | None, list[float]] = {}
    others = Others(found)
    if found.original is not None:
        sharing = Counter(found.by_name[name].shares for name in names)
        for name in names:
            t = found.by_name[name]
            source = others.original(t) if t.shares and sharing[t.shares] > 1 else None
            if source is not None:
                tops.setdefault(t.shares, []).append(top_of(t, source))
    done = []
    for name in names:
        t = found.by_name[name]
        t = replace(t, findings=list(t.findings))
        s = scan(t, partial(went, name))
        if said.powers and not s.powers and t.scale_format in FLOATS and t.grid.name not in ("none", "unknown"):
            t.find("scale-power", f"{said.at} declares scale_fmt ue8m0, and scales are no powers of two")
        recipes, against = by_file(t, s), None
        if found.original is not None:
            against = _against(t, s, others, tops.get(t.shares, []))
            recipes = against.recipes() if against is not None else recipes
        done.append(Judged(t, _body(t, s, recipes, against), recipes, _fingerprint(t, s), s, against))
    return done


def _against(t: Quantised, s: Scan, others: Others, tops: list[float]) -> Against | None:
    """A tensor against its original.  ``tops``: largest magnitudes of the originals under the same scale."""
    source = others.original(t)
    if source is None:
        t.find("no-original", "the original has no tensor for it, by name and shape")
        return None
    if t.grid.name == "unknown" or any(f.kind in ("scale-missing", "scale-dtype") for f in t.findings):
        return None
    arrange(t, source)
    against = compare(t, s, source, [max(tops)] if tops else [])
    judge(against, others.like(t), others.original)
    return against


class Others:
    """The tensors of a file beside the one that is judged, arranged as their originals say when they are looked at."""

    def __init__(self, found: Audit) -> None:
        self._files = found.original
        self._tensors = found.seen.tensors
        self._place = {t.name: i for i, t in enumerate(found.seen.tensors)}
        self._arranged: dict[str, Quantised] = {}

    def original(self, t: Quantised) -> Original | None:
        return find_original(t, self._files) if self._files is not None else None

    def like(self, t: Quantised) -> Callable[[], Iterator[Quantised]]:
        """The nearest tensors of the same shape, each time anew."""

        def nearest() -> Iterator[Quantised]:
            here = self._place[t.name]
            alike = [o for o in self._tensors if o.shape == t.shape and o.name != t.name]
            for other in sorted(alike, key=lambda o: abs(self._place[o.name] - here))[:NEIGHBOURS]:
                if other.name not in self._arranged:
                    copy = self._arranged[other.name] = replace(other, findings=[])
                    source = self.original(copy)
                    if source is not None and copy.grid.name != "unknown":
                        arrange(copy, source)
                yield self._arranged[other.name]

        return nearest


def _fingerprint(t: Quantised, s: Scan) -> str:
    """Of the codes: how often each stands, and some rows."""
    if t.size < 64 or s.zeros == 1:
        return ""
    digest = hashlib.sha256(s.histogram.tobytes() + str(t.shape).encode())
    for i in range(0, t.rows, max(1, t.rows // 64)):
        digest.update(t.elements(0, i, i + 1).tobytes())
    return digest.hexdigest()


def _satellites(found: Audit) -> None:
    """Scales of activations and caches: numbers above 0."""
    for name, tensor in found.files.tensors.items():
        if not name.endswith(SATELLITES) or name.endswith((".weight_zero_point", ".scaled_fp8")):
            continue
        if tensor.kind not in FLOATS or not 0 < tensor.size <= 1 << 20:
            continue
        x = np.asarray(tensor.all(), np.float64).reshape(-1)
        for kind, wrong, what in (
            ("scale-nan", np.isnan(x), "is NaN"),
            ("scale-infinite", np.isinf(x), "is infinite"),
            ("scale-negative", x < 0, "is negative"),
            ("scale-zero", x == 0, "is 0"),
        ):
            if wrong.any():
                found.findings.append(Finding(kind, f"a scale of activations {what}", name))


def _fused(found: Audit) -> None:
    """Layers that kernels fuse share the tensor's scale, where their producer fuses at all."""
    sets: dict[tuple[str, tuple[str, ...]], dict[str, Quantised]] = defaultdict(dict)
    for j in found.judged:
        t = j.tensor
        if t.whole is None or t.wholes.size != 1:
            continue
        parts = t.stem.removesuffix(".weight").rpartition(".")
        for members in FUSED:
            if parts[2] in members:
                sets[parts[0], members][parts[2]] = t
    full = {key: held for key, held in sets.items() if len(held) == len(key[1])}
    equal = [key for key, held in full.items() if len({float(t.wholes[0]) for t in held.values()}) == 1]

    def alike(key: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
        return re.sub(r"\d+", "*", key[0]), key[1]

    fusing = Counter(alike(key) for key in equal)
    all_of = Counter(alike(key) for key in full)
    for key, held in full.items():
        if key in equal:
            continue
        first = next(iter(held.values()))
        values = ", ".join(f"{name} {float(t.wholes[0]):.6g}" for name, t in held.items())
        fuses = first.convention.fuses and 3 * fusing[alike(key)] >= 2 * all_of[alike(key)]
        first.find(
            "global-scale" if fuses else "global-unequal", f"{key[0]}: {values}; kernels load them under one scale"
        )


def _twins(found: Audit) -> None:
    """Tensors with the same codes."""
    seen: dict[str, Quantised] = {}
    for j in found.judged:
        if j.fingerprint and (other := seen.setdefault(j.fingerprint, j.tensor)) is not j.tensor:
            j.tensor.find("duplicate", f"its codes are those of {other.name}")
