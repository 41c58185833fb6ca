"""A file never starts a program, and the working directory is not a library."""

from __future__ import annotations

import json
import shlex
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fp8ref.adapters import connect as connecting
from fp8ref.check.harness.transport import Session
from fp8ref.check.proof.proof import Claim, Shard
from fp8ref.cli.main import main
from fp8ref.engines.journal import SCHEMA
from fp8ref.engines.task import compact
from fp8ref.report.runs import certificate

REAL_STARTS = True
DECODE = "decode/e2m1fn/f32"
ASKED = {
    "connectable": "", "select": [DECODE], "skip": [], "timeout": 60.0, "fail_fast": False, "strict": False,
    "options": {"level": 1, "seed": 0, "nan": "class", "flag": "", "cases": False}, "expect": None, "fail_on": None,
}  # fmt: skip


def run(*args: str | Path) -> tuple[int, str]:
    found = CliRunner().invoke(main, [str(a) for a in args])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


def journal(path: Path, head: dict[str, Any], *results: dict[str, Any]) -> Path:
    lines = [compact(line).encode() for line in ({"schema": SCHEMA, **head}, *results)]
    path.with_name(path.name + ".shards").write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(x), x) for x in lines))
    return path


def unfinished_check(path: Path, impl: str) -> list[str | Path]:
    journal(path, {"kind": "check", "asked": {**ASKED, "connectable": impl}, "header": {}})
    return ["check", "--resume", path]


def unfinished_proof(path: Path, impl: str) -> list[str | Path]:
    journal(path, {"kind": "prove", "claims": [DECODE], "impl": impl, "identity": {}})
    return ["prove", "--resume", path]


def their_certificate(path: Path, impl: str) -> list[str | Path]:
    from fp8ref.cases.operation import Operation

    claim = Claim(Operation.parse(DECODE), impl)
    ((first, count),) = claim.shards
    found = certificate.certify([claim], {"name": "x"}, [(claim, Shard(first, count, "0" * 64))])
    path.write_text(found.text())
    return ["prove", "--verify", path]


FILES = [unfinished_check, unfinished_proof, their_certificate]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", ["exec", "py", "cabi", "mini"])
def test_a_file_starts_no_program(
    file: Callable[[Path, str], list[str | Path]], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it names: what to type is said, and typed it is, in a shell, one word of a command line."""
    monkeypatch.chdir(tmp_path)
    pwned = tmp_path / "pwned"
    (tmp_path / "theirs.py").write_text(f"open({str(pwned)!r}, 'w')\n")
    impl = {
        "exec": f"exec:sh -c 'touch {pwned}; cat'",
        "py": "py:theirs:X",
        "cabi": "cabi:./x.so",
        "mini": "mini:truncates",
    }[kind]
    started: list[str] = []
    monkeypatch.setattr(Session, "_start", lambda self: started.append(self.connectable))
    code, said = run(*(asked := file(tmp_path / "theirs.json", impl)), "--jobs", "1")
    assert code == 4, said
    assert "a file starts no program" in said
    assert "\n" not in said.rstrip("\n")
    words = shlex.split(said.rpartition("type: ")[2])
    assert words[1:] == [*map(str, asked), "--impl", impl]
    assert not started
    assert not pwned.exists()
    assert run(*asked, "--impl", "mini:correct", "--jobs", "1")[0] == 4


def test_a_file_opens_no_other_file(tmp_path: Path) -> None:
    """Expected failures are named anew, too."""
    path = tmp_path / "x"
    journal(path, {"kind": "check", "asked": {**ASKED, "connectable": "mini:x", "expect": "/dev/zero"}, "header": {}})
    code, said = run("check", "--resume", path, "--impl", "mini:x")
    assert (code, "--expect /dev/zero" in said) == (4, True)


@pytest.mark.parametrize("kind", ["check", "prove"])
@pytest.mark.parametrize("value", [None, 5, "x", [], [5], {}, {"level": "1"}, True, float("inf"), ["x" * 9999]])
def test_the_head_of_a_journal_is_held_to_its_types(kind: str, value: Any, tmp_path: Path) -> None:
    head = {"check": ASKED, "prove": {"claims": [DECODE], "impl": "", "identity": {}}}[kind]
    for name in head:
        changed = {**head, name: value}
        if kind == "check":
            journal(tmp_path / "x", {"kind": kind, "asked": changed, "header": {}})
            args = ["check", "--resume", tmp_path / "x", "--impl", "mini:no-such", "--jobs", "1"]
        else:
            journal(tmp_path / "x", {"kind": kind, **changed})
            args = ["prove", "--resume", tmp_path / "x", "--impl", "mini:no-such", "--jobs", "1"]
        code, said = run(*args)
        assert code == 4, said
        assert said.startswith("Error: ")
        assert "\n" not in said.rstrip("\n")
    for asked, header in ((value, {}), (ASKED, value)):
        journal(tmp_path / "x", {"kind": "check", "asked": asked, "header": header})
        assert run("check", "--resume", tmp_path / "x")[0] == 4


# -- the working directory ---------------------------------------------------------------------------------------------
SHADOWS = ["json", "random", "numpy", "mmap", "traceback", "ml_dtypes", "click", "sitecustomize", "fp8ref"]
ADAPTER = """
import os
class Mine:
    def identify(self):
        return {"name": "mine", "version": os.path.basename(__file__), "path": repr(__import__("sys").path)}
    def capabilities(self): return ["decode/e2m1fn/f32"]
    def run(self, op, x): raise NotImplementedError
"""


def test_the_working_directory_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with the names of modules lie there: nobody's child runs them, and what ``py:`` names is found."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("open(__file__ + '.ran', 'w')\n")
    (tmp_path / "my_adapter_here.py").write_text(ADAPTER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with Session("mini:truncates") as session:
        assert session.hello.identity["name"] == "mini:truncates"
    with Session("py:my_adapter_here:Mine") as session:
        assert session.hello.identity["version"] == "my_adapter_here.py"
        path = session.hello.identity["path"]
    assert path.rstrip("]").endswith(f"'{tmp_path}'")
    assert path.count(f"'{tmp_path}'") == 1
    assert not list(tmp_path.glob("*.ran"))


def test_in_this_process_too_it_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "colorsys.py").write_text("raise SystemError('theirs')\n")
    (tmp_path / "my_adapter_there.py").write_text("import colorsys\n" + ADAPTER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    assert connecting.connect("py:my_adapter_there:Mine").identify()["name"] == "mine"
    assert sys.path[-1] == str(tmp_path)


def test_dask_starts_its_workers_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their path has no working directory; what they start has the environment of before."""
    from fp8ref.engines import dask_engine

    monkeypatch.setenv(dask_engine.SAFE, dask_engine.OURS)
    text = json.dumps({"fp8ref": "0", "function": "x", "argument": {}})
    with pytest.raises(ValueError, match="this worker has"):
        dask_engine.done(text)
    assert dask_engine.SAFE not in dask_engine.os.environ
