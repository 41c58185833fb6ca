"""Compare the findings of ``fp8ref check --json`` with the ones that are known: ``signatures.py EXPECTED < run.json``.

Exit 0 if they are the same set, 1 with the difference otherwise.  A signature is an operation, the wrong rule that
explains its answers, and the circumstance: it stays while the implementation stays.
"""

import json
import sys
from pathlib import Path


def main() -> int:
    expected = set(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    found = {finding["signature"] for finding in json.load(sys.stdin)["findings"]}
    for title, lines in (("new", found - expected), ("gone", expected - found)):
        for line in sorted(lines):
            print(f"{title}: {line}")
    print(f"{len(found)} findings, {len(found ^ expected)} unexpected")
    return int(found != expected)


if __name__ == "__main__":
    sys.exit(main())
