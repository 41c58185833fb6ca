"""The user's surroundings are not our fault: one line that names the cause, and exit code 4 or 6."""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm

import fp8ref.cli
from fp8ref.cli.surroundings import HINTS, cause

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, limits, forks")
SHOW = ["show", "e4m3fn"]
JSON = ["list", "formats", "--json"]
CHECK = ["check", "convert/f32/e5m2", "--impl", "mini:truncates", "--jobs", "1"]
RECORD = [*CHECK, "-o", "run.jsonl"]
GENERATE = ["vectors", "generate", "neg/e4m3fn/e4m3fn", "-o", "v.jsonl"]
PIPED = ["vectors", "generate", "neg/e4m3fn/e4m3fn"]
PROVE = ["prove", "decode/e2m1fn/f32", "--jobs", "1"]


def full(fd: int) -> Callable[[], None]:
    def spoil() -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), fd)

    return spoil


def limit(which: int, size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(which, (size, size))


def folder_gone() -> None:
    os.rmdir(os.getcwd())


def spoiled(spoil: Callable[[], None], args: list[str], folder: Path) -> tuple[int, str]:
    """Exit code, and what stands on standard error."""
    folder.mkdir()

    def body() -> None:
        spoil()
        warm.command()

    done = warm.run(body, ["fp8ref", *args], cwd=folder)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


FULL, SIZE = HINTS[errno.ENOSPC], HINTS[errno.EFBIG]
CASES = [
    (full(1), SHOW, 4, FULL), (full(1), JSON, 4, FULL), (full(1), CHECK, 4, FULL), (full(1), PIPED, 4, FULL),
    (full(2), ["show", "nonesuch"], 4, ""), (full(2), CHECK, 1, ""),
    (folder_gone, SHOW, 0, ""), (folder_gone, CHECK, 1, ""), (folder_gone, RECORD, 4, "cannot write"),
    (folder_gone, ["check", "--impl", "py:nowhere:X"], 4, "no module"), (folder_gone, GENERATE, 4, "cannot be written"),
    (limit(resource.RLIMIT_FSIZE, 2000), GENERATE, 4, "large"), (limit(resource.RLIMIT_FSIZE, 2000), CHECK, 4, SIZE),
    (limit(resource.RLIMIT_NOFILE, 5), CHECK, 4, "descriptors"),
    (limit(resource.RLIMIT_NOFILE, 9), CHECK, 4, "descriptors"), (limit(resource.RLIMIT_NOFILE, 4), PROVE, None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "args", "code", "said"), CASES)
def test_one_line_names_the_cause(
    spoil: Callable[[], None], args: list[str], code: int | None, said: str, tmp_path: Path
) -> None:
    found, errors = spoiled(spoil, args, tmp_path / "here")
    assert found in ((0, 4, 6) if code is None else (code,)), errors
    assert said in errors
    if found in (4, 6) and said:
        assert errors.count("\n") == 1


@pytest.fixture(scope="module")
def imported() -> None:
    """The commands, so that no child imports them by pytest's own loader, which compiles and wants descriptors."""
    for module in pkgutil.iter_modules(fp8ref.cli.__path__, "fp8ref.cli."):
        importlib.import_module(module.name)


@pytest.mark.full
@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize("args", [SHOW, JSON, CHECK, RECORD, GENERATE, PIPED, PROVE])
@pytest.mark.parametrize("n", range(3, 24))
def test_few_descriptors_are_never_our_fault(n: int, args: list[str], tmp_path: Path) -> None:
    code, errors = spoiled(limit(resource.RLIMIT_NOFILE, n), args, tmp_path / "here")
    assert code in (0, 1, 4, 6), errors
    assert code < 4 or errors.count("\n") <= 1, errors


def test_what_is_our_fault_stays_ours() -> None:
    assert cause(ZeroDivisionError()) is None
    assert cause(KeyError("x")) is None
    assert cause(OSError("said by a library")) is None
    assert cause(MemoryError()) == HINTS[errno.ENOMEM]
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = OSError(errno.EMFILE, "x", "file")
    assert cause(wrapped) == f"file: {HINTS[errno.EMFILE]}"
