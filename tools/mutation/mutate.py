"""Mutation testing of the specification and of the fast paths: ``python tools/mutation/mutate.py`` (docs/mutation.md).

cosmic-ray makes the mutants and keeps the sessions; this command samples, runs the tests of mutation.toml in forks, in
a copy of the tree, and compares the survivors with survivors.toml.  Stop it at any time: the same command goes on.
Exit: 0 every survivor is explained; 1 not so; 2 interrupted or a wrong argument; 3 the tests fail without a mutant.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forks
import mutants
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KILLERS = 6  # the tests that killed the module's last mutants are tried first
Key = tuple[str, str, str, str]  # module, definition, the line before, the line after


def copy_tree(tree: Path) -> None:
    """What git tracks, as it is on disk, into ``tree``; bytecode that is compared with the source's hash."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, tree / name
        if name.startswith(("docs/", ".")) or not source.exists():
            continue
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    checked = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(tree / "fp8ref", quiet=1, invalidation_mode=checked)


class Tests:
    """The tests of the tree without a mutant: they pass, and what each costs in CPU seconds, measured once."""

    def __init__(self, tree: Path, work: Path, budget: float) -> None:
        self.tree, self.path, self.budget = tree, work / "times.json", budget
        self.known: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def quick(self, tests: list[str]) -> dict[str, float]:
        """The tests that mutants are given, the quickest of each argument up to the budget, with their times.

        Raises SystemExit where the tests do not pass.
        """
        found: dict[str, float] = {}
        for test in tests:
            files = sorted({self.tree / argument.split("::")[0] for argument in test.split()})
            digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
            if self.known.get(test, {}).get("file") != digest:
                outcome = forks.run_tests(self.tree, [test.split()], {}, 600, keep_bytecode=True)
                if outcome.killer or not outcome.times:
                    sys.stderr.write((self.tree / "log.txt").read_text()[-3000:])
                    print(f"{test} does not pass without a mutant: {outcome.killer}")
                    raise SystemExit(3)
                self.known[test] = {"file": digest, "times": outcome.times}
                self.path.write_text(json.dumps(self.known))
            spent = 0.0
            for name, seconds in sorted(self.known[test]["times"].items(), key=lambda item: item[1]):
                spent += seconds
                if spent <= self.budget:
                    found[name] = seconds
        return found


class Module:
    """One module under test: its session and its tests."""

    def __init__(self, name: str, tests: list[str], work: Path, config: dict[str, Any]) -> None:
        self.name, self.tests, self.config = name, tests, config
        self.path = Path("fp8ref", name)
        self.source = (ROOT / self.path).read_text(encoding="utf-8")
        stem = name.replace("/", ".").removesuffix(".py")
        self.session, self.digest = work / f"{stem}.sqlite", work / f"{stem}.sha256"

    def open(self) -> int:
        """A session of this source: the one that is there, else a new one.  The number of mutants not left out."""
        digest = hashlib.sha256((self.source + repr(self.config)).encode()).hexdigest()
        if self.digest.exists():
            known, size = self.digest.read_text().split()
            if known == digest:
                return int(size)
        self.digest.unlink(missing_ok=True)
        with use_db(self.session) as db:
            db.clear()
            db.add_work_items(mutants.every(self.path, self.source, self.config["operators"]))
            self._filter(db)
            size = str(len(self.sample(db)))
        self.digest.write_text(f"{digest} {size}")
        return int(size)

    def _filter(self, db: WorkDB) -> None:
        left_out = mutants.LeftOut(self.source)
        why: dict[str, list[str]] = {}
        for item in db.work_items:
            if reason := left_out.why(item.mutations[0]):
                why.setdefault(reason, []).append(item.job_id)
        for reason, jobs in why.items():
            db.set_multiple_results(jobs, WorkResult(WorkerOutcome.SKIPPED, output=reason))

    def sample(self, db: WorkDB) -> list[tuple[str, MutationSpec]]:
        """Every mutant that is not left out, in the order in which samples take them."""
        skipped = {job for job, result in db.results if result.worker_outcome is WorkerOutcome.SKIPPED}
        jobs = {item.job_id: item.mutations[0] for item in db.work_items if item.job_id not in skipped}
        return mutants.drawn(jobs, self.config["seed"])

    def key(self, mutation: MutationSpec) -> Key:
        after = mutants.source_of(mutation, self.source) or ""
        return (self.name, mutation.definition_name or "", *mutants.changed_lines(self.source, after))

    def judge(self, tests: Tests, count: int, again: set[str]) -> None:
        """Run what is not yet run of the first ``count`` mutants; ``again`` names jobs to run once more."""
        times = tests.quick(self.tests)
        limit = 10 + 3 * sum(times.values())
        tree = tests.tree
        with use_db(self.session) as db:
            results = dict(db.results)
            killers = list(dict.fromkeys(r.output for r in results.values() if r.output in times))
            for job, mutation in self.sample(db)[:count]:
                if job in results and job not in again:
                    continue
                start = time.monotonic()
                operator = get_operator(mutation.operator_name)()
                with use_mutation(tree / self.path, operator, mutation.occurrence):
                    stages = [killers[:KILLERS], *(test.split() for test in self.tests)]
                    outcome = forks.run_tests(tree, [s for s in stages if s], times, limit)
                killer = outcome.killer
                db.set_result(
                    job,
                    WorkResult(
                        WorkerOutcome.NORMAL, killer, TestOutcome.KILLED if killer else TestOutcome.SURVIVED, None
                    ),
                )
                if killer in times:
                    killers = [killer, *(k for k in killers if k != killer)]
                _, _, before, after = self.key(mutation)
                seconds = time.monotonic() - start
                verdict = f"killed by {killer}" if killer else f"SURVIVED  {before!r} -> {after!r}"
                print(f"{self.name}:{mutation.start_pos[0]}  {seconds:.1f} s  {verdict}", flush=True)

    def tally(self, explained: dict[Key, str], count: int) -> dict[str, Any]:
        """Counts of the first ``count`` mutants, and the survivors with their explanations."""
        with use_db(self.session) as db:
            results, chosen = dict(db.results), self.sample(db)
        outcomes: Counter[str] = Counter(
            result.output or "" for result in results.values() if result.worker_outcome is WorkerOutcome.SKIPPED
        )
        found: dict[str, Any] = {"mutants": len(chosen), "left out": dict(sorted(outcomes.items()))}
        ran = [(m, results[job]) for job, m in chosen[:count] if job in results]
        killed = [result.output for _, result in ran if result.output]
        found |= {"judged": len(ran), "killed": len(killed), "timeouts": killed.count("timeout")}
        found["survivors"] = [
            {"line": m.start_pos[0], "key": (key := self.key(m)), "why": explained.get(key)}
            for m, result in ran
            if not result.output
        ]
        return found

    def unexplained(self, explained: dict[Key, str]) -> set[str]:
        """The jobs that survived without an explanation."""
        with use_db(self.session) as db:
            items = {item.job_id: item.mutations[0] for item in db.work_items}
            results = {job: r for job, r in db.results if r.worker_outcome is WorkerOutcome.NORMAL and not r.output}
        return {job for job in results if self.key(items[job]) not in explained}


