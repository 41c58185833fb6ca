"""Write the golden vectors of the papers' systems: python tools/system_vectors.py [NAME]..."""

from __future__ import annotations

import sys
from pathlib import Path

from fp8ref.systems import CATALOGUE, get_system
from fp8ref.systems.golden import has_golden, text

FOLDER = Path(__file__).parents[1] / "vectors" / "systems"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for system in map(get_system, sys.argv[1:]) if sys.argv[1:] else CATALOGUE:
        if has_golden(system):
            (FOLDER / f"{system.name}.json").write_text(text(system), encoding="ascii")
            print(f"vectors/systems/{system.name}.json")


if __name__ == "__main__":
    main()
