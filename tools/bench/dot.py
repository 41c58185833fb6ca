"""Dot products in one run, on one thread: exact against float64 BLAS, accumulator models, block scaling, a peer.

    python tools/bench/dot.py [--json FILE] [--repeats N] [--only WORD]

Run with OPENBLAS_NUM_THREADS=1.  Times are of the processor, so that a busy machine does not enter the rates; the best
of the repeats counts.  The peer is mmaemu (``pip install mmaemu``; torch), where it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import fp8ref
from fp8ref.spec.matrix.accumulate import Scales
from fp8ref.spec.matrix.models import get_model, models

Array = np.ndarray[Any, Any]
TARGETS = {
    "hopper.wgmma.fp8.f32": 300.0,
    "blackwell.tcgen05.fp8.f32": 150.0,
    "ada.mma.fp8.f32": 150.0,
    "ampere.mma.f64.f64": 20.0,
}
LIMIT = 256  # MiB of memory beyond operands and result
COMPOSED = ("hopper.wgmma.fp8.f32+promote128.fadd", "hopper.wgmma.fp8.f32+splitk4")


@dataclass
class Row:
    """One line of the table: a measured rate in ``unit``, and the target it has (0: none)."""

    name: str
    rate: float
    unit: str
    target: float


def seconds(*calls: Callable[[], object], repeats: int) -> list[float]:
    """The best processor time of each call, called in turn."""
    best = [float("inf")] * len(calls)
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = time.process_time()
            call()
            best[i] = min(best[i], time.process_time() - start)
    return best


def codes(rng: np.random.Generator, f: str, shape: tuple[int, ...], *, full: bool = False) -> Array:
    """Codes of normal data, or with ``full`` every finite code alike."""
    if not full:
        return np.asarray(fp8ref.encode(rng.standard_normal(shape).astype(np.float32), f))
    drawn = rng.integers(0, 256, shape).astype(np.uint8)
    return np.where(np.isfinite(fp8ref.decode(drawn, f)), drawn, 0).astype(np.uint8)


def exact(rng: np.random.Generator, repeats: int) -> Iterator[Row]:
    n = 1024
    a, b = rng.standard_normal((n, n)), rng.standard_normal((n, n))
    for f, full, target in (
        ("e4m3fn", False, 70.0),
        ("e5m2", False, 15.0),
        ("e5m2", True, 15.0),
        ("mxint8", True, 0.0),
    ):
        x, y = codes(rng, f, (n, n), full=full), codes(rng, f, (n, n), full=full)
        base, took = seconds(lambda: a @ b, lambda: fp8ref.matmul(x, y, f), repeats=3 * repeats)  # noqa: B023
        data = "every code" if full else "normal data"
        yield Row(f"exact {f} {n}^3, {data}", 100 * base / took, "% of float64 BLAS", target)


def accumulators(rng: np.random.Generator, repeats: int, only: str) -> Iterator[Row]:
    m, n, k = 512, 512, 1024
    for name in [model.name for model in models()] + list(COMPOSED):
        if only not in name:
            continue
        model = get_model(name)
        f = model.operands[0] if model.operands else "e4m3fn"
        a, b = codes(rng, f, (m, k)), codes(rng, f, (k, n))
        scales: dict[str, Any] = {}
        if model.scales in (Scales.PRODUCT, Scales.GROUP) and model.block:
            scales["scale_a"] = np.float32(2) ** rng.integers(-3, 3, (m, k // model.block)).astype(np.float32)
            scales["scale_b"] = np.float32(2) ** rng.integers(-3, 3, (k // model.block, n)).astype(np.float32)
        (took,) = seconds(lambda: fp8ref.matmul(a, b, f, accumulator=name, **scales), repeats=repeats)  # noqa: B023
        yield Row(name, m * n * k / took / 1e6, "M MAC/s", TARGETS.get(name, 40.0))


def scaling(rng: np.random.Generator, repeats: int) -> Iterator[Row]:
    x = rng.standard_normal((2048, 4096)).astype(np.float32)
    for scheme in ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp4", "nvfp4", "block128_e4m3fn"):
        (took,) = seconds(lambda: fp8ref.scale_blocks(x, scheme), repeats=2 * repeats)  # noqa: B023
        yield Row(f"scale_blocks {scheme}", x.size / took / 1e6, "M elements/s", 100.0 if "mxfp8" in scheme else 0.0)
    for recipe, target in (
        ("vllm-group", 60.0),
        ("vllm-token", 60.0),
        ("sglang-group", 60.0),
        ("deepgemm-ue8m0", 60.0),
        ("te-block-pow2", 60.0),
        ("torchao-row", 60.0),
        ("te-mxfp8", 60.0),
        ("te-nvfp4", 40.0),
        ("torchao-nvfp4", 40.0),
        ("gguf-mxfp4", 0.0),
    ):
        base, took = seconds(
            lambda: fp8ref.scale_blocks(x, "mxfp8_e4m3"),
            lambda: fp8ref.scale_blocks(x, recipe),  # noqa: B023
            repeats=2 * repeats,
        )
        yield Row(f"scale_blocks {recipe}", 100 * base / took, "% of the rate of mxfp8_e4m3", target)


def memory(rng: np.random.Generator) -> Iterator[Row]:
    """The most memory held beyond operands and result, by Python's own account."""
    n = 1024
    for f, name in (("e4m3fn", "exact"), ("e5m2", "exact"), ("e4m3fn", "hopper.wgmma.fp8.f32"),
                    ("e4m3fn", "blackwell.tcgen05.fp8.f32"), ("e4m3fnuz", "cdna3.mfma.fp8.f32")):  # fmt: skip
        a, b = codes(rng, f, (n, 256), full=True), codes(rng, f, (256, n), full=True)
        tracemalloc.start()
        result = fp8ref.matmul(a, b, f, accumulator=name)
        peak = tracemalloc.get_traced_memory()[1] - result.nbytes
        tracemalloc.stop()
        yield Row(f"memory, {name} {f} {n}x{n}x256", peak / 2**20, f"MiB beyond the result (at most {LIMIT})", 0.0)
        assert peak <= LIMIT << 20, f"{name}: {peak >> 20} MiB"


