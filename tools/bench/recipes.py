"""Quantisation by recipes against ``scale_blocks`` to mxfp8_e4m3 of an earlier version: ratios in one run.

    python tools/bench/recipes.py [--before COMMIT] [--json FILE] [--repeats N] [--log2 N]

The earlier version, by default the last commit before recipes, is unpacked beside and asked in a process of its own.
Both sides are timed in turn on arrays of the same numbers, in processor time of one thread; the medians count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import fp8ref

REPOSITORY = Path(__file__).parents[2]
BEFORE = "72c9189"
# recipe, how many times the earlier version's rate is asked for
ROWS = (
    ("vllm-token", 0.6), ("vllm-group", 0.6), ("sglang-group", 0.6), ("trtllm-group", 0.6), ("deepgemm-ue8m0", 0.6),
    ("te-mxfp8", 0.6), ("torchao-mxfp8-floor", 0.6), ("torchao-mxfp4-even", 0.6),
    ("te-nvfp4", 0.4), ("vllm-nvfp4", 0.4), ("torchao-nvfp4", 0.4), ("ct-nvfp4", 0.4), ("modelopt-nvfp4", 0.4),
)  # fmt: skip
WORKER = """
import sys, time
import numpy as np
import fp8ref
x = np.random.default_rng(0).standard_normal((1 << int(sys.argv[1])) // 4096 * 4096, dtype=np.float32).reshape(-1, 4096)
print("ready", flush=True)
for line in sys.stdin:
    start = time.process_time()
    fp8ref.scale_blocks(x, "mxfp8_e4m3")
    print(time.process_time() - start, flush=True)
"""


class Before:
    """The earlier version, in a process of its own."""

    def __init__(self, commit: str, log2: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        packed = subprocess.run(
            ["git", "archive", commit, "fp8ref"], cwd=REPOSITORY, check=True, capture_output=True
        ).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(self.folder.name, filter="data")
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(log2)],
            cwd=self.folder.name, env={**os.environ, "PYTHONPATH": self.folder.name},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"commit {commit} does not start")

    def seconds(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def measure(before: Before, x: Any, name: str, repeats: int) -> tuple[float, float]:
    """Medians of processor time: of the recipe, and of the earlier version, in turn."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        start = time.process_time()
        fp8ref.scale_blocks(x, name)
        ours = time.process_time() - start
        theirs = before.seconds()
        if turn:
            found[0].append(ours)
            found[1].append(theirs)
    return statistics.median(found[0]), statistics.median(found[1])


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the earlier version")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--repeats", type=int, default=7, help="calls of each side that count")
    parser.add_argument("--log2", type=int, default=22, help="elements as a power of two, at least 12")
    options = parser.parse_args()
    fp8ref.set_threads(1)
    n = max(options.log2, 12)
    x = np.random.default_rng(0).standard_normal(1 << n, dtype=np.float32).reshape(-1, 4096)
    before = Before(options.before, n)
    rows: list[dict[str, Any]] = []
    try:
        for name, target in ROWS:
            ours, theirs = measure(before, x, name, options.repeats)
            ratio = theirs / ours
            rows.append({"recipe": name, "ratio": round(ratio, 3), "target": target, "seconds": ours})
            print(
                f"{name:22}{ours / x.size * 1e9:8.2f} ns{theirs / x.size * 1e9:8.2f} ns{ratio:7.2f}  at least {target}"
            )
    finally:
        before.close()
    if options.json:
        options.json.write_text(json.dumps({"before": options.before, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["ratio"] >= row["target"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
