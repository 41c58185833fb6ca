"""One reading under guard: whatever the bytes are, it ends soon, takes little memory, and touches nothing outside.

What the guard raises is a :class:`Fault`, which no reader's ``except`` swallows: this one did not keep the property.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import FrameType

SECONDS, WAITING = 5.0, 120.0  # of its own time for one reading of at most some 100 kB, and by the clock
MEMORY = 512 << 20  # bytes of address space that one reading may add
LONGEST = 1500  # characters of an error
ROOT = Path(__file__).parents[2]
FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
)
CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.link", "os.symlink")


class Fault(BaseException):
    """A reader that did not keep the property."""


@lru_cache(maxsize=1)
def folder() -> Path:
    """The one folder in which a reading may write; the names of its files stay the same."""
    held = tempfile.TemporaryDirectory(prefix="fp8ref-fuzz-")
    folder.held = held  # type: ignore[attr-defined]  # removed with the process
    os.environ["XDG_CACHE_HOME"] = held.name  # what is kept of tables is kept there
    return Path(held.name).resolve()


@lru_cache(maxsize=1)
def _readable() -> tuple[str, ...]:
    """What else may be opened for reading: the interpreter, the packages, the system's own files."""
    places = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, str(ROOT), str(folder())}
    return (*(os.path.realpath(place) for place in places), "/proc/", "/sys/", "/dev/null", "/dev/urandom", "/usr/lib/")


_watching = False


def _audit(event: str, args: tuple[object, ...]) -> None:
    if not _watching:
        return
    if event in FORBIDDEN:
        raise Fault(f"{event} {args[:1]!r:.80}")
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(args[0]))
        flags = args[2] if isinstance(args[2], int) else 0
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        cached = path.endswith(".pyc") or "__pycache__" in path
        if not (path.startswith(_readable()) or _is_own(path)) or (writes and not cached and not _is_own(path)):
            raise Fault(f"opens {path!r:.200}")
    elif event in CHANGING and isinstance(args[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(args[0]))
        if not _is_own(path) and "__pycache__" not in path:
            raise Fault(f"{event} {path!r:.200}")


def _is_own(path: str) -> bool:
    temporary = os.path.realpath(tempfile.gettempdir())  # files without a name, too
    return path == temporary or path.startswith((str(folder()), f"{temporary}/tmp"))


@lru_cache(maxsize=1)
def _install() -> None:
    folder()
    _readable()
    sys.addaudithook(_audit)


def _used() -> int:
    """Bytes of address space in use."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


@contextmanager
def _bounded_memory() -> Iterator[None]:
    if not os.path.exists("/proc/self/statm"):  # pragma: no cover - other systems than Linux
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _used() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _late(signum: int, frame: FrameType | None) -> None:
    raise Fault("still at work after too many seconds")


@contextmanager
def _bounded_time(alarm: bool) -> Iterator[None]:
    """By the process's own time, so that a busy machine is no fault; and by the clock, for what waits."""
    alarm = alarm and threading.current_thread() is threading.main_thread()
    timers = ((signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, WAITING))
    before = [signal.signal(number, _late) for _, number, _ in timers] if alarm else []
    for timer, _, seconds in timers[: len(before)]:
        signal.setitimer(timer, seconds)
    started = time.process_time()
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
    took = time.process_time() - started
    if took > SECONDS:
        raise Fault(f"took {took:.1f} s")


def attempt(
    read: Callable[[bytes], object],
    raises: tuple[type[BaseException], ...],
    data: bytes,
    *,
    longest: int = LONGEST,
    place: str = "",
    alarm: bool = True,
) -> BaseException | None:
    """Read the bytes; the documented error where they are refused, None where they are read.

    Any other exception goes through.  Raises Fault where the reading takes too long or too much, opens what it should
    not, or complains in more than one short line, or without the ``place``.  ``alarm``: interrupt it by a signal.
    """
    global _watching
    _install()
    refusal: BaseException | None = None
    with _bounded_time(alarm), _bounded_memory():
        _watching = True
        try:
            read(data)
        except raises as error:
            refusal = error
        finally:
            _watching = False
    if refusal is not None:
        check_line(str(refusal), longest)
        if place not in str(refusal) and isinstance(refusal, ValueError):
            raise Fault(f"an error that does not say where: {refusal}")
    return refusal


def check_line(said: str, longest: int = LONGEST) -> None:
    """Raise Fault where an error is not one short printable line."""
    if not said.strip():
        raise Fault("an error without words")
    if len(said) > longest:
        raise Fault(f"an error of {len(said)} characters: {said[:200]!r}")
    if not said.isprintable():
        raise Fault(f"an error that is not one printable line: {said[:300]!r}")
