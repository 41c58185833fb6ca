"""Keep the records of a matrix as data of the documentation: dated, trimmed, compressed.

``python tools/matrix/keep.py DIR`` puts the records (``*.jsonl``) of DIR, which ``tools/matrix/ask.py -o DIR`` wrote,
into docs/data/matrix, and removes those of rows that ``implementations.toml`` no longer has.  What the page does not
show is left out: the list of claimed operations, and of one operation the findings beyond the first few.  Each finding
gets its severity, by ``known.toml``; ``--grade`` does that alone, to the records that are kept already.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ask import implementations
from known import graded, load

KEPT = Path(__file__).parents[2] / "docs" / "data" / "matrix"
FINDINGS = 4  # of one operation; a record has the smallest counterexample of each cause first


def trimmed(lines: list[dict[str, Any]], date: str) -> list[dict[str, Any]]:
    """The lines of a record that a page needs; ``date`` goes into the header."""
    seen: Counter[str] = Counter()
    kept = []
    for line in lines:
        if line["kind"] == "run":
            line = {**line, "operations": [], **({"date": date} if date else {})}
        if line["kind"] == "finding":
            seen[line["op"]] += 1
            if seen[line["op"]] > FINDINGS:
                continue
        kept.append(line)
    return kept


def keep(record: Path, folder: Path) -> Path:
    """Write one record, trimmed, into a folder; the same bytes for the same record."""
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    meta = record.with_suffix(".meta.json")
    date = json.loads(meta.read_text(encoding="utf-8")).get("started", "")[:10] if meta.exists() else ""
    return write(folder / f"{record.stem}.jsonl.gz", trimmed(lines, date))


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    """A compressed record of lines, graded."""
    graded_lines = graded(load(), lines)
    text = "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in graded_lines)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return path


def grade(path: Path) -> None:
    """Grade a kept record anew."""
    write(path, [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()])


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", nargs="?", help="the folder of records")
    parser.add_argument("--grade", action="store_true", help="only grade the kept records anew")
    options = parser.parse_args()
    if options.grade:
        for path in sorted(KEPT.glob("*.jsonl.gz")):
            grade(path)
        return 0
    records = sorted(options.folder.glob("*.jsonl")) if options.folder else []
    if not records:
        parser.error("no *.jsonl there: write records with tools/matrix/ask.py -o DIR")
    KEPT.mkdir(parents=True, exist_ok=True)
    stems = {one.stem for one in implementations()}
    for old in KEPT.glob("*.jsonl.gz"):
        if old.name.removesuffix(".jsonl.gz") not in stems:
            old.unlink()
    sizes = [keep(record, KEPT).stat().st_size for record in records]
    print(f"{len(sizes)} records, {sum(sizes):,} bytes, in {KEPT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
