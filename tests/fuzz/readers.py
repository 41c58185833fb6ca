"""Readers of files: vectors in every form, manifests, captures, run records, certificates, expected failures."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fp8ref.adapters.base import Unavailable, Unsupported
from fp8ref.adapters.captures import files as captured
from fp8ref.adapters.captures.replay import Replay
from fp8ref.arrays.recipe_files import read_recipe
from fp8ref.cases.declared.claims import claims_of
from fp8ref.cases.declared.documents import KINDS
from fp8ref.cases.declared.documents import read as read_declaration
from fp8ref.cases.operation import Operation
from fp8ref.check import expected as known
from fp8ref.check import shards
from fp8ref.check.proof.proof import proved
from fp8ref.cli import resuming
from fp8ref.cli.errors import BadInput
from fp8ref.engines import Journal, sound
from fp8ref.report.runs import certificate, record
from fp8ref.report.runs.renderers import RENDERERS
from fp8ref.systems.fp8_bert.files import read_safetensors
from fp8ref.vectors import manifest as directory
from fp8ref.vectors.files import found_in, sections_of, write_file
from fp8ref.vectors.forms.registry import FORMS
from fp8ref.vectors.section import Block, Section
from fp8ref.vectors.source import open_source
from fp8ref.vectors.verify import Tally, verify

from .guard import Fault, folder
from .words import same, write

JOURNAL_ERRORS = (ValueError, BadInput)
REPLAY_ERRORS = (ValueError, Unavailable, Unsupported)
Sections = list[tuple[Section, Block]]


# -- vectors -----------------------------------------------------------------------------------------------------------
def vectors(name: str) -> Callable[[bytes], None]:
    """A file of that name is verified; what it holds is written as JSON lines, and read again."""

    def read(data: bytes) -> None:
        _verified(write(name, data))

    return read


def memh(data: bytes) -> None:
    """The sidecar on the first line, then the words."""
    sidecar, _, text = data.partition(b"\n")
    write("x.memh.json", sidecar)
    _verified(write("x.memh", text))


def _verified(path: Path) -> None:
    source = open_source(path)
    with source.file:
        verify(found_in(source), source.at, Tally())
    found = held(path)
    if not found or any(block.size == 0 for _, block in found):
        return
    copy = folder() / "copy.jsonl"
    write_file(copy, FORMS["jsonl"], ((section, iter([block])) for section, block in found), force=True)
    if not alike(held(copy), found):
        raise Fault("what was written as JSON lines is read as something else")


def held(path: Path) -> Sections:
    """Sections and their cases, joined."""
    source = open_source(path)
    with source.file:
        return [(section, Block.joined(list(blocks))) for section, blocks in sections_of(found_in(source))]


def alike(found: Sections, wanted: Sections) -> bool:
    """Are the operations and all codes the same?"""
    ids = [[s.operation.id.replace(";flags=0", "") for s, _ in side] for side in (found, wanted)]
    if ids[0] != ids[1]:  # JSON lines leave flags=0 unsaid: there is no status in them
        return False
    return all(
        np.array_equal(x, y)
        for (_, a), (_, b) in zip(found, wanted)
        for x, y in zip((*a.operands, a.result, a.status), (*b.operands, b.result, b.status))
        if x is not None and y is not None
    )


def manifest(data: bytes) -> None:
    """A manifest beside the one file ``add.jsonl``; its own hash is made right, so that the rest of it is read."""
    place = folder() / "shipped"
    place.mkdir(exist_ok=True)
    try:
        found = json.loads(data)
        if isinstance(found, dict):
            found.pop("sha256", None)
            data = directory._sealed(found)
    except (ValueError, RecursionError):
        pass
    (place / directory.NAME).write_bytes(data)
    beside = place / "add.jsonl"
    if not beside.exists():
        from . import seeds

        beside.write_bytes(seeds.shipped())
    for entry in directory.read(place)["files"]:
        for said in entry.get("sections", []):
            said["operation"], said["selection"]
    directory.check(place)


# -- captures ----------------------------------------------------------------------------------------------------------
def captures(data: bytes) -> None:
    path = write("x.capture.jsonl", data)
    found = captured.read(path)
    same(captured.header_of(path)[:2], (found.operation, found.count), "the header of a capture")
    copy = folder() / "copy.capture.jsonl.gz"
    captured.write(copy, found)
    again = captured.read(copy)
    same((again.operation, again.source), (found.operation, found.source), "a capture that was written")
    if not all(
        np.array_equal(x, y) for x, y in zip((*found.operands, found.answers), (*again.operands, again.answers))
    ):
        raise Fault("the codes of a capture that was written are others")
    replay = Replay(str(path))
    replay.identify(), replay.capabilities(), replay.source(found.operation)
    if found.count:
        answers = replay.run(found.operation, *found.operands)
        if not np.array_equal(answers, found.answers):
            raise Fault("a replay answers otherwise than its capture")


# -- documents of the checker ------------------------------------------------------------------------------------------
def records(data: bytes) -> None:
    path = write("run.jsonl.gz" if data[:2] == b"\x1f\x8b" else "run.jsonl", data)
    document = record.read(path)
    for name, renderer in RENDERERS.items():
        renderer.render([document]).encode()
        if name == "json":
            rendered = json.loads(renderer.render([document]))
            same(
                {key: x for key, x in rendered.items() if key != "causes"},
                json.loads(json.dumps(document)),
                "a record as JSON",
            )


def journals(data: bytes) -> None:
    """Lines whose checksums are made right, so that what they say is read."""
    lines = b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in data.split(b"\n") if line)
    journal = Journal(write("run.jsonl.shards", lines))
    try:
        for kind in ("check", "prove"):
            if journal.head.get("kind") == kind:
                resuming.begun(journal, kind)
        for result in journal.done.values():
            for holds in (shards.report_of, shards.swept_of, proved):
                if sound(result, holds):
                    holds(result)
    finally:
        journal.close()


def recipe_files(data: bytes) -> None:
    """TOML, or JSON where it begins with a brace."""
    read_recipe(write("recipe.json" if data.lstrip()[:1] == b"{" else "recipe.toml", data))


def declarations(data: bytes) -> None:
    """The files of a P3109 declaration, each behind a line ``%%% Kind``; every claim is an operation."""
    place = folder() / "declared"
    place.mkdir(exist_ok=True)
    parts = dict(part.partition(b"\n")[::2] for part in data.split(b"%%% ")[1:])
    for kind in KINDS:
        (place / f"{kind}.yaml").write_bytes(parts.get(kind.encode(), b""))
    there = [kind for kind in KINDS if kind.encode() in parts]
    declaration = read_declaration(place if len(there) != 1 else place / f"{there[0]}.yaml")
    for semantics in ("p3109", "p3109-formal"):
        for id_ in claims_of(declaration, semantics).operations:
            if Operation.parse(id_).id != id_:
                raise Fault(f"{id_} is not its own id")


def texts(data: bytes) -> None:
    """A text in all places of a record where strangers write, shown in every medium."""
    from hostile.texts import shown_everywhere

    shown_everywhere(data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace"))


def certificates(data: bytes) -> None:
    path = write("proof.json", data)
    found = certificate.read(path)
    path.write_text(found.text(), encoding="utf-8")
    same(certificate.read(path), found, "a certificate that was written")
    certificate.sample(found, 0.5, 1)


def expected(data: bytes) -> None:
    """TOML, or JSON where it begins with a brace."""
    path = write("known.json" if data.lstrip()[:1] == b"{" else "known.toml", data)
    found = known.load(path)
    plain = [_without_place(entry) for entry in found.entries]
    for name, make in (("copy.toml", known.written), ("copy.json", known.as_json)):
        copy = write(name, make(found.entries, "x 1").encode())
        same([_without_place(entry) for entry in known.load(copy).entries], plain, f"{name} of expected failures")
    from . import seeds

    found.judge(seeds.report())
    found.stale(["convert/f32/e4m3fn/rne.sat"])


def _without_place(entry: known.Entry) -> dict[str, Any]:
    return {name: value for name, value in vars(entry).items() if name != "place"}


def checkpoints(data: bytes) -> None:
    from fp8ref.audit.run import audit  # its packages are no part of what every target needs

    json.dumps(audit(write("model.gguf" if data[:4] == b"GGUF" else "model.safetensors", data)).document())


def weights(data: bytes) -> None:
    for tensor in read_safetensors(write("model.safetensors", data)).values():
        tensor.sum()
