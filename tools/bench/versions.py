"""This version against an earlier one, and what else there is: float64 BLAS, torch, ml_dtypes.  Ratios in one run.

    python tools/bench/versions.py [--before COMMIT] [--json FILE] [--repeats N] [--only WORD] [--peers]

The earlier version, by default the one of ``BEFORE``, is unpacked beside.  Both run in processes of their own, on the
same operands, in turn; times are of the processor, of one thread, and the best counts.  Outputs of both are compared.
With ``--peers`` those of ``peers.py`` stand beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import date
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
BEFORE = "72c9189"  # 0.1.0 before its engines were made faster
# name, how many times as fast as before it is to be (0: shown only)
PRODUCTS = (
    ("blackwell.tcgen05.fp8.f32 e4m3fn normal", 4.5),
    ("blackwell.tcgen05.fp8.f32 e5m2 normal", 0.0),
    ("blackwell.tcgen05.fp8.f32 e4m3fn amax", 0.0),
    ("blackwell.tcgen05.fp8.f32 e4m3fn every", 1.5),
    ("blackwell.tcgen05.fp8.f16 e4m3fn normal", 0.0),
    ("blackwell.mxf8f6f4 e4m3fn normal", 3.0),
    ("hopper.mma.fp8.f32 e4m3fn normal", 2.5),
    ("hopper.mma.fp8.f32 e5m2 normal", 0.0),
    ("hopper.mma.fp8.f32 e4m3fn every", 1.5),
    ("cdna3.mfma.fp8.f32 e4m3fnuz normal", 3.5),
    ("cdna3.mfma.fp8.f32 e4m3fnuz every", 1.1),
    ("hopper.wgmma.fp8.f32 e4m3fn normal", 1.6),
    ("hopper.wgmma.fp8.f32 e4m3fn every", 0.0),
    ("hopper.wgmma.fp8.f16 e4m3fn normal", 0.0),
    ("hopper.wgmma.fp8.f32+promote128.fadd e4m3fn normal", 0.0),
    ("ada.mma.fp8.f32 e4m3fn normal", 1.6),
    ("volta.mma.f16.f32 f16 normal", 1.4),
    ("ampere.mma.f16.f32 f16 normal", 1.4),
    ("ampere.mma.f16.f16 f16 normal", 1.4),
    ("ampere.mma.bf16.f32 bf16 normal", 1.4),
    ("hopper.mma.f16.f32 f16 normal", 1.4),
    ("hopper.mma.bf16.f32 bf16 normal", 1.4),
    ("f16.fma f16 normal", 2.2),
    ("f16.mul-add f16 normal", 3.5),
    ("f16.pairwise f16 normal", 0.0),
    ("bf16.fma bf16 normal", 0.0),
    ("f32.fma e4m3fn normal", 0.0),
)
PEERS = ("float64 BLAS", "torch", "ml_dtypes", "mmaemu")  # of peers.py
EXACT = (
    ("exact e4m3fn normal", 0.0),
    ("exact e5m2 normal", 0.0),
    ("exact e5m2 every", 0.0),
)
ARRAYS = (
    ("decode e4m3fn f32", 1.5),
    ("decode e5m2 f32", 0.0),
    ("encode f32 e4m3fn", 1.2),
    ("encode f32 e5m2", 0.0),
    ("scale_blocks mxfp8_e4m3", 1.25),
    ("scale_blocks mxfp4", 1.25),
    ("scale_blocks nvfp4", 1.25),
)
WORKER = r"""
import hashlib, os, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["FP8REF_THREADS"] = "1"
import ml_dtypes, numpy as np
import fp8ref

def codes(rng, f, shape, data):
    if data == "every":
        drawn = rng.integers(0, 256, shape).astype(np.uint8)
        return np.where(np.isfinite(fp8ref.decode(drawn, f)), drawn, 0).astype(np.uint8)
    x = rng.standard_normal(shape).astype(np.float32)
    if data == "amax":
        x *= np.float32(448) / np.abs(x).max()
    return np.asarray(fp8ref.encode(x, f))

