"""Long computations report how far they are, to whoever watches: a progress bar, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watch = Callable[[int, int], None]  # steps done, and how many there are

_watchers: list[Watch] = []


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Have ``watch(done, of)`` called by the computations inside, from any of their threads."""
    _watchers.append(watch)
    try:
        yield
    finally:
        _watchers.remove(watch)


def report(done: int, of: int) -> None:
    """Report to every watcher."""
    for watch in tuple(_watchers):
        watch(done, of)
