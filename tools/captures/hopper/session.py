"""One session on an H100 or H200: everything in order of worth, in the time that there is.

    python3 tools/captures/hopper/session.py OUT [--minimal]

SECONDS_LEFT, 480 by default, is all the time it takes.  Every stage has a budget of its own; what it has at its end,
cut off or not, is written into OUT at once, in a file of at most 15 MB.  ``--minimal`` asks probes and functions alone,
in 210 seconds unless SECONDS_LEFT says another number.  Stages work in WORK, /tmp/hopper, where a second command goes
on.

Exit codes: 0 everything was asked, 2 something is missing, 4 OUT cannot be written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOTAL, MINIMAL = 480, 210  # seconds
CLOSING = 12  # seconds kept for what is written at the end
LEAST = 8  # seconds in which a stage can do anything
GRACE = 4  # seconds between the end that a stage is told and the one it gets
LIMIT = 15_000_000  # bytes of a file
MARGIN = 12_000  # of them for the headers and the end of an archive
FILES = 8  # at most come back


@dataclass(frozen=True)
class Stage:
    """Commands side by side, in at most so many seconds.  ``{}`` is the stage's folder, ``{s}`` the seconds."""

    name: str
    seconds: int
    commands: tuple[str, ...]
    minimal: bool = False


def stages(given: Mapping[str, str]) -> tuple[Stage, ...]:
    """The stages, the most worth first.  ``given``: the environment, by which a rehearsal asks something else."""
    prepared = given.get("PREPARED", str(HERE / "prepared"))
    unit = given.get("UNDER_TEST", f"py:fp8ref.adapters.cuda.device:Cuda,prepared={prepared}")
    functions = given.get("FUNCTIONS", "cuda")
    device, share, largest = given.get("DEVICE", "cuda"), given.get("SHARE", "1"), given.get("LARGEST", "4096")
    probes = tuple(
        f"ask_units.py probes --impl {unit},unit={u} -o {{}}/{u} --seconds {{s}}" for u in ("wgmma", "mma", "cvt")
    )
    sweep = f"ask_units.py sweep --impl {unit},unit=cvt -o {{}}/cvt.blocks --share {share} --seconds {{s}}"
    dots = tuple(
        f"ask_dots.py --impl {unit},unit={u} -o {{}}/{u} --share {share} --seconds {{s}} {select}"
        for u in ("wgmma", "mma")
        for select in ("dot/e4m3fn.*", "dot/e5m2.*", "dot/*f16.*")
    )
    shapes = f"ask_shapes.py -o {{}}/shapes.blocks --device {device} --largest {largest} --seconds {{s}}"
    called = f"ask_functions.py --unit {functions} --prepared {prepared} --share {share} -o {{}}/functions.blocks"
    triton = "ask_functions.py --unit triton -o {}/triton.blocks"
    attention = f"ask_attention.py -o {{}}/attention.blocks --device {device} --seconds {{s}}"
    return (
        Stage("probes", 60, probes, minimal=True),
        Stage("sweep", 110, (sweep,)),
        Stage("dots", 110, dots),
        Stage("shapes", 80, (shapes,)),
        Stage("functions", 50, (f"{called} --seconds {{s}}", f"{triton} --seconds {{s}}"), minimal=True),
        Stage("attention", 60, (attention,)),
    )


