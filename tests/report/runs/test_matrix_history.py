"""What each version of an implementation was: one summary a version, and since when it conforms."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tools" / "matrix"), str(ROOT / "tools" / "docs")]

import history  # noqa: E402
import matrix_page  # noqa: E402

KEPT = json.loads(history.KEPT.read_text(encoding="utf-8"))


def record(version: str, *verdicts: str) -> list[dict[str, Any]]:
    header = {"kind": "run", "implementation": {"name": "x", "version": version}, "date": "2026-01-02"}
    return [header, *({"kind": "operation", "op": f"op{i}", "verdict": v} for i, v in enumerate(verdicts))]


def test_a_summary_counts_what_was_judged() -> None:
    found = history.entry(record("1.2.0+cpu", "pass", "allowed", "fail", "crash", "unsupported"), "")
    assert found == {"version": "1.2.0", "date": "2026-01-02", "operations": 4, "failed": 2}
    assert history.entry(record("1"), "") is None, "a row that did not start was no version"


def versions(*failed: int) -> str:
    return matrix_page.versions(
        {"x": [{"version": f"{i}.0", "date": "d", "operations": 9, "failed": n} for i, n in enumerate(failed)]}
    )


@pytest.mark.parametrize(
    ("failed", "since"),
    [((2, 0), "1.0"), ((2, 0, 0), "1.0"), ((0, 1), ""), ((3, 1), ""), ((0, 0), ""), ((1, 0, 1, 0), "3.0"),
     ((1, 0, 1), "")],
)  # fmt: skip
def test_since_when_it_conforms(failed: tuple[int, ...], since: str) -> None:
    (row,) = versions(*failed).strip().splitlines()[2:]
    assert row.split("|")[-2].strip() == since


def test_one_version_is_no_history() -> None:
    assert "No second version" in versions(3)


def test_every_record_is_the_last_of_its_version() -> None:
    for path in sorted((ROOT / "docs" / "data" / "matrix").glob("*.jsonl.gz")):
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        now = history.entry(lines, "")
        if now:
            assert now in KEPT[path.name.partition(".")[0]], path.name
