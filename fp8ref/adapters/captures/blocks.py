"""A file of blocks: a line of JSON that says what it is, then records, each a line of JSON and so many packed bytes.

Records are only ever appended, so that a run that was cut off goes on where it stopped: what follows the last whole
record is dropped.  Every record carries the digest of its bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...outputs import create_own, open_own

LARGEST = 1 << 26  # bytes of a record, unpacked: files come from elsewhere
LONGEST = 1 << 16  # of a line


@dataclass
class Blocks:
    """What a file holds.  ``torn``: bytes after the last whole record."""

    path: Path
    header: dict[str, Any]
    records: list[tuple[dict[str, Any], bytes]] = field(default_factory=list)
    torn: int = 0


def read(path: Path) -> Blocks:
    """The whole records of a file.  Raises ValueError where it is no file of blocks, OSError where it is not there."""
    data = path.read_bytes()
    header, at = _line(data, 0)
    if not isinstance(header, dict) or header.get("fp8ref") != "blocks":
        raise ValueError(f'{path}: not a file of blocks: it begins with a line {{"fp8ref": "blocks", ...}}')
    found = Blocks(path, header)
    while at < len(data):
        record, start = _line(data, at)
        size = record.get("bytes", -1) if isinstance(record, dict) else -1
        if record is None or not isinstance(size, int) or size < 0 or start + size > len(data):
            break
        packed = data[start : start + size]
        if hashlib.sha256(packed).hexdigest() != record.get("packed"):
            break
        found.records.append((record, _unpacked(packed, path) if size else b""))
        at = start + size
    found.torn = len(data) - at
    return found


def _line(data: bytes, at: int) -> tuple[Any, int]:
    """The JSON of the line at a place and where the next one begins; None where there is no whole line."""
    end = data.find(b"\n", at, at + LONGEST)
    if end < 0:
        return None, at
    try:
        return json.loads(data[at:end]), end + 1
    except (ValueError, RecursionError):
        return None, at


def _unpacked(packed: bytes, path: Path) -> bytes:
    one = zlib.decompressobj()
    try:
        found = one.decompress(packed, LARGEST)
    except zlib.error as error:
        raise ValueError(f"{path}: damaged: {error}") from None
    if one.unconsumed_tail:
        raise ValueError(f"{path}: a record unpacks to more than {LARGEST} bytes")
    return found


class Appending:
    """A file of blocks that grows.  ``known``: the records that it has already.

    A torn end is cut off.  Raises ValueError where the file there has another header: nothing is mixed.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        header = {"fp8ref": "blocks", **header}
        line = json.dumps(header, sort_keys=True).encode() + b"\n"
        self.known: list[dict[str, Any]] = []
        self.contents: list[bytes] = []  # of the records that were there already
        if os.path.exists(path) and b"\n" in path.read_bytes()[:LONGEST]:
            found = read(path)
            if json.dumps(found.header, sort_keys=True).encode() + b"\n" != line:
                differ = sorted(k for k in {**found.header, **header} if found.header.get(k) != header.get(k))
                raise ValueError(f"{path} has another {', '.join(differ)}: name another folder, or remove it")
            self.known = [record for record, _ in found.records]
            self.contents = [content for _, content in found.records]
            self._file = open_own(path, "ab")
            self._file.truncate(path.stat().st_size - found.torn)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                open_own(path, "ab").close()  # cut off in its first line; a link or a pipe is not ours
                path.unlink()
            self._file = create_own(path)
            self._write(line)

    def append(self, record: Mapping[str, Any], content: bytes = b"") -> None:
        """Add a record with some content, at once on disk."""
        packed = zlib.compress(content, 6) if content else b""
        described = {**record, "bytes": len(packed), "packed": hashlib.sha256(packed).hexdigest()}
        self._write(json.dumps(described, sort_keys=True).encode() + b"\n" + packed)
        self.known.append(described)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
