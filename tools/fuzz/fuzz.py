"""Fuzz a reader with atheris, guided by the coverage of fp8ref's own code.

    python tools/fuzz/fuzz.py TARGET --seconds 120 [--corpus FOLDER]
    python tools/fuzz/fuzz.py --list

The targets are those of ``tests/fuzz/targets.py``, with the same guard.  Inputs that reach new code are kept below
FOLDER/TARGET; one that breaks a reader is written to FOLDER/crashes/TARGET-..., and the fuzzer ends with exit code 77.
Needs the extra ``fuzz``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[2]
LONGEST = 1 << 15  # bytes of an input
MOST_RESIDENT, SLOWEST = 3000, 20  # MB of the process, seconds of one input


def main() -> None:
    """Run one target."""
    parser = argparse.ArgumentParser(description="Fuzz a reader of fp8ref with atheris.")
    parser.add_argument("target", nargs="?")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the fuzzer; 0 takes another each time")
    parser.add_argument("--corpus", type=Path, default=ROOT / ".fuzz")
    parser.add_argument("--list", action="store_true", help="list the targets and stop")
    asked = parser.parse_args()
    import atheris

    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    sys.path.remove(str(Path(__file__).parent))  # where this file would be taken for the package of the targets
    with atheris.instrument_imports(include=["fp8ref"], enable_loader_override=False):
        targets, mutations = (importlib.import_module(f"fuzz.{name}") for name in ("targets", "mutations"))
    if asked.list or asked.target not in targets.TARGETS:
        for name, target in targets.TARGETS.items():
            print(f"{name:<14} {target.about}")
        sys.exit(0 if asked.list else 4)

    def read(data: bytes) -> None:
        targets.tried(asked.target, data, alarm=False)

    def mutate(data: bytes, most: int, seed: int) -> Any:
        draw = Random(seed)
        return atheris.Mutate(data, most) if draw.random() < 0.5 else mutations.mutated(data, draw, most)

    corpus, crashes = asked.corpus / asked.target, asked.corpus / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(targets.seeds_of(asked.target)):
        (corpus / f"seed-{i}").write_bytes(seed)
    options = {
        "max_total_time": asked.seconds, "max_len": LONGEST, "rss_limit_mb": MOST_RESIDENT, "timeout": SLOWEST,
        "artifact_prefix": f"{crashes}/{asked.target}-", "print_final_stats": 1, "seed": asked.seed,
    }  # fmt: skip
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(corpus)]
    atheris.Setup(arguments, read, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
