"""One audit: files opened, tensors recognised and judged, and one document of it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..escapes import one_line, plain_data
from ..version import __version__
from .against.arrange import arrange
from .against.compare import compare
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
# what is declared: the producers who declare it
OWN = {
    "compressed-tensors": ("compressed-tensors", "llm-compressor"), "modelopt": ("ModelOpt",), "quark": ("amd-quark",),
    "torchao": ("torchao",), "quanto": ("optimum-quanto",), "comfyui": ("ComfyUI", "convert-to-quant"),
    "auto-round": ("auto-round",), "fbgemm_fp8": ("FBGEMM",), "mxfp4": ("gpt-oss",),
}  # fmt: skip
Progress = Callable[[str, int, int], None]  # what is read, bytes so far, bytes in all


@dataclass
class Judged:
    """A tensor and what was found of it.  ``against``: the comparison with its original, None without one."""

    tensor: Quantised
    scan: Scan
    recipes: list[str]
    against: Any = None

    def document(self) -> dict[str, Any]:
        t = self.tensor
        scales: dict[str, Any] = {"by_recipe": None, "differ": None}
        codes: dict[str, Any] = {"rounded": None, "differ": None, "steps": None}
        more: dict[str, Any] = {}
        if self.against is not None:
            scales, codes, more = self.against.documents()
        scales |= {"format": t.scale_format, "smallest": self.scan.smallest, "largest": self.scan.largest}
        codes |= {
            "zeros": round(self.scan.zeros, 6),
            "saturated": round(self.scan.saturated, 6),
            "at_top": round(self.scan.at_top, 6),
        }
        return {
            "name": t.name,
            "convention": t.convention.name,
            "format": t.element,
            "granularity": t.granularity,
            "layout": "; ".join(x for x in (f"scales {t.grid.layout}", f"codes {t.pack}" if t.pack else "") if x),
            "shape": list(t.shape),
            "recipes": self.recipes,
            "scales": scales,
            "codes": codes,
            **more,
            "findings": [f.document() for f in t.findings],
        }


@dataclass
class Audit:
    """What an audit found."""

    files: Files
    seen: Recognised
    judged: list[Judged] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    original: Files | None = None

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
    """Audit a file or a folder of a model, against its original weights where they are given.

    ``progress(text, bytes, of)`` is called as tensors are read.  Raises :class:`fp8ref.audit.files.stored.BadFile`, one
    line with the place, where one of them cannot be read.
    """
    files = open_files(Path(path))
    found = Audit(files, recognise(files))
    found.findings += found.seen.findings
    total = sum(t.codes.bytes for t in found.seen.tensors)
    done = 0
    for t in found.seen.tensors:

        def went(n: int, name: str = t.name) -> None:
            nonlocal done
            done += n
            if progress is not None:
                progress(name, min(done, total), total)

        s = scan(t, went)
        if (
            found.seen.said.powers
            and not s.powers
            and t.scale_format in FLOATS
            and t.grid.name not in ("none", "unknown")
        ):
            t.find("scale-power", f"{found.seen.said.at} declares scale_fmt ue8m0, and scales are no powers of two")
        found.judged.append(Judged(t, s, by_file(t, s)))
    if original is not None:
        found.original = open_files(Path(original))
        _against(found, found.original)
    _satellites(found)
    _fused(found)
    _twins(found)
    for name, tensors in found.seen.books.items():
        found.findings.append(Finding("code-book", f"{len(tensors)} tensors of {name} are not judged", tensors[0]))
    return found


def _against(found: Audit, original: Files) -> None:
    """Every tensor against its original."""
    held = {j.tensor.name: find_original(j.tensor, original) for j in found.judged}
    tops = _fused_tops(found, held)
    for j in found.judged:
        t, source = j.tensor, held[j.tensor.name]
        if source is None:
            t.find("no-original", f"{original.path} has no tensor for it, by name and shape")
            continue
        if t.grid.name == "unknown" or any(f.kind in ("scale-missing", "scale-dtype") for f in t.findings):
            continue
        arrange(t, source)
        against = compare(t, j.scan, source, tops.get(t.name, []))
        judge(against, [other.tensor for other in found.judged], lambda other: held[other.name])
        j.against, j.recipes = against, against.recipes()


def _fused_tops(found: Audit, held: dict[str, Original | None]) -> dict[str, list[float]]:
    """For tensors under a scale that others share: the largest magnitudes of the originals under that same scale."""
    shared: dict[tuple[str, float], list[str]] = defaultdict(list)
    for j in found.judged:
        t = j.tensor
        if t.whole is not None and t.wholes.size == 1 and held[t.name] is not None:
            shared[t.stem.removesuffix(".weight").rpartition(".")[0], float(t.wholes[0])].append(t.name)
    by_name = {j.tensor.name: j.tensor for j in found.judged}
    tops: dict[str, list[float]] = {}
    for members in shared.values():
        if len(members) < 2:
            continue
        each = []
        for name in members:
            source = held[name]
            assert source is not None
            each.append(top_of(by_name[name], source))
        tops |= {name: [max(each)] for name in members}
    return tops


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
    seen: dict[bytes, Judged] = {}
    for j in found.judged:
        if j.tensor.size < 64 or (j.scan.zeros == 1):
            continue
        key = j.scan.histogram.tobytes() + str(j.tensor.shape).encode()
        other = seen.setdefault(key, j)
        if other is j:
            continue
        a, b = other.tensor, j.tensor
        rows = range(0, a.rows, max(1, a.rows // 64))
        if all(np.array_equal(a.elements(0, i, i + 1), b.elements(0, i, i + 1)) for i in rows):
            b.find("duplicate", f"its codes are those of {a.name}")
