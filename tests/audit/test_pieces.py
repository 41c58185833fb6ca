"""An audit in pieces: the same document from every engine, and after a kill; and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from audit.checkpoints import CHECKPOINTS, ct_channel
from fp8ref.audit import pieces
from fp8ref.audit.run import audit, begin
from fp8ref.cli.main import main
from fp8ref.engines import Journal, open_engine

pytest.importorskip("safetensors")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece for each tensor."""
    monkeypatch.setattr(pieces, "SIZE", 1)


def command(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["audit", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize(("name", "count"), [("ct-nvfp4", 1), ("block-fp8", 3)])  # q, k, v under one scale
def test_pieces_by_two_processes_are_the_whole(name: str, count: int, tmp_path: Path, small: None) -> None:
    checkpoint, original = CHECKPOINTS[name][0]().write(tmp_path / "m")
    found = begin(checkpoint, original)
    assert len(pieces.plan(found, False)) == count
    where = open_engine("processes", 2)
    try:
        pieces.audit_in_pieces(found, where)
    finally:
        where.close()
    assert found.document() == audit(checkpoint, original).document()


def test_killed_and_resumed_it_writes_the_same_bytes_and_does_nothing_twice(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, original = ct_channel().write(tmp_path / "m")
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    asked = [checkpoint, "--original", original, "--jobs", 1]
    command(*asked, "-o", whole)
    child = os.fork()
    if not child:
        add = Journal.add

        def killed(self: Journal, task: Any, result: Any) -> None:
            add(self, task, result)
            if len(self.done) == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(Journal, "add", killed)
        try:
            command(*asked, "-o", out)
        finally:
            os._exit(3)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not out.exists()
    journal = tmp_path / "out.json.shards"
    with journal.open("ab") as file:
        file.write(b"00000000 torn")
    assert "--resume" in command(*asked, "-o", out, code=4)
    assert "--original" in command(checkpoint, "--resume", out, code=4)
    done: list[str] = []
    judged = pieces.judged
    monkeypatch.setattr(pieces, "judged", lambda found, names: done.extend(names) or judged(found, names))
    command(*asked, "--resume", out)
    assert len(done) == 1
    assert out.read_bytes() == whole.read_bytes()
    assert not journal.exists()


def test_a_run_goes_on_with_the_same_files_alone(tmp_path: Path, small: None) -> None:
    checkpoint, _ = ct_channel().write(tmp_path / "m")
    out = tmp_path / "out.json"
    found = begin(checkpoint)
    head = {"kind": "audit", "path": str(checkpoint), "original": None, "drawn": False,
            "identity": pieces.identity(found), "files": pieces.stamps(found)}  # fmt: skip
    Journal(tmp_path / "out.json.shards", head).close()
    os.utime(checkpoint / "model.safetensors", ns=(1, 1))
    assert "changed" in command(checkpoint, "--resume", out, code=4)


@pytest.mark.parametrize("wrong", ["body", "recipes", "findings", "tensors"])
def test_what_a_journal_says_otherwise_is_done_again(wrong: str, tmp_path: Path, small: None) -> None:
    checkpoint, _ = ct_channel().write(tmp_path / "m")
    found = begin(checkpoint)
    task = pieces.plan(found, False)[0]
    result = pieces.piece(task.argument)
    (result if wrong == "tensors" else result["tensors"][0])[wrong] = 5
    journal = Journal(tmp_path / "j", {"kind": "audit"})
    journal.done[task.address] = result
    pieces.audit_in_pieces(found, open_engine("serial"), journal)
    journal.close()
    assert found.document() == audit(checkpoint).document()


def test_a_file_that_becomes_shorter_is_one_line(tmp_path: Path) -> None:
    checkpoint, _ = ct_channel().write(tmp_path / "m")
    found = begin(checkpoint)
    os.truncate(checkpoint / "model.safetensors", 2000)
    with pytest.raises(ValueError, match=r"model.safetensors: byte \d+ is not there any more"):
        found.seen.tensors[-1].elements(0, 0, 1)


@pytest.mark.full
def test_dask_writes_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the engine dask needs dask.distributed")
    checkpoint, original = CHECKPOINTS["modelopt-nvfp4"][0]().write(tmp_path / "m")
    written = []
    for engine in ("serial", "dask"):
        out = tmp_path / f"{engine}.json"
        arguments = ["audit", str(checkpoint), "--original", str(original), "--engine", engine, "-o", str(out)]
        subprocess.run(
            [sys.executable, "-c", "from fp8ref.cli.main import run; run()", *arguments, "--jobs", "2"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        written.append(out.read_bytes())
    assert written[0] == written[1]
    assert np.all([t["codes"]["rounded"] for t in json.loads(written[0])["tensors"]])
