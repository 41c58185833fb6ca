"""Judges drawn pairs and triples of planted faults: ``python tools/docs/pairs.py``, into docs/data/pairs.json.

Each is one implementation with several wrong rules, ``mini:A+B``; every one of them must be named.  Drawn with a seed
among the mutants that share an operation; none can be left out of one without another answer.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np

from fp8ref import __version__, set_threads
from fp8ref.adapters.mutants.connect import MUTANTS, joinable
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.check.run import Request, Run

DATA = Path(__file__).parents[2] / "docs" / "data" / "pairs.json"
SIZES = {2: 60, 3: 20}  # faults in one implementation: how many such
CLAIMS = ("convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.sat", "decode/e5m2/f32")


def joined(want: Any, answers: list[Any]) -> Any:
    """What an implementation with several faults answers: the first one's answer where several change it."""
    found = want
    for codes in reversed(answers):
        found = np.where(codes != want, codes, found)
    return found


def drawn(size: int, count: int, seed: int) -> list[tuple[str, tuple[str, ...]]]:
    """Operations and names of mutants, of which none can be left out without another answer."""
    pool = joinable(MUTANTS)
    possible: list[tuple[str, tuple[str, ...]]] = []
    answers: dict[str, Any] = {}
    for claim in CLAIMS:
        op = Operation.parse(claim)
        asked = cases(op, 1, 0)
        want = expect(op, asked).codes
        with np.errstate(all="ignore"):
            own = {name: np.asarray(m.answer(op, *asked)) for name, m in pool.items() if claim in m.claims}
        possible += [(claim, names) for names in combinations(sorted(own), size)]
        answers[claim] = want, own
    some = random.Random(seed)
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    while len(found) < count:
        claim, names = some.choice(possible)
        want, own = answers[claim]
        together = joined(want, [own[name] for name in names])
        if all((joined(want, [own[n] for n in names if n != name]) != together).any() for name in names):
            found[claim, names] = None
    return sorted(found)


def judged(claim: str, names: tuple[str, ...]) -> dict[str, Any]:
    """What the findings say, and which of the planted rules are among them, alone or with others that fit alike."""
    with Run(Request(f"mini:{'+'.join(names)}", select=(claim,))) as run:
        (report,) = run.reports()
    found = [f.diagnosis for f in report.findings]
    said = {part for d in found for rule in (d.rule, *d.fits) for part in rule.split("+")}
    planted = [MUTANTS[name].diagnosis for name in names]
    return {
        "names": list(names), "op": claim, "planted": planted, "missed": [rule for rule in planted if rule not in said],
        "said": [str(d).partition(":")[0] if d.rule == "unexplained" else str(d) for d in found],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=15)
    seed = parser.parse_args().seed
    set_threads(1)
    found: dict[str, Any] = {"fp8ref": __version__, "seed": seed}
    for size, count in SIZES.items():
        with click.progressbar(drawn(size, count, seed), label=f"{size} faults") as bar:
            found[str(size)] = [judged(*one) for one in bar]
    DATA.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
