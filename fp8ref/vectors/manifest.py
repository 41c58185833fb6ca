"""A directory of vectors with its MANIFEST.json: the hash of every file, and the recipe that makes it again.

A file is made again and compared byte for byte; where it differs, the first line and field that do are reported.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..outputs import atomically
from ..version import __version__
from .files import sha256_of, write_file
from .forms.registry import Form, Sections, get_form
from .generate import Recipe, generate
from .section import ERRATA, VERSION, Section
from .source import MOST_UNPACKED, Unreadable, open_source
from .texts import documents

SCHEMA = "fp8ref/manifest/1"
NAME = "MANIFEST.json"
LARGEST = 1 << 24
SLACK = 1 << 16  # cases that a recipe may make beyond a file's lines, so that the first difference is reported
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Planned:
    """A file that is to be: its name and its recipes."""

    name: str
    form: str
    recipes: tuple[Recipe, ...]


def sections(recipes: Iterable[Recipe], form: Form, tagged: bool = False) -> Sections:
    """What recipes make; JSON lines say in which bins a case is, other forms where it is ``tagged``."""
    binned = tagged or form.name == "jsonl"
    for recipe in recipes:
        yield recipe.section(binned), generate(recipe, binned)


def _command(planned: Planned) -> str:
    """The command line that makes a file; its recipes have one set of options."""
    operations = " ".join(f"'{recipe.operation.id}'" for recipe in planned.recipes)
    (options,) = {recipe.options for recipe in planned.recipes}
    form = "" if planned.form == "jsonl" else f" --as {planned.form}"
    return f"fp8ref vectors generate {operations}{options}{form} -o {planned.name}"


def build(directory: Path, plan: Sequence[Planned], further: Sequence[Recipe] = ()) -> list[str]:
    """Write every planned file, the documents and the manifest; ``further`` are recipes of sets that are not shipped.

    Files there are replaced.  Returns their names.
    """
    entries = []
    for planned in plan:
        path = directory / planned.name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, get_form(planned.form), sections(planned.recipes, get_form(planned.form)), force=True)
        entries.append(_entry(path, planned))
    for name, text in documents().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomically(path, force=True) as file:
            file.write(text)
        entries.append({"name": name, "form": "document", "sha256": sha256_of(path), "size": path.stat().st_size})
    manifest = {
        "fp8ref": "manifest",
        "schema": SCHEMA,
        "version": VERSION,
        "generator": f"fp8ref {__version__}",
        "errata": ERRATA,
        "files": sorted(entries, key=lambda entry: str(entry["name"])),
        "recipes": [{"operation": r.operation.id, "command": r.command} for r in further],
    }
    with atomically(directory / NAME, force=True) as file:
        file.write(_sealed(manifest))
    return [str(entry["name"]) for entry in entries]


def _entry(path: Path, planned: Planned) -> dict[str, Any]:
    content = hashlib.sha256()
    with _unpacked(path) as file:
        while piece := file.read(1 << 20):
            content.update(piece)
    return {
        "name": planned.name,
        "form": planned.form,
        "sha256": sha256_of(path),
        "size": path.stat().st_size,
        "content": content.hexdigest(),
        "sections": [{"operation": r.operation.id, "selection": r.selection, "seed": r.seed} for r in planned.recipes],
        "command": _command(planned),
    }


def _sealed(manifest: dict[str, Any]) -> bytes:
    """The manifest with the hash of all the rest of it as its last entry."""
    rest = json.dumps(manifest, indent=1)
    return json.dumps({**manifest, "sha256": hashlib.sha256(rest.encode()).hexdigest()}, indent=1).encode() + b"\n"


def _unpacked(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


# -- reading and checking ---------------------------------------------------------------------------------------------
def read(directory: Path) -> dict[str, Any]:
    """The manifest of a directory.  Raises Unreadable for one that is damaged, of another version, or unsafe."""
    path = directory / NAME
    if path.stat().st_size > LARGEST:
        raise Unreadable(f"{path}: {path.stat().st_size} bytes; a manifest has at most {LARGEST}")
    text = path.read_bytes()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise Unreadable(f"{path}:{line}: not JSON: {str(error)[:80]}") from None
    if not isinstance(found, dict) or found.get("fp8ref") != "manifest" or found.get("schema") != SCHEMA:
        raise Unreadable(f'{path}: not a manifest: it has "fp8ref": "manifest" and "schema": "{SCHEMA}"')
    rest = {key: value for key, value in found.items() if key != "sha256"}
    try:
        own = _sealed(rest)
    except RecursionError:
        raise Unreadable(f"{path}: lists in lists in lists") from None
    if own != text:
        raise Unreadable(f"{path}: field sha256 is not the hash of the other fields: the manifest was changed")
    version = str(found.get("version"))
    if version != VERSION:
        raise Unreadable(f"{path}: vectors of version {version[:20]}; this version makes {VERSION}")
    files = found.get("files")
    if not isinstance(files, list) or not all(_is_entry(entry) for entry in files):
        raise Unreadable(f"{path}: files is a list of objects with name, form, sha256, size and sections")
    if not _are(found.get("recipes"), {"operation": str, "command": str}):
        raise Unreadable(f"{path}: recipes is a list of objects with operation and command")
    names = [entry["name"] for entry in files]
    for name in names:
        _check_name(name, directory, path)
    if len(set(names)) != len(names):
        raise Unreadable(f"{path}: a file is listed twice")
    return found


def _is_entry(entry: Any) -> bool:
    wanted = {"name": str, "form": str, "sha256": str, "size": int}
    return _has(entry, wanted) and _are(entry.get("sections", []), {"operation": str, "selection": str, "seed": int})


def _are(found: Any, wanted: dict[str, type]) -> bool:
    """Is it a list of objects with these fields?"""
    return isinstance(found, list) and all(_has(one, wanted) for one in found)


def _has(found: Any, wanted: dict[str, type]) -> bool:
    return isinstance(found, dict) and all(isinstance(found.get(key), kind) for key, kind in wanted.items())


def _check_name(name: str, directory: Path, path: Path) -> None:
    pure = PurePosixPath(name)
    outside = pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name or ":" in name or not pure.parts
    if outside or not (directory / name).resolve().is_relative_to(directory.resolve()):
        raise Unreadable(f"{path}: {name[:60]!r} leaves the directory; names are relative and stay below it")


def check(directory: Path, advance: Progress = lambda n: None) -> dict[str, int]:
    """Verify every file of a directory against its manifest and its recipe; returns cases by operation.

    Raises Unreadable at the first file that is missing or differs, with its name, line and field.
    """
    cases: dict[str, int] = {}
    known = documents()
    for entry in sorted(read(directory)["files"], key=lambda entry: entry["form"] != "document"):
        path = directory / entry["name"]
        if not os.path.isfile(path):
            raise Unreadable(f"{path}: the manifest lists it, and it is not there")
        if entry["form"] == "document":
            if entry["name"] not in known:
                raise Unreadable(f"{directory / NAME}: {entry['name'][:60]!r} is no document of this version")
            _compare([known[entry["name"]]], path, "document")
        else:
            form, recipes = _form(entry, directory), _recipes(entry, directory)
            most = _lines_in(path) + SLACK
            with tempfile.TemporaryFile() as again:
                counted = _counted(sections(recipes, form), cases, advance, path, most)
                try:
                    form.writer(counted, again)
                except Unreadable:
                    raise
                except ValueError as error:
                    raise Unreadable(f"{path}: its recipe: {error}") from None
                again.seek(0)
                _compare(iter(lambda file=again: file.read(1 << 20), b""), path, form.name)  # type: ignore[misc]
                _check_content(entry, again, path, directory)
        if sha256_of(path) != entry["sha256"]:
            raise Unreadable(f"{path}: what it holds is right, but its bytes do not have the sha256 of {NAME}")
    return cases


def _form(entry: dict[str, Any], directory: Path) -> Form:
    try:
        form = get_form(entry["form"])
    except ValueError as error:
        raise Unreadable(f"{directory / NAME}: {entry['name']!r:.80}: {error}") from None
    if not form.stream:
        raise Unreadable(
            f"{directory / NAME}: {entry['name']!r:.80}: {form.name} is not made again; jsonl and testfloat are"
        )
    return form


def _lines_in(path: Path) -> int:
    """The lines of a file, unpacked: a recipe that makes many more cases is not followed to its end."""
    found = taken = 0
    try:
        with _unpacked(path) as file:
            while (piece := file.read(1 << 20)) and taken <= MOST_UNPACKED:
                found, taken = found + piece.count(b"\n"), taken + len(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unreadable(f"{path}: the compressed file is damaged: {error}") from None
    return found


def _check_content(entry: dict[str, Any], again: IO[bytes], path: Path, directory: Path) -> None:
    again.seek(0)
    if hashlib.file_digest(again, "sha256").hexdigest() != entry.get("content"):  # type: ignore[arg-type]
        raise Unreadable(f"{directory / NAME}: content of {entry['name']} is not the hash of what its recipe makes")


def _recipes(entry: dict[str, Any], directory: Path) -> list[Recipe]:
    found = []
    for said in entry.get("sections", []):
        try:
            section = Section.of(said["operation"], selection=said["selection"], seed=said["seed"])
            recipe = Recipe.read(section)
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"{directory / NAME}: {entry['name']}: {error}") from None
        if recipe is None or recipe.forever:
            raise Unreadable(f"{directory / NAME}: {entry['name']}: {str(said)[:80]} is no recipe")
        found.append(recipe)
    return found


def _counted(made: Sections, cases: dict[str, int], advance: Progress, path: Path, most: int) -> Sections:
    left = [most]
    for section, blocks in made:
        name = section.operation.id
        cases.setdefault(name, 0)

        def counting(blocks: Iterator[Any] = blocks, name: str = name) -> Iterator[Any]:
            for block in blocks:
                cases[name] += block.size
                left[0] -= block.size
                if left[0] < 0:
                    raise Unreadable(f"{path}: its recipe makes more cases than it has lines")
                advance(block.size)
                yield block

        yield section, counting()


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _compare(wanted: Iterable[bytes], path: Path, form: str) -> None:
    """Raise Unreadable at the first line in which a file differs from what is wanted."""
    want = _lines(wanted)
    number = 0
    for _, piece in open_source(path).pieces() if form != "document" else [(1, path.read_bytes())]:
        for line in piece.split(b"\n")[:-1]:
            number += 1
            right = next(want, None)
            if right is None:
                raise Unreadable(f"{path}:{number}: a line more than the recipe makes: {_shown(line)}")
            if line != right:
                raise Unreadable(f"{path}:{number}: {_difference(line, right, form)}")
    if next(want, None) is not None:
        raise Unreadable(f"{path}:{number + 1}: the file ends, and the recipe makes more: is it torn?")


def _difference(line: bytes, right: bytes, form: str) -> str:
    """Which field of a line differs."""
    if form == "jsonl":
        try:
            got, want = json.loads(line), json.loads(right)
            for key, value in want.items():
                if got.get(key) != value:
                    here, wanted = (_shown(str(x).encode()) for x in (got.get(key), value))
                    return f"field {key} is {here}, the recipe makes {wanted}"
        except (ValueError, AttributeError):
            pass
    elif form == "testfloat" and line.count(b" ") == right.count(b" "):
        for i, (a, b) in enumerate(zip(line.split(b" "), right.split(b" "))):
            if a != b:
                return f"field {i + 1} is {_shown(a)}, the recipe makes {_shown(b)}"
    column = next((i for i, (a, b) in enumerate(zip(line, right)) if a != b), min(len(line), len(right)))
    return f"column {column + 1}: {_shown(line[column:])}, wanted {_shown(right[column:])}"


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace"))