def read_explained() -> dict[Key, str]:
    """survivors.toml: the explanation of every known survivor."""
    entries = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8"))["survivor"]
    return {(e["module"], e.get("in", ""), e["before"], e["after"]): e["why"] for e in entries}


def report(tallies: dict[str, dict[str, Any]], explained: dict[Key, str]) -> Iterator[str]:
    """The table, the survivors without explanation, the explanations without survivor."""
    yield f"{'module':28}{'mutants':>9}{'judged':>8}{'killed':>8}{'explained':>11}{'survived':>10}"
    total: Counter[str] = Counter()
    for name, tally in tallies.items():
        known = sum(survivor["why"] is not None for survivor in tally["survivors"])
        row = {k: tally[k] for k in ("mutants", "judged", "killed")}
        row |= {"explained": known, "survived": len(tally["survivors"]) - known}
        total.update(row)
        if row["judged"]:
            yield _line(name, row)
    yield _line("all", dict(total))
    for survivor in (s for tally in tallies.values() for s in tally["survivors"] if s["why"] is None):
        module, where, before, after = survivor["key"]
        yield f"unexplained  {module}:{survivor['line']} in {where or 'the module'}\n  - {before}\n  + {after}"
    if total["judged"]:
        yield f"score {_score(total):.1%}: killed of those judged and not explained as equivalent"


def _line(name: str, row: dict[str, int]) -> str:
    return (
        f"{name:28}{row['mutants']:>9}{row['judged']:>8}{row['killed']:>8}{row['explained']:>11}{row['survived']:>10}"
    )


def _score(total: Counter[str]) -> float:
    return total["killed"] / max(1, total["judged"] - total["explained"])


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The working directory, for a while: cosmic-ray's paths are relative to it."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as spec/rounding.py; all by default")
    parser.add_argument("--count", type=int, help="about how many mutants, over all modules (default: mutation.toml)")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "fp8ref-mutation"), help="sessions")
    parser.add_argument(
        "--again", action="store_true", help="run the survivors without explanation again, with more tests"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, report what there is")
    chosen = parser.parse_args()
    config = tomllib.loads((HERE / "mutation.toml").read_text(encoding="utf-8"))
    settings = {k: config[k] for k in ("seed", "operators")}
    package = ROOT / "fp8ref"
    files = [path for floor in ("spec", "fast") for path in (package / floor).rglob("*.py")]
    unlisted = {path.relative_to(package).as_posix() for path in files if path.name != "__init__.py"}
    unlisted -= set(config["tests"])
    if unlisted:
        parser.error(f"mutation.toml names no tests for {', '.join(sorted(unlisted))}")
    tree = chosen.work.resolve() / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    copy_tree(tree)
    explained = read_explained()
    forks.preload()
    with inside(tree):
        groups = {name: " ".join(tests) for name, tests in config["groups"].items()}
        modules = {
            name: Module(name, [groups.get(test, test) for test in tests], chosen.work.resolve(), settings)
            for name, tests in config["tests"].items()
        }
        sizes = {name: module.open() for name, module in modules.items()}
        counts = mutants.shares(sizes, chosen.count or config["count"], config["least"])
        wanted = {name: modules[name] for name in chosen.modules or modules}
        tests = Tests(tree, chosen.work.resolve(), config["again" if chosen.again else "budget"])
        try:
            for name, module in () if chosen.report else wanted.items():
                module.judge(tests, counts[name], module.unexplained(explained) if chosen.again else set())
        except KeyboardInterrupt:
            print("interrupted; the same command goes on")
            return 2
        tallies = {name: module.tally(explained, counts[name]) for name, module in wanted.items()}
    (chosen.work / "report.json").write_text(json.dumps(tallies, indent=1))
    print("\n".join(report(tallies, explained)))
    return int(any(s["why"] is None for tally in tallies.values() for s in tally["survivors"]))


if __name__ == "__main__":
    raise SystemExit(main())
