"""Ask ``torch._scaled_mm`` the products of ``shapes.py`` and keep tiles of their results.

    python ask_shapes.py -o FILE.blocks [--device cuda] [--largest 4096] [--seconds 300]

A record for each product: the result codes of some rows and columns, the digest of the whole result, whether a second
call gave the same, or why it was declined; and what cuBLASLt's log says of the algorithm that it launched, its split
over K among it.  The same command goes on with a file that was cut off.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from draws import Codes
from shapes import BLOCKS, ROW, SEED, TENSOR, Product, products

import fp8ref
from fp8ref.adapters.captures.blocks import Appending

DTYPES = {"e4m3fn": "float8_e4m3fn", "e5m2": "float8_e5m2", "f16": "float16", "bf16": "bfloat16", "f32": "float32"}


class Declined(Exception):
    """A product that is not offered, and what was said."""


class Multiplies(Protocol):
    """Who is asked."""

    def identify(self) -> dict[str, str]: ...

    def multiply(self, p: Product, a: Codes, b: Codes) -> Codes:
        """D (M, N), codes, of A (M, K) and B transposed (N, K).  Raises Declined."""
        ...

    def launched(self) -> list[str]:
        """What is known of the algorithms that were launched since the last time."""
        ...


class Log:
    """cuBLASLt's log of what it launches, which the library writes where its environment says so when it is loaded."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp()) / "cublaslt.log"
        os.environ |= {"CUBLASLT_LOG_LEVEL": "2", "CUBLASLT_LOG_FILE": str(self.path)}
        self._read = 0

    def launched(self) -> list[str]:
        """The algorithms since the last time, each one once, without addresses."""
        if not self.path.exists():
            return []
        text = self.path.read_bytes()
        new, self._read = text[self._read :].decode(errors="replace"), len(text)
        lines = [line for line in new.splitlines() if "algo" in line.lower()]
        said = (re.search(r"\balgo\w*=\[[^\]]*\]", line) for line in lines)
        return list(dict.fromkeys(m[0][:400] if m else line[-400:] for m, line in zip(said, lines)))[:4]


class Torch:
    """``torch._scaled_mm`` on a device."""

    def __init__(self, device: str) -> None:
        self._log = Log()
        import torch

        self.torch, self.device = torch, device
        self._held: dict[str, tuple[Any, Any]] = {}  # operands of the last shape on the device

    def identify(self) -> dict[str, str]:
        torch = self.torch
        found = {"name": "torch._scaled_mm", "version": torch.__version__, "device": self.device}
        if self.device != "cpu":
            major, minor = torch.cuda.get_device_capability()
            found |= {
                "model": torch.cuda.get_device_name(),
                "compute_capability": f"{major}.{minor}",
                "cuda": str(torch.version.cuda),
                "cublaslt": self._cublas(),
            }
        return found

    def launched(self) -> list[str]:
        return self._log.launched()

    def _cublas(self) -> str:
        """The version of cuBLASLt that is loaded."""
        import ctypes

        try:
            return str(ctypes.CDLL("libcublasLt.so.13").cublasLtGetVersion())
        except (OSError, AttributeError):
            return "unknown"

    def multiply(self, p: Product, a: Codes, b: Codes) -> Codes:
        torch = self.torch
        x, y = self._codes("a", a, p.a), self._codes("b", b, p.b)
        given: dict[str, Any] = {"out_dtype": getattr(torch, DTYPES[p.result]), "use_fast_accum": p.fast}
        given["scale_a"], given["scale_b"] = self._scales(p)
        if p.bias:
            given["bias"] = torch.from_numpy(p.bias_of().view(np.int16)).view(torch.bfloat16).to(self.device)
            if p.result == "f16":
                given["bias"] = given["bias"].to(torch.float16)
        if p.result == "e4m3fn":
            given["scale_result"] = torch.tensor(float(p.scale_result), device=self.device)
        try:
            d = torch._scaled_mm(x, y.t(), **given)
        except (RuntimeError, ValueError, NotImplementedError, TypeError) as error:
            if "out of memory" in str(error) or "CUDA error" in str(error):
                raise
            raise Declined(str(error).strip().splitlines()[0][:300]) from None
        size = d.element_size()
        bits = d.view(getattr(torch, f"int{8 * size}")).cpu().numpy()
        return bits.view(f"u{size}")  # type: ignore[no-any-return]

    def _codes(self, which: str, codes: Codes, name: str) -> Any:
        held, tensor = self._held.get(which, (None, None))
        if held is not codes:
            tensor = self.torch.from_numpy(codes.view(np.int8)).to(self.device)
            self._held[which] = codes, tensor
        return tensor.view(getattr(self.torch, DTYPES[name]))

    def _scales(self, p: Product) -> tuple[Any, Any]:
        """As each recipe wants them laid out: one of 1x128 with its rows next to each other, one of 128x128 by rows."""
        found = []
        for which, size in (("a", p.m), ("b", p.n)):
            if p.recipe == TENSOR:
                found.append(self.torch.tensor(float(p.scale(which)), device=self.device))
                continue
            if p.recipe == ROW:
                x = self._floats(p.scale(which))
                found.append(x[:, None] if which == "a" else x[None, :])
                continue
            tall = p.recipe.split(".")[which == "b"] == "128x128"
            x = self._floats(p.scale(which, range(0, size, 128) if tall else None))  # (places, K / 128)
            x = x.contiguous() if tall else x.t().contiguous().t()
            found.append(x if which == "a" else x.t())
        return found[0], found[1]

    def _floats(self, x: Any) -> Any:
        return self.torch.from_numpy(np.ascontiguousarray(x)).to(self.device)


