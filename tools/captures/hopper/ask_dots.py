"""Ask a matrix unit the drawn cases and keep the answers, a block at a time.

    python ask_dots.py --impl cuda,unit=wgmma -o FOLDER [--share 1.0] [--seconds 200] [SELECT...]

One file of blocks for each product.  A block's answers are kept whole where they are the first of its class, or other
than those of the claimed model; otherwise their digest is enough, which the model's answers have wherever they are
computed.  The first block of every class of every product comes before all others, so that a run that is cut off lacks
little; the same command goes on with it.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import draws
import numpy as np
from draws import BLOCK

import fp8ref
from fp8ref.adapters.base import Adapter, Broken, Unavailable, Unsupported
from fp8ref.adapters.captures.blocks import Appending
from fp8ref.adapters.connect import connect
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.questions import is_product, length, model_of, scale_type, with_length

SEED = 20261122
COUNTS = {name: 1_000_000 if name == "random" else 100_000 for name in draws.CLASSES}  # at least, of one instruction
CHAINED = 10  # one case in ten where instructions are chained
ROOM = 1 << 18  # packed bytes of answers kept for each product beyond the first blocks
KEPT = 16  # mismatches with the model reported of a block whose answers are not kept


@dataclass
class Product:
    """A product that is asked: its file, and how many blocks of each class."""

    op: Operation
    file: Appending
    counts: Mapping[str, int]
    room: int = ROOM

    def missing(self, first: bool) -> list[tuple[str, int]]:
        """Class and number of the blocks that are not there: the first of each class, or the others."""
        there = {(record["class"], record["block"]) for record in self.file.known}
        every = [(name, i) for name, n in self.counts.items() for i in range(n) if (i == 0) is first]
        return [place for place in every if place not in there]


def file_of(op: Operation) -> str:
    """The name of a product's file: its id in characters that every file system has."""
    return re.sub(r"[^A-Za-z0-9.]", "_", op.id.replace("=", "").replace("*", "any")) + ".blocks"


def blocks_of(op: Operation, share: float) -> dict[str, int]:
    """How many blocks of each class are asked."""
    part = share / CHAINED if length(op) > 32 // (1 + op.source_format.k // 16) else share  # type: ignore[union-attr]
    return {name: max(1, -(-int(n * part) // BLOCK)) for name, n in COUNTS.items()}


def record_of(product: Product, name: str, number: int, adapter: Adapter) -> tuple[dict[str, Any], bytes]:
    """Ask a block: its record, and the answers where they are kept."""
    operands = draws.block(product.op, SEED, name, number)
    got = adapter.run(product.op, *operands)
    assert isinstance(got, np.ndarray)
    record: dict[str, Any] = {
        "class": name,
        "block": number,
        "operands": draws.digest(operands),
        "answers": draws.digest([got]),
    }
    keep = number == 0
    if model_of(product.op) is None:
        keep = True
    else:
        off = np.flatnonzero(got != expect(product.op, operands).codes)
        record["differ"] = int(off.size)
        if off.size and not keep:
            keep = product.room > 0
            record["departures"] = [[int(i), int(got[i])] for i in off[:KEPT]]
    content = got.astype(got.dtype.newbyteorder("<")).tobytes() if keep else b""
    return record, content


def ask(adapter: Adapter, folder: Path, wanted: Sequence[str], share: float, deadline: float) -> int:
    """Ask all products of an adapter; returns how many blocks are still missing."""
    products = []
    for claim in map(Operation.parse, adapter.capabilities()):
        if not is_product(claim) or claim.family != "dot" or scale_type(claim):
            continue
        op = with_length(claim)
        if wanted and not any(fnmatchcase(op.id, glob) for glob in wanted):
            continue
        header = {
            "operation": op.id,
            "seed": SEED,
            "size": BLOCK,
            "source": {**adapter.identify(), "fp8ref": fp8ref.__version__},
        }
        products.append(Product(op, Appending(folder / file_of(op), header), blocks_of(op, share)))
    for first in (True, False):
        for product in products:
            for name, number in product.missing(first):
                if time.monotonic() > deadline:
                    break
                try:
                    record, content = record_of(product, name, number, adapter)
                except (Unsupported, Broken) as error:
                    print(f"{product.op.id} {name} {number}: {error}", file=sys.stderr)
                    break
                product.file.append(record, content)
                if not first:
                    product.room -= product.file.known[-1]["bytes"]
            if not first:
                differing = sum(record.get("differ", 0) for record in product.file.known)
                blocks = len(product.file.known)
                print(f"{product.op.id}: {blocks * BLOCK} cases, {differing} other than the model", flush=True)
    left = sum(len(product.missing(first)) for product in products for first in (True, False))
    for product in products:
        product.file.close()
    return left


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--impl", required=True)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of cases")
    parser.add_argument("--seconds", type=float, default=1e9, help="no block is begun after so long")
    parser.add_argument("wanted", nargs="*", metavar="SELECT")
    given = parser.parse_args()
    deadline = time.monotonic() + given.seconds
    fp8ref.set_threads(1)  # others run beside this
    try:
        adapter = connect(given.impl)
        left = ask(adapter, given.output, given.wanted, given.share, deadline)
    except (Unavailable, ValueError) as error:
        print(f"{given.impl}: {error}", file=sys.stderr)
        return 6
    if left:
        print(f"{left} blocks are missing; the same command goes on", file=sys.stderr)
    return 2 if left else 0


if __name__ == "__main__":
    sys.exit(main())
