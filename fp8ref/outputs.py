"""Files that fp8ref writes: the one place that does it.

A file appears under its name when all of it is written, together with its companions, or not at all.  Until then it has
a name that nobody can foresee, opened so that neither a file nor a link that stands there is followed.  What was there
stays, unless it is said that it may be replaced; and then it is the name that gets another file, never the file behind
a link, and never a device, a pipe or a folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}  # on this file system


def require_free(paths: Iterable[Path], force: bool = False) -> None:
    """Are all of these names free, or may what has them be replaced?

    Raises FileExistsError with the first that is not: a link counts, wherever it leads; no ``force`` replaces what is
    no plain file; and nothing can be written twice under one name.
    """
    seen = set()
    for path in paths:
        if path in seen:
            raise FileExistsError(f"{path} would be written twice: give each file a name of its own")
        seen.add(path)
        if not os.path.lexists(path):
            continue
        if not force:
            raise FileExistsError(f"{path} exists; --force replaces it")
        with contextlib.suppress(FileNotFoundError):  # a link that leads nowhere
            if not stat.S_ISREG(path.stat().st_mode):
                raise FileExistsError(f"{path} is no plain file, and is not replaced")


class Outputs:
    """Files that appear together: see :func:`together`."""

    def __init__(self, force: bool, durable: bool = True) -> None:
        self.force, self.durable = force, durable
        self._written: dict[Path, Path] = {}  # a file's name: the name under which it is written

    @contextmanager
    def file(self, path: Path) -> Iterator[IO[bytes]]:
        """A file to be written.  Raises FileExistsError where its name is not free, OSError."""
        require_free([*self._written, path], self.force)
        with new_file(path) as (file, part):
            self._written[path] = part
            yield file
            file.flush()
            if self.durable:
                os.fsync(file.fileno())

    def appear(self) -> None:
        """Give every file its name.  Raises as :meth:`file`; then those that have theirs keep it."""
        require_free(self._written, self.force)
        for path, part in list(self._written.items()):
            _name(part, path, self.force)
            del self._written[path]

    def vanish(self) -> None:
        """Remove what has no name yet."""
        for part in self._written.values():
            with contextlib.suppress(OSError):
                part.unlink()


@contextmanager
def together(force: bool = False, durable: bool = True) -> Iterator[Outputs]:
    """Files that appear together when the block ends well; otherwise none does.

    ``durable``: on the disk before they have their names; not so what can be made again and is known by its digest.
    Raises FileExistsError where one of the names has a file and ``force`` does not say that it may be replaced.
    """
    files = Outputs(force, durable)
    try:
        yield files
        files.appear()
    finally:
        files.vanish()


@contextmanager
def atomically(path: Path, force: bool = False, durable: bool = True) -> Iterator[IO[bytes]]:
    """One file alone, as :func:`together`."""
    with together(force, durable) as files, files.file(path) as file:
        yield file


@contextmanager
def new_file(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file beside a path, under a name that nobody can foresee, and that name."""
    part = path.with_name(f".{os.urandom(12).hex()}.part")
    with os.fdopen(os.open(part, NEW, 0o666), "wb") as file:
        yield file, part


def open_own(path: Path, mode: str = "r+b") -> IO[bytes]:
    """Open a file that an earlier run of ours left under a name of its choice, to go on with it.

    ``mode``: ``r+b`` or ``ab``.  Raises OSError where it is a link or no plain file: ours is neither.
    """
    flags = os.O_RDWR if mode == "r+b" else os.O_WRONLY | os.O_APPEND
    # not to wait for the other end of a pipe
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "it is a link, and is not followed", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return os.fdopen(descriptor, mode)


def create_own(path: Path) -> IO[bytes]:
    """Begin a file that grows under its name while a run goes on.  Raises FileExistsError where the name is taken."""
    return os.fdopen(os.open(path, NEW & ~os.O_WRONLY | os.O_RDWR, 0o666), "w+b")


def _name(part: Path, path: Path, force: bool) -> None:
    if not force:
        try:
            os.link(part, path)  # which never replaces: another one may have been here in the meantime
        except FileExistsError:
            raise FileExistsError(f"{path} exists; --force replaces it") from None
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        else:
            part.unlink()
            return
    os.replace(part, path)
