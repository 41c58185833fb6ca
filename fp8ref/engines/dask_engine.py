"""dask.distributed as the engine: a cluster that is there, or one of processes started here.  Needs the extra dask."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import EngineError
from ..extras import install
from .task import Result, Task, work

PATIENCE = 30  # seconds to reach a scheduler
SAFE, OURS = "PYTHONSAFEPATH", "fp8ref"
FAILURES = 10  # workers that may die over one task


def done(text: str) -> str:
    """A task on a worker; what it starts has the environment of whoever started the run."""
    if os.environ.get(SAFE) == OURS:
        del os.environ[SAFE]
    return work(text)


class Dask:
    """Tasks on dask's workers, each under its address, so that none is done twice; a lost worker's are done again."""

    def __init__(self, workers: int, scheduler: str = "") -> None:
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError:
            raise EngineError(f"the engine dask needs dask.distributed: {install('dask')}") from None
        before = dask.config.get("distributed.nanny.pre-spawn-environ")
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": FAILURES,
                # its workers import nothing from the working directory either
                "distributed.nanny.pre-spawn-environ": {**before, SAFE: os.environ.get(SAFE, OURS)},
            }
        )
        self._cluster: Any = None
        try:
            if not scheduler:
                self._cluster = LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
                )
            self._client = Client(self._cluster or scheduler, timeout=PATIENCE)
        except (OSError, ValueError, TimeoutError) as error:
            self._close_cluster()
            raise EngineError(f"no dask scheduler at {scheduler or 'this machine'}: {error}") from None
        self.workers = max(1, len(self._client.scheduler_info()["workers"]))

    def __call__(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        asked = {
            future: task
            for task in tasks
            for future in [self._client.submit(done, task.text, key=f"fp8ref-{task.address}", pure=True)]
        }
        try:
            for future in as_completed(list(asked)):
                result = json.loads(future.result())
                yield asked.pop(future), result
                future.release()
        except KilledWorker as error:
            raise EngineError(f"workers were killed {FAILURES} times over the same work: {error}") from None
        finally:
            self._client.cancel(list(asked))

    def close(self) -> None:
        self._client.close()
        self._close_cluster()

    def _close_cluster(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
