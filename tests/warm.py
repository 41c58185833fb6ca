"""Child processes without their start: a fork of this process, which has numpy and fp8ref loaded already.

An implementation's process and a command line each take half a second of processor time to import what they need, and
the suite starts hundreds of them.  Here the child is forked instead and then does what the command would: own session,
own descriptors, environment, folder, arguments, exit code.  It can crash, hang and print as any other.

``tests/conftest.py`` lets every :class:`~fp8ref.check.harness.transport.Session` of the tests start so, and every
``fp8ref`` and ``python -m fp8ref`` is run so by :func:`fp8ref`.  What a start itself may break is asked of real ones:
modules that say ``REAL_STARTS = True``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fp8ref as package
from fp8ref.check.harness import worker

NULL = subprocess.DEVNULL
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM)


class Forked:
    """A forked child, as far as it is asked for what :class:`subprocess.Popen` has."""

    def __init__(self, args: Sequence[str], pid: int) -> None:
        self.args, self.pid, self.returncode = args, pid, None
        self.outputs: list[int] = []  # descriptors of the files that it writes to, where they are ours

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                done, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # asked by a process that did not start it: subprocess says 0 then, too
                done, status = self.pid, 0
            if done:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.0005
        while self.poll() is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it said, when it has ended."""
        self.wait(timeout)
        out, err = (os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "replace") for fd in self.outputs)
        return out, err

    def __del__(self) -> None:
        for fd in self.outputs:
            os.close(fd)


def fork(
    body: Callable[[], None],
    args: Sequence[str],
    out: int,
    err: int,
    keep: Iterable[int] = (),
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    session: bool = False,
) -> Forked:
    """A child that does ``body`` as the program ``args``, with nothing to read, and writes to ``out`` and ``err``."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the test runner, which the child needs not
        pid = os.fork()
    if pid:
        return Forked(args, pid)
    code = 1
    try:
        _settle(list(args), out, err, sorted(keep), session)
        if cwd is not None:
            os.chdir(cwd)
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        with contextlib.suppress(FileNotFoundError):  # a test removed it
            sys.path.insert(0, os.getcwd())
        importlib.invalidate_caches()
        code = _exit_code(body)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _settle(args: list[str], out: int, err: int, keep: list[int], session: bool) -> None:
    """Make the copy of the test runner a fresh program."""
    if session:
        os.setsid()
    faulthandler.disable()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((nothing, os.dup(out), os.dup(err))):
        os.dup2(source, target)
    start = 3
    for fd in [*keep, os.sysconf("SC_OPEN_MAX")]:
        os.closerange(start, fd)
        start = fd + 1
    for name, fd in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        stream = open(fd, "r" if fd == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = args
    sys.modules["__main__"] = ModuleType("__main__")
    sys.excepthook = sys.__excepthook__
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    package.set_threads(None)


def _exit_code(body: Callable[[], None]) -> int:
    try:
        body()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def fp8ref(
    *arguments: object,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    together: bool = False,
) -> subprocess.CompletedProcess[str]:
    """The command ``fp8ref``, with its output as text.

    ``env``: in addition to this process's.  ``together``: what goes to standard error stands in the output, too.
    """
    return run(command, ["fp8ref", *map(str, arguments)], cwd, env, timeout, together)


def run(
    body: Callable[[], None],
    args: Sequence[str],
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    together: bool = False,
) -> subprocess.CompletedProcess[str]:
    """As :func:`subprocess.run`, of a fork that does ``body``."""
    child = begin(body, args, cwd, env, together)
    try:
        out, err = child.communicate(timeout)
    except BaseException:
        child.kill()
        child.wait()
        raise
    return subprocess.CompletedProcess(args, child.wait(), out, err)


def begin(
    body: Callable[[], None],
    args: Sequence[str],
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    together: bool = False,
) -> Forked:
    """As :class:`subprocess.Popen`, of a fork that does ``body``; what it says is kept."""
    outputs = [os.memfd_create("output") for _ in range(2)]
    child = fork(body, args, outputs[0], outputs[0 if together else 1], cwd=cwd, env={**os.environ, **(env or {})})
    child.outputs = outputs
    return child


def command() -> None:
    """What ``fp8ref`` does, for :func:`begin`."""
    importlib.import_module("fp8ref.cli.main").run()


def start(command: Sequence[str], **options: Any) -> Any:
    """:class:`subprocess.Popen` for ``transport.py``: forks where the command is that of a worker."""
    if command[:-5] != worker.command():
        return subprocess.Popen(command, **options)
    return fork(
        worker.main,
        command[-6:],
        options["stdout"],
        options["stderr"],
        options["pass_fds"],
        session=options["start_new_session"],
    )


SUBPROCESS = SimpleNamespace(**{**vars(subprocess), "Popen": start})
