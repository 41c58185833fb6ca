"""Sessions that a process keeps for its next task."""

from __future__ import annotations

import os

from fp8ref.check import shards


def test_a_forked_process_has_no_idle_session_of_its_parent() -> None:
    """Their implementations are children of the parent: nobody else can wait for them."""
    with shards.session("mini:correct", 60.0):
        pass
    try:
        assert any(shards._idle.values())
        pid = os.fork()
        if not pid:
            os._exit(sum(map(len, shards._idle.values())))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        shards.close_sessions("mini:correct", 60.0)