@dataclass
class Session:
    """What is done and how long it took, in the log ``OUT/log.txt``."""

    out: Path
    work: Path
    end: float  # on the monotonic clock
    environment: Mapping[str, str]
    missing: list[str] = field(default_factory=list)
    spare: int = 0  # files that may be there besides one for each stage and the log

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.log: IO[str] = (self.out / "log.txt").open("a", encoding="utf-8")

    def say(self, text: str) -> None:
        line = f"{time.monotonic() - self.began:6.1f} s  {text}"
        print(line, flush=True)
        print(line, file=self.log, flush=True)

    def machine(self) -> None:
        """What the machine is, in a few seconds."""
        self.say(time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
        for command in ("nvidia-smi --query-gpu=name,driver_version,compute_cap,clocks.sm --format=csv,noheader",
                        "nvidia-smi", "nvcc --version", f"{sys.executable} -V"):  # fmt: skip
            try:
                done = subprocess.run(command.split(), capture_output=True, text=True, timeout=10)
                print(f"$ {command}\n{(done.stdout + done.stderr)[:4000]}", file=self.log, flush=True)
            except (OSError, subprocess.TimeoutExpired) as error:
                print(f"$ {command}\n{error}", file=self.log, flush=True)

    def run(self, stage: Stage) -> None:
        """Do a stage within its budget and the time that is left, and keep what it has."""
        left = self.end - CLOSING - time.monotonic()
        seconds = int(min(stage.seconds, left))
        if seconds < LEAST:
            self.say(f"{stage.name}: no time left")
            self.missing.append(stage.name)
            return
        folder = self.work / stage.name
        folder.mkdir(parents=True, exist_ok=True)
        started, before = time.monotonic(), os.times()
        codes = self._side_by_side(stage, folder, seconds)
        taken, after = time.monotonic() - started, os.times()
        size = self.keep(folder)
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        said = "whole" if not any(codes) else "exit codes " + " ".join(map(str, codes))
        self.say(
            f"{stage.name}: {taken:.1f} of {seconds} s, {spent:.1f} s of processor time, {size:,} bytes, {said}; "
            f"{self.end - time.monotonic():.0f} s left"
        )
        if any(codes):
            self.missing.append(stage.name)

    def _side_by_side(self, stage: Stage, folder: Path, seconds: int) -> list[int]:
        """Exit codes of the commands; those that are late are ended, with everything that they started."""
        deadline = time.monotonic() + seconds
        running = []
        for command in stage.commands:
            words = [w.replace("{}", str(folder)).replace("{s}", str(max(1, seconds - GRACE))) for w in command.split()]
            called = [sys.executable, "-u", str(HERE / words[0]), *words[1:]]
            given: Any = {"env": self.environment, "cwd": ROOT, "stdout": self.log, "stderr": subprocess.STDOUT}
            running.append(subprocess.Popen(called, **given, start_new_session=True))
        codes = []
        for one in running:
            try:
                codes.append(one.wait(max(0.1, deadline - time.monotonic())))
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                codes.append(one.wait())
        return codes

    def keep(self, folder: Path) -> int:
        """Write a stage's files, which are packed already, into OUT as one archive, or two where a file is to spare.

        What does not fit is named.
        """
        every = sorted(path for path in folder.rglob("*") if path.is_file())
        large = [path for path in every if path.stat().st_size + MARGIN > LIMIT]
        left, size = [path for path in every if path not in large], 0
        for end in ("", "-2"):
            target = self.out / f"{folder.name}{end}.tar"
            if end and (not left or (self.spare < 1 and not target.exists())):
                break
            self.spare -= bool(end) and not target.exists()
            left = self._archive(target, left)
            size += target.stat().st_size
        if large or left:
            self.say(f"{folder.name}: did not fit into {LIMIT:,} bytes: {' '.join(p.name for p in [*large, *left])}")
        return size

    def _archive(self, target: Path, paths: list[Path]) -> list[Path]:
        """Put files into an archive; returns those that have no room."""
        part, left = self.work / f"{target.name}.part", []
        with tarfile.open(part, "w") as archive:
            for path in paths:
                if archive.offset + path.stat().st_size + MARGIN > LIMIT:
                    left.append(path)
                else:
                    archive.add(path, path.relative_to(self.work))
        shutil.copyfile(part, target)
        part.unlink()
        return left


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """That of the commands: fp8ref from the checkout, one thread for each, the compiler's cache in WORK."""
    path = os.pathsep.join([str(ROOT), *filter(None, [given.get("PYTHONPATH")])])
    return {**given, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def written(out: Path) -> Iterator[str]:
    """What comes back, and what is wrong with it."""
    files = sorted(path for path in out.iterdir() if path.is_file())
    sizes = [path.stat().st_size for path in files]
    yield f"{len(files)} files, {sum(sizes):,} bytes, the largest {max(sizes):,}"
    if len(files) > FILES or max(sizes) > 16 << 20:
        yield f"at most {FILES} files of 16 MiB come back: take some of them away first"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minimal", action="store_true", help="probes and functions alone, under 4 minutes")
    parser.add_argument("--only", help="these stages, by name, with commas")
    given = parser.parse_args(arguments)
    seconds = float(os.environ.get("SECONDS_LEFT") or (MINIMAL if given.minimal else TOTAL))
    work = Path(os.environ.get("WORK", "/tmp/hopper"))
    try:
        for folder in (given.out, work):
            folder.mkdir(parents=True, exist_ok=True)
        end, spare = time.monotonic() + seconds, FILES - 1 - len(stages(os.environ))
        session = Session(given.out.resolve(), work.resolve(), end, environment(os.environ), spare=spare)
    except OSError as error:
        print(f"cannot write: {error}", file=sys.stderr)
        return 4
    session.machine()
    chosen = [s for s in stages(os.environ) if s.minimal or not given.minimal]
    if given.only:
        names = given.only.split(",")
        if unknown := set(names) - {s.name for s in chosen}:
            parser.error(f"no stage {', '.join(sorted(unknown))}: choose from {', '.join(s.name for s in chosen)}")
        chosen = [s for s in chosen if s.name in names]
    for stage in chosen:
        session.run(stage)
    for line in written(given.out):
        session.say(line)
    whole = "everything was asked"
    session.say(f"not whole: {', '.join(session.missing)}; the same command goes on" if session.missing else whole)
    session.log.close()
    return 2 if session.missing else 0


if __name__ == "__main__":
    sys.exit(main())
