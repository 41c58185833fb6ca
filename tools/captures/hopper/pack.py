"""The captures that are shipped: of every operation a few cases of each kind, the named probes all, and a README.

Everything in the README comes from the captures themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import judge_dots
import numpy as np
from draws import CLASSES

from fp8ref.adapters.captures import blocks
from fp8ref.adapters.captures import files as captures
from fp8ref.adapters.captures.files import Capture
from fp8ref.cases.flags import flags_of
from fp8ref.cases.operation import ANY_MODE, Operation
from fp8ref.cases.products.cases import PROBES
from fp8ref.cases.products.questions import is_product, scale_type
from fp8ref.cases.scaling.questions import is_scale

LIMIT = 6_000_000  # bytes of the whole set
START = 512  # cases of each kind at first; halved until the set is small enough
LICENCE = "CC0-1.0: measured results, no rights reserved"


class Refused(Exception):
    """What is not shipped, and why."""


def require_hardware(source: dict[str, str]) -> None:
    """Raise Refused unless a capture's own words name a device of NVIDIA."""
    said = " ".join(str(source.get(key, "")) for key in ("device", "model"))
    if "NVIDIA" not in said or "SIMULATED" in said.upper() or "compute_capability" not in source:
        raise Refused(f"{source.get('name', '?')} on {said.strip() or '?'} is no NVIDIA device: it is not shipped")


def gathered(folder: Path) -> Iterator[tuple[Operation, dict[str, str], list[tuple[str, Any, Any]]]]:
    """Of every operation its source, and kinds of cases with operands and answers."""
    found: dict[tuple[str, str], tuple[dict[str, str], list[tuple[str, Any, Any]]]] = {}
    for path in sorted(folder.rglob("*.jsonl.gz")):
        capture = captures.read(path)
        kinds = found.setdefault((_maker(dict(capture.source)), capture.operation.id), (dict(capture.source), []))[1]
        kinds += _kinds(capture)
    for path in sorted(folder.rglob("dot_*.blocks")):
        held = blocks.read(path)
        source = {str(k): str(v) for k, v in held.header["source"].items()}
        kinds = found.setdefault((_maker(source), held.header["operation"]), (source, []))[1]
        kinds += [(name, operands, answers) for name, operands, answers in judge_dots.kept(held)]
    for (_, name), (source, kinds) in found.items():
        if kinds:
            yield Operation.parse(name), source, kinds


def _maker(source: dict[str, str]) -> str:
    return f"{source.get('name')} {source.get('version')} {source.get('units')}"


def _kinds(capture: Capture) -> Iterator[tuple[str, Any, Any]]:
    """The cases of a capture by kind: of products the probes and the rest, of others every set of flags."""
    op = capture.operation
    if is_product(op):
        probes = min(len(PROBES), capture.count)
        for name, part in (("probes", slice(0, probes)), ("chosen", slice(probes, None))):
            yield name, [x[part] for x in capture.operands], capture.answers[part]
        return
    if op.mode == ANY_MODE or is_scale(op) or op.asked.kind not in ("convert", "arithmetic"):
        yield "every", list(capture.operands), capture.answers
        return
    flags = flags_of(op, capture.operands)
    key = np.zeros(capture.count, np.int64)
    for i, mask in enumerate(flags.values()):
        key |= mask.astype(np.int64) << i
    for value in np.unique(key):
        here = np.flatnonzero(key == value)
        yield f"flags {value:X}", [x[here] for x in capture.operands], capture.answers[here]


def thinned(op: Operation, source: dict[str, str], kinds: list[tuple[str, Any, Any]], each: int) -> Capture:
    """A capture of at most ``each`` cases of every kind, evenly chosen, all probes; no case twice."""
    columns: list[list[Any]] = []
    for name, operands, answers in kinds:
        n = len(answers)
        which = np.arange(n) if name == "probes" or n <= each else np.unique(np.linspace(0, n - 1, each).astype(int))
        columns.append([*(x[which] for x in operands), answers[which]])
    joined = [np.concatenate(parts) for parts in zip(*columns)]
    rows = np.concatenate([np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1) for x in joined[:-1]], axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    first.sort()
    taken = [np.ascontiguousarray(x[first]) for x in joined]
    said = {k: v for k, v in source.items() if k not in ("level", "seed")} | {"license": LICENCE}
    return Capture(op, tuple(taken[:-1]), taken[-1], said)


def pack(folder: Path, target: Path, limit: int = LIMIT, require: Any = require_hardware) -> list[Path]:
    """Write the set and its README; returns the files.  Raises Refused where there is nothing, or no hardware."""
    every = list(gathered(folder))
    for _, source, _ in every:
        require(source)
    if not every:
        raise Refused(f"{folder} holds no captures")
    target.mkdir(parents=True, exist_ok=True)
    each = START
    while True:
        files, total = [], 0
        for op, source, kinds in every:
            path = target / file_name(op, source)
            captures.write(path, thinned(op, source, kinds, each))
            files.append(path)
            total += path.stat().st_size
        if total <= limit or each == 1:
            break
        each //= 2
    readme = target / "README.md"
    readme.write_text(text(files, each), encoding="utf-8")
    return [*files, readme]


def file_name(op: Operation, source: dict[str, str]) -> str:
    """Who answered and what, in characters that every file system has."""
    chosen = "".join(c if c.isalnum() or c in ".-" else "_" for c in op.id.replace("*", "any").replace("=", ""))
    who = [source.get("name", "unknown").rpartition(".")[2].strip("_"), *source.get("units", "").split()]
    return f"{'_'.join(who)}_{chosen}.jsonl.gz"


def text(files: list[Path], each: int) -> str:
    """The README."""
    found = [captures.read(path) for path in files]
    sources = list(dict.fromkeys(tuple(sorted(c.source.items())) for c in (_described(c) for c in found)))
    rows = [f"| `{p.name}` | `{c.operation.id}` | {c.count:,} |" for p, c in zip(files, found)]
    parts = [
        "# What a device answered",
        "Operand codes and result bits as a device gave them; nothing here is computed by fp8ref.  One file holds one\n"
        "operation, its format is in `fp8ref/adapters/captures/files.py`, and its header names device, driver\n"
        "and libraries, and the digest of all codes.",
        "## The device",
        *("\n".join(f"- {key}: {value}" for key, value in source) for source in sources),
        "## How they were taken",
        f"By `tools/captures/hopper` (its README has the commands): of each operation up to {each} cases of every\n"
        "kind that was asked, evenly chosen, and all named probes; everything else is drawn again by the same\n"
        f"commands.  Products were asked {', '.join(CLASSES)}.",
        "## Replay",
        "```sh\nfor file in vectors/captures/*.jsonl.gz; do fp8ref check --impl replay:$file; done\n"
        "fp8ref identify --impl replay:vectors/captures/FILE\n```",
        "## Licence",
        LICENCE,
        "## Files",
        "\n".join(["| file | operation | cases |", "| --- | --- | ---: |", *rows]),
    ]
    return "\n\n".join(parts) + "\n"


def _described(c: Capture) -> Capture:
    """A capture whose source says nothing of the operation."""
    own = ("operation", "license", "origin")
    return replace(c, source={k: v for k, v in c.source.items() if k not in own})


__all__ = ["LIMIT", "Refused", "gathered", "pack", "scale_type", "thinned"]