def peer(rng: np.random.Generator, repeats: int) -> Iterator[Row]:
    """mmaemu's Hopper GEMM on the CPU, and ours on the same operands, which must agree."""
    try:
        import mmaemu  # type: ignore[import-not-found]
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)
    m, n, k = 256, 256, 1024
    a, b = codes(rng, "e4m3fn", (m, k)), codes(rng, "e4m3fn", (k, n))
    x = torch.from_numpy(a).view(torch.float8_e4m3fn)
    w = torch.from_numpy(np.ascontiguousarray(b.T)).view(torch.float8_e4m3fn).t()
    one = torch.ones(())

    def theirs() -> Any:
        return mmaemu.scaled_mm(x, w, one, one, out_dtype=torch.float32, use_fast_accum=True, splitk=1)

    def ours() -> Array:
        return fp8ref.matmul(a, b, "e4m3fn", accumulator="hopper.wgmma.fp8.f32")

    same = np.array_equal(theirs().numpy().view(np.uint32), ours().view(np.uint32))
    took, own = seconds(theirs, ours, repeats=repeats)
    agreement = "same bits" if same else "other bits"
    yield Row(f"mmaemu {mmaemu.__version__} Hopper {m}x{n}x{k}, {agreement}", m * n * k / took / 1e6, "M MAC/s", 0.0)
    yield Row("fp8ref, the same operands", m * n * k / own / 1e6, "M MAC/s", 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="only the models whose name contains this")
    arguments = parser.parse_args()
    fp8ref.set_threads(1)
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    parts: list[Iterator[Row]] = [accumulators(rng, arguments.repeats, arguments.only)]
    if not arguments.only:
        parts = [exact(rng, arguments.repeats), *parts, scaling(rng, arguments.repeats)]
        parts += [memory(rng), peer(rng, arguments.repeats)]
    for part in parts:
        for row in part:
            rows.append(row)
            missed = "  MISSED" if row.rate < row.target else ""
            goal = f"(target {row.target:.0f}){missed}" if row.target else ""
            print(f"{row.name:48s} {row.rate:8.0f} {row.unit} {goal}", flush=True)
    if arguments.json:
        about = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
        arguments.json.write_text(json.dumps({"about": about, "rows": [asdict(r) for r in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
