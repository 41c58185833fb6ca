"""Files for ``standalone.cu``, and what it wrote as a capture.

    python tools/captures/hopper/standalone.py table convert/f32/e4m3fn/rne.sat e4m3.table
    python tools/captures/hopper/standalone.py tiles wgmma dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32 FOLDER
    python tools/captures/hopper/standalone.py collect wgmma dot/... FOLDER CAPTURE.jsonl.gz

``tiles`` writes FOLDER/prove/N/{a,b,c}, the proof of the layout, and FOLDER/cases/N/{a,b,c}, the cases of a check at
level 1.  With ``d`` beside each, ``collect`` refuses a wrong layout, or writes the capture.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fp8ref.adapters.captures import files as captures
from fp8ref.adapters.captures.files import Capture
from fp8ref.adapters.cuda.device import NAMES, ROWS
from fp8ref.adapters.cuda.tiles import Unit, dots, misplaced
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import codes_of, dot_cases, values_of
from fp8ref.check.proof.proof import Claim, reference_of
from fp8ref.spec.catalog import get_format


def table(op: Operation, path: Path) -> None:
    """Runs of one answer over all inputs: first input and code, uint32 each."""
    claim, found, last = Claim(op), [], None
    reference = reference_of(claim)
    for first, count in claim.shards:
        codes = reference(first, count)
        starts = np.flatnonzero(np.concatenate([[last is None or codes[0] != last], codes[1:] != codes[:-1]]))
        found.append(np.stack([starts + first, codes[starts]], axis=1))
        last = codes[-1]
    np.concatenate(found).astype("<u4").tofile(path)


class Files:
    """The questions to a kernel as folders 0, 1, ...; where an answer ``d`` is there already it is read."""

    def __init__(self, folder: Path, unit: Unit) -> None:
        self.folder, self.count, self.unit = folder, 0, unit

    def __call__(self, a: Any, b: Any, c: Any) -> Any:
        here = self.folder / str(self.count)
        self.count += 1
        if (here / "d").exists():
            return np.fromfile(here / "d", c.dtype).reshape(c.shape)
        here.mkdir(parents=True, exist_ok=True)
        for name, codes in zip("abc", (a, b, c)):
            codes.tofile(here / name)
        return self._exact(a, b, c)

    def _exact(self, a: Any, b: Any, c: Any) -> Any:
        """What the proof of the layout expects, so that it asks everything; the sums are exact in float64."""
        x, y = (values_of(codes, get_format(name)) for codes, name in zip((a, b), self.unit.operands))
        d = x @ y.transpose(0, 2, 1) + values_of(c, get_format(self.unit.result))
        return codes_of(d, get_format(self.unit.result)).astype(c.dtype)


def main(verb: str, *words: str) -> None:
    if verb == "table":
        table(Operation.parse(words[0]), Path(words[1]))
        return
    kind, op, folder = words[0], Operation.parse(words[1]), Path(words[2])
    x, y = (NAMES.get(name, name) for name in op.operands)
    unit = Unit(f"{kind}_{x}_{y}_{op.result}", (op.operands[0], op.operands[1]), op.result, ROWS[kind])
    proof, asked = Files(folder / "prove", unit), Files(folder / "cases", unit)
    wrong = misplaced(unit, proof)
    if verb == "collect" and wrong:
        raise SystemExit(f"{unit.kernel}: {wrong}")
    cases = dot_cases(op, 1, 0)
    with np.errstate(all="ignore"):  # of the questions that are written, answers do not matter
        answers = dots(unit, asked, cases.a, cases.b, cases.c)
    if verb == "collect":
        source = {"name": "standalone", "instruction": unit.kernel, "level": "1", "seed": "0"}
        captures.write(Path(words[3]), Capture(op, tuple(cases.operands), answers, source))


if __name__ == "__main__":
    main(*sys.argv[1:])
