"""Conversions against ml_dtypes' astype: ratios in one run, on arrays of 2^24 elements.

    python tools/bench/conversions.py [--json FILE] [--repeats N] [--log2 N]

Both sides are timed in turn, on the same arrays; the best time of each counts, the medians are in the JSON.  One thread
unless a row says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

import fp8ref
from fp8ref.fast.environment import is_default

Array = np.ndarray[Any, Any]
CODES = {"e4m3fn": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
SOURCES: dict[str, Any] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
# (source, result, inputs, how many times ml_dtypes' speed is asked for; 0: shown only)
ENCODE = (
    ("f32", "e4m3fn", "normal", 4.0),
    ("f32", "e4m3fn", "random bits", 4.0),
    ("f32", "e5m2", "normal", 4.0),
    ("f32", "e5m2", "random bits", 4.0),
    ("f64", "e4m3fn", "normal", 3.0),
    ("f64", "e4m3fn", "random bits", 3.0),
    ("f16", "e4m3fn", "normal", 7.0),
    ("f16", "e4m3fn", "random bits", 7.0),
    ("bf16", "e4m3fn", "normal", 7.0),
    ("bf16", "e4m3fn", "random bits", 7.0),
)
NEW_FORMATS = ("e4m3b9fn", "e3m4b1", "e5m2b11", "e2m5", "e4m3b2fnuz", "e6m1", "e3m3", "e4m2fn")
IMPORTS = "import time, numpy; t = time.perf_counter(); import fp8ref; print(time.perf_counter() - t)"


@dataclass
class Row:
    """One line of the table; ``fp8ref`` and ``other`` are times as text, ``measured`` is what the target speaks of."""

    name: str
    fp8ref: str
    other: str
    measured: str
    target: str
    met: str
    seconds: dict[str, float]


def inputs(source: str, kind: str, n: int, rng: np.random.Generator) -> Array:
    dtype = np.dtype(SOURCES[source])
    if kind == "normal":
        return rng.standard_normal(n, dtype=np.float32 if dtype.itemsize < 8 else np.float64).astype(dtype)
    return rng.integers(0, 1 << 8 * dtype.itemsize, n, dtype=f"u{dtype.itemsize}").view(dtype)


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of both, timed in turn after one call each that does not count."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for call, seconds in zip((ours, theirs), found):
            start = time.perf_counter()
            call()
            if turn:
                seconds.append(time.perf_counter() - start)
    return found


def versus(name: str, ours: list[float], theirs: list[float], n: int, target: float) -> Row:
    ratio = min(theirs) / min(ours)
    seconds: dict[str, float] = {
        "fp8ref_best": min(ours),
        "fp8ref_median": statistics.median(ours),
        "other_best": min(theirs),
        "other_median": statistics.median(theirs),
        "ratio_of_best": ratio,
        "ratio_of_medians": statistics.median(theirs) / statistics.median(ours),
    }
    here, there = (f"{min(s) / n * 1e9:.2f} ns" for s in (ours, theirs))
    return Row(name, here, there, f"{ratio:.1f} times", f"at least {target:g} times", yes(ratio >= target), seconds)


def yes(met: bool) -> str:
    return "yes" if met else "no"


def conversions(n: int, repeats: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for source, result, kind, target in ENCODE:
        x = inputs(source, kind, n, rng)
        ours, theirs = in_turn(
            lambda: fp8ref.encode(x, result, overflow="nonsat"),  # noqa: B023
            lambda: x.astype(CODES[result]),  # noqa: B023
            repeats,
        )
        yield versus(f"encode {source} to {result}, {kind}", ours, theirs, n, target)
    codes = rng.integers(0, 256, n, dtype=np.uint8)
    narrow = codes.view(ml_dtypes.float8_e4m3fn)
    ours, theirs = in_turn(lambda: fp8ref.decode(codes, "e4m3fn"), lambda: narrow.astype(np.float32), repeats)
    yield versus("decode e4m3fn to f32", ours, theirs, n, 5.0)


def threads(n: int, repeats: int) -> Row:
    """Two threads against one, and how many cores the two really got: a busy machine has no second one to give."""
    x = inputs("f32", "normal", n, np.random.default_rng(1))
    cores: list[float] = []

    def on(count: int) -> Callable[[], object]:
        def call() -> object:
            fp8ref.set_threads(count)
            start, busy = time.perf_counter(), time.process_time()
            codes = fp8ref.encode(x, "e4m3fn")
            if count == 2:
                cores.append((time.process_time() - busy) / (time.perf_counter() - start))
            return codes

        return call

    two, one = in_turn(on(2), on(1), repeats)
    fp8ref.set_threads(1)
    row = versus("encode f32 to e4m3fn, two threads against one", two, one, n, 1.5)
    row.other, row.seconds["cores"] = f"{row.other} on one", statistics.median(cores)
    if row.met == "no" and row.seconds["cores"] < 1.8:
        row.met = f"no, {row.seconds['cores']:.1f} cores were free"
    return row


def memory(n: int) -> Row:
    """Peak memory beyond the result, the largest of several conversions, on two threads."""
    fp8ref.set_threads(2)
    extra = 0
    rng = np.random.default_rng(2)
    for source in SOURCES:
        x = inputs(source, "random bits", n, rng)
        fp8ref.encode(x[:1], "e4m3fn")
        tracemalloc.start()
        codes = fp8ref.encode(x, "e4m3fn")
        extra = max(extra, tracemalloc.get_traced_memory()[1] - codes.nbytes)
        tracemalloc.stop()
    fp8ref.set_threads(1)
    mib = extra / 2**20
    return Row("peak extra memory", f"{mib:.1f} MiB", "", f"{mib:.1f} MiB", "under 64 MiB", yes(mib < 64), {"mib": mib})


def first_calls() -> Row:
    """The first call for a format that was never asked for, the slowest of several."""
    x = inputs("f32", "normal", 1000, np.random.default_rng(3))
    fp8ref.encode(x, "e4m3fn")
    slowest = 0.0
    for name in NEW_FORMATS:
        start = time.perf_counter()
        fp8ref.encode(x, name)
        slowest = max(slowest, time.perf_counter() - start)
    text = f"{slowest * 1e3:.0f} ms"
    return Row("first call for a new format, slowest of 8", text, "", text, "under 50 ms", yes(slowest < 0.05),
               {"slowest": slowest})  # fmt: skip


def environment(repeats: int) -> Row:
    """A look at the floating-point environment, which every public call takes; its loop included."""
    looks = 10_000
    found = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(looks):
            is_default()
        found.append((time.process_time() - start) / looks)
    best = min(found) * 1e6
    text = f"{best:.2f} us"
    return Row(
        "look at the environment of the thread", text, "", text, "under 2 us", yes(best < 2), {"best": best / 1e6}
    )


def import_time(repeats: int) -> Row:
    """Seconds of ``import fp8ref`` where numpy is imported already, each in a new process."""
    command = [sys.executable, "-c", IMPORTS]
    found = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(repeats)]
    best = min(found)
    text = f"{best:.2f} s"
    return Row("import fp8ref after numpy", text, "", text, "under 0.25 s", yes(best < 0.25),
               {"best": best, "median": statistics.median(found)})  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Conversions of fp8ref against ml_dtypes: ratios in one run.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--repeats", type=int, default=9, help="calls of each side that count")
    parser.add_argument("--log2", type=int, default=24, help="elements as a power of two")
    arguments = parser.parse_args()
    n = 1 << arguments.log2
    fp8ref.set_threads(1)
    np.seterr(all="ignore")  # ml_dtypes' casts of infinities and NaNs warn
    rows = []
    print(f"{'':50} {'fp8ref':>11} {'ml_dtypes':>19} {'measured':>13}   target")
    for row in rows_of(n, arguments.repeats):
        rows.append(row)
        print(
            f"{row.name:50} {row.fp8ref:>11} {row.other:>19} {row.measured:>13}   {row.target}: {row.met}", flush=True
        )
    if arguments.json:
        document = {
            "fp8ref": fp8ref.__version__,
            "ml_dtypes": ml_dtypes.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "log2_elements": arguments.log2,
            "repeats": arguments.repeats,
            "rows": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def rows_of(n: int, repeats: int) -> Iterator[Row]:
    yield import_time(repeats)
    yield first_calls()
    yield environment(repeats)
    yield from conversions(n, repeats)
    yield threads(n, repeats)
    yield memory(n)


if __name__ == "__main__":
    main()
