"""How fast vectors are made and verified: this version against an earlier one, flags against none, and memory.

    python tools/bench/vectors.py [--before COMMIT] [--json FILE] [--repeats N] [--cases N]

Cases are filled by bins, in memory: drawn, answered, for JSON lines sorted into their bins, and written.  Verifying
reads the lines, answers again and compares; lines of TestFloat also against the recipe in their header, which 0.1.0 did
not, so that this is measured apart.  Both versions run in processes of their own, in turn; times are of the
processor, of one thread, and the best counts.  Memory is the peak of a command that makes or verifies a file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from versions import BEFORE, REPOSITORY, Version

# how many times as fast as before making and verifying are to be; 0: shown only
OPERATIONS = (
    ("convert/f32/e4m3fn/rne.sat", 1.0),
    ("convert/f32/e5m2/rtp.nonsat", 1.0),
    ("convert/f16/e4m3fn/rne.sat", 1.0),
    ("fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.nonsat", 1.0),
    ("fma/f16.f16.f16/f16/rne.nonsat", 1.0),
    ("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32", 0.0),
)
DOTS = (  # with flags at least this part of the rate without
    ("dot/e4m3fn.e4m3fn/f32/exact;k=32", 0.5),
    ("dot/e5m2.e5m2/f32/exact;k=32", 0.5),
    ("dot/e5m2.e5m2/f16/exact;k=32", 0.5),
)
MEMORY = (  # at four times the cases at most this many times the memory
    ("convert/f32/e4m3fn/rne.sat", 1.1),
    ("fma/f16.f16.f16/f16/rne.nonsat", 1.1),
    ("dot/e5m2.e5m2/f32/exact;k=32;flags=1", 1.1),
)
WORKER = r"""
import io, os, re, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["FP8REF_THREADS"] = "1"
from fp8ref.fast.chunks import set_threads
from fp8ref.vectors.generate import Recipe
from fp8ref.vectors.manifest import sections
from fp8ref.vectors.source import Source
from fp8ref.vectors.verify import Tally, verify
try:
    from fp8ref.vectors.forms.registry import get_form
except ImportError:
    from fp8ref.vectors.forms import get_form
set_threads(1)

print("ready", flush=True)
for line in sys.stdin:
    operation, form, cases = line.split("|")
    recipe, form = Recipe.of(operation, n=int(cases)), get_form(form)
    out = io.BytesIO()
    start = time.process_time()
    form.pipe_writer(sections([recipe], form), out)
    made = time.process_time() - start
    took = []
    data = out.getvalue()
    for one in (re.sub(rb"(?m)^(@.*) select=\S+ seed=\S+", rb"\1", data), data):
        source = Source(io.BufferedReader(io.BytesIO(one)), "bench")
        start = time.process_time()
        tally = verify(form.reader(source), source.at, Tally())
        took.append(time.process_time() - start)
        assert tally.conforms and tally.cases == recipe.n, tally.first
    print(made, *took, len(data), flush=True)
"""


def rates(version: Version, operation: str, form: str, cases: int) -> tuple[float, float, float, float]:
    """Cases a second made, verified, and verified against the header's recipe; the bytes of a case, once."""
    answer = version.ask(f"{operation}|{form}|{cases}").split()
    made, verified, held, size = map(float, answer)
    return cases / made, cases / verified, cases / held, size / cases


def best(found: list[tuple[float, float, float, float]]) -> list[float]:
    """The best rate of each kind; the bytes."""
    return [max(rates) for rates in zip(*found)]


