"""What else computes the cases of ``versions.py``: float64 BLAS, torch, ml_dtypes, mmaemu; those that are installed.

None of them computes what a unit's model computes, but mmaemu (one GPU's units) and ml_dtypes (the same codes): the
others say how fast the same operands are multiplied when the unit's rules are not followed.

A process of its own, on one thread: ``versions.py`` writes ``PEER CASE`` to its standard input and reads processor
seconds of one call, or ``-`` where the peer has no such case.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import ml_dtypes
import numpy as np

import fp8ref

DTYPES = {"e4m3fn": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
PROFILES = {"hopper.wgmma.fp8.f32": "hopper", "ada.mma.fp8.f32": "ada"}
SLOW = 2.0  # seconds: one call that takes longer is not made again
Call = Callable[[], Any]


def product(peer: str, what: str, f: str, data: str) -> Call | None:
    """A matrix product of the case's operands, by a peer."""
    m, n, k = (1024, 1024, 1024) if what == "exact" else (512, 512, 1024)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    a, b = (np.asarray(fp8ref.encode(v, f)) for v in (x, y))
    if peer == "float64 BLAS":
        u, v = (fp8ref.decode(codes, f).astype(np.float64) for codes in (a, b))
        return lambda: u @ v
    if peer not in ("torch", "mmaemu") or data != "normal" or "mxf8f6f4" in what:
        return None
    import torch

    torch.set_num_threads(1)
    if f in ("f16", "bf16") and peer == "torch":
        dtype = torch.float16 if f == "f16" else torch.bfloat16
        left, right = torch.from_numpy(x).to(dtype), torch.from_numpy(y).to(dtype)
        return lambda: left @ right
    kinds = {"e4m3fn": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
    if f not in kinds or (what == "exact"):
        return None
    left = torch.from_numpy(a).view(kinds[f])
    right = torch.from_numpy(np.ascontiguousarray(b.T)).view(kinds[f]).t()
    one = torch.ones(())
    if peer == "torch":
        return lambda: torch._scaled_mm(left, right, one, one, out_dtype=torch.float32)
    if what not in PROFILES:
        return None
    import mmaemu  # type: ignore[import-not-found]

    return lambda: mmaemu.scaled_mm(
        left, right, one, one, out_dtype=torch.float32, use_fast_accum=True, splitk=1, profile=PROFILES[what]
    )


def conversion(peer: str, what: str, f: str) -> Call | None:
    """An array of the case decoded or encoded by a peer."""
    x = np.random.default_rng(0).standard_normal(1 << 22).astype(np.float32)
    codes = np.asarray(fp8ref.encode(x, f))
    if peer == "ml_dtypes":
        narrow = codes.view(DTYPES[f])
        return (lambda: narrow.astype(np.float32)) if what == "decode" else lambda: x.astype(DTYPES[f])
    if peer != "torch":
        return None
    import torch

    torch.set_num_threads(1)
    kind = {"e4m3fn": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}[f]
    y, there = torch.from_numpy(x), torch.from_numpy(codes).view(kind)
    return (lambda: there.to(torch.float32)) if what == "decode" else lambda: y.to(kind)


def call_of(peer: str, case: str) -> Call | None:
    """What a peer calls for a case; None where it has nothing of the kind."""
    if peer in ("torch", "mmaemu") and find_spec(peer) is None:
        return None
    what, *rest = case.split()
    if what in ("decode", "encode"):
        return conversion(peer, what, rest[0] if what == "decode" else rest[1])
    return None if what == "scale_blocks" else product(peer, what, rest[0], rest[1])


def seconds(call: Call, repeats: int) -> float:
    """The best processor time of a call; the first call warms up where it is quick."""
    best = float("inf")
    for n in range(repeats + 1):
        start = time.process_time()
        call()
        took = time.process_time() - start
        if n or took > SLOW:
            best = min(best, took)
        if took > SLOW:
            break
    return best


def main() -> None:
    """Answer until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        peer, _, case = line.strip().partition("|")
        call = call_of(peer, case)
        print("-" if call is None else seconds(call, 3), flush=True)


if __name__ == "__main__":
    main()
