"""What was done, line by line, as it is done: what a run that was killed goes on from."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from pathlib import Path
from typing import Any

from ..outputs import create_own, open_own
from .task import Result, Task, compact

SCHEMA = "fp8ref/journal/1"
SYNC = 1.0  # seconds between two writes that reach the disk itself
LONGEST = 1 << 26  # bytes of a line


class JournalError(ValueError):
    """No journal, a damaged head, or one that another run holds."""


class NoRoom(OSError):
    """A journal cannot be written any more; what stands in it stays."""


class Journal:
    """Results of tasks, by address.  The first line says whose they are; every line carries its checksum.

    ``head``: what the run is; JSON.  A torn last line, or any line that was damaged, is dropped: its task is done
    again.
    """

    def __init__(self, path: Path, head: dict[str, Any] | None = None, force: bool = False) -> None:
        """Begin a journal with ``head``, or open the one that is there and go on with it.

        ``force``: a journal that is there, and that no run is writing, goes.  Raises JournalError; FileExistsError
        where a new one's name is taken; OSError where the file cannot be read or written.
        """
        self.path = path
        self.done: dict[str, Result] = {}
        self.dropped = 0  # lines that did not hold
        self._synced = time.monotonic()
        if head is not None and force and os.path.lexists(path):
            with open_own(path) as old:
                _lock(old.fileno(), path)
                path.unlink()
        self._file = open_own(path) if head is None else create_own(path)
        try:
            _lock(self._file.fileno(), path)
            if head is not None:
                self.head = head
                self._write({"schema": SCHEMA, **head})
            else:
                self.head = self._read()
        except BaseException:
            self._file.close()
            raise

    def add(self, task: Task, result: Result) -> None:
        """Keep a result.  Raises NoRoom where it cannot be written; what stood there before stays."""
        try:
            self._write({"address": task.address, "result": result})
        except OSError as error:
            raise NoRoom(error.errno, error.strerror or str(error)) from None
        self.done[task.address] = result

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what the disk would not take was reported when it was written
            self._file.close()

    def remove(self) -> None:
        """The run is over and its record written: the journal goes."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _write(self, data: dict[str, Any]) -> None:
        text = compact(data).encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._file.flush()
        if time.monotonic() - self._synced > SYNC:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _read(self) -> dict[str, Any]:
        head: dict[str, Any] | None = None
        end = 0
        while line := self._file.readline(LONGEST):
            data = _checked(line)
            if head is None:
                if data is None or data.pop("schema", None) != SCHEMA:
                    raise JournalError(f"{self.path}: not a journal of a run, or its head is damaged")
                head = data
            elif data is None or not (isinstance(data.get("address"), str) and isinstance(data.get("result"), dict)):
                self.dropped += 1
            else:
                self.done[data["address"]] = data["result"]
            if line.endswith(b"\n"):
                end = self._file.tell()
        if head is None:
            raise JournalError(f"{self.path}: empty, not a journal of a run")
        self._file.seek(end)
        self._file.truncate()
        return head


def _checked(line: bytes) -> dict[str, Any] | None:
    """What a line says; None where it is torn or damaged."""
    check, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _lock(descriptor: int, path: Path) -> None:
    """One run at a time; the lock goes with the process, and no worker inherits it."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - other systems
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError(f"{path}: another run is writing it") from None
