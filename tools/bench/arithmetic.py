"""Arithmetic against ml_dtypes in one run, on one thread: ratios, fused multiply-adds a second, seconds for a table.

    python tools/bench/arithmetic.py [--json FILE] [--repeats N] [--log2 N]

Operands are random codes, every code as likely as any other.  Both sides are timed in turn on the same arrays; the best
time of each counts.  Times are of the processor, so that a busy machine does not enter the rates.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

import fp8ref
from fp8ref.fast.arithmetic import Task, operation_table
from fp8ref.spec import get_projection

DTYPES = {"e4m3fn": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
PAIRS = {
    "add": (fp8ref.add, np.add, 5.0),
    "multiply": (fp8ref.multiply, np.multiply, 5.0),
    "divide": (fp8ref.divide, np.divide, 0.0),
}
FUSED = (("e4m3fn", "e4m3fn", "rne", 50.0), ("e4m3fn", "e4m3fn", "rtn", 0.0), ("e5m2", "e5m2", "rne", 0.0),
         ("e4m3fn", "f16", "rne", 0.0))  # fmt: skip
TABLES = ("add", "subtract", "multiply", "divide", "remainder", "minimum")


@dataclass
class Row:
    """One line of the table."""

    name: str
    fp8ref: str
    other: str
    measured: float
    unit: str
    target: str
    met: str


def best(calls: list[Callable[[], object]], repeats: int) -> list[float]:
    """The best time of each call, taken in turn; the first round does not count."""
    found = [[] for _ in calls]  # type: list[list[float]]
    for turn in range(repeats + 1):
        for call, seconds in zip(calls, found):
            start = time.process_time()
            call()
            if turn:
                seconds.append(time.process_time() - start)
    return [min(seconds) for seconds in found]


def judged(reached: bool, target: float) -> str:
    return "-" if target == 0 else "yes" if reached else "no"


def rows(n: int, repeats: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(0, 256, n, dtype=np.uint8) for _ in range(3))
    for op, (ours, theirs, target) in PAIRS.items():
        for name, dtype in DTYPES.items():
            x, y = a.view(dtype), b.view(dtype)
            call: Any = ours
            mine, other = best([lambda: call(a, b, name), lambda: theirs(x, y)], repeats)  # noqa: B023
            ratio = other / mine
            yield Row(f"{op} {name}", f"{n / mine / 1e6:.0f} M/s", f"{n / other / 1e6:.0f} M/s", ratio, "times",
                      f"{target:g}" if target else "", judged(ratio >= target, target))  # fmt: skip
    flagged = best([lambda: fp8ref.add(a, b, "e4m3fn", flags=True)], repeats)[0]
    yield Row("add e4m3fn, with flags", f"{n / flagged / 1e6:.0f} M/s", "", n / flagged / 1e6, "M/s", "", "-")
    for name, result, rounding, target in FUSED:

        def fused(name: str = name, result: str = result, rounding: str = rounding) -> Any:
            return fp8ref.fma(a, b, c, name, result=result, rounding=rounding)

        if result == "f16":
            halves = rng.integers(0, 1 << 16, n, dtype=np.uint16)

            def fused(name: str = name, result: str = result, rounding: str = rounding) -> Any:
                return fp8ref.fma(a, b, halves, name, format_c="f16", result=result, rounding=rounding)  # noqa: B023

        rate = n / best([fused], repeats)[0] / 1e6
        c_format = "f16" if result == "f16" else name
        yield Row(f"fma {name}.{name}.{c_format} to {result}, {rounding}", f"{rate:.0f} M/s", "", rate, "M/s",
                  f"{target:g}" if target else "", judged(rate >= target, target))  # fmt: skip
    slowest, which = 0.0, ""
    for op in TABLES:
        for name in ("e4m3fn", "e5m2", "e4m3b9fn"):
            f = fp8ref.get_format(name)
            task = Task(op, (f, f), f, get_projection(f, "rna", "nonsat", "payload"))
            start = time.process_time()
            operation_table(task)
            seconds = time.process_time() - start
            slowest, which = max((slowest, which), (seconds, f"{op} {name}"))
    yield Row(f"table of an operation, the slowest ({which})", f"{slowest * 1e3:.0f} ms", "", slowest, "s", "0.3",
              judged(slowest < 0.3, 0.3))  # fmt: skip
    x32 = rng.standard_normal(n >> 2, dtype=np.float32)
    bits = rng.integers(0, 1 << 16, n >> 2, dtype=np.uint16)
    rate = x32.size / best([lambda: fp8ref.encode(x32, "e4m3fn", rounding="sr-a", random_bits=bits)], repeats)[0] / 1e6
    yield Row("encode f32 to e4m3fn, sr-a of 16 bits", f"{rate:.1f} M/s", "", rate, "M/s", "", "-")


def main() -> None:
    parser = argparse.ArgumentParser(description="Arithmetic of fp8ref against ml_dtypes: ratios in one run.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--repeats", type=int, default=5, help="calls of each side that count")
    parser.add_argument("--log2", type=int, default=24, help="elements as a power of two")
    arguments = parser.parse_args()
    fp8ref.set_threads(1)
    np.seterr(all="ignore")
    found = []
    print(f"{'':52} {'fp8ref':>10} {'ml_dtypes':>10} {'measured':>14}  target  met")
    for row in rows(1 << arguments.log2, arguments.repeats):
        found.append(row)
        measured = f"{row.measured:.3g} {row.unit}"
        print(f"{row.name:52} {row.fp8ref:>10} {row.other:>10} {measured:>14}  {row.target:>6}  {row.met}", flush=True)
    if arguments.json:
        document = {
            "fp8ref": fp8ref.__version__,
            "numpy": np.__version__,
            "ml_dtypes": ml_dtypes.__version__,
            "python": platform.python_version(),
            "elements": 1 << arguments.log2,
            "rows": [asdict(row) for row in found],
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
