"""Writes what libraries answered, from the records of docs/data/matrix: ``python tools/matrix/library_answers.py``.

The file is fp8ref/check/pasted/recorded.json.gz, which ``fp8ref explain CASE --got CODE`` reads: for each library the
operations judged, with the mode found and the causes of wrong answers.  Operations with an unexplained finding are left
out: nobody knows what the library answers to other cases.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from fp8ref.check.diagnosis.diagnose import UNEXPLAINED
from fp8ref.check.fits import OPEN

ROOT = Path(__file__).parents[2]
RECORDS, DATA = ROOT / "docs" / "data" / "matrix", ROOT / "fp8ref" / "check" / "pasted" / "recorded.json.gz"
ANSWERED = ("pass", "allowed", "fail", "xfail")


def library(header: dict[str, Any]) -> str:
    """``torch 2.13.0``, with the options that change its answers."""
    who = header["implementation"]
    options = [pair for pair in header["impl"].split(",")[1:] if pair.startswith("mode=")]
    return " ".join(filter(None, [who["name"], who.get("version", "").partition("+")[0], *options]))


def entries(path: Path) -> tuple[str, list[Any]]:
    """A library's name, and its operations with the causes of their wrong answers."""
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    header = next(line for line in lines if line["kind"] == "run")
    causes: dict[str, list[list[str]]] = {}
    for line in lines:
        if line["kind"] == "finding":
            causes.setdefault(line["op"], []).append([line["rule"], line["where"]])
    found = []
    for line in lines:
        if line["kind"] != "operation" or line["verdict"] not in ANSWERED:
            continue
        here = causes.get(line["op"], [])
        if not any(rule in (UNEXPLAINED, OPEN) for rule, _ in here):
            found.append([line["op"], here])
    return library(header), found


def text() -> bytes:
    """The file's bytes, the same for the same records."""
    found: dict[str, list[Any]] = {}
    for path in sorted(RECORDS.glob("*.jsonl.gz")):
        name, operations = entries(path)
        found.setdefault(name, []).extend(operations)
    return gzip.compress(json.dumps(found, separators=(",", ":")).encode(), 9, mtime=0)


if __name__ == "__main__":
    DATA.write_bytes(text())
    print(f"{DATA.relative_to(ROOT)}: {DATA.stat().st_size} bytes")
