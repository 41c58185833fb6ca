"""How fast vectors are made and verified: cases a second of the processor, on one thread.

    python tools/bench/vectors.py [--json FILE] [--repeats N] [--cases N]

Filling by bins, in memory: every case is drawn, answered, for JSON lines sorted into its bins, and written; verifying
reads the lines, answers again and compares.  The best of the repetitions counts.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from fp8ref.fast.chunks import set_threads
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.generate import Recipe
from fp8ref.vectors.manifest import sections
from fp8ref.vectors.source import Source
from fp8ref.vectors.verify import Tally, verify

# operation -> cases a second that are promised; 0 where none are
ROWS = {
    "convert/f32/e4m3fn/rne.sat": 300_000,
    "convert/f32/e5m2/rtp.nonsat": 300_000,
    "fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.nonsat": 100_000,
    "fma/f16.f16.f16/f16/rne.nonsat": 0,
    "dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32": 0,
}


@dataclass
class Row:
    """One line of the table; rates in cases a second."""

    operation: str
    form: str
    made: float
    verified: float
    bytes_a_case: float
    target: float
    met: str


def measure(operation: str, form: str, cases: int, repeats: int, target: float) -> Row:
    """One operation in one form."""
    recipe = Recipe.of(operation, n=cases if not operation.startswith("dot") else max(1000, cases // 100))
    assert recipe.n is not None
    made, verified, data = [], [], b""
    for _ in range(repeats):
        out = io.BytesIO()
        start = time.process_time()
        get_form(form).pipe_writer(sections([recipe], get_form(form)), out)
        made.append(time.process_time() - start)
        data = out.getvalue()
        source = Source(io.BufferedReader(io.BytesIO(data)), "bench")
        start = time.process_time()
        tally = verify(get_form(form).reader(source), source.at, Tally())
        verified.append(time.process_time() - start)
        assert tally.conforms, tally.first
        assert tally.cases == recipe.n
    rates = recipe.n / min(made), recipe.n / min(verified)
    met = "" if not target else "yes" if min(rates) >= target else "no"
    return Row(recipe.operation.id, form, rates[0], rates[1], len(data) / recipe.n, target, met)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", type=int, default=400_000)
    options = parser.parse_args()
    set_threads(1)
    rows = [
        measure(operation, form, options.cases, options.repeats, target)
        for operation, target in ROWS.items()
        for form in ("jsonl", "testfloat")
    ]
    print(f"{'operation':<52} {'form':<10} {'made/s':>10} {'verified/s':>10} {'bytes':>6}  target")
    for row in rows:
        target = f"{row.target:,.0f} {row.met}" if row.target else ""
        print(
            f"{row.operation:<52} {row.form:<10} {row.made:>10,.0f} {row.verified:>10,.0f} "
            f"{row.bytes_a_case:>6.0f}  {target}"
        )
    if options.json:
        document = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "rows": [asdict(r) for r in rows],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
