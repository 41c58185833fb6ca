"""Runs every mutant once through the checker and keeps the results: ``python tools/docs/faults.py``.

Writes docs/data/faults.json, from which the page of planted faults is made; takes a few minutes.  ``--new`` measures
only the mutants that the file does not have as they are now.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fp8ref import __version__, set_threads
from fp8ref.adapters.mutants.connect import FAULTY, MUTANTS
from fp8ref.adapters.mutants.conversions import MISBEHAVING
from fp8ref.adapters.mutants.mutant import UNEXPLAINED
from fp8ref.check.compare import Options
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict

DATA = Path(__file__).parents[2] / "docs" / "data" / "faults.json"
OPTIONS = Options(level=1, seed=0)


def reports(name: str, timeout: float = 60.0) -> list[Report]:
    with Run(Request(f"mini:{name}", options=OPTIONS, timeout=timeout)) as run:
        return list(run.reports())


def faulty(name: str) -> dict[str, Any]:
    mutant = MUTANTS[name]
    found = reports(name)
    diagnoses = [finding.diagnosis for report in found for finding in report.findings]
    right = [d for d in diagnoses if d.rule == mutant.diagnosis and mutant.where in d.where]
    failing = [report for report in found if report.verdict is Verdict.FAIL]
    return {
        "name": name,
        "claims": list(mutant.claims),
        "planted": mutant.diagnosis,
        "where": mutant.where,
        "caught": bool(failing),
        "as_expected": bool(right),
        "said": sorted({d.rule if d.rule == UNEXPLAINED else str(d) for d in right or diagnoses}),
        "cases": sum(report.cases for report in failing),
        "failed": sum(report.failed for report in failing),
    }


def misbehaving(name: str) -> dict[str, Any]:
    found = reports(name, timeout=2.0)
    expected = Verdict.TIMEOUT if name == "hangs" else Verdict.CRASH
    return {
        "name": name,
        "verdict": found[0].verdict.value,
        "reason": found[0].reason,
        "as_expected": all(report.verdict is expected for report in found),
    }


def correct(name: str) -> dict[str, Any]:
    found = reports(name)
    innocent = (Verdict.PASS, Verdict.ALLOWED)
    return {
        "name": name,
        "operations": len(found),
        "failing": sum(report.verdict not in innocent for report in found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Run every mutant once through the checker, into docs/data/faults.json."
    )
    parser.add_argument(
        "--new", action="store_true", help="only the mutants that the file does not have as they are now"
    )
    only_new = parser.parse_args().new
    set_threads(1)
    results: dict[str, Any] = {"fp8ref": __version__, "level": OPTIONS.level, "seed": OPTIONS.seed}
    known: dict[str, dict[str, Any]] = {}
    if only_new:
        before = json.loads(DATA.read_text(encoding="utf-8"))
        known = {entry["name"]: entry for kind in ("faulty", "misbehaving", "correct") for entry in before[kind]}
    innocent = [name for name in MUTANTS if name not in (*FAULTY, *MISBEHAVING)]
    for kind, names, measure in (
        ("faulty", FAULTY, faulty),
        ("misbehaving", MISBEHAVING, misbehaving),
        ("correct", innocent, correct),
    ):
        results[kind] = []
        for name in names:
            kept = known.get(name)
            if kept is None or kept.get("planted", MUTANTS[name].diagnosis) != MUTANTS[name].diagnosis:
                print(f"mini:{name}", file=sys.stderr, flush=True)
                kept = measure(name)
            results[kind].append(kept)
    DATA.parent.mkdir(parents=True, exist_ok=True)
    DATA.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
