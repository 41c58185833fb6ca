"""Put public recordings of real GPUs to the models: what differs, what the rows cannot decide, and captures of them.

    pip download --no-deps --no-binary :all: mmaemu==0.1.0 && tar xf mmaemu-0.1.0.tar.gz
    git clone https://github.com/north-numerical-computing/MATLAB-tensor-core
    python tools/captures/hardware.py --mmaemu mmaemu-0.1.0 --matlab MATLAB-tensor-core --table docs/hardware.md
    python tools/captures/hardware.py --mmaemu mmaemu-0.1.0 --matlab MATLAB-tensor-core --captures captures
    python tools/captures/replays.py captures                   # fp8ref check and identify on every file

Every answer is compared bit for bit, NaN codes included.  ``--table`` rewrites the table between the marks of a page.
The 122 products of an H100 that mmaemu holds as SHA-256 digests only need its input generator, which is not published:
``--h100 FILE.npz`` takes the operands under the names of its jobs.json (``JOB.a``, ``JOB.b``) and compares digests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from recorded import FP8, RESULTS, Mmaemu, Recording, matlab_sets

import fp8ref
from fp8ref.adapters.captures import files as captures
from fp8ref.arrays.conversion import FLOAT_DTYPES
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases
from fp8ref.check.identify.accumulators import CHOICES, PARAMETERS, agrees, alternatives, catalogue
from fp8ref.spec.matrix.accumulate import Fused
from fp8ref.spec.matrix.models import get_model

Codes = np.ndarray[Any, Any]
ROWS, PRODUCTS = 4096, 1 << 20  # of an operation that a capture takes at most
BEGIN, END = "<!-- hardware:begin -->", "<!-- hardware:end -->"


def answers(r: Recording) -> Codes:
    """What the declared model answers."""
    scale_a, scale_b, scale_result = (None if s is None else np.uint32(s).view(np.float32) for s in r.scales)
    ask, b = (fp8ref.matmul, r.b.T) if r.outer else (fp8ref.dot, r.b)
    c = None if r.c is None else r.c.view(FLOAT_DTYPES[get_model(r.accumulator).result])
    d = ask(
        r.a, b, *r.operands, c=c, accumulator=r.accumulator, result=r.result, scale_a=scale_a, scale_b=scale_b,
        scale_result=scale_result,
    )  # fmt: skip
    return d.view(f"u{d.itemsize}")


@dataclass
class Group:
    """Recordings of one device, instruction and kind."""

    recordings: int = 0
    rows: int = 0
    differ: int = 0
    zeros: int = 0
    accumulators: dict[str, int] = field(default_factory=dict)
    samples: list[Recording] = field(default_factory=list)


def put(recordings: Iterable[Recording], total: int, output: Captures | None) -> dict[tuple[str, str, str], Group]:
    """Every recording compared, gathered by device, instruction and group; progress on stderr."""
    found: dict[tuple[str, str, str], Group] = {}
    for i, r in enumerate(recordings):
        g = found.setdefault((r.device, r.instruction, r.group), Group())
        got = answers(r)
        differ = int((got != r.d).sum())
        g.recordings, g.rows, g.differ = g.recordings + 1, g.rows + got.size, g.differ + differ
        g.zeros += int((r.d == 0).sum())
        g.accumulators[r.accumulator] = g.accumulators.get(r.accumulator, 0) + 1
        if not r.outer and r.d.size and len(g.samples) < 4:
            g.samples.append(r)
        if output is not None:
            output.add(r)
        if sys.stderr.isatty() and i % 10 == 0:
            done = min(1.0, i / max(total, 1))
            bar = "#" * int(40 * done)
            sys.stderr.write(f"\r[{bar:40}] {i} recordings, {sum(x.differ for x in found.values())} answers differ")
    sys.stderr.write("\n" if sys.stderr.isatty() else "")
    return found


# -- captures ---------------------------------------------------------------------------------------------------------
def operation(r: Recording) -> Operation:
    keys = [f"k={r.k}"]
    if any(s is not None for s in r.scales):
        keys += ["scale=f32", *(["scale_result=1"] if r.scales[2] is not None else [])]
    return Operation.parse(f"dot/{'.'.join(r.operands)}/{r.result}/{r.accumulator};{';'.join(sorted(keys))}")


def rows_of(r: Recording, most: int = ROWS) -> tuple[tuple[Codes, ...], Codes]:
    """(operands, answers) of rows spread over a recording, no two with the same operands."""
    n = r.d.size
    which = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
    i, j = np.divmod(which, r.d.shape[1]) if r.outer else (which, which)
    a, b, d = r.a[i], r.b[j], r.d.reshape(-1)[which]
    wide = np.uint16 if get_model(r.accumulator).result == "f16" else np.uint32
    c = np.zeros(len(which), wide) if r.c is None else r.c[which]
    given = [a, b, c]
    if any(s is not None for s in r.scales):
        given += [np.full((len(which), 1), 0x3F800000 if s is None else s, np.uint32) for s in r.scales[:2]]
    if r.scales[2] is not None:
        given.append(np.full(len(which), r.scales[2], np.uint32))
    return distinct(tuple(given), d)


def distinct(operands: tuple[Codes, ...], d: Codes) -> tuple[tuple[Codes, ...], Codes]:
    """Each case once."""
    keys = [np.ascontiguousarray(x).reshape(len(d), -1).view(np.uint8) for x in operands]
    _, first = np.unique(np.concatenate(keys, axis=1), axis=0, return_index=True)
    first.sort()
    return tuple(x[first] for x in operands), d[first]


class Captures:
    """Writes one capture for each device, instruction and operation: rows of all recordings of it."""

    def __init__(self, output: Path, recordings: Iterable[Recording]) -> None:
        self.output = output
        self.left = Counter(map(self._key, recordings))
        self.most = {key: max(1, min(ROWS, PRODUCTS // key[3]) // n) for key, n in self.left.items()}
        self.parts: dict[Any, list[tuple[tuple[Codes, ...], Codes]]] = defaultdict(list)
        output.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def _key(r: Recording) -> tuple[str, str, str, int]:
        return r.device, r.instruction, operation(r).id if r.k else "", max(r.k, 1)

    def add(self, r: Recording) -> None:
        """Rows of a recording; the file is written with the last of its operation."""
        key = self._key(r)
        self.left[key] -= 1
        if r.d.size and r.k:
            self.parts[key].append(rows_of(r, self.most[key]))
        if self.left[key] or not self.parts[key]:
            return
        parts = self.parts.pop(key)
        joined = [np.concatenate(x) for x in zip(*(operands for operands, _ in parts))]
        operands, d = distinct(tuple(joined), np.concatenate([d for _, d in parts]))
        source = {"device": r.device, "instruction": r.instruction, "origin": r.origin}
        name = "".join(x if x.isalnum() or x in "._-" else "_" for x in f"{r.device}.{operation(r).id}")
        path = self.output / f"{name[:180]}.jsonl.gz"
        captures.write(path, captures.Capture(operation(r), operands, d, source))


# -- what the rows do not decide --------------------------------------------------------------------------------------
def left_open(g: Group) -> str:
    """The catalogued models and the choices of the declared one that the sampled rows do not exclude."""
    if not g.samples:
        return ""
    declared = get_model(g.samples[0].accumulator)
    parts = [(operation(r), *rows_of(r, 1500)) for r in g.samples]
    seen = [(op, Cases(x[0], x[1], x[2], ("row",) * len(d), x[3:]), d) for op, x, d in parts]

    def explains(model: Any) -> bool:
        return all(agrees(op, d, model, cases) for op, cases, d in seen)

    names = [h.name for h in catalogue(seen[0][0]) if h.model is not None and "+" not in h.name and explains(h)]
    found = [", ".join(name for name in names if name != declared.name)]
    if isinstance(declared, Fused):
        for parameter in [p for p in (*PARAMETERS, *CHOICES) if p != "order"]:
            values = [str(value) for value, other in alternatives(declared, parameter) if explains(other)]
            if values:
                found.append(f"{parameter} {' '.join(values[:6])}")
    return "; ".join(x for x in found if x)


def table(found: dict[tuple[str, str, str], Group], apart: dict[str, int]) -> str:
    lines = ["| device | what ran | kind | answers | differ | declared | what the rows do not decide |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for (device, instruction, kind), g in sorted(found.items()):
        names = sorted(g.accumulators)
        more = len(names) - 1
        declared = f"`{names[0]}`" + (f" and {more} more composition{'s' * (more > 1)}" if more else "")
        open_ = left_open(g) or (f"{g.zeros:,} of them are zeros" if g.zeros > g.rows // 2 else "")
        lines.append(f"| {device} | {instruction} | {kind} | {g.rows:,} | {g.differ:,} | {declared} | {open_} |")
    rows, differ = sum(g.rows for g in found.values()), sum(g.differ for g in found.values())
    lines += ["", f"{rows:,} answers in {sum(g.recordings for g in found.values()):,} recordings; {differ:,} differ."]
    if apart:
        lines += ["", "Apart: " + "; ".join(f"{n:,} {what}" for what, n in sorted(apart.items())) + "."]
    return "\n".join(lines)


def h100(root: Path, inputs: Path) -> Iterator[str]:
    """A line for every product of an H100 that is known by the digest of its output, where its operands are given."""
    jobs = json.loads((root / "tests/data/h100_mini/jobs.json").read_text(encoding="utf-8"))["jobs"]
    given = np.load(inputs, allow_pickle=False)
    for job in jobs:
        name = str(job["id"])
        if f"{name}.a" not in given:
            yield f"{name}: no operands"
            continue
        r = h100_product(job, given[f"{name}.a"], given[f"{name}.b"])
        digest = hashlib.sha256(np.ascontiguousarray(answers(r)).tobytes()).hexdigest()
        yield f"{name}: {'equal' if digest == job['expect']['sha256'] else 'differs'} by {r.accumulator}"


def h100_product(job: dict[str, Any], a: Codes, b: Codes) -> Recording:
    """a (M, K) and b (N, K); the composition that mmaemu's plan states for an H100."""
    result = RESULTS[job["out"]]
    unit = "hopper.wgmma.fp8.f32" + ("" if job["fast"] else "+promote128.fadd")
    unit += f"+split{job['S']}.t128" if job["S"] > 1 else ""
    narrow = result in FP8.values()
    output = job.get("scale_result") if narrow else None
    words = ["scale", *(["scale_result"] if output is not None else []), "sat" if narrow else "nonsat"]
    sa, sb, sr = [
        None if x is None else int(np.float32(x).view(np.uint32)) for x in (job["scale_a"], job["scale_b"], output)
    ]
    if (a.shape, b.shape) != ((job["M"], job["K"]), (job["N"], job["K"])):
        raise ValueError(f"{job['id']}: operands {a.shape} and {b.shape}, not (M, K) and (N, K)")
    return Recording(
        job["id"], "H100 PCIe", "torch._scaled_mm", (FP8[job["fa"]], FP8[job["fb"]]), result,
        f"{unit}+out.{'.'.join(words)}", a, b, np.zeros(0, np.uint8), outer=True, scales=(sa, sb, sr),
    )  # fmt: skip


