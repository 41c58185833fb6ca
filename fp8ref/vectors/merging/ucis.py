"""UCIS 1.0 interchange XML (Accellera), which simulators export and import: covergroups and code coverage."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from xml.etree import ElementTree

from ...version import __version__
from .database import SIMULATOR, SUITE, Counter, Database
from .markup import count, parsed

Element = ElementTree.Element
Sub = ElementTree.SubElement
VERSION = "1.0"


# -- writing ----------------------------------------------------------------------------------------------------------
def written(database: Database, now: datetime.datetime | None = None) -> str:
    """The database as one UCIS document; each source is a history node, and names those of its bins."""
    when = (now or datetime.datetime.now(datetime.UTC)).strftime("%Y-%m-%dT%H:%M:%S")
    root = Element("UCIS", ucisVersion=VERSION, writtenBy=f"fp8ref {__version__}", writtenTime=when)
    files = {name: i for i, name in enumerate(dict.fromkeys(["fp8ref", *(file for file, _ in database.code)]), 1)}
    for name, i in files.items():
        Sub(root, "sourceFiles", fileName=name, id=str(i))
    for i, source in enumerate(database.sources):
        Sub(root, "historyNodes", historyNodeId=str(i), logicalName=source.name, physicalName=source.name,
            kind="HISTORYNODE_TEST", testStatus="true", date=when, toolCategory=source.kind, ucisVersion=VERSION,
            vendorId="fp8ref", vendorTool=source.form, vendorToolVersion=__version__)  # fmt: skip
    instance = Sub(root, "instanceCoverages", name="fp8ref", key="0", instanceId="0", moduleName="fp8ref")
    _id(instance, "id", 1, 1)
    for kind, add in (("toggle", _toggles), ("line", _statements), ("branch", _branches)):
        found = [(files[file], items) for (file, own), items in database.code.items() if _kind(own) == kind]
        if found:
            add(instance, found)
    groups = Sub(instance, "covergroupCoverage")
    for scope in database.scopes:
        group = Sub(groups, "cgInstance", name=scope, key="0")
        Sub(group, "options", per_instance="true")
        named = Sub(group, "cgId", cgName="fp8ref_points", moduleName="fp8ref")
        _id(named, "cginstSourceId", 1, 1)
        _id(named, "cgSourceId", 1, 1)
        for point in database.points(scope):
            _coverpoint(group, database, scope, point)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _kind(kind: str) -> str:
    return kind if kind in ("toggle", "branch") else "line"


def _id(parent: Element, tag: str, file: int, line: int) -> None:
    Sub(parent, tag, file=str(file), line=str(max(line, 1)), inlineCount="1")


def _bin(parent: Element, tag: str, name: str, hits: list[int]) -> None:
    _contents(Sub(parent, tag, alias=name), hits)


def _contents(parent: Element, hits: list[int]) -> None:
    contents = Sub(parent, "contents", coverageCount=str(sum(hits)))
    for i, n in enumerate(hits):
        if n:
            Sub(contents, "historyNodeId").text = str(i)


def _coverpoint(group: Element, database: Database, scope: str, point: str) -> None:
    found = Sub(group, "coverpoint", name=point, key="0")
    Sub(found, "options")
    for i, (name, hits) in enumerate(database.bins[scope, point].items()):
        kind = "ignore" if (scope, point, name) in database.why else "bins"
        one = Sub(found, "coverpointBin", name=name, key="0", type=kind)
        _contents(Sub(one, "range", {"from": str(i), "to": str(i)}), hits)


def _line(item: str) -> int:
    text = item.partition(":")[0]
    return int(text) if text.isascii() and text.isdigit() else 1


Items = list[tuple[int, dict[str, list[int]]]]


def _statements(instance: Element, found: Items) -> None:
    blocks = Sub(instance, "blockCoverage")
    for file, items in found:
        for item, hits in items.items():
            statement = Sub(blocks, "statement", alias=item)
            _id(statement, "id", file, _line(item))
            _bin(statement, "bin", item, hits)


def _branches(instance: Element, found: Items) -> None:
    branches = Sub(instance, "branchCoverage")
    for file, items in found:
        for item, hits in items.items():
            statement = Sub(branches, "statement", statementType="if", alias=item)
            _id(statement, "id", file, _line(item))
            branch = Sub(statement, "branch")
            _id(branch, "id", file, _line(item))
            _bin(branch, "branchBin", item, hits)


def _toggles(instance: Element, found: Items) -> None:
    toggles = Sub(instance, "toggleCoverage")
    for file, items in found:
        for item, hits in items.items():
            signal = Sub(toggles, "toggleObject", name=item, key="0")
            _id(signal, "id", file, _line(item))
            bit = Sub(signal, "toggleBit", name=item, key="0")
            _bin(Sub(bit, "toggle", {"from": "0", "to": "1"}), "bin", item, hits)


# -- reading ----------------------------------------------------------------------------------------------------------
def read(raw: bytes, where: str) -> Database:
    """The counts of a document, of ours or a simulator's, as those of one source.  Raises Unreadable."""
    root = parsed(raw, where)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    ours = [node.get("toolCategory") for node in root.iter("historyNodes") if node.get("vendorId") == "fp8ref"]
    database = Database.of(Counter(where, SUITE if set(ours) == {SUITE} else SIMULATOR, "ucis"))
    files = {source.get("id", ""): source.get("fileName", "?") for source in root.iter("sourceFiles")}
    for instance in root.iter("instanceCoverages"):
        for group in instance.iter("cgInstance"):
            _read_group(database, group, where)
        for kind, tag, hits in (("line", "statement", "bin"), ("branch", "branch", "branchBin")):
            coverage = "blockCoverage" if kind == "line" else "branchCoverage"
            for element in (one for part in instance.iter(coverage) for one in part.iter(tag)):
                _read_line(database, element, kind, hits, files, where)
        for signal in instance.iter("toggleObject"):
            _read_line(database, signal, "toggle", "toggleBit/toggle/bin", files, where)
    return database


def _read_group(database: Database, group: Element, where: str) -> None:
    scope = group.get("name", "")
    for point in group.iter("coverpoint"):
        for one in point.iter("coverpointBin"):
            key = scope, point.get("name", ""), one.get("name", "")
            database.hit(*key, sum(_hits(one, where)))
            if one.get("type") == "ignore":
                database.why[key] = "ignored"


def _hits(element: Element, where: str) -> Iterator[int]:
    return (count(contents, "coverageCount", where) for contents in element.iter("contents"))


def _read_line(
    database: Database, element: Element, kind: str, bins: str, files: dict[str, str], where: str
) -> None:  # fmt: skip
    place = element.find("id")
    file = files.get("" if place is None else place.get("file", ""), "?")
    line = "1" if place is None else place.get("line", "1")
    for found in element.findall(bins):
        name = found.get("alias") or element.get("alias") or element.get("name") or ""
        item = name if name.startswith(f"{line}:") or name == line else f"{line}: {name}".removesuffix(": ")
        database.line(file, kind, item, sum(_hits(found, where)))
