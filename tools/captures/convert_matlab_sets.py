"""Turn the published results of north-numerical-computing/MATLAB-tensor-core, as JSON lines, into captures.

    python tools/captures/convert_matlab_sets.py DIRECTORY_WITH_JSONL OUTPUT_DIRECTORY

Each line of the input has instr, gpu, a, b, c, d.  A header is added: the operation with the model declared for what
ran, and where the results come from.  Case lines keep their codes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from fp8ref.adapters.captures import files as captures
from fp8ref.cases.operation import Operation

MODELS = {  # what ran -> the accumulator model declared for it
    "Ada.mma": "ada.mma.fp8",
    "H100.wgmma": "hopper.wgmma.fp8",
    "H100.mma_emul": "hopper.mma.fp8",
    "B200.mma_emul": "b200.mma.fp8",
}
DEVICES = {"Ada": "RTX 1000 Ada", "H100": "H100", "B200": "B200"}
OPERANDS = {"e4m3": "e4m3fn", "e5m2": "e5m2"}


def convert(path: Path, output: Path) -> captures.Capture:
    """One file; the name says what ran, the number formats, and the result format."""
    parts = path.name.removesuffix(".jsonl").split(".")
    what, formats = ".".join(parts[:2]), [OPERANDS[p] for p in parts if p in OPERANDS]
    result = next(p for p in parts if p in ("f32", "f16"))
    cases = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    wide = np.uint32 if result == "f32" else np.uint16
    a, b = (np.array([list(bytes.fromhex(case[x])) for case in cases], np.uint8) for x in "ab")
    c, d = (np.array([int(case[x], 16) for case in cases], wide) for x in "cd")
    op = Operation.parse(f"dot/{'.'.join(formats)}/{result}/{MODELS[what]}.{result};k={a.shape[1]}")
    source = {
        "device": DEVICES[parts[0]],
        "instruction": cases[0]["instr"],
        "origin": "F. A. Khattak and M. Mikaitis, MATLAB-tensor-core (arXiv 2512.07004), measured results",
        "license": "BSD-2-Clause, (c) 2025 the authors",
    }
    capture = captures.Capture(op, (a, b, c), d, source)
    captures.write(output / path.name.replace(".jsonl", ".capture.jsonl"), capture)
    return capture


def main() -> None:
    """Convert every file of a directory."""
    if len(sys.argv) != 3:
        sys.exit(str(__doc__))
    source, output = map(Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.jsonl")):
        capture = convert(path, output)
        print(f"{capture.count:6}  {capture.operation.id}  {path.name}")


if __name__ == "__main__":
    main()
