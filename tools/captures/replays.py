"""fp8ref check and fp8ref identify on every capture of some folders, with a progress bar and a table of the counts.

    python tools/captures/replays.py ../shared/data/hardware captures
    python tools/captures/replays.py captures --identify configurations -o found.jsonl

Files are captures, or sets of MATLAB-tensor-core as JSON lines (a, b, c, d without a header), which are converted
first.  A capture is identified as if its declared behaviour were not known; the answer is right where the declared name
is among those that give every answer, and decides where it is the only one but for other names of one function.
``configurations`` identifies one capture for each declared behaviour and output, the one of most answers other than 0.
``-o`` keeps a JSON line for each file, and a second call goes on where the first ended.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from convert_matlab_sets import convert

from fp8ref.adapters.captures import files as captures
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, random_cases
from fp8ref.cases.products.questions import length, under
from fp8ref.check.identify.accumulators import Hypothesis, answers, unfinished
from fp8ref.check.identify.identify import MANY, identify_captured
from fp8ref.check.run import Request, Run
from fp8ref.spec.matrix.epilogue import out_words
from fp8ref.spec.matrix.models import get_model

FIT = 5.0  # seconds for a unit's parameters: here the name is what counts
ALONE, AMONG, EMPTY, MISSED = "named alone", "named among others", "zeros, decides nothing", "not found"


def found_in(folders: Iterable[Path]) -> list[Path]:
    """Every file of captures, in order."""
    return sorted(p for f in folders for p in ([f] if f.is_file() else [*f.rglob("*.jsonl"), *f.rglob("*.jsonl.gz")]))


def as_capture(path: Path, scratch: Path) -> Path:
    """The file itself, or the set in it as a capture."""
    if path.suffix == ".jsonl" and b'"fp8ref"' not in path.open("rb").readline(1 << 16):
        convert(path, scratch)
        return scratch / path.name.replace(".jsonl", ".capture.jsonl")
    return path


def checked(path: Path) -> str:
    """The verdict of ``fp8ref check --impl replay:FILE``."""
    with Run(Request(f"replay:{path}", ())) as run:
        (report,) = run.reports()
    return str(report.verdict)


def plain(name: str, op: Operation) -> str:
    """A composition's name without what an epilogue says by default."""
    unit, _, words = name.partition("+out.")
    if unit.partition(".")[0] == "exact":
        return name
    steps, rounding, overflow = out_words(words) if words else ((), None, None)
    usual = [w for w in ("scale", "scale_result") if w in steps]
    kept = [] if list(steps) == usual else list(steps)
    own = get_model(unit).format.name == op.result or op.result in ("f16", "bf16", "f32")
    kept += [w for w in (rounding, None if own and overflow == "nonsat" else overflow) if w]
    return get_model(unit).name + (f"+out.{'.'.join(kept)}" if kept else "")


def same(name: str, declared: str, op: Operation) -> bool:
    """Are two compositions one function, as far as 200 random products show?"""
    if name.partition(".")[0] == "exact":
        return False
    free = under(op, "*")
    some = random_cases(free, max(20, 200 * 64 // length(op)), np.random.default_rng(0), ("normal", "wide"))
    one, other = (Hypothesis(n, get_model(n)) for n in (name, declared))
    return all(np.array_equal(f(free, one, some), f(free, other, some)) for f in (unfinished, answers))


def identified(path: Path, most: int) -> dict[str, Any]:
    """Whether identify names what a capture declares, and what else fits."""
    capture = captures.read(path)
    a, b, c, *scales = capture.operands
    cases = Cases(a, b, c, ("captured",) * capture.count, tuple(scales))
    start = time.process_time()
    found = identify_captured(capture.operation, cases, capture.answers, limit=FIT, most=most)
    classes = [[plain(h.name, capture.operation) for h in members] for members in found.classes]
    declared = plain(str(capture.operation.mode), capture.operation)
    right = next((names for names in classes if declared in names), None)
    if right is None:  # a split of fewer tiles than parts is what it would be unsplit, and named so
        right = next((names for names in classes if same(names[0], declared, capture.operation)), None)
    how = EMPTY if found.empty else MISSED if right is None else ALONE if len(classes) == 1 else AMONG
    return {
        "how": how, "functions": len(classes), "names": sum(map(len, classes)), "declared": declared,
        "seconds": round(time.process_time() - start, 1), "remarks": found.remarks,
    }  # fmt: skip


def telling(paths: list[Path]) -> list[Path]:
    """For each declared behaviour and output the capture of most answers other than 0."""
    best: dict[tuple[str, str], tuple[int, Path]] = {}
    for path in paths:
        capture = captures.read(path)
        op = capture.operation
        seen = int((capture.answers != 0).sum()) + (length(op) > 64)
        key = str(op.mode), op.result
        if key not in best or seen > best[key][0]:
            best[key] = seen, path
    return [path for _, path in best.values()]


def bar(done: int, total: int, text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K[{'#' * int(30 * done / max(total, 1)):30}] {done}/{total} {text:.60}")


def lines(
    paths: list[Path], known: dict[str, Any], *, check: bool, identify: set[Path], most: int
) -> Iterator[dict[str, Any]]:
    """A line for each file, those already known included."""
    with tempfile.TemporaryDirectory() as scratch:
        for i, path in enumerate(paths):
            bar(i, len(paths), path.name)
            line = known.get(path.name, {"file": path.name})
            own = as_capture(path, Path(scratch))
            if check and "verdict" not in line:
                op, count, source = captures.header_of(own)
                line |= {
                    "operation": op.id,
                    "cases": count,
                    "device": source.get("device", ""),
                    "verdict": checked(own),
                }
            if path in identify and "how" not in line:
                line |= identified(own, most)
            yield line
    bar(len(paths), len(paths), "")


def main() -> None:
    """Check, identify, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--identify", choices=("all", "configurations", "none"), default="all")
    parser.add_argument("--most", type=int, default=MANY, help="end a search at so many compositions that fit")
    parser.add_argument("--no-check", action="store_true", help="identify only")
    parser.add_argument("-o", "--output", type=Path, help="keep the lines here; go on with those that are there")
    args = parser.parse_args()
    paths = found_in(args.folders)
    random.Random(0).shuffle(paths)  # what is done of a long run is a sample
    known: dict[str, Any] = {}
    if args.output is not None and args.output.exists():
        known = {line["file"]: line for line in map(json.loads, args.output.read_text(encoding="utf-8").splitlines())}
    chosen = telling(paths) if args.identify == "configurations" else paths if args.identify == "all" else []
    if args.no_check:
        paths = chosen
    verdicts: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for line in lines(paths, known, check=not args.no_check, identify=set(chosen), most=args.most):
        verdicts[line.get("verdict", "")] += 1
        names[line.get("how", "")] += 1
        if args.output is not None and line["file"] not in known:
            with args.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True) + "\n")
        if line.get("verdict", "pass") != "pass" or line.get("how") == MISSED:
            print(f"{line['file']}: {line.get('verdict', '')} {line.get('how', '')}")
    print(
        f"{len(paths)} files; " + "; ".join(f"{what}: {n}" for what, n in [*verdicts.items(), *names.items()] if what)
    )
    sys.exit(0 if set(verdicts) <= {"pass", ""} and not names[MISSED] else 1)


if __name__ == "__main__":
    main()
