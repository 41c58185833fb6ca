"""Renew the matrix: ask everyone, keep the records, write all that follows from them, say what changed.

``python tools/matrix/renew.py [-o DIR] [NAME...]`` goes on where it was interrupted: a row whose record is in DIR is
not asked again.  It asks one row at a time, the cheapest first, and needs no attention: a row that fails is a row.  Its
last lines are what changed since the committed state, for a changelog.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these, as implementations.toml has them")
    parser.add_argument("-o", "--output", type=Path, default=Path("matrix"), help="the folder of records")
    parser.add_argument("--again", action="store_true", help="ask those again whose record is there")
    options = parser.parse_args()
    ask = ["ask.py", "-o", str(options.output), *(["--again"] if options.again else []), *options.names]
    steps = [
        ask,
        ["keep.py", str(options.output)],
        ["history.py"],
        ["reports.py"],
        ["library_answers.py"],
        ["changes.py"],
    ]
    for name, *arguments in steps:
        done = subprocess.run([sys.executable, str(HERE / name), *arguments], check=False)
        if done.returncode:
            print(f"{name} failed: what was asked is in {options.output}", file=sys.stderr)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
