"""Work in independent pieces, on one process, several, or several machines; nothing done is lost on the way.

A piece is a :class:`Task`: a function of this package and its argument as JSON.  An engine takes tasks and gives their
results as they come; a :class:`Journal` keeps them, so that a run that was killed goes on where it stopped.  What is
made of the results is the same whatever the engine, the number of workers and the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..errors import EngineError
from .journal import Journal, NoRoom
from .task import Result, Task

ENGINES = ("processes", "serial", "dask")


class Engine(Protocol):
    """Where tasks are done."""

    workers: int

    def __call__(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in the order in which they are done.  Raises EngineError."""

    def close(self) -> None:
        """End the workers, whatever they are doing."""


def open_engine(name: str, workers: int = 1, scheduler: str = "") -> Engine:
    """An engine: ``serial``, ``processes`` (``workers`` of them, here), or ``dask``.

    ``scheduler``: the address of dask's; without one a cluster of ``workers`` processes is started here.
    Raises EngineError where it cannot be started.
    """
    if name == "dask":
        from .dask_engine import Dask

        return Dask(workers, scheduler)
    from .local import Processes, Serial

    return Serial() if name == "serial" or workers <= 1 else Processes(workers)


def sound(result: Result, read: Callable[[Result], object]) -> bool:
    """Can a result that came in a file be read as one?"""
    try:
        read(result)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


def run(
    engine: Engine,
    tasks: Sequence[Task],
    journal: Journal | None = None,
    read: Callable[[Result], object] = lambda result: None,
) -> Iterator[tuple[Task, Result]]:
    """Each task with its result: first those that the journal has, then the others as they are done, noted there.

    ``read``: what is made of a result; where a result of the journal cannot be read so, its task is done again.
    """
    done = {} if journal is None else journal.done
    left = []
    for task in tasks:
        if task.address in done and sound(done[task.address], read):
            yield task, done[task.address]
        else:
            left.append(task)
    if not left:
        return
    for task, result in engine(left):
        if journal is not None:
            journal.add(task, result)
        yield task, result


__all__ = ["ENGINES", "Engine", "EngineError", "Journal", "NoRoom", "Result", "Task", "open_engine", "run", "sound"]
