"""Implementations that misbehave where no bytes do it: the checker says so in one line, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from fp8ref.adapters.base import Broken
from fp8ref.adapters.programs.exec import Exec
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.transport import Crashed, NotStarted, Session
from fp8ref.cli.inputs import Seconds
from fp8ref.vectors.files import found_in
from fp8ref.vectors.forms.tables import announced
from fp8ref.vectors.source import Unreadable, open_source

from .guard import check_line
from .words import refused

ASKED = Operation.parse("convert/f32/e4m3fn/rne.sat")
ADAPTER = """
import os, time
class Adapter:
    def identify(self): return {identity}
    def capabilities(self): return ["convert/f32/e4m3fn/rne.sat"]
    def run(self, op, x):
        {run}
"""


def hostile(folder: Path, run: str = "pass", identity: str = '{"name": "x"}') -> None:
    (folder / "hostile_adapter.py").write_text(ADAPTER.format(run=run, identity=identity))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("os.closerange(3, 64); time.sleep(60)", "closed the pipe of its answers"),
        ("os.kill(os.getpid(), 35)", "killed by signal 35"),
    ],
)
def test_a_process_that_ends_strangely_is_reported(
    run: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile(tmp_path, run)
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    with Session("py:hostile_adapter:Adapter", 30) as session:
        session.send(ASKED, [((np.zeros(4, np.uint32),), "plain")])
        with pytest.raises(Crashed, match=said) as caught:
            session.wait(30)
    check_line(str(caught.value))
    assert time.monotonic() - started < 20


def test_a_program_that_a_real_time_signal_ends_is_reported() -> None:
    program = Exec("sh -c 'kill -35 $$'", op="f32_to_e4m3fn")
    with pytest.raises(Broken, match="killed by signal 35"):
        program.run(ASKED, np.zeros(4, np.uint32))


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e999", "-1", "0", "٣٣٣٣٣٣٣٣", "soon"])
def test_a_time_limit_is_a_number_of_seconds(seconds: str) -> None:
    """nan is in every range that click knows, and select() takes neither it nor an infinity."""
    assert refused(["identify", "--impl", "mini:dot-sequential", "--timeout", seconds]) == 4
    assert Seconds().convert("0.5", None, None) == 0.5


@pytest.mark.parametrize("identity", ["5", "['a']", "None"])
def test_an_adapter_that_gives_no_identity_does_not_start(
    identity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile(tmp_path, identity=identity)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotStarted) as caught:
        Session("py:hostile_adapter:Adapter")
    check_line(str(caught.value))


def test_a_small_file_that_announces_gigabytes_is_refused(tmp_path: Path) -> None:
    """A column of one value takes a few bytes in Parquet, however long it is."""
    from .seeds import _files

    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "bomb.parquet"
    path.write_bytes(_files("parquet")[0])
    table = parquet.read_table(path)
    text = table.schema.metadata[b"fp8ref"].replace(b'"count":3', b'"count":134217728')
    parquet.write_table(table.replace_schema_metadata({b"fp8ref": text}), path)
    source = open_source(path)
    with source.file, pytest.raises(Unreadable, match="a bomb"):
        list(found_in(source))
    with pytest.raises(Unreadable, match="a bomb"):
        announced(text.decode(), "x", 1000)
