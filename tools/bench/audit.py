"""An audit of a large checkpoint beside sha256sum over the same files: processor time, wall time, memory.

    python tools/bench/audit.py FOLDER --gib 7 --recipe hf-fp8 [--original]

A block of weights is quantised once by ``fp8ref quantize``; the checkpoint repeats it in sharded safetensors under the
names of a decoder's layers, its rows rolled, so that no two tensors are equal.  FOLDER is made, measured and removed;
it takes the size that is asked for, and with ``--original`` two to four times of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from fp8ref.audit.files.folder import open_files
from fp8ref.audit.quantize.write import DTYPES

ROWS, COLUMNS = 4096, 4096
SHARD = 1 << 30
FUSED = ("q_proj", "k_proj", "v_proj")


def write(folder: Path, block: dict[str, Any], config: Path | None, count: int) -> None:
    """Shards with ``count`` copies of a block's tensors: (ends of names: kind and rows)."""
    folder.mkdir()
    weight_map: dict[str, str] = {}
    size = sum(x.nbytes for _, x in block.values())
    per = max(1, SHARD // size)
    for shard, first in enumerate(range(0, count, per)):
        name = f"model-{shard:05d}.safetensors"
        table: dict[str, Any] = {}
        at, parts = 0, []
        for i in range(first, min(first + per, count)):
            for end, (kind, x) in block.items():
                own = f"model.layers.{i}.self_attn.o_proj.{end}"
                shift = 128 * i if x.ndim and x.shape[0] == ROWS else i if x.ndim and x.shape[0] > 1 else 0
                table[own] = {"dtype": DTYPES[kind], "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
                at += x.nbytes
                parts.append((x, shift))
                weight_map[own] = name
        header = json.dumps(table).encode()
        with open(folder / name, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            for x, shift in parts:
                file.write(np.roll(x, shift, axis=0).tobytes() if shift else x.tobytes())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    if config is not None and config.exists():
        shutil.copy(config, folder / "config.json")


def measured(*command: str) -> tuple[float, float, int]:
    """Processor seconds, wall seconds, and the largest resident set of a process in MiB."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, subprocess.Popen(command, stdout=out) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        if process.returncode:
            out.seek(0)
            print(out.read().decode()[-2000:])
    return used.ru_utime + used.ru_stime, took, used.ru_maxrss >> 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gib", type=float, default=7.0)
    parser.add_argument("--recipe", default="hf-fp8")
    parser.add_argument("--original", action="store_true", help="audit against the original, too")
    parser.add_argument("--jobs", default=str(os.cpu_count() or 1))
    asked = parser.parse_args()
    if asked.folder.exists():
        parser.error(f"{asked.folder} exists: name a folder that is to be made")
    asked.folder.mkdir(parents=True)
    try:
        _measure(asked)
    finally:
        shutil.rmtree(asked.folder)


def _measure(asked: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    w = (rng.standard_normal((ROWS, COLUMNS), np.float32) * 0.02).astype(ml_dtypes.bfloat16)
    with tempfile.TemporaryDirectory() as small:
        plain = {"weight": ("bf16", w)}
        write(Path(small) / "o", plain, None, 1)
        subprocess.run(
            [sys.executable, "-m", "fp8ref", "quantize", f"{small}/o", f"{small}/q", "--recipe", asked.recipe],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        held = open_files(Path(small) / "q").tensors
        stem = "model.layers.0.self_attn.o_proj."
        block = {name.removeprefix(stem): (t.kind, np.array(t.all())) for name, t in held.items()}
        count = max(1, int(asked.gib * 2**30 / sum(x.nbytes for _, x in block.values())))
        write(asked.folder / "q", block, Path(small) / "q" / "config.json", count)
        if asked.original:
            write(asked.folder / "o", plain, None, count)
    audit = [sys.executable, "-m", "fp8ref", "audit", str(asked.folder / "q"), "--jobs", asked.jobs]
    files = [str(p) for p in sorted(asked.folder.rglob("*.safetensors"))]
    quantised = [p for p in files if f"{os.sep}q{os.sep}" in p]
    runs = [("sha256sum", ["sha256sum", *quantised]), ("audit", audit)]
    if asked.original:
        runs += [("sha256sum of both", ["sha256sum", *files]),
                 ("audit --original", [*audit, "--original", str(asked.folder / "o")])]  # fmt: skip
    size = sum(os.stat(p).st_size for p in quantised)
    print(f"{asked.recipe}: {count} tensors of {ROWS} by {COLUMNS}, {size / 2**30:.2f} GiB")
    base = 0.0
    for name, command in runs:
        spent, took, memory = measured(*command)
        base = spent if name.startswith("sha") else base
        print(f"{name:20} {spent:8.1f} s processor {took:8.1f} s wall {memory:6d} MiB  {spent / base:5.2f} times")


if __name__ == "__main__":
    main()
