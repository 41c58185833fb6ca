"""What the coverage page draws: Verilator's counts of the unit of tools/rtl are those that the shipped cases name."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from fp8ref.vectors.merging.database import read

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "docs" / "data" / "coverage.json"
SIMULATED = 300  # cases of each mode, as the page says; python tools/rtl/cover.py -n 300 measures anew


def tagged(most: int) -> Counter[tuple[str, str]]:
    """Hits of every bin among the first cases of each mode, by their own tags."""
    found: Counter[tuple[str, str]] = Counter()
    scope, seen = "", 0
    with gzip.open(ROOT / "vectors" / "dot" / "e5m2_modes.jsonl.gz", "rt") as file:
        for document in map(json.loads, file):
            if "fp8ref" in document:
                scope, seen = document["operation"], 0
                continue
            seen += 1
            if seen <= most:
                found.update((scope, word) for word in document["bins"].split())
    return found


def check(path: Path, most: int) -> None:
    database = read(path.read_bytes(), path.name)
    assert [source.form for source in database.sources] == ["vectors", "verilator"]
    rows = [(key, row) for key in database.bins for row in database.rows(*key)]
    simulated = {(scope, f"{point}={row.name}"): row.simulator for (scope, point), row in rows if row.simulator}
    suite = {(scope, f"{point}={row.name}"): row.suite for (scope, point), row in rows if row.suite}
    assert simulated == tagged(most)
    assert suite == tagged(sys.maxsize)
    assert {file for file, _ in database.code} == {"exsdotp.sv"}


def test_the_recorded_coverage() -> None:
    check(RECORDED, SIMULATED)


@pytest.mark.full
def test_verilator_counts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [tool for tool in ("verilator", "make", "g++") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {missing[0]}")
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "rtl"))
    spec = importlib.util.spec_from_file_location("rtl_cover", ROOT / "tools" / "rtl" / "cover.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["-n", "100", "-o", str(tmp_path / "c.json")]) == 0
    check(tmp_path / "c.json", 100)
