"""Engines of this machine: the process itself, and several."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from ..errors import EngineError
from .task import Result, Task, work

TRIES = 5  # a task whose worker was killed so often is not tried again
AHEAD = 2  # tasks for each worker under way and waiting


class Serial:
    """One task after the other, here."""

    workers = 1

    def __call__(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        for task in tasks:
            yield task, json.loads(work(task.text))

    def close(self) -> None:
        pass


class Processes:
    """Several processes.  What a process that was killed was doing is done again by another."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._children: list[multiprocessing.process.BaseProcess] = []
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        method = "fork" if sys.platform == "linux" else "spawn"
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            self.workers, multiprocessing.get_context(method), initializer=_prepare, initargs=(os.getpid(),)
        )
        pool.submit(int)  # starts them all
        self._children = [child for child in multiprocessing.active_children() if child not in before]
        return pool

    def __call__(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        left, tries = deque(tasks), Counter[str]()
        waiting: dict[Future[str], Task] = {}
        try:
            while left or waiting:
                try:
                    while left and len(waiting) < AHEAD * self.workers:
                        waiting[self._pool.submit(work, left[0].text)] = left[0]
                        left.popleft()
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = json.loads(future.result())
                        yield waiting.pop(future), result
                except BrokenProcessPool:
                    lost = list(waiting.values())
                    waiting.clear()
                    tries.update(task.address for task in lost)
                    if max(tries.values(), default=0) > TRIES:
                        raise EngineError(f"workers were killed {TRIES} times over the same work") from None
                    left.extendleft(reversed(lost))
                    self.close()
                    self._pool = self._start()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            child.join()
        # waited for: at the interpreter's end the pool's thread would close the pipe by which it is then woken
        self._pool.shutdown(wait=True, cancel_futures=True)


def _prepare(parent: int) -> None:
    """In each worker: interrupts are the parent's to answer, and it ends when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
