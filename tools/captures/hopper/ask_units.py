"""Ask a device's instructions the questions of ``questions.py``, and every input of its conversions.

    python ask_units.py probes --impl cuda,unit=wgmma -o FOLDER
    python ask_units.py sweep --impl cuda,unit=cvt -o FOLDER/cvt.blocks [--seconds 100]

``probes`` writes a capture for each product: the named probes, the open questions, infinities and NaNs in every lane;
connecting has proved the layout of every tile.  Of conversions it captures every upper half of a code.  ``sweep`` keeps
the digest of the answers to every 2^24 inputs, and whether they are the reference's; where they are not, the first
answers that differ.  Answers to sources of 16 bits and less are kept.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from draws import digest
from questions import QUESTIONS, asked

import fp8ref
from fp8ref.adapters.base import Adapter, Broken, Unavailable, Unsupported
from fp8ref.adapters.captures import files as captures
from fp8ref.adapters.captures.blocks import Appending
from fp8ref.adapters.captures.files import Capture
from fp8ref.adapters.connect import connect
from fp8ref.cases.answers import differs, expect
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.products.cases import Cases, Codes, probes, special_cases
from fp8ref.cases.products.questions import is_product, scale_type, with_length
from fp8ref.check.proof.proof import Claim, reference_of
from fp8ref.spec.catalog import get_format

SEED = 20261130
SPECIALS = 256  # cases with infinities and NaNs beside those of every lane
WHOLE = 1 << 16  # inputs whose answers are kept
KEPT = 64  # answers reported of a shard that differs
AHEAD = 6  # shards that are held against the reference while others are asked


def product_cases(op: Operation) -> Cases:
    """Named probes, open questions and specials, in this order."""
    found = [probes(op), *(cases for q in QUESTIONS if (cases := asked(op, q)) is not None)]
    return Cases.joined([*found, special_cases(op, SPECIALS, np.random.default_rng(SEED))])


def conversion_codes(op: Operation) -> Codes:
    """Every code of at most 16 bits; of 32 every upper half with six lower ones."""
    f = get_format(op.operands[0])
    if f.k <= 16:
        return np.arange(1 << f.k, dtype=carrier_dtype(f.name))
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    return (np.arange(1 << 16, dtype=np.uint32)[:, None] << np.uint32(16) | lower).reshape(-1)


def claims_of(adapter: Adapter) -> Iterator[Operation]:
    """What is asked of an adapter, single instructions before chains of them."""
    claims = [Operation.parse(claim) for claim in adapter.capabilities()]
    claims = [with_length(op) if is_product(op) else op for op in claims if not scale_type(op)]
    yield from sorted(claims, key=lambda op: int(op.key("k") or 0))


def ask_probes(adapter: Adapter, folder: Path, deadline: float) -> int:
    """Write the captures; returns how many are missing."""
    source = {**adapter.identify(), "fp8ref": fp8ref.__version__}
    folder.mkdir(parents=True, exist_ok=True)
    missing = 0
    for op in claims_of(adapter):
        name = re.sub(r"[^A-Za-z0-9.-]", "_", op.id.replace("*", "any").replace("=", ""))
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            continue
        if time.monotonic() > deadline:
            missing += 1
            continue
        operands = product_cases(op).operands if is_product(op) else [conversion_codes(op)]
        try:
            answers = adapter.run(op, *operands)
        except (Unsupported, Broken) as error:
            print(f"{op.id}: {error}", file=sys.stderr)
            continue
        part = path.with_name(f"part-{path.name}")
        captures.write(part, Capture(op, tuple(operands), np.asarray(answers), source))
        part.replace(path)
        print(f"{op.id}: {len(operands[0])} cases", flush=True)
    return missing


def reference(op: Operation, first: int, count: int) -> Codes:
    """The right answers to some inputs: of sources of 32 bits by runs of equal answers."""
    if get_format(op.operands[0]).k > 16:
        return reference_of(Claim(op))(first, count)
    return np.asarray(expect(op, [np.arange(first, first + count, dtype=carrier_dtype(op.operands[0]))]).codes)


def held_against(op: Operation, first: int, got: Codes) -> tuple[dict[str, Any], bytes]:
    """The record of a shard, and its answers where they are few."""
    record: dict[str, Any] = {"operation": op.id, "first": first, "count": got.size, "answers": digest([got])}
    want = reference(op, first, got.size)
    if np.array_equal(got, want):
        off, codes = np.zeros(0, np.intp), 0
    else:
        off = np.flatnonzero(differs(op, got, want, "class"))
        codes = int((got != want).sum()) - int(off.size)
    record |= {"differ": int(off.size), "nan_codes": codes}
    if off.size:
        record["first_differing"] = [[first + int(i), int(got[i]), int(want[i])] for i in off[:KEPT]]
    return record, got.astype(got.dtype.newbyteorder("<")).tobytes() if got.size <= WHOLE else b""


def ask_sweep(adapter: Adapter, path: Path, deadline: float, share: float = 1.0) -> int:
    """Ask every input of every conversion; returns how many shards are missing.  ``share``: of those of 32 bits."""
    file = Appending(path, {"source": {**adapter.identify(), "fp8ref": fp8ref.__version__}})
    there = {(record["operation"], record["first"]) for record in file.known}
    wanted = []
    for op in claims_of(adapter):
        if not is_product(op):
            shards = Claim(op).shards
            wanted += [(op, *shard) for shard in shards[: max(1, round(len(shards) * share))]]
    # 16 bits and less first, then without .relu
    wanted.sort(key=lambda one: (get_format(one[0].operands[0]).k > 16, "negative" in one[0].id))
    missing = [one for one in wanted if (one[0].id, one[1]) not in there]
    left = len(missing)
    try:
        with ThreadPoolExecutor(AHEAD) as pool:
            waiting: list[Any] = []
            inputs, at = np.zeros(0, np.uint8), 0
            for op, first, count in missing:
                if time.monotonic() > deadline:
                    break
                if inputs.size != count or inputs.dtype != carrier_dtype(op.operands[0]):
                    inputs = np.arange(count, dtype=carrier_dtype(op.operands[0]))
                    at = 0
                inputs += inputs.dtype.type((first - at) % (1 << 8 * inputs.itemsize))  # in place: pages cost more
                at = first
                got = np.asarray(adapter.run(op, inputs))
                reference(op, 0, 1)  # runs are found once, here
                waiting.append(pool.submit(held_against, op, first, got))
                if len(waiting) == AHEAD:
                    file.append(*waiting.pop(0).result())
                    left -= 1
            for one in waiting:
                file.append(*one.result())
                left -= 1
    finally:
        file.close()
    differ = sum(record["differ"] for record in file.known)
    print(f"{len(wanted) - left} of {len(wanted)} shards, {differ} answers other than the reference's", flush=True)
    return left


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("probes", "sweep"))
    parser.add_argument("--impl", required=True)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs of 32 bits")
    parser.add_argument("--seconds", type=float, default=1e9, help="nothing is begun after so long")
    given = parser.parse_args()
    deadline = time.monotonic() + given.seconds
    fp8ref.set_threads(1)  # others run beside this
    try:
        adapter = connect(given.impl)
        if given.what == "probes":
            left = ask_probes(adapter, given.output, deadline)
        else:
            left = ask_sweep(adapter, given.output, deadline, given.share)
    except (Unavailable, Broken, ValueError) as error:
        print(f"{given.impl}: {error}", file=sys.stderr)
        return 6
    return 2 if left else 0


if __name__ == "__main__":
    sys.exit(main())
