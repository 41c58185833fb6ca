"""Long runs: the same record from every engine, and after kills, lost workers, torn journals and full disks."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import warm

from fp8ref.check import sweep
from fp8ref.engines import Journal, Task, open_engine, run
from fp8ref.engines.journal import JournalError
from fp8ref.report.runs import record

HERE = Path(__file__).parent
REAL_STARTS = True  # of the implementation; the command itself is a fork (warm.py)
IMPL = ["--impl", "py:swept:Swept"]
CHECK = ["check", *IMPL, "--level", "3"]
PIECES = 5 + 2 + 1  # claims, shards of the sweep, the diagnosis
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def start(*arguments: str, tally: Path | None = None) -> Any:
    environment = {} if tally is None else {"FP8REF_TALLY": str(tally)}
    if "dask" in arguments:  # a real start: an event loop and its sockets do not bear a fork
        command = [sys.executable, "-c", f"{SMALL}; from fp8ref.cli.main import run; run()", *arguments]
        environment = {**os.environ, **environment}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=HERE, env=environment, stdout=pipe, stderr=pipe, text=True)
    return warm.begin(warm.command, ["fp8ref", *arguments], HERE, environment)


def finish(*arguments: str, code: int = 1, tally: Path | None = None) -> str:
    process = start(*arguments, tally=tally)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == code, out + errors
    assert "Traceback" not in errors
    return out + errors


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(condition: Callable[[], bool], process: Any) -> None:
    until = time.monotonic() + 120
    while not condition() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.005)


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and theirs."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] != "Z":
                parents[int(name)] = int(stat[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


SMALL = "from fp8ref.check import sweep; sweep.SHARD = 1"


@pytest.fixture(scope="module", autouse=True)
def small_shards() -> Iterator[None]:
    """A sweep of two blocks has two shards, here and in forks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "SHARD", 1)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Counter[str]]:
    """The record of a run that nothing disturbed, and the calls that it made."""
    folder = tmp_path_factory.mktemp("whole")
    finish(*CHECK, "--engine", "serial", "-o", str(folder / "run.jsonl"), tally=folder / "calls")
    assert not (folder / "run.jsonl.shards").exists()
    return (folder / "run.jsonl").read_bytes(), Counter((folder / "calls").read_text().splitlines())


