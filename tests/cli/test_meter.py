"""How far a long command is: one line in a terminal, a line a minute in a log, never a count of nothing."""

from __future__ import annotations

import threading
import time

import pytest

from fp8ref.check.compare import Options
from fp8ref.check.run import Request, Run
from fp8ref.cli import meter as meters
from fp8ref.cli.meter import Meter, metered
from fp8ref.engines import pulse


@pytest.fixture(autouse=True)
def _empty() -> None:
    pulse.clear()


def at(*seconds: float) -> Meter:
    times = iter(seconds)
    return Meter("judging", "operation", lambda: next(times))


def test_a_line_has_the_operation_its_cases_the_rate_and_the_time_left() -> None:
    meter = at(100.0, 130.0)
    meter.tick(1, 4)
    with pulse.working("dot/e4m3fn.e4m3fn/f32/exact;k=32"):
        pulse.report(3000, 3000, 6000)
        line = meter.line()
    assert line == (
        "judging: 1 of 4 operations, 3,000 cases, 100 a second, 30 s, about 50 s left; "
        "now dot/e4m3fn.e4m3fn/f32/exact;k=32, 3,000 of 6,000 cases"
    )


def test_the_first_of_one_operation_is_no_count_of_nothing() -> None:
    meter = at(0.0, 61.0)
    meter.tick(0, 1)
    with pulse.working("matmul/e5m2.e5m2/f32/exact;k=32"):
        line = meter.line()
    assert line == "judging: 0 of 1 operations, 1 min 1 s; now matmul/e5m2.e5m2/f32/exact;k=32"
    assert "?" not in line


def test_in_a_log_a_line_comes_every_so_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "MINUTE", 0.01)
    with metered("judging", "operation", 3) as tick:
        tick(2, 3)
        time.sleep(0.1)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("judging: 0 of 3 operations") or said.err.startswith("judging: 2 of 3 operations")
    assert "judging: 2 of 3 operations" in said.err
    assert threading.active_count() < 20


def test_a_short_command_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with metered("judging", "operation", 3) as tick:
        tick(3, 3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_write_what_they_ask(jobs: int) -> None:
    seen: list[pulse.Beat] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.002):
            seen.extend(beat for beat in pulse.beats() if beat.what and beat.of)

    watch = threading.Thread(target=look)
    watch.start()
    with Run(Request("mini:correct", options=Options(level=1), jobs=jobs, select=("convert/f32*", "decode*"))) as run:
        asked = [claim.id for claim in run.claims]
        reports = list(run.reports())
    over.set()
    watch.join()
    assert {beat.what for beat in seen} & set(asked)
    assert all(beat.done <= beat.of for beat in seen)
    assert sum(beat.total for beat in pulse.beats()) >= sum(report.cases for report in reports)
