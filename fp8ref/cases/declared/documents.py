"""The files of a P3109 declaration, read without trust: YAML whose every leaf is a string, without anchors.

A declaration is the folder that holds Configurations.yaml, Profiles.yaml, Constraints.yaml and Kappas.yaml, or one file
of it: then the others are read beside it, and that file's claims alone are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LARGEST = 1 << 20  # bytes of a file
DEEPEST = 20
KINDS = ("Configurations", "Profiles", "Constraints", "Kappas")
METADATA = ("conformance", "version", "provider", "contact", "implementation")


class Malformed(ValueError):
    """What is wrong with a declaration, and in which file."""


@dataclass(frozen=True)
class Declaration:
    """The parsed files by kind, without their metadata; ``asked``: those whose claims are asked."""

    files: dict[str, dict[str, Any]]
    asked: tuple[str, ...]
    metadata: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str, configuration: str) -> Any:
        """What a file says of a configuration; None where it says nothing."""
        return self.files.get(kind, {}).get(configuration)

    def is_empty(self, kind: str) -> bool:
        """Does a file say that there is nothing to say?"""
        return kind in self.files and not self.files[kind]


def read(path: Path) -> Declaration:
    """The declaration of a folder or file.  Raises Malformed, OSError, and ImportError where PyYAML is missing."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        found = {kind: folder / f"{kind}.yaml" for kind in KINDS if (folder / f"{kind}.yaml").is_file()}
        if not found:
            raise Malformed(f"{path} holds none of {', '.join(f'{kind}.yaml' for kind in KINDS)}")
        asked = tuple(found)
    else:
        kind = path.stem
        if kind not in KINDS:
            raise Malformed(f"{path.name} is none of {', '.join(f'{kind}.yaml' for kind in KINDS)}")
        found = {other: folder / f"{other}.yaml" for other in KINDS if (folder / f"{other}.yaml").is_file()}
        found[kind] = path
        asked = (kind,)
    files, metadata = {}, {}
    for kind, file in found.items():
        document = _parsed(file)
        said = document.pop("Metadata", None)
        _check_metadata(file, said)
        metadata[kind] = said
        if str(document.pop("Empty", "")).lower() == "true" and document:
            raise Malformed(f"{file.name}: 'Empty: true' stands beside {', '.join(map(repr, document))}")
        files[kind] = document
    if "Profiles" not in files:
        raise Malformed(f"{folder}: Profiles.yaml is missing, which says what formats there are")
    if "Configurations" not in files:
        raise Malformed(f"{folder}: Configurations.yaml is missing, which says how results are rounded")
    return Declaration(files, asked, metadata)


def _check_metadata(file: Path, said: Any) -> None:
    if not isinstance(said, dict):
        raise Malformed(f"{file.name}: it does not begin with Metadata")
    missing = [key for key in METADATA if key not in said]
    if missing:
        raise Malformed(f"{file.name}: Metadata lacks {', '.join(missing)}")
    if "p3109" not in str(said["conformance"]).lower():
        raise Malformed(f"{file.name}: Metadata claims conformance to {said['conformance']!r:.40}, not to P3109")


def _parsed(path: Path) -> dict[str, Any]:
    import yaml

    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Malformed(f"{path.name}: more than {LARGEST} bytes")
    try:
        text = data.decode("utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:  # each level makes the parser slower
                raise Malformed(f"{path.name}, line {event.start_mark.line + 1}: nested deeper than {DEEPEST}")
            if isinstance(event, yaml.AliasEvent):  # a small file stays small
                raise Malformed(f"{path.name}, line {event.start_mark.line + 1}: aliases are not read")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        found = _plain(node, path.name)
    except UnicodeDecodeError as error:
        raise Malformed(f"{path.name}: not UTF-8 at byte {error.start}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Malformed(f"{path.name}{where}: no YAML: {problem}") from None
    if not isinstance(found, dict):
        raise Malformed(f"{path.name}: not a map of names")
    return found


def _plain(node: Any, name: str) -> Any:
    """Maps, lists and strings; every key once."""
    import yaml

    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode):
        strange = [c for c in node.value if not c.isprintable() and c not in "\n\t"]
        if strange:  # written by an escape; it would be printed
            raise Malformed(
                f"{name}, line {node.start_mark.line + 1}: U+{ord(strange[0]):04X} is no printable character"
            )
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, name) for one in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        said = _plain(key, name)
        if not isinstance(said, str):
            raise Malformed(f"{name}, line {key.start_mark.line + 1}: a key is no text")
        if said in found:
            raise Malformed(f"{name}, line {key.start_mark.line + 1}: {said!r:.40} stands twice")
        found[said] = _plain(value, name)
    return found


def merged(said: Any) -> dict[str, Any]:
    """A map, or a list of maps as one: both are in use."""
    if isinstance(said, dict):
        return said
    found: dict[str, Any] = {}
    if isinstance(said, list) and all(isinstance(one, dict) for one in said):
        for one in said:
            found.update(one)
    return found


def leaves(said: Any) -> Iterator[str]:
    """Every text in lists of lists, in order."""
    if isinstance(said, list):
        for one in said:
            yield from leaves(one)
    elif isinstance(said, str):
        yield said