def against_before(old: Version, new: Version, cases: int, repeats: int) -> Iterator[dict[str, Any]]:
    """Rates of both versions, in turn."""
    for operation, target in OPERATIONS:
        n = max(1000, cases // 100) if operation.startswith("dot") else cases
        for form in ("jsonl", "testfloat"):
            found = [(rates(old, operation, form, n), rates(new, operation, form, n)) for _ in range(repeats)]
            before, now = best([pair[0] for pair in found]), best([pair[1] for pair in found])
            yield {
                "operation": operation, "form": form, "target": target, "cases": n,
                "made": {"before": before[0], "now": now[0], "ratio": now[0] / before[0]},
                "verified": {"before": before[1], "now": now[1], "ratio": now[1] / before[1]},
                "held": now[2], "bytes": {"before": before[3], "now": now[3]},
            }  # fmt: skip


def of_flags(new: Version, cases: int, repeats: int) -> Iterator[dict[str, Any]]:
    """Rates of exact sums with status and without, in turn."""
    n = max(1000, cases // 20)
    for operation, target in DOTS:
        for form in ("jsonl", "testfloat"):
            found = [
                (rates(new, operation, form, n), rates(new, f"{operation};flags=1", form, n)) for _ in range(repeats)
            ]
            without, flagged = best([pair[0] for pair in found]), best([pair[1] for pair in found])
            yield {
                "operation": operation, "form": form, "target": target, "cases": n,
                "made": {"without": without[0], "flags": flagged[0], "ratio": flagged[0] / without[0]},
                "verified": {"without": without[1], "flags": flagged[1], "ratio": flagged[1] / without[1]},
            }  # fmt: skip


def peak(arguments: list[str]) -> float:
    """The most memory that a command of fp8ref held, in MiB."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "FP8REF_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "fp8ref", "vectors", *arguments], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"fp8ref vectors {' '.join(arguments)} ended with {child.returncode}")
    return used.ru_maxrss / 1024


def of_memory(cases: int) -> Iterator[dict[str, Any]]:
    """The peaks of making and verifying n and 4n cases."""
    with tempfile.TemporaryDirectory() as folder:
        for operation, target in MEMORY:
            n = cases // 4 if operation.startswith("dot") else cases
            found: dict[str, list[float]] = {"made": [], "verified": []}
            for many in (n, 4 * n):
                file = f"{folder}/{many}.fpv"
                generate = ["generate", operation, "--as", "testfloat", "-n", str(many), "-o", file, "--force"]
                found["made"].append(peak(generate))
                found["verified"].append(peak(["verify", file]))
                Path(file).unlink()
            yield {"operation": operation, "cases": n, "target": target, **found}


def versions() -> dict[str, str]:
    """Of Python and of what was measured, where it is installed."""
    found = {"Python": platform.python_version()}
    with contextlib.suppress(metadata.PackageNotFoundError):
        found["numpy"] = metadata.version("numpy")
    return found


def meets(row: dict[str, Any]) -> bool:
    """Is what was asked for there?"""
    if isinstance(row["made"], list):
        return all(row[what][1] <= row["target"] * row[what][0] for what in ("made", "verified"))
    return all(row[what]["ratio"] >= row["target"] for what in ("made", "verified"))


def shown(row: dict[str, Any]) -> str:
    """A row as a line."""
    if isinstance(row["made"], list):
        sizes = "".join(f"  {what} {row[what][0]:.0f} {row[what][1]:.0f} MiB" for what in ("made", "verified"))
        return f"{row['operation']:52} {row['cases']:9,} and four times as many{sizes}"
    texts = []
    for what in ("made", "verified"):
        first, second, ratio = row[what].values()
        texts.append(f"  {what} {first:9,.0f} {second:9,.0f} {ratio:5.2f}")
    return f"{row['operation']:52} {row['form']:10}{''.join(texts)}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the earlier version")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--repeats", type=int, default=3, help="calls of each side that count")
    parser.add_argument("--cases", type=int, default=400_000, help="cases of a file; of dot products fewer")
    options = parser.parse_args()
    old, new = Version(options.before, WORKER), Version(None, WORKER)
    found: dict[str, list[dict[str, Any]]] = {"versions": [], "flags": [], "memory": []}
    measured = {
        "versions": against_before(old, new, options.cases, options.repeats),
        "flags": of_flags(new, options.cases, options.repeats),
        "memory": of_memory(options.cases),
    }
    try:
        for what, rows in measured.items():
            for row in rows:
                found[what].append(row)
                print(shown(row) + ("" if meets(row) else "  NOT MET"), flush=True)
    finally:
        old.close()
        new.close()
    if options.json:
        about = {"before": options.before, "about": versions(), "date": date.today().isoformat()}
        options.json.write_text(json.dumps({**about, **found}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(meets(row) for rows in found.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
