"""Records and journals that contradict themselves are refused; right ones, odd but legal, are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzz.seeds import records, report

from fp8ref.check import shards
from fp8ref.check.proof.proof import proved
from fp8ref.engines import Journal, Task, run, sound
from fp8ref.engines.local import Serial
from fp8ref.report.runs import record

Lines = list[dict[str, Any]]


def lines() -> Lines:
    """A header, four operations, the first and the last with a finding, an end."""
    return [json.loads(line) for line in records()[0].splitlines()]


def of(found: Lines, kind: str) -> dict[str, Any]:
    return next(line for line in found if line["kind"] == kind)


def read(found: Lines, folder: Path) -> dict[str, Any]:
    path = folder / "run.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in found))
    return record.read(path)


CHANGES: list[tuple[str, Callable[[Lines], object]]] = [
    ("pass, and 3 cases failed", lambda x: of(x, "operation").update(verdict="pass")),
    ("undecided, and 3 cases failed", lambda x: of(x, "operation").update(verdict="undecided")),
    ("fail, and no case failed", lambda x: x[3].update(verdict="fail")),
    ("allowed, and no case is", lambda x: x[3].update(verdict="allowed")),
    ("101 failed and 2 allowed of 100", lambda x: of(x, "operation").update(failed=101)),
    ("passed of 100 cases", lambda x: of(x, "operation").update(passed=96)),
    ("a finding of 3 of 100 cases, where 2", lambda x: of(x, "operation").update(failed=2, passed=96)),
    ("a finding of 0 of 100", lambda x: of(x, "finding").update(count=0)),
    ("a finding of 3 of 999", lambda x: of(x, "finding").update(of=999)),
    ("which it does not judge", lambda x: of(x, "finding").update(op="convert/f32/e4m3fn/rtz.sat")),
    (
        "pass, and it has findings",
        lambda x: of(x, "operation").update(verdict="pass", failed=0, passed=100, allowed={}),
    ),
    ("is judged 2 times", lambda x: x.insert(3, x[3])),
    ("its header announces it 0 times", lambda x: of(x, "run").update(operations=["decode/e5m2/f32"])),
    ("of its header is not judged", lambda x: of(x, "run")["operations"].append("decode/e4m3fn/f32")),
    ("its end says cases 1, its operations", lambda x: of(x, "end").update(cases=1)),
    ("its end says failed 0, its operations", lambda x: of(x, "end").update(failed=0)),
    ("its end says verdicts", lambda x: of(x, "end").update(verdicts={"pass": 4})),
    ("its end says allowed", lambda x: of(x, "end").update(allowed={})),
    ("a finding after the end", lambda x: x.append(of(x, "finding"))),
    ("a end after the end", lambda x: x.append(of(x, "end"))),
]


@pytest.mark.parametrize(("said", "change"), CHANGES)
def test_a_record_that_contradicts_itself_is_refused(
    said: str, change: Callable[[Lines], object], tmp_path: Path
) -> None:
    found = lines()
    change(found)
    with pytest.raises(ValueError, match=said) as caught:
        read(found, tmp_path)
    assert str(caught.value).isprintable()
    assert "run.jsonl" in str(caught.value)


def unfinished(x: Lines) -> None:
    del x[3]
    del x[-1]


RIGHT: list[Callable[[Lines], object]] = [
    lambda x: None,
    lambda x: x.pop(),  # torn
    unfinished,
    lambda x: of(x, "run").update(operations=[]),  # as pages keep it
    lambda x: of(x, "operation").update(verdict="xfail", expected="known") or of(x, "end").pop("verdicts"),
    lambda x: of(x, "operation").update(verdict="crash", reason="killed") or of(x, "end").pop("verdicts"),
    lambda x: [of(x, "end").pop(name) for name in ("cases", "failed", "verdicts", "allowed")],  # of former versions
]


@pytest.mark.parametrize("change", RIGHT)
def test_odd_but_legal_records_are_read(change: Callable[[Lines], object], tmp_path: Path) -> None:
    found = lines()
    change(found)
    assert read(found, tmp_path)["header"] == found[0]


def test_the_records_that_are_shipped_are_consistent() -> None:
    for path in sorted((Path(__file__).parents[2] / "docs" / "data").rglob("*.jsonl"))[:3]:
        assert record.read(path)["operations"]


# -- journals ----------------------------------------------------------------------------------------------------------
JUDGED = shards.report_json(report())
PROVED = {"first": 0, "count": 256, "digest": "0" * 64, "wrong": 0, "counterexample": None}
BENT: list[Any] = [None, -1, 1.5, "x", [], {}, [1, 2], True]


@pytest.mark.parametrize(("result", "holds"), [(JUDGED, shards.report_of), (PROVED, proved)])
def test_a_result_in_a_journal_is_held_to_its_types(
    result: dict[str, Any], holds: Callable[[dict[str, Any]], object]
) -> None:
    assert sound(result, holds)
    for name in result:
        if name != "wrong":  # none, where nothing is said
            assert not sound({k: v for k, v in result.items() if k != name}, holds), name
        for value in BENT:
            if sound({**result, name: value}, holds):
                same = isinstance(value, type(result[name])) or (isinstance(result[name], list) and value == {})
                assert same or (name, value) == ("counterexample", None), (name, value)
    if holds is shards.report_of:
        for name in ("cases", "failed", "claim", "verdict", "reason", "allowed"):
            for value in (None, [5], {"x": "y"}, -1, 1.5):
                assert not sound({**result, "report": {**result["report"], name: value}}, holds), (name, value)
    assert not sound({"failed": "NoSuchFailure", "reason": "x"}, proved)


def test_what_cannot_be_read_in_a_journal_is_done_again(tmp_path: Path) -> None:
    task = Task("fp8ref.check.shards:hello", {"impl": "mini:no-such", "timeout": 1.0})
    journal = Journal(tmp_path / "j", {"kind": "x"})
    journal.add(task, {"identity": 5})
    ((_, result),) = run(Serial(), [task], journal, lambda found: found["not_started"])
    assert "not_started" in result
    journal.close()


@pytest.mark.parametrize("line", ["5", "{}", '{"address": 5, "result": {}}', '{"address": "x"}', "[" * 99999])
def test_a_line_that_says_nothing_is_dropped(line: str, tmp_path: Path) -> None:
    import zlib

    first = b'{"schema":"fp8ref/journal/1"}'
    data = b"".join(b"%08x %s\n" % (zlib.crc32(x), x) for x in (first, line.encode()))
    (tmp_path / "j").write_bytes(data)
    journal = Journal(tmp_path / "j")
    assert (journal.done, journal.dropped) == ({}, 1)
    journal.close()
