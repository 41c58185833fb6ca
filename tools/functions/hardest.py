"""Write docs/data/hardest.json: the hardest operands of every elementary function of one operand, in 8-bit formats.

``python tools/functions/hardest.py``: half a minute.
"""

from __future__ import annotations

import json
from pathlib import Path

from fp8ref.cases.families import FUNCTIONS
from fp8ref.cases.functions.hardest import hardest
from fp8ref.spec import get_format

FORMATS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e3m4", "binary8p3se", "binary8p4se")
TARGET = Path(__file__).parents[2] / "docs" / "data" / "hardest.json"


def main() -> None:
    found = {
        name: {
            op: [[f"{hard.code:02X}", round(hard.bits, 1)] for hard in hardest(op, get_format(name))]
            for op in FUNCTIONS
        }
        for name in FORMATS
    }
    lines = [
        f"  {json.dumps(name)}: {{\n"
        + ",\n".join(f"    {json.dumps(op)}: {json.dumps(some)}" for op, some in rows.items())
        + "\n  }"
        for name, rows in found.items()
    ]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
