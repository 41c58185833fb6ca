"""Ask a device the functions of ``functions.py``, a block at a time.

    python ask_functions.py --unit cuda|triton|MODULE:CLASS -o FILE.blocks [--prepared FOLDER] [--seconds 60]

``cuda``: the kernels of ``functions.cu``.  ``triton``: ``/`` and ``tl.div_rn`` in a kernel of Triton.  The same command
goes on with a file that was cut off.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from draws import digest
from functions import FUNCTIONS, SEED, Function, U32s, every, packed

import fp8ref
from fp8ref.adapters.base import Broken, Unavailable
from fp8ref.adapters.captures.blocks import Appending
from fp8ref.adapters.cuda.driver import Device

SOURCE = Path(__file__).with_name("functions.cu")
THREADS = 256


class Answers(Protocol):
    """Who is asked."""

    def identify(self) -> Mapping[str, str]: ...

    def has(self, f: Function) -> bool: ...

    def run(self, f: Function, *arguments: U32s) -> U32s: ...


class Cuda:
    """The kernels of ``functions.cu`` on a device."""

    def __init__(self, prepared: Path | None) -> None:
        self.device = Device(SOURCE, prepared=prepared)

    def identify(self) -> Mapping[str, str]:
        facts = self.device.facts
        return {"name": "cuda functions", "version": facts["cuda_driver"], "device": facts["model"], **facts}

    def has(self, f: Function) -> bool:
        return self.device.has(f.kernel)

    def run(self, f: Function, *arguments: U32s) -> U32s:
        out = np.empty_like(arguments[0])
        return self.device.run(f.kernel, -(-out.size // THREADS), THREADS, arguments, out, [np.uint64(out.size)])


class Triton:
    """Quotients in a kernel of Triton."""

    def __init__(self, prepared: Path | None) -> None:
        try:
            import torch
            import triton
        except ImportError as error:
            raise Unavailable(str(error)) from None
        if not torch.cuda.is_available():
            raise Unavailable("torch finds no CUDA device")
        self.torch, self.version = torch, triton.__version__

    def identify(self) -> Mapping[str, str]:
        major, minor = self.torch.cuda.get_device_capability()
        model = self.torch.cuda.get_device_name()
        return {"name": "triton", "version": self.version, "device": model, "compute_capability": f"{major}.{minor}"}

    def has(self, f: Function) -> bool:
        return f.kernel.startswith("triton_")

    def run(self, f: Function, *arguments: U32s) -> U32s:
        import triton_division

        x, y = (self.torch.from_numpy(codes.view(np.float32)).cuda() for codes in arguments)
        z: U32s = triton_division.divided(x, y, f.kernel == "triton_div_rn").cpu().numpy().view(np.uint32)
        return z


def unit_of(name: str, prepared: Path | None) -> Answers:
    """Who a name stands for."""
    if name in ("cuda", "triton"):
        return Cuda(prepared) if name == "cuda" else Triton(prepared)
    module, _, member = name.partition(":")
    found: Answers = getattr(importlib.import_module(module), member)()
    return found


def record_of(f: Function, block: str, who: Answers) -> tuple[dict[str, Any], bytes]:
    """Ask a block: its record and the results, packed."""
    arguments = f.arguments(block)
    got = who.run(f, *arguments)
    form, content = packed(got, None if block == "spots" else f.base(*arguments))
    return {"function": f.name, "block": block, "form": form, "answers": digest([got])}, content


def ask(who: Answers, path: Path, deadline: float, share: float = 1.0) -> int:
    """Ask every function that there is; returns how many blocks are missing.  ``share``: of each one's blocks."""
    file = Appending(path, {"seed": SEED, "source": {**who.identify(), "fp8ref": fp8ref.__version__}})
    there = {(record["function"], record["block"]) for record in file.known}
    names = tuple(f.name for f in FUNCTIONS if who.has(f))
    wanted = [(f, b) for f, b in every(names) if b == "spots" or int(b) < max(1, share * (len(f.blocks) - 1))]
    missing = [(f, b) for f, b in wanted if (f.name, b) not in there]
    try:
        while missing and time.monotonic() < deadline:
            file.append(*record_of(*missing[0], who))
            del missing[0]
    finally:
        file.close()
    print(f"{path.stem}: {len(wanted) - len(missing)} of {len(wanted)} blocks of {len(names)} functions", flush=True)
    return len(missing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--unit", default="cuda")
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--prepared", type=Path, help="machine code that prepare.py made")
    parser.add_argument("--share", type=float, default=1.0, help="of the blocks of each function")
    parser.add_argument("--seconds", type=float, default=1e9, help="no block is begun after so long")
    given = parser.parse_args()
    deadline = time.monotonic() + given.seconds
    try:
        return 2 if ask(unit_of(given.unit, given.prepared), given.output, deadline, given.share) else 0
    except (Unavailable, Broken, ValueError, RuntimeError) as error:
        print(f"{given.unit}: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 6


if __name__ == "__main__":
    sys.exit(main())
