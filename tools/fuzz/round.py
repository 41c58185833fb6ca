"""A round of fuzzing over every reader and all text fields, in one process, with recorded seeds.

    python tools/fuzz/round.py --minutes 120 -o round.json
    python tools/fuzz/round.py --again TARGET:SEED:NUMBER

The targets are those of ``tests/fuzz/targets.py``, with the same guard; the damage is that of the daily tests.  Input
NUMBER of a target follows from SEED and NUMBER alone, so that a finding can be read again anywhere.  The file says for
each target how many inputs were tried, how many were read and refused, and each kind of finding once.  Exit code 1
where there was a finding.  A round can be ended at any time: the file is written every half minute.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[2]
TURN, EVERY = 2.0, 30.0  # seconds for a target before the next one's turn; between two writings of the file


def damaged(target: str, seed: int, number: int) -> bytes:
    """The input of a number: a valid one after some edits; now and then several, or bytes that never were any."""
    targets, mutations = (importlib.import_module(f"fuzz.{name}") for name in ("targets", "mutations"))
    draw = Random(f"{target}/{seed}/{number}")
    if draw.random() < 0.05:
        return draw.randbytes(draw.randrange(200))
    data: bytes = draw.choice(targets.seeds_of(target))
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        data = mutations.mutated(data, draw)
    return data


def tried(target: str, data: bytes, found: dict[str, Any], where: str) -> None:
    """One input; what it broke is noted once for each place in the code."""
    targets = importlib.import_module("fuzz.targets")
    found["inputs"] += 1
    try:
        refusal = targets.tried(target, data)
        found["read" if refusal is None else "refused"] += 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {os.path.basename(frame.filename)}:{frame.lineno}"
        one = found["findings"].setdefault(kind, {"times": 0, "first": where, "said": str(error)[:300]})
        one["times"] += 1


def main() -> None:
    """Try inputs until the time is over."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--again", metavar="TARGET:SEED:NUMBER", help="read one input of a round again")
    asked = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    sys.path.remove(str(Path(__file__).parent))  # where this folder would be taken for the package of the targets
    targets = importlib.import_module("fuzz.targets")
    if asked.again:
        target, seed, number = asked.again.split(":")
        data = damaged(target, int(seed), int(number))
        print(f"{len(data)} bytes: {data[:2000]!r}")
        print(repr(targets.tried(target, data)))
        return
    names = asked.targets or sorted(targets.TARGETS)
    found: dict[str, Any] = {name: {"inputs": 0, "read": 0, "refused": 0, "findings": {}} for name in names}
    start, written = time.monotonic(), 0.0
    document: dict[str, Any] = {"seed": asked.seed, "minutes": 0.0, "targets": found}

    def write() -> None:
        document["minutes"] = round((time.monotonic() - start) / 60, 2)
        document["processor minutes"] = round(time.process_time() / 60, 2)
        if asked.output is not None:
            asked.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    try:
        while time.monotonic() < start + 60 * asked.minutes:
            for name, counts in found.items():
                until = time.monotonic() + TURN
                while time.monotonic() < until:
                    number = counts["inputs"]
                    tried(name, damaged(name, asked.seed, number), counts, f"{name}:{asked.seed}:{number}")
            if time.monotonic() > written + EVERY:
                written = time.monotonic()
                write()
    except KeyboardInterrupt:
        pass
    write()
    for name, counts in found.items():
        print(f"{name:<14} {counts['inputs']:>9} inputs, {counts['read']} read, {counts['refused']} refused")
        for kind, one in counts["findings"].items():
            print(f"  {one['times']} x {kind}: {one['said'][:200]!r}; --again {one['first']}")
    sys.exit(1 if any(counts["findings"] for counts in found.values()) else 0)


if __name__ == "__main__":
    main()