def test_the_sweep_finds_the_one_wrong_triple(whole: tuple[bytes, Counter[str]], tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(whole[0])
    found = record.read(tmp_path / "run.jsonl")
    (finding,) = found["findings"]
    assert (finding["inputs"], finding["count"], finding["length"]) == (["3B", "C5", "1"], 1, 1)
    assert finding["of"] > 1 << 21
    assert Counter(o["verdict"] for o in found["operations"])["fail"] == 1
    assert len(found["operations"]) == 5


# several processes: the run that is killed three times ends in the same bytes, too
PROCESSES = pytest.param(["--jobs", "2"], marks=pytest.mark.full, id="processes")


@pytest.mark.parametrize("engine", [PROCESSES, pytest.param(["--engine", "dask", "--jobs", "2"], id="dask")])
def test_every_engine_writes_the_same_bytes(
    engine: list[str], whole: tuple[bytes, Counter[str]], tmp_path: Path
) -> None:
    if "dask" in engine:
        pytest.importorskip("distributed", reason="the engine dask needs dask.distributed")
    finish(*CHECK, *engine, "-o", str(tmp_path / "run.jsonl"))
    assert (tmp_path / "run.jsonl").read_bytes() == whole[0]
    assert not (tmp_path / "run.jsonl.shards").exists()


@LINUX
def test_killed_three_times_it_ends_in_the_same_record_and_does_nothing_twice(
    whole: tuple[bytes, Counter[str]], tmp_path: Path
) -> None:
    path, tally = tmp_path / "run.jsonl", tmp_path / "calls"
    journal = tmp_path / "run.jsonl.shards"
    rng = random.Random(17)
    arguments = [*CHECK, "--jobs", "2", "-o", str(path)]
    kept = 0
    for at in sorted(rng.sample(range(2, PIECES), 3)):
        process = start(*arguments, tally=tally)
        wait_for(lambda at=at: lines(journal) >= at, process)  # type: ignore[misc]
        assert process.poll() is None
        children = descendants(process.pid)
        assert children
        process.kill()
        process.wait()
        assert not path.exists()
        assert lines(journal) >= max(kept, at)
        kept = lines(journal)
        wait_for(lambda children=children: not [c for c in children if alive(c)], process)  # type: ignore[misc]
        time.sleep(1.0)
        assert not [pid for pid in children if alive(pid)]  # nothing outlives the run
        arguments = ["check", "--resume", str(path), *IMPL, "--jobs", "2"]
    finish(*arguments, tally=tally)
    assert path.read_bytes() == whole[0]
    assert not journal.exists()
    twice = Counter(tally.read_text().splitlines()) - whole[1]
    # only what was under way when it was killed was asked again: at most two pieces a kill
    assert len({call.split()[0] for call in twice}) <= 3 * 2


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@LINUX
def test_killed_workers_are_replaced(whole: tuple[bytes, Counter[str]], tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    process = start(*CHECK, "--jobs", "2", "-o", str(path))
    for at in (3, 7):
        wait_for(lambda at=at: lines(tmp_path / "run.jsonl.shards") >= at, process)  # type: ignore[misc]
        workers = [p for p in descendants(process.pid) if b"fp8ref.check.harness.worker" not in cmdline(p)]
        assert workers
        os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert path.read_bytes() == whole[0]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@LINUX
@pytest.mark.full  # several processes: the test before; dask whole: test_every_engine_writes_the_same_bytes
def test_killed_workers_of_dask_are_replaced(whole: tuple[bytes, Counter[str]], tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the engine dask needs dask.distributed")
    path = tmp_path / "run.jsonl"
    process = start(*CHECK, "--engine", "dask", "--jobs", "2", "-o", str(path))
    wait_for(lambda: lines(tmp_path / "run.jsonl.shards") >= 4, process)
    workers = [
        p for p in descendants(process.pid)
        if b"spawn_main" in cmdline(p) and b"fp8ref.check.harness.worker" not in cmdline(p)
    ]  # fmt: skip
    assert workers
    os.kill(workers[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert path.read_bytes() == whole[0]


@LINUX
def test_a_file_size_limit_met_on_the_way(whole: tuple[bytes, Counter[str]], tmp_path: Path) -> None:
    """As a quota does: the journal cannot grow; what is in it stays, and the run goes on where there is room."""
    path, journal = tmp_path / "run.jsonl", tmp_path / "run.jsonl.shards"
    process = start(*CHECK, "--jobs", "2", "-o", str(path))
    wait_for(lambda: lines(journal) >= 2, process)
    size = journal.stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 300, size + 300))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert f"cannot write {journal}" in errors
    assert f"--resume {path} goes on" in errors
    assert errors.count("\n") == 1
    assert not path.exists()
    kept = lines(journal)
    assert kept >= 2
    finish("check", "--resume", str(path), *IMPL, "--jobs", "1")
    assert path.read_bytes() == whole[0]


@LINUX
@pytest.mark.full  # a limit of file sizes, above, meets the same lines
def test_a_full_disk(whole: tuple[bytes, Counter[str]], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        path = disk / "run.jsonl"
        said = finish(*CHECK, "--jobs", "2", "-o", str(path), code=2)
        assert "No space left on device" in said
        assert not path.exists()
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        finish("check", "--resume", str(path), *IMPL, "--jobs", "2")
        assert path.read_bytes() == whole[0]
        assert sorted(file.name for file in disk.iterdir()) == ["run.jsonl", "run.meta.json"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# -- what cannot be resumed --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run interrupted after some pieces."""
    path = tmp_path_factory.mktemp("interrupted") / "run.jsonl"
    process = start(*CHECK, "--engine", "serial", "-o", str(path))
    wait_for(lambda: lines(path.with_name("run.jsonl.shards")) >= 6, process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    return path.parent


@pytest.fixture
def torn(interrupted: Path, tmp_path: Path) -> Path:
    """The record, not there yet, of a copy of it."""
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run.jsonl"


def test_a_torn_tail_and_a_damaged_line_are_done_again(torn: Path, whole: tuple[bytes, Counter[str]]) -> None:
    journal = torn.with_name("run.jsonl.shards")
    whole_lines = journal.read_bytes().splitlines(keepends=True)
    whole_lines[2] = whole_lines[2].replace(b'"cases":', b'"cases":1', 1)
    journal.write_bytes(b"".join(whole_lines)[:-40])
    opened = Journal(journal)
    assert (opened.dropped, len(opened.done)) == (2, len(whole_lines) - 3)
    opened.close()
    finish("check", "--resume", str(torn), *IMPL)
    assert torn.read_bytes() == whole[0]


def test_refusals(torn: Path, tmp_path: Path) -> None:
    journal = torn.with_name("run.jsonl.shards")
    said = finish(*CHECK, "-o", str(tmp_path / "run.jsonl"), code=4)
    assert "exists; --force replaces it" in said
    torn.unlink()
    torn.with_name("run.meta.json").unlink()
    assert f"--resume {torn} goes on" in finish(*CHECK, "-o", str(torn), code=4)
    assert "leave out --level" in finish("check", "--resume", str(torn), *IMPL, "--level", "2", code=4)
    assert "resume it there" in finish("prove", "--resume", str(torn), code=4)
    assert "nothing to resume: neither" in finish("check", "--resume", str(tmp_path / "absent"), *IMPL, code=4)
    held = Journal(journal)
    assert "another run is writing it" in finish("check", "--resume", str(torn), *IMPL, code=4)
    held.close()
    changed = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"00000000 {}\n" + b"".join(changed[1:]))
    assert "not a journal of a run" in finish("check", "--resume", str(torn), *IMPL, code=4)
    journal.write_bytes(b"")
    assert "empty" in finish("check", "--resume", str(torn), *IMPL, code=4)
    assert "--engine dask" in finish(*CHECK, "--scheduler", "tcp://127.0.0.1:1", code=4)


def test_a_proof_goes_on_too(tmp_path: Path) -> None:
    claims = [f"mul/e4m3fn.e2m1fn/e4m3fn/{mode}" for mode in ("rne.sat", "rtz.sat", "rtp.nonsat", "rtn.nonsat")]
    finish("prove", *claims, "--engine", "serial", "-o", str(tmp_path / "whole.json"), code=0)
    path = tmp_path / "part.json"
    process = start("prove", *claims, "--engine", "serial", "-o", str(path))
    wait_for(lambda: lines(tmp_path / "part.json.shards") >= 3, process)
    process.kill()
    process.wait()
    assert not path.exists()
    finish("prove", "--resume", str(path), "--jobs", "2", code=0)
    assert path.read_bytes() == (tmp_path / "whole.json").read_bytes()


# -- the engines themselves -------------------------------------------------------------------------------------------
HELLO = "fp8ref.check.shards:hello"


@pytest.fixture(params=["serial", "processes"])
def engine(request: pytest.FixtureRequest) -> Iterator[object]:
    found = open_engine(request.param, 2)
    yield found
    found.close()


def test_results_come_by_task(engine: object) -> None:
    tasks = [Task(HELLO, {"impl": f"mini:nonesuch{i}", "timeout": 5.0}) for i in range(2)]
    found = {task.address: result for task, result in run(engine, tasks)}  # type: ignore[arg-type]
    assert set(found) == {task.address for task in tasks}
    assert all("not_started" in result for result in found.values())


def test_an_address_is_the_content() -> None:
    one = Task(HELLO, {"impl": "a", "timeout": 1.0})
    assert one.address == Task(HELLO, {"timeout": 1.0, "impl": "a"}).address
    assert one.address != Task(HELLO, {"impl": "b", "timeout": 1.0}).address


def test_only_functions_of_fp8ref_are_called(engine: object) -> None:
    with pytest.raises(ValueError, match="no function of fp8ref"):
        list(run(engine, [Task("os:system", {"command": "true"})]))  # type: ignore[arg-type]


def test_a_journal_gives_back_what_it_was_given(tmp_path: Path) -> None:
    path, task = tmp_path / "j", Task(HELLO, {"impl": "é\n", "timeout": 1.0})
    first = Journal(path, {"kind": "test"})
    first.add(task, {"x": [1, "\u2028", None]})
    with pytest.raises(JournalError, match="another run"):
        _in_another_process(path)
    first.close()
    again = Journal(path)
    assert (again.head, again.done) == ({"kind": "test"}, {task.address: {"x": [1, "\u2028", None]}})
    again.remove()
    assert not path.exists()


def _in_another_process(path: Path) -> None:
    code = f"from fp8ref.engines import Journal; from pathlib import Path; Journal(Path({json.dumps(str(path))}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise JournalError(done.stderr.strip().splitlines()[-1])