def main() -> None:
    """Compare, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (
        ("--mmaemu", "an unpacked sdist of mmaemu 0.1.0"),
        ("--matlab", "a checkout of MATLAB-tensor-core"),
        ("--captures", "write captures to this folder, one for each operation: up to 4,096 rows, 2**20 products"),
        ("--table", "rewrite the table of this page"),
        ("--h100", "operands of the H100's products, an npz file of JOB.a and JOB.b; compares digests only"),
    ):
        parser.add_argument(name, type=Path, help=text)
    args = parser.parse_args()
    if args.mmaemu is None and args.matlab is None:
        parser.error("name --mmaemu or --matlab")
    if args.h100 is not None:
        for line in h100(args.mmaemu or parser.error("--h100 needs --mmaemu"), args.h100):
            print(line)
        return
    found: dict[tuple[str, str, str], Group] = {}
    apart: dict[str, int] = {}
    if args.mmaemu is not None:
        source = Mmaemu(args.mmaemu)
        found |= put(source, 3000, args.captures and Captures(args.captures, Mmaemu(args.mmaemu)))
        apart = source.apart.counts
    if args.matlab is not None:
        found |= put(matlab_sets(args.matlab), 48, args.captures and Captures(args.captures, matlab_sets(args.matlab)))
    text = table(found, apart)
    if args.table is None:
        print(text)
        return
    page = args.table.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    args.table.write_text(before + BEGIN + "\n\n" + text + "\n\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
