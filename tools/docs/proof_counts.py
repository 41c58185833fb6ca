"""How many cases each proof covered: a Markdown table from the JUnit file of a test run.

Run ``python -m pytest --full -o junit_family=xunit1 --junitxml=proof.xml tests/fast tests/second_oracles``, then
``python tools/docs/proof_counts.py proof.xml``.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import Counter


def counts(path: str) -> Counter[tuple[str, str]]:
    """Cases by test file and test, summed over parameters; tests that count none are left out."""
    found: Counter[tuple[str, str]] = Counter()
    for case in ET.parse(path).iter("testcase"):
        name = case.get("name", "").partition("[")[0]
        for item in case.iter("property"):
            if item.get("name") == "cases":
                found[case.get("file", ""), name] += int(item.get("value", "0"))
    return found


def main() -> None:
    print("| test | cases |\n|---|---:|")
    for (file, name), cases in sorted(counts(sys.argv[1]).items()):
        print(f"| `{file}::{name}` | {cases:,} |")


if __name__ == "__main__":
    main()
