"""A program under test as a child process: spoken to through its stdin and stdout, whatever it does.

Both ways are served at once, so that neither side waits for the other; what is kept of its output and of its stderr is
bounded; at the end its whole process group is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from ..base import Broken, Unavailable

CHUNK = 1 << 18
CROWD, PAUSE = 1 << 12, 2e-4  # bytes, seconds: a program that flushes every line is let write some more of them
GRACE = 2.0  # seconds to end after the end of input, or after closing stdout
TICK_MS = 50
LOG_BYTES = 1 << 16
PIPE_BYTES = 1 << 20
try:
    import fcntl
except ImportError:  # no POSIX: what is here is imported, but starts no program
    fcntl = None  # type: ignore[assignment]
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


class Reader(Protocol):
    """Takes what a program writes; ``feed`` returns whether all that was asked for is there.

    It raises Broken as soon as more comes than can be right, so that its memory is bounded.
    """

    def feed(self, data: bytes) -> bool: ...

    def progress(self) -> str:
        """How far the answers came, in words."""
        ...


class Program:
    """A running program.  Raises Unavailable where it cannot be started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        if fcntl is None:
            raise Unavailable(f"{command[0]!a} cannot be run: programs are watched as POSIX has it, on Linux and macOS")
        try:
            self._child = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                process_group=0,
            )
        except OSError as error:
            raise Unavailable(f"{command[0]} cannot be run: {error.strerror or error}") from None
        except ValueError as error:
            raise Unavailable(f"{command[0]!a} cannot be run: {error}") from None
        pipes = [pipe for pipe in (self._child.stdin, self._child.stdout, self._child.stderr) if pipe is not None]
        self._in, self._out, self._err = pipes
        for pipe in pipes:
            os.set_blocking(pipe.fileno(), False)
            if _SET_PIPE_SIZE is not None and pipe is not self._err:
                with contextlib.suppress(OSError):  # more than this user may have
                    fcntl.fcntl(pipe.fileno(), _SET_PIPE_SIZE, PIPE_BYTES)
        self._death = _watch(self._child.pid)
        self._log = b""
        self._reaped = False
        atexit.register(self.kill)

    def exchange(self, data: bytes, reader: Reader, *, last: bool = False, patience: float | None = None) -> None:
        """Write the data and feed the reader until all is there.

        ``last``: close stdin behind the data, and wait until the program ends with exit code 0.
        Raises Broken where it ends or falls silent before, TimeoutError after ``patience`` seconds.
        """
        left = memoryview(data)
        poller = select.poll()
        done, silent = reader.feed(b""), False
        give_up = time.monotonic() + patience if patience is not None else None
        end: float | None = None
        poller.register(self._out, select.POLLIN)
        poller.register(self._err, select.POLLIN)
        if self._death is not None:
            poller.register(self._death, select.POLLIN)
        if left:
            poller.register(self._in, select.POLLOUT)
        elif last:
            self._in.close()
        while True:
            if done and not left and not last:
                return
            ready = dict(poller.poll(TICK_MS))
            for fd in ready:
                if fd == self._out.fileno():
                    chunk = _read(fd)
                    if chunk:
                        done = reader.feed(chunk)
                        if not done and len(chunk) < CROWD:
                            time.sleep(PAUSE)
                    elif chunk is not None:
                        poller.unregister(fd)
                        silent = True
                elif fd == self._err.fileno():
                    if not self._hear():
                        poller.unregister(fd)
                elif fd != self._death:
                    left = left[self._write(left) :]
                    if not left:
                        poller.unregister(fd)
                        if last:
                            self._in.close()
            code = self._exit_code() if self._death is None or self._death in ready else None
            if code is not None:
                done = self._drain(reader) or done
                if code or not done:
                    raise Broken(self._ended(code, reader))
                return
            now = time.monotonic()
            if give_up is not None and now > give_up:
                raise TimeoutError
            if silent or (last and done and not left):
                end = end or now + GRACE
                if now > end:
                    said = "closed its output and did not end" if silent else "does not end at the end of its input"
                    raise Broken(f"{reader.progress()}, then the program {said}{self._words()}")

    def late_output(self) -> bytes:
        """What the program wrote that nobody asked for."""
        return _read(self._out.fileno()) or b""

    def kill(self) -> None:
        """End the program and all of its process group."""
        atexit.unregister(self.kill)
        if self._reaped:
            return
        self._reaped = True
        with contextlib.suppress(OSError):  # not reaped before now: the number is still its own
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for pipe in (self._in, self._out, self._err):
            with contextlib.suppress(OSError):
                pipe.close()
        if self._death is not None:
            os.close(self._death)

    def last_words(self) -> str:
        """The last line on stderr, at most 200 characters."""
        self._hear()
        lines = self._log.decode("utf-8", "replace").strip().splitlines()
        return "".join(c if c.isprintable() else "?" for c in lines[-1][-200:]) if lines else ""

    def _write(self, data: memoryview) -> int:
        """How many bytes were taken: all of them where nobody reads any more, and then the end will show."""
        try:
            return os.write(self._in.fileno(), data[:CHUNK])
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def _hear(self) -> bool:
        """Keep the end of what came on stderr, and pass it on to our own, which is the log of the checker."""
        chunk = _read(self._err.fileno())
        if chunk:
            self._log = (self._log + chunk)[-4096:]
            with contextlib.suppress(OSError, ValueError):
                _pass_on(chunk[-4096:])
        return chunk != b""

    def _drain(self, reader: Reader) -> bool:
        """What an ended program left in its pipe; a process that it left behind may write on, and is not heard."""
        done = False
        for _ in range(2 * PIPE_BYTES // 4096):
            chunk = _read(self._out.fileno())
            if not chunk:
                break
            done = reader.feed(chunk)
        return done

    def _exit_code(self) -> int | None:
        """The exit code, negative for a signal, without reaping the process: its number stays its own."""
        found = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def _ended(self, code: int, reader: Reader) -> str:
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return f"{reader.progress()}, then the program {how}{self._words()}"

    def _words(self) -> str:
        words = self.last_words()
        return f": {words}" if words else ""


def signal_name(number: int) -> str:
    """The name of a signal; its number where Python knows none, as of the real-time ones."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(fd: int) -> bytes | None:
    """Up to a chunk; empty at the end, None where nothing is there yet."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _watch(pid: int) -> int | None:
    """A descriptor that becomes readable when a process ends; None where the system has none, and polling must do."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


@lru_cache(maxsize=1)
def _log_fd() -> int | None:
    """Our own stderr where that is the checker's log in memory, which shows the last words of what hangs."""
    with contextlib.suppress(OSError, ValueError):
        fd = sys.stderr.fileno()
        if "memfd:fp8ref-log" in os.readlink(f"/proc/self/fd/{fd}"):
            return fd
    return None


def _pass_on(words: bytes) -> None:
    fd = _log_fd()
    if fd is None:
        return
    if os.fstat(fd).st_size > LOG_BYTES:
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, words)
