"""The child process in which an implementation under test runs.

It speaks JSON lines on two inherited file descriptors and leaves bulk data in shared memory.  It may crash, hang or
print: the parent (``transport.py``) turns each of these into a verdict.  Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...adapters.base import Adapter, Broken, Documented, Unavailable, Unsupported
from ...adapters.connect import connect
from ...cases.operation import Operation, carrier_dtype
from ...cases.products.beside import beside
from ...cases.products.questions import operand_types, shapes
from .layout import DONE, OPERANDS, Slot, arena_size

MAX_REASON = 500


PACKAGE = Path(__file__).resolve().parents[2]
START = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location({name!r}, {init!r}, submodule_search_locations=[{place!r}])
sys.modules[{name!r}] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[{name!r}])
importlib.import_module({worker!r}).main()
""".format(name=PACKAGE.name, init=str(PACKAGE / "__init__.py"), place=str(PACKAGE), worker=__name__)


def command() -> list[str]:
    """How a worker is started, before its arguments.

    The working directory is not a library: ``python -m`` would put it first on the path, and a ``json.py`` or
    ``numpy.py`` that lies there would run in place of the real one, whatever is judged.  Started so, the child loads
    this very fp8ref, on the path or not, and nothing from where it happens to stand; ``py:`` alone adds that folder,
    last.
    """
    return [sys.executable, "-P", "-c", START]


def main() -> None:
    """``COMMAND CONNECTABLE READ_FD WRITE_FD ARENA_FD CAPACITY``"""
    text, read_fd, write_fd, arena_fd, capacity = sys.argv[1], *map(int, sys.argv[2:6])
    with os.fdopen(read_fd, "rb") as questions, os.fdopen(write_fd, "wb") as answers:
        _prepare_to_die()
        try:
            adapter = connect(text)
            _say(answers, hello(adapter))
        except (ValueError, Unavailable) as error:
            _say(answers, {"failed": _reason(error), "usage": isinstance(error, ValueError)})
            return
        except BaseException as error:
            _say(answers, {"failed": f"{type(error).__name__}: {_reason(error)}", "usage": False})
            return
        arena = mmap.mmap(arena_fd, arena_size(capacity))
        for line in questions:
            _say(answers, _answer(adapter, json.loads(line), arena, capacity))


def _prepare_to_die() -> None:
    """No core files; and where memory runs out, the system ends this process, not the checker."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def hello(adapter: Adapter) -> dict[str, Any]:
    identity = {str(key): str(value) for key, value in adapter.identify().items()}
    claims = [str(claim) for claim in adapter.capabilities()]
    sources = {}
    if isinstance(adapter, Documented):
        for claim in claims:
            op = Operation.parse_claim(claim)
            sources[op.id] = str(adapter.source(op))
    return {"identity": identity, "claims": claims, "sources": sources}


def _answer(adapter: Adapter, question: dict[str, Any], arena: mmap.mmap, capacity: int) -> dict[str, Any]:
    op = Operation.parse(question["op"])
    counter = np.frombuffer(arena, np.int64, 1, DONE)  # the parent reads it when this process is dead
    done = 0
    for start, size, layout, n in question["calls"]:
        slot = Slot(start, size, layout)
        *given, shape = shapes(op, n)
        operands = [
            slot.view(arena, carrier_dtype(name), i, capacity, given[i]) for i, name in enumerate(operand_types(op))
        ]
        failed = _call(adapter, op, operands, Slot(start, size), shape, arena, capacity)
        if failed:
            return {**failed, "call": done}
        done += 1
        counter[0] = done
    return {"done": done}


def _call(
    adapter: Adapter,
    op: Operation,
    operands: list[Any],
    answer: Slot,
    shape: tuple[int, ...],
    arena: mmap.mmap,
    capacity: int,
) -> dict[str, Any] | None:
    """One call of the implementation; its answers go into the arena.  What went wrong, or None."""
    try:
        result: Any = adapter.run(op, *operands)
    except Unsupported as error:
        return {"unsupported": _reason(error) or "declined"}
    except Broken as error:
        return {"raised": _reason(error)}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return {"raised": raised(error)}
    second, given = beside(op, shape[0]), None
    if second is not None:
        if not (isinstance(result, tuple) and len(result) == 2):
            said = f"(codes, {second.name}), not {type(result).__name__}"
            return {"wrong": f"with {second.key} run() must return {said}"}
        result, given = result
    wrong = _wrong_shape(result, np.dtype(carrier_dtype(op.result)), shape, "codes")
    if wrong is None and second is not None:
        wrong = _wrong_shape(given, second.dtype, second.shape, second.name)
    if wrong is not None:
        return {"wrong": wrong}
    answer.view(arena, result.dtype, OPERANDS, capacity, shape)[...] = result
    if given is not None:
        answer.view(arena, given.dtype, OPERANDS + 1, capacity, given.shape)[...] = given
    return None


def raised(error: BaseException) -> str:
    """What an implementation raised, and where."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {_reason(error)} ({os.path.basename(where.filename)}:{where.lineno})"


def _wrong_shape(result: Any, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> str | None:
    if not isinstance(result, np.ndarray) or isinstance(result, np.ma.MaskedArray):  # a mask would be lost
        return f"run() must return {what} as a numpy array, not {type(result).__name__}"
    if result.dtype != dtype:
        return f"{what} have dtype {result.dtype}, not {dtype}"
    if result.shape != shape:
        return f"{what} have shape {result.shape}, not {shape}"
    return None


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:MAX_REASON]


def _say(answers: BinaryIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()
