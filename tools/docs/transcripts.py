"""The console blocks of a page, run again: what a page shows is what the commands print.

A page is run in an empty folder, from top to bottom: a code block with a caption ``NAME.py`` writes that file, and a
``console`` block runs each of its ``$ `` lines that calls fp8ref, or a Python file of the page, and shows what it
prints.  A line of three dots stands for any lines.

    python tools/docs/transcripts.py docs/tutorial.md            shows what differs
    python tools/docs/transcripts.py --write docs/tutorial.md    writes what is printed now (not over three dots)
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import md

ROOT = Path(__file__).parents[2]
LEFT_OUT = "..."
RUN = ("fp8ref ", "echo ", "sed ")  # any other command a page only names
LONG = ("--level 2", "--level 3", "system fp8-bert")
TIMEOUT = 300
ENVIRONMENT = {"NO_COLOR": "1", "COLUMNS": "80", "FP8REF_THREADS": "1"}

Command = Callable[[str, Path, int], tuple[str, int]]


@dataclass(frozen=True)
class Shown:
    """A console block as the page has it and as the commands print it now."""

    block: md.Block
    recorded: str
    printed: str

    @property
    def agrees(self) -> bool:
        return matches(self.recorded, self.printed)

    @property
    def missing(self) -> str:
        """Which library of the recorded output has another version here, or is not here; empty where none."""
        for name, recorded in re.findall(r"\b(ml_dtypes|numpy|torch) (\d[\w.+]*)", self.recorded):
            try:
                here = version(name)
            except PackageNotFoundError:
                here = "missing"
            if here != recorded:
                return f"{name} {recorded} was recorded, here it is {here}"
        return ""

    def difference(self) -> str:
        lines = difflib.unified_diff(self.recorded.splitlines(), self.printed.splitlines(), "page", "now", lineterm="")
        return "\n".join(lines)


def replay(page: Path, run: Command | None = None) -> Iterator[Shown]:
    """Run a page's blocks in order in a fresh folder.

    ``run``: another way to run a command line in a folder, after an exit status.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, status = Path(name), 0
        for block in md.blocks(page.read_text(encoding="utf-8")):
            caption = block.options.get("caption", "")
            if re.fullmatch(r"[\w.]+\.\w+", caption):
                (folder / caption).write_text(block.text, encoding="utf-8")
            if block.language != "console":
                continue
            printed = []
            for command in re.findall(r"^\$ (.*)$", block.text, re.M):
                printed.append(f"$ {command}")
                if not is_run(command, folder):
                    continue
                out, status = (run or in_a_shell)(command, folder, status)
                printed += [line.rstrip() for line in out.splitlines()]
            yield Shown(block, block.text.rstrip(), "\n".join(printed).rstrip())


def is_run(command: str, folder: Path) -> bool:
    """Is it a command that is run, or one that the page only names?"""
    script = re.match(r"python (\w+\.py)\b", command)
    known = command.startswith(RUN) or (script is not None and (folder / script[1]).exists())
    return known and not any(option in command for option in LONG)


def in_a_shell(command: str, folder: Path, status: int) -> tuple[str, int]:
    """Output and exit status of one command line, with ``$?`` as the last command left it."""
    environment = {**os.environ, **ENVIRONMENT}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    done = subprocess.run(
        ["bash", "-c", f"(exit {status}); {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace"), done.returncode


def matches(recorded: str, printed: str) -> bool:
    """Do the lines agree, where a line of three dots stands for any lines and trailing blanks count for nothing?"""
    parts: list[list[str]] = [[]]
    for line in recorded.splitlines():
        if line.strip() == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line.rstrip())
    lines = [line.rstrip() for line in printed.splitlines()]
    if len(parts) == 1:
        return parts[0] == lines
    first, *between, last = parts
    if lines[: len(first)] != first or (last and lines[-len(last) :] != last):
        return False
    at, end = len(first), len(lines) - len(last)
    for part in between:
        at = next((i for i in range(at, end - len(part) + 1) if lines[i : i + len(part)] == part), -1) + len(part)
        if at < len(part):
            return False
    return at <= end


def rewrite(page: Path) -> list[Shown]:
    """Write what is printed now into the page.

    Blocks with lines left out, and those where a command fails by its own fault, are not written but returned.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    left = []
    for shown in reversed(list(replay(page))):
        abridged = any(line.strip() == LEFT_OUT for line in shown.recorded.splitlines())
        if abridged or "internal error" in shown.printed:
            if not shown.agrees:
                left.append(shown)
            continue
        lines[shown.block.start : shown.block.stop] = shown.printed.splitlines()
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return left


def main() -> int:
    write, pages = "--write" in sys.argv[1:], [Path(a) for a in sys.argv[1:] if not a.startswith("-")]
    failed = 0
    for page in pages:
        found = rewrite(page) if write else [shown for shown in replay(page) if not shown.agrees]
        for shown in found:
            failed += 1
            print(f"{page}:{shown.block.start}\n{shown.difference()}\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