def record_of(p: Product, who: Multiplies, a: Codes, b: Codes) -> tuple[dict[str, Any], bytes]:
    """Ask a product twice: its record and the results of the picked rows and columns."""
    record: dict[str, Any] = {"product": p.described}
    if p.recipe in BLOCKS and p.k % 128:
        return {**record, "declined": "blocks of 128 need K a multiple of 128: not asked"}, b""
    try:
        d = who.multiply(p, a, b)
        again = who.multiply(p, a, b)
    except Declined as error:
        return {**record, "declined": str(error)}, b""
    rows, columns = p.picked()
    tile = np.ascontiguousarray(d[np.ix_(rows, columns)])
    if said := who.launched():
        record["launched"] = said
    record |= {"sha256": hashlib.sha256(d.tobytes()).hexdigest(), "again": bool((d == again).all())}
    return record, tile.astype(tile.dtype.newbyteorder("<")).tobytes()


def ask(who: Multiplies, path: Path, largest: int, deadline: float) -> int:
    """Ask every product; returns how many are still missing."""
    file = Appending(path, {"seed": SEED, "source": {**who.identify(), "fp8ref": fp8ref.__version__}})
    known = {json.dumps(record["product"], sort_keys=True) for record in file.known}
    left = [p for p in products(largest) if json.dumps(p.described, sort_keys=True) not in known]
    try:
        for p, a, b in _with_operands(left):
            if time.monotonic() > deadline:
                break
            file.append(*record_of(p, who, a, b))
    finally:
        asked = len(file.known) - len(known)
        declined = sum("declined" in record for record in file.known)
        print(f"{len(file.known)} products, {declined} of them declined, {len(left) - asked} not asked", flush=True)
        file.close()
    return len(left) - asked


def _with_operands(left: list[Product]) -> Iterator[tuple[Product, Codes, Codes]]:
    """Products with A and B, which are drawn once for neighbours that share them."""
    for _, group in groupby(left, lambda p: (p.m, p.n, p.k, p.a, p.b)):
        some = list(group)
        a, b = some[0].matrix("a"), some[0].matrix("b")
        yield from ((p, a, b) for p in some)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--largest", type=int, default=4096, help="of M, N and K")
    parser.add_argument("--seconds", type=float, default=1e9, help="no product is begun after so long")
    given = parser.parse_args()
    try:
        left = ask(Torch(given.device), given.output, given.largest, time.monotonic() + given.seconds)
    except (ImportError, RuntimeError, AssertionError, ValueError) as error:
        print(f"torch on {given.device}: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 6
    return 2 if left else 0


if __name__ == "__main__":
    sys.exit(main())