def prepared(case):
    rng = np.random.default_rng(0)
    what, *rest = case.split()
    if what == "decode":
        x = rng.standard_normal(1 << 22).astype(np.float32)
        codes_of = np.asarray(fp8ref.encode(x, rest[0]))
        return lambda: fp8ref.decode(codes_of, rest[0])
    if what == "encode":
        x = rng.standard_normal(1 << 22).astype(np.float32)
        return lambda: fp8ref.encode(x, rest[1])
    if what == "scale_blocks":
        x = rng.standard_normal((1024, 4096)).astype(np.float32)
        return lambda: fp8ref.scale_blocks(x, rest[0]).codes
    f, data = rest
    m, n, k = (1024, 1024, 1024) if what == "exact" else (512, 512, 1024)
    a, b = codes(rng, f, (m, k), data), codes(rng, f, (k, n), data)
    more = {}
    if "mxf8f6f4" in what:
        more["scale_a"] = np.float32(2) ** rng.integers(-3, 3, (m, k // 32)).astype(np.float32)
        more["scale_b"] = np.float32(2) ** rng.integers(-3, 3, (k // 32, n)).astype(np.float32)
    return lambda: fp8ref.matmul(a, b, f, accumulator=what, **more)

case = None
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() != case:
        case = line.strip()
        call = prepared(case)
        for _ in range(2 if case.split()[0] in ("decode", "encode") else 1):
            out = call()
        print(hashlib.sha256(np.ascontiguousarray(out).tobytes()).hexdigest(), flush=True)
        continue
    start = time.process_time()
    call()
    print(time.process_time() - start, flush=True)
"""


class Version:
    """A version in a process of its own: one case at a time."""

    def __init__(self, commit: str | None, worker: str = WORKER) -> None:
        self.folder = tempfile.TemporaryDirectory()
        where = str(REPOSITORY)
        if commit is not None:
            packed = subprocess.run(["git", "archive", commit, "fp8ref"], cwd=where, check=True, capture_output=True)
            with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
                archive.extractall(self.folder.name, filter="data")
            where = self.folder.name
        self.process = subprocess.Popen(
            [sys.executable, "-c", worker], cwd=where, env={**os.environ, "PYTHONPATH": where},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{commit or 'this version'} does not start")

    def ask(self, case: str) -> str:
        """The digest of a case's outputs, the first time; then seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def work_of(case: str) -> tuple[float, str]:
    """How much a call does, and what a second of it is called."""
    what = case.split()[0]
    if what in ("decode", "encode", "scale_blocks"):
        return float(1 << 22), "M elements/s"
    return float((1 << 30) if what == "exact" else 512 * 512 * 1024), "M MAC/s"


def measured(
    old: Version, new: Version, beside: Version | None, cases: tuple[tuple[str, float], ...], repeats: int
) -> Iterator[dict[str, Any]]:
    for case, target in cases:
        same = old.ask(case) == new.ask(case)
        times = [(float(old.ask(case)), float(new.ask(case))) for _ in range(repeats)]
        before, now = (min(t[i] for t in times) for i in (0, 1))
        work, unit = work_of(case)
        said = {} if beside is None else {peer: beside.ask(f"{peer}|{case}") for peer in PEERS}
        yield {
            "case": case, "before": work / before / 1e6, "now": work / now / 1e6, "unit": unit,
            "ratio": before / now, "target": target, "same": same,
            "peers": {peer: work / float(took) / 1e6 for peer, took in said.items() if took != "-"},
        }  # fmt: skip


def versions() -> dict[str, str]:
    """Of Python and of what was measured, where it is installed."""
    found = {"Python": platform.python_version()}
    for name in ("numpy", "ml_dtypes", "torch", "mmaemu"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the earlier version")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--repeats", type=int, default=3, help="calls of each side that count")
    parser.add_argument("--only", default="", help="only the cases whose name contains this")
    parser.add_argument("--peers", action="store_true", help="float64 BLAS, torch, ml_dtypes and mmaemu beside")
    options = parser.parse_args()
    old, new = Version(options.before), Version(None)
    beside = Version(None, (REPOSITORY / "tools" / "bench" / "peers.py").read_text()) if options.peers else None
    rows = []
    try:
        cases = tuple(case for case in (*PRODUCTS, *EXACT, *ARRAYS) if options.only in case[0])
        for row in measured(old, new, beside, cases, options.repeats):
            rows.append(row)
            wish = f"  at least {row['target']}" if row["target"] else ""
            differs = "" if row["same"] else "  OTHER BITS"
            peers = "".join(f"  {peer} {rate:.0f}" for peer, rate in row["peers"].items())
            rates = f"{row['before']:8.0f}{row['now']:8.0f} {row['unit']:13}"
            print(f"{row['case']:52}{rates}{row['ratio']:6.2f}{wish}{differs}{peers}", flush=True)
    finally:
        for version in (old, new, *([beside] if beside else ())):
            version.close()
    if options.json:
        about = {"before": options.before, "versions": versions(), "date": date.today().isoformat()}
        options.json.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["ratio"] >= row["target"] and row["same"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
