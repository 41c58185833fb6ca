"""Ask torch for attention over FP8 operands, with tiles of two widths.

    python ask_attention.py -o FILE.blocks [--device cuda] [--seconds 60]

The softmax of a row is summed tile by tile, so that the width of a tile may show in the last bits; each record has the
results of a few rows, the digest of all, and whether a second call gave the same, or why it was declined.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from draws import Codes, below, digest, words

import fp8ref
from fp8ref.adapters.captures.blocks import Appending
from fp8ref.spec.catalog import get_format

SEED = 20261130
LENGTHS, WIDTH, HEADS = (256, 1024), 64, 2
TILES = (64, 128)
ROWS = 8  # of each head that are kept
DTYPES = {"e4m3fn": "float8_e4m3fn", "e5m2": "float8_e5m2"}


class Declined(Exception):
    """It is not offered, and what was said."""


@dataclass(frozen=True)
class Attention:
    """softmax(Q K^T / sqrt(64)) V of ``length`` rows and 2 heads, keys taken ``tile`` at a time."""

    length: int
    tile: int
    operands: str = "e4m3fn"

    def codes(self, which: str) -> Codes:
        """Q, K or V (heads, length, 64) within three binades of 1, codes."""
        f = get_format(self.operands)
        w = words(SEED, "qkv".index(which), np.arange(HEADS * self.length, dtype=np.uint64), WIDTH)
        field = np.uint64(f.bias - 2) + below(w, 3)
        sign = (w >> np.uint64(31) & np.uint64(1)) << np.uint64(7)
        codes: Codes = (field << np.uint64(f.t) | w & np.uint64((1 << f.t) - 1) | sign).astype(np.uint8)
        return codes.reshape(HEADS, self.length, WIDTH)


class Attends(Protocol):
    """Who is asked."""

    def identify(self) -> Mapping[str, str]: ...

    def attend(self, p: Attention) -> tuple[str, Codes]:
        """The type of the results and their codes (heads, length, 64).  Raises Declined."""
        ...


class Torch:
    """``torch.nn.attention.flex_attention``, compiled with tiles of the width that is asked."""

    def __init__(self, device: str) -> None:
        import torch
        from torch.nn.attention.flex_attention import flex_attention

        self.torch, self.device = torch, device
        self.attention = torch.compile(flex_attention, dynamic=False) if device != "cpu" else flex_attention

    def identify(self) -> Mapping[str, str]:
        torch = self.torch
        found = {"name": "torch flex_attention", "version": torch.__version__, "device": self.device}
        if self.device != "cpu":
            major, minor = torch.cuda.get_device_capability()
            found |= {"model": torch.cuda.get_device_name(), "compute_capability": f"{major}.{minor}"}
        return found

    def attend(self, p: Attention) -> tuple[str, Codes]:
        torch = self.torch
        dtype = getattr(torch, DTYPES[p.operands])
        q, k, v = (torch.from_numpy(p.codes(w)[None]).to(self.device).view(dtype) for w in "qkv")
        try:
            d = self.attention(q, k, v, kernel_options={"BLOCK_M": 64, "BLOCK_N": p.tile})
        except Exception as error:  # of the compiler, of many kinds
            if "CUDA error" in str(error):
                raise
            raise Declined(str(error).strip().splitlines()[0][:300]) from None
        size = d.element_size()
        codes = d.detach().contiguous().view(getattr(torch, f"int{8 * size}")).cpu().numpy()[0]
        return str(d.dtype).removeprefix("torch."), codes.view(f"u{size}")


def products() -> list[Attention]:
    return [Attention(n, tile, f) for f in DTYPES for n in LENGTHS for tile in TILES]


def record_of(p: Attention, who: Attends) -> tuple[dict[str, Any], bytes]:
    record: dict[str, Any] = {"attention": asdict(p)}
    try:
        name, d = who.attend(p)
        again = who.attend(p)[1]
    except Declined as error:
        return {**record, "declined": str(error)}, b""
    record |= {"result": name, "answers": digest([d]), "again": bool((d == again).all())}
    kept = np.ascontiguousarray(d[:, :: p.length // ROWS])
    return record, kept.astype(kept.dtype.newbyteorder("<")).tobytes()


def ask(who: Attends, path: Path, deadline: float) -> int:
    """Ask everything; returns how much is missing."""
    file = Appending(path, {"seed": SEED, "source": {**who.identify(), "fp8ref": fp8ref.__version__}})
    there = [record["attention"] for record in file.known]
    missing = [p for p in products() if asdict(p) not in there]
    try:
        while missing and time.monotonic() < deadline:
            file.append(*record_of(missing[0], who))
            del missing[0]
    finally:
        file.close()
    declined = sum("declined" in record for record in file.known)
    print(f"{len(file.known)} products of attention, {declined} of them declined, {len(missing)} not asked", flush=True)
    return len(missing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=1e9, help="nothing is begun after so long")
    given = parser.parse_args()
    deadline = time.monotonic() + given.seconds
    try:
        return 2 if ask(Torch(given.device), given.output, deadline) else 0
    except (ImportError, RuntimeError, AssertionError, ValueError) as error:
        print(f"attention on {given.device}: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 6


if __name__ == "__main__":
    sys.exit(main())
