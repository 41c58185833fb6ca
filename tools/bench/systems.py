"""The papers' systems on one thread: elements a second of each quantiser, int8 products against float32 BLAS.

    OPENBLAS_NUM_THREADS=1 python tools/bench/systems.py [--json FILE] [--repeats N] [--log2 N]

The best time of each call counts, processor time, so that a busy machine does not enter the rates.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

import fp8ref
from fp8ref.systems import (
    adam8,
    dynamic_fixed_point,
    hawq,
    ibert,
    integer_gemm,
    llm_int8,
    power_of_exponent,
    primitives,
    s2fp8,
    scale_propagation,
)
from fp8ref.systems.fp8_bert import recipes

QUANTISER, PRODUCT = 30.0, 25.0  # targets: million elements a second; per cent of float32 BLAS
SIDE = 1024


@dataclass
class Row:
    """One line of the table."""

    name: str
    measured: float
    unit: str
    target: float

    @property
    def met(self) -> str:
        return "-" if not self.target else "yes" if self.measured >= self.target else "no"


def best(calls: list[Callable[[], object]], repeats: int) -> list[float]:
    """The best time of each call, taken in turn; the first round does not count."""
    found: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for call, seconds in zip(calls, found):
            start = time.process_time()
            call()
            if turn:
                seconds.append(time.process_time() - start)
    return [min(seconds) for seconds in found]


def quantisers(n: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """What turns n numbers into codes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n, dtype=np.float32)
    rows, halves = x.reshape(-1, 1024), x.astype(np.float16).reshape(-1, 1024)
    step = np.full(1, 0.03, np.float32)
    yield "symmetric int8, one step", lambda: primitives.symmetric(x, step)
    for rule in llm_int8.RULES:
        yield f"llm-int8, f16 rows of 1024, {rule}", partial(llm_int8.decompose, halves, rule=rule)
    yield "llm-int8, f32 rows of 1024, vector-wise", lambda: llm_int8.decompose(rows, None)
    for rule in adam8.RULES:
        yield f"adam8, blocks of 256, {rule}", partial(adam8.quantise, x, rule=rule)
    codes = adam8.quantise(x)
    yield "adam8, back to float32", codes.dequantise
    wide = rng.integers(-(1 << 24), 1 << 24, n, dtype=np.int32)
    factor = primitives.dyadic_exact(Fraction(127, 1 << 24))
    yield "hawq-v3, int32 to int8", lambda: hawq.requantise(wide, factor)
    q = rng.integers(-20000, 20001, n, dtype=np.int32)
    yield "i-bert, GELU of int32", lambda: ibert.gelu(q, Fraction(1, 4096))
    below = -np.abs(q)
    yield "i-bert, exp of int32", lambda: ibert.exp(below, Fraction(1, 1024))
    yield "s2fp8, alpha and beta", lambda: s2fp8.Squeeze.of(x)
    squeeze = s2fp8.Squeeze.of(x)
    yield "s2fp8, codes", lambda: squeeze.encode(x)
    stored = squeeze.encode(x)
    yield "s2fp8, back to float32", lambda: squeeze.decode(stored)
    for format in ("e4m3fn", "e5m2", recipes.INT8):
        yield f"fp8-bert, one step, {format}", partial(recipes.quantise, rows, format, recipes.step(6.0, format))
    seen = recipes.Range(-1.0, 6.0)
    yield "fp8-bert, asymmetric int8", lambda: recipes.quantise_activations(rows, recipes.UINT8, seen)
    yield "fp8-bert, mxfp8_e4m3", lambda: recipes.quantise_activations(rows, "mxfp8_e4m3", seen)
    yield "scale-propagation, quantise", lambda: scale_propagation.quantise(rows)
    yield "scale-propagation, rescale of int64", lambda: scale_propagation.rescale(q.astype(np.int64), Fraction(1))
    wider = x.astype(np.float64)
    for E, M in ((0, 7), (2, 5), (4, 3), (5, 2)):
        grid = power_of_exponent.Grid(E, M, 4.1)
        yield f"power-of-exponent, {grid.name}, codes", partial(grid.codes, x)
        yield f"power-of-exponent, {grid.name}, values", partial(grid.quantise, x)
    yield "power-of-exponent, E4M3, codes of float64", partial(power_of_exponent.Grid(4, 3, 4.1).codes, wider)
    yield "power-of-exponent, E4M3, values of float64", partial(power_of_exponent.Grid(4, 3, 4.1).quantise, wider)
    for bits in (8, 6):
        yield f"integer-gemm, {bits} bits", partial(integer_gemm.quantise, rows, 3.9, bits)
    words = rng.integers(0, 256, n, dtype=np.uint8)
    yield "integer-fine-tuning, nearest", lambda: dynamic_fixed_point.to_fixed(x)
    yield "integer-fine-tuning, stochastic", lambda: dynamic_fixed_point.to_fixed(x, 8, words, 8)


def products() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Exact integer products, and float32 BLAS on the same numbers."""
    rng = np.random.default_rng(0)
    for name, k, top in (("int8 1024^3", SIDE, 127), ("int8 1024 x 8192 x 1024", 8 * SIDE, 127)):
        a, b = (rng.integers(-top, top + 1, shape, dtype=np.int8) for shape in ((SIDE, k), (k, SIDE)))
        u, v = a.astype(np.float32), b.astype(np.float32)
        yield name, partial(primitives.integer_matmul, a, b), partial(np.matmul, u, v)


def measured(n: int, repeats: int) -> Iterator[Row]:
    for name, call in quantisers(n):
        yield Row(name, n / best([call], repeats)[0] / 1e6, "M elements/s", QUANTISER)
    for name, ours, blas in products():
        mine, other = best([ours, blas], repeats)
        yield Row(f"{name}, exact", 100 * other / mine, "% of float32 BLAS", PRODUCT)


def main() -> None:
    parser = argparse.ArgumentParser(description="The papers' 8-bit systems: elements a second on one thread.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--repeats", type=int, default=5, help="calls that count")
    parser.add_argument("--log2", type=int, default=22, help="elements as a power of two")
    arguments = parser.parse_args()
    fp8ref.set_threads(1)
    found = []
    print(f"{'':48} {'measured':>24}  target  met")
    for row in measured(1 << arguments.log2, arguments.repeats):
        found.append(row)
        print(f"{row.name:48} {f'{row.measured:.0f} {row.unit}':>24}  {row.target:>6g}  {row.met}", flush=True)
    if arguments.json:
        document = {
            "fp8ref": fp8ref.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "elements": 1 << arguments.log2,
            "rows": [{**asdict(row), "met": row.met} for row in found],
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
