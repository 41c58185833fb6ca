"""What the user's surroundings do not give: one line that names the cause, and no fault of ours."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from ..escapes import one_line

USAGE, INTERRUPTED = 4, 2
HINTS = {
    errno.EMFILE: "too few file descriptors: raise the limit, ulimit -n 256",
    errno.ENFILE: "the system has no file descriptors left",
    errno.ENOSPC: "no space is left where it is written",
    errno.EDQUOT: "the quota is used up where it is written",
    errno.EFBIG: "the limit of a file's size is reached: raise it, ulimit -f unlimited",
    errno.ENOMEM: "the system has not enough memory left, or ulimit -v is too low",
    errno.EAGAIN: "the system starts no more processes: raise the limit, ulimit -u",
    errno.EROFS: "the file system is read-only",
    errno.EBADF: "a standard stream is closed",
}


def cause(error: BaseException) -> str | None:
    """What the system refused, where that is what an error, or the one behind it, is about."""
    if isinstance(error, MemoryError):
        return HINTS[errno.ENOMEM]
    if isinstance(error, OSError) and error.errno is not None:
        said = HINTS.get(error.errno, (error.strerror or str(error)).lower())
        if error.errno == errno.ENOENT and _folder_is_gone():
            said = "the working directory was removed"
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return ": ".join([*names, said])
    behind = error.__cause__ or error.__context__
    return None if behind is None else cause(behind)


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def refused(error: BaseException) -> bool:
    """Say in one line what the system refused; False where it was nothing of that kind."""
    said = cause(error)
    if said is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"Error: {one_line(said)}\n")
        sys.stderr.flush()
    return True


def written() -> int | None:
    """Bring what was printed to where it goes, at the end.  The exit code where that was refused."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
        return INTERRUPTED
    except (OSError, ValueError) as error:
        refused(error)
        silence()
        return USAGE
    silence()
    return None


def silence() -> None:
    """Nothing more goes to standard output or error: at its end the interpreter would complain there once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
