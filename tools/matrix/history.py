"""What each version of an implementation was found to be, from all records that were ever committed.

``python tools/matrix/history.py`` writes docs/data/history.json: a row's versions, oldest first, each with the last
record of it: when it was asked, of how many operations, and how many failed.  The page shows the rows of several
versions, and which version began to conform.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from changes import FOLDER, ROOT, Lines, git, lines_of, present

KEPT = ROOT / "docs" / "data" / "history.json"
PASSED = ("pass", "allowed")


def entry(lines: Lines, date: str) -> dict[str, Any] | None:
    """The summary of a record; None where nothing was judged.  ``date`` where the record has none."""
    verdicts = Counter(line["verdict"] for line in lines if line["kind"] == "operation")
    judged = sum(count for verdict, count in verdicts.items() if verdict != "unsupported")
    if not judged:
        return None
    version = lines[0]["implementation"].get("version", "").partition("+")[0]
    failed = judged - sum(verdicts[verdict] for verdict in PASSED)
    return {"version": version, "date": lines[0].get("date", date), "operations": judged, "failed": failed}


def history() -> dict[str, list[dict[str, Any]]]:
    """Row -> the versions that were asked, as they were first seen, each by its last record."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    seen = set()
    for line in git("log", "--reverse", "--format=%H %as", "--", FOLDER).decode().splitlines():
        commit, date = line.split()
        for item in git("ls-tree", commit, f"{FOLDER}/").decode().splitlines():
            blob, path = item.split()[2:4]
            if (blob, path) not in seen and path.endswith(".jsonl.gz"):
                seen.add((blob, path))
                _add(found, path.rpartition("/")[2], lines_of(git("cat-file", "blob", blob)), date)
    now = present()
    for name, lines in now.items():
        _add(found, name, lines, "")
    return {name.partition(".")[0]: [*found[name].values()] for name in sorted(now) if name in found}


def _add(found: dict[str, dict[str, dict[str, Any]]], name: str, lines: Lines, date: str) -> None:
    one = entry(lines, date)
    if one:
        versions = found.setdefault(name, {})
        versions[one["version"]] = one


def main() -> int:
    """The command."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    KEPT.write_text(json.dumps(history(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
