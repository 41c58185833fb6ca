"""``fp8ref check`` as a person and as a script meet it: output, records, exit codes, interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm
from click.testing import CliRunner

from fp8ref.cli.main import main
from fp8ref.report.runs import record

LONG_CALLS = True  # see tests/conftest.py

HEADER = (
    '{"kind":"run","schema":"fp8ref/run/1","fp8ref":"0.1.0","implementation":{},"impl":"x","level":1,"seed":0,'
    '"operations":[]}\n'
)
FP8REF = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]


def fp8ref(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return warm.fp8ref(*arguments, env=environment)


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own from the beginning."""
    return subprocess.run(
        [*FP8REF, *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--impl", "mini:correct", "convert/bf16"], 0),
        (["check", "--impl", "mini:truncates", "convert/f32/e5m2"], 1),
        (["check", "--impl", "mini:raises"], 6),
        (["check", "--impl", "mini:hangs", "--timeout", "0.1", "convert/f32/e5m2"], 6),
        (["check", "--impl", "mini:correct", "add/e4m3fn"], 5),
        (["check", "--impl", "mini:nonesuch"], 4),
        (["check", "--impl", "nonesuch"], 4),
        (["check", "--level", "4"], 4),
        (["check", "--nonesuch"], 4),
        (["chekc"], 4),
        (["check", "--help"], 0),
        (["--version"], 0),
        ([], 4),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = fp8ref(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--impl", "mini:decodes-nan-as-zero", "decode/e4m3/f16"], 1),
        (["check", "--impl", "mini:correct", "convert/bf16/e5m2"], 0),
    ],
)
def test_a_process_of_its_own_says_the_same_as_a_fork(arguments: list[str], code: int) -> None:
    """What the other tests ask of forks of this process (``warm.py``) holds of commands as they are started."""
    done, forked = started(*arguments), fp8ref(*arguments)
    assert done.returncode == code, done.stderr
    assert (done.returncode, done.stdout, done.stderr) == (forked.returncode, forked.stdout, forked.stderr)


def test_errors_are_one_clear_line() -> None:
    assert "did you mean torch" in fp8ref("check", "--impl", "torhc").stderr
    assert "nothing claimed matches 'add'" in fp8ref("check", "--impl", "mini:correct", "add").stderr


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is watched where there is /proc")
def test_memory_is_an_option_and_a_variable() -> None:
    """Where it ends depends on whether modules are compiled already: as the child starts, or as it is asked."""
    asked = ("check", "--impl", "mini:correct", "convert/bf16/e5m2")
    for done in (started("--memory", "0.01", *asked), started(*asked, FP8REF_MEMORY="0.01")):
        assert "used more than 10 MiB of memory" in " ".join((done.stdout + done.stderr).split())
        assert done.returncode in (2, 6)
    for wrong in ("0", "-1", "nan", "inf", "much"):
        found = CliRunner().invoke(main, ["list", "profiles"], env={"FP8REF_MEMORY": wrong})
        assert found.exit_code != 0
        assert "FP8REF_MEMORY" in found.output


def test_a_record_is_the_same_bytes_every_time_and_however_many_processes(tmp_path: Path) -> None:
    for name, jobs in (("a", "1"), ("b", "2")):
        path = tmp_path / f"{name}.jsonl"
        done = fp8ref("check", "--impl", "mini:ties-away", "--jobs", jobs, "-o", str(path))
        assert done.returncode == 1, done.stderr
    records = {(tmp_path / f"{name}.jsonl").read_bytes() for name in "ab"}
    assert len(records) == 1
    assert json.loads((tmp_path / "a.meta.json").read_text())["jobs"] == 1
    found = record.read(tmp_path / "a.jsonl")
    assert found["header"]["impl"] == "mini:ties-away"
    assert [o["verdict"] for o in found["operations"]] == ["fail", "fail"]
    assert {f["rule"] for f in found["findings"]} == {"rounding-rna"}
    assert found["end"]["finished"] is True


def test_json_output_is_the_record(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    printed = json.loads(fp8ref("check", "--impl", "mini:truncates", "--json", "-o", str(path)).stdout)
    assert printed.pop("causes")  # of several operations
    assert printed == record.read(path)


def test_an_existing_record_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("precious\n")
    done = fp8ref("check", "--impl", "mini:correct", "convert/bf16", "-o", str(path))
    assert done.returncode == 4
    assert "--force" in done.stderr
    assert path.read_text() == "precious\n"
    assert fp8ref("check", "--impl", "mini:correct", "convert/bf16", "-o", str(path), "--force").returncode == 0
    assert record.read(path)["end"]["finished"] is True


SOME = "convert/f32/e4m3fn"


def test_an_interruption_leaves_a_readable_record_and_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    process = subprocess.Popen(
        [*FP8REF, "check", "--impl", "mini:correct", "--jobs", "1", "-o", str(path), SOME],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a runner in the background ignores the interrupt, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = path.with_name(path.name + ".shards")
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") > 3) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    found = record.read(path)
    assert found["end"]["finished"] is False
    assert 2 <= len(found["operations"]) < len(found["header"]["operations"])
    assert f"--resume {path} --impl mini:correct goes on" in errors
    done = fp8ref("check", "--resume", str(path), "--impl", "mini:correct")
    assert done.returncode == 0, done.stderr
    assert len(record.read(path)["operations"]) == len(found["header"]["operations"]) >= 10
    assert not journal.exists()


def test_the_drawing_shows_the_case_the_cause_and_how_to_see_it_again() -> None:
    text = fp8ref("check", "--impl", "mini:ties-away", "convert/f32/e4m3fn").stdout
    assert "why    ties go away from zero" in text
    assert "repro  fp8ref show e4m3fn --from f32:" in text
    assert "does not conform" in text.strip().splitlines()[-1]


def test_dry_run_lists_and_asks_nothing() -> None:
    done = fp8ref("check", "--impl", "mini:raises", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.split() == ["convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.nonsat"]


def test_no_color_and_pipes_give_plain_text() -> None:
    assert "\x1b" not in fp8ref("check", "--impl", "mini:truncates", "convert/f32/e5m2", NO_COLOR="1").stdout


def test_fail_fast_stops_after_the_first_failure() -> None:
    done = fp8ref("check", "--impl", "mini:truncates", "--fail-fast", "--jobs", "1", "--json")
    assert done.returncode == 1
    assert len(json.loads(done.stdout)["operations"]) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("nonsense\n", "1: not a run record"),
        ('{"kind":"operation"}\n', "1: a run record begins"),
        ('{"kind":"run","schema":"fp8ref/run/99"}\n', "schema 'fp8ref/run/99'"),
        ('{"kind":"run","schema":"fp8ref/run/1"}\n', "1: field fp8ref of this run is missing"),
        (HEADER + '{"kind":"surprise"}\n', "2: not a line of a run record: its kind is"),
        (HEADER + HEADER, "2: a run record begins with its one header"),
        (HEADER + 'nonsense\n{"kind":"end"}\n', "2: not a line"),
    ],
)
def test_bad_records_are_refused_with_the_place(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match=said):
        record.read(path)


def test_a_torn_tail_is_dropped_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(HEADER + '{"kind":"operation","op"')
    assert record.read(path)["end"] is None
