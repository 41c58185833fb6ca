"""``fp8ref check`` over and over on implementations that misbehave: is a finding lost, is anything left behind?

    python tools/soak/soak.py --minutes 60 -o soak.json

Each round judges every unruly mutant (``fp8ref/adapters/mutants/unruly.py``) with other faults, and compares what is
found with what is found of its well-behaved twin.  All in this one process, so that what it loses is seen.  Exit code 1
where a finding is lost, or a process, a file or memory leaks.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fp8ref.adapters.mutants.unruly import UNRULY
from fp8ref.check.harness.guard import processes
from fp8ref.check.harness.limits import MEMORY, MIB, resident
from fp8ref.cli.check import check
from fp8ref.report.runs import record

MARK = "FP8REF_SOAK"  # in the environment of everything that is started here
PATIENCE = 10.0  # seconds that processes may take to end
WARM, GROWTH = 3, 32 * MIB  # rounds until memory is measured; what it may grow then
RECORD = "run.jsonl"
ENGINES = ("serial", "processes")  # of even and odd rounds


@dataclass
class Row:
    """What came of one mutant."""

    runs: int = 0
    faults: int = 0
    survived: int = 0  # faults of runs that ended as they should
    findings: int = 0  # that its twin has where it can be judged
    lost: int = 0
    other_verdicts: int = 0  # than it should get
    verdicts: dict[str, int] = field(default_factory=dict)  # verdict and reason: how often


@dataclass
class Soak:
    rounds: int = 0
    seconds: float = 0.0
    rows: dict[str, Row] = field(default_factory=lambda: {name: Row() for name in UNRULY})
    processes_left: int = 0
    files_left: int = 0
    descriptors: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)  # MiB of this process, after each round

    @property
    def flat(self) -> bool:
        """Neither memory nor descriptors grow; a pipe or two may be open yet at the end of a round."""
        warm = [count * MIB for count in self.memory[WARM:]]
        half = len(self.descriptors) // 2
        lost = half and min(self.descriptors[half:]) - min(self.descriptors[:half])
        return not lost > 0 and (not warm or max(warm) - warm[0] <= GROWTH)

    @property
    def clean(self) -> bool:
        rows = self.rows.values()
        lost = sum(row.lost + row.other_verdicts for row in rows) + self.processes_left + self.files_left
        return not lost and self.flat


def judged(impl: str, folder: Path, engine: str, timeout: float) -> dict[str, Any]:
    """The record of ``fp8ref check`` on an implementation."""
    path = folder / RECORD
    arguments = ["--impl", impl, "--engine", engine, "--jobs", "1", "--timeout", str(timeout), "-o", str(path)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        check.main(arguments, standalone_mode=False)
    found = record.read(path)
    for left in (path, record.meta_path(path)):
        left.unlink()
    return found


def findings(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The findings by operation."""
    found: dict[str, list[dict[str, Any]]] = {line["op"]: [] for line in document["operations"]}
    for line in document["findings"]:
        found[line["op"]].append(line)
    return found


def compare(row: Row, name: str, twin: dict[str, Any], document: dict[str, Any]) -> bool:
    """Count what the unruly one's record lacks of its twin's; is it nothing?"""
    plan, before = UNRULY[name], row.lost + row.other_verdicts
    want, got = findings(twin), findings(document)
    operations = {line["op"]: line for line in document["operations"]}
    for op, wanted in want.items():
        line = operations.get(op, {"verdict": "none", "reason": ""})
        verdict = plan.verdict if "e4m3fn" in op else "fail"
        said = f"{line['verdict']} {line['reason']}".rstrip()
        row.verdicts[said] = row.verdicts.get(said, 0) + 1
        if line["verdict"] != verdict or not line["reason"].endswith(plan.smallest if verdict != "fail" else ""):
            row.other_verdicts += 1
        if verdict == "fail":
            row.findings += len(wanted)
            row.lost += sum(finding not in got.get(op, []) for finding in wanted)
    return row.lost + row.other_verdicts == before


def left_running() -> list[int]:
    """Processes that were started here and have not ended."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if pid != os.getpid() and MARK.encode() + b"=" in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return found


def waited() -> int:
    """How many processes are left when they have had their time to end."""
    deadline = time.monotonic() + PATIENCE
    while (found := left_running()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return len(found)


def files(folder: Path) -> int:
    """Files in the folder for temporary ones, in the shared memory, and in the working directory."""
    places = [folder / "tmp", folder / "work", Path("/dev/shm")]
    return sum(len(list(place.iterdir())) for place in places if place.is_dir())


def round_of(soak: Soak, twins: dict[str, Any], folder: Path, timeout: float, before: int) -> None:
    """Every unruly mutant once."""
    for name, row in soak.rows.items():
        tally = folder / "tally"
        tally.touch()
        engine = ENGINES[soak.rounds % len(ENGINES)]
        patience = timeout if "hangs" in name else 60.0
        document = judged(f"mini:{name},seed={soak.rounds},tally={tally}", folder, engine, patience)
        faults = tally.stat().st_size
        tally.unlink()
        row.runs += 1
        row.faults += faults
        row.survived += faults if compare(row, name, twins[name], document) else 0
        soak.processes_left += waited()
        soak.files_left += files(folder) - before
    soak.rounds += 1
    soak.memory.append(resident(os.getpid()) // MIB)
    soak.descriptors.append(len(os.listdir("/proc/self/fd")))


def table(soak: Soak) -> str:
    lines = ["| fault injected | how often | survived | findings lost |", "| --- | ---: | ---: | ---: |"]
    for name, row in soak.rows.items():
        lines.append(f"| `mini:{name}` | {row.faults} | {row.survived} | {row.lost} of {row.findings} |")
    memory = soak.memory[WARM:] or soak.memory
    lines.append(
        f"{soak.rounds} rounds in {soak.seconds / 60:.0f} minutes; processes left {soak.processes_left}, files left "
        f"{soak.files_left}, memory {memory[0]} to {memory[-1]} MiB, at most {max(memory)}, descriptors "
        f"{soak.descriptors[0]} to {soak.descriptors[-1]}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds for a question, of those that hang (1)")
    parser.add_argument("--memory", type=float, default=1.0, help="GiB of an implementation (1)")
    parser.add_argument("-o", "--output", type=Path, help="write the figures here, after each round")
    asked = parser.parse_args()
    output = asked.output and asked.output.resolve()
    folder = Path(tempfile.mkdtemp(prefix="fp8ref-soak-"))
    for name in ("tmp", "work"):
        (folder / name).mkdir()
    os.environ |= {MARK: "1", MEMORY: str(asked.memory), "TMPDIR": str(folder / "tmp")}
    tempfile.tempdir = None
    os.chdir(folder / "work")
    soak, started = Soak(), time.monotonic()
    try:
        twins = {name: judged(f"mini:{plan.twin}", folder, "serial", 60.0) for name, plan in UNRULY.items()}
        before = files(folder)
        while soak.seconds < 60 * asked.minutes:
            round_of(soak, twins, folder, asked.timeout, before)
            soak.seconds = time.monotonic() - started
            if output:
                output.write_text(json.dumps({**asdict(soak), "flat": soak.flat, "clean": soak.clean}, indent=1) + "\n")
            print(table(soak), flush=True)
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if soak.clean else 1)


if __name__ == "__main__":
    main()
