"""What changed in the kept records since a commit, as lines for a changelog.

``python tools/matrix/changes.py [COMMIT]`` compares docs/data/matrix with a commit (HEAD).  ``--table`` gives every
operation whose verdict changed, as a Markdown table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from known import kind_of, load

ROOT = Path(__file__).parents[2]
FOLDER = "docs/data/matrix"
Lines = list[dict[str, Any]]
KEYS = ("convert", "decode")  # a mode found anew is no change of the question


def committed(commit: str) -> dict[str, Lines]:
    """The records of a commit, by file name.  Raises ValueError for a commit that git does not know."""
    listed = git("ls-tree", "--name-only", commit, f"{FOLDER}/").decode().split()
    return {Path(name).name: lines_of(git("show", f"{commit}:{name}")) for name in listed}


def present() -> dict[str, Lines]:
    """The records that are kept now."""
    return {path.name: lines_of(path.read_bytes()) for path in sorted((ROOT / FOLDER).glob("*.jsonl.gz"))}


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.decode().strip() or f"git {arguments[0]} failed")
    return done.stdout


def lines_of(data: bytes) -> Lines:
    return [json.loads(line) for line in gzip.decompress(data).decode().splitlines()]


def name_of(lines: Lines) -> str:
    """``jax 0.10.2 (jit)``."""
    who = lines[0]["implementation"]
    mode = who.get("mode", "eager")
    return f"{who.get('name')} {who.get('version', '').partition('+')[0]}" + (f" ({mode})" if mode != "eager" else "")


def question(op: str) -> str:
    """An operation without the keys that say which of several allowed answers was found."""
    return op.partition(";")[0] if op.partition("/")[0] in KEYS else op


def verdicts(lines: Lines) -> dict[str, str]:
    return {question(line["op"]): line["verdict"] for line in lines if line["kind"] == "operation"}


def kinds(lines: Lines) -> set[str]:
    """What was found, by the tables of ``known.toml``, and the rule of what nobody has looked at."""
    known, library = load(), lines[0]["implementation"].get("name", "")
    found = [(kind_of(known, library, line), line) for line in lines if line["kind"] == "finding"]
    return {kind.what if kind else f"{line['op']}: {line['rule']}" for kind, line in found}


def changed(old: Lines, new: Lines) -> list[tuple[str, str, str]]:
    """(operation, verdict before, verdict now); ``-`` where it was not asked."""
    before, now = verdicts(old), verdicts(new)
    return [
        (op, before.get(op, "-"), now.get(op, "-"))
        for op in dict.fromkeys([*before, *now])
        if before.get(op) != now.get(op)
    ]


def changelog(old: Mapping[str, Lines], new: Mapping[str, Lines]) -> Iterator[str]:
    """A line for each row that changed."""
    for file in sorted({*old, *new}):
        if file not in old:
            yield f"- New row: {name_of(new[file])}, {_counted(Counter(verdicts(new[file]).values()))}."
        elif file not in new:
            yield f"- No longer asked: {name_of(old[file])}."
        else:
            said = list(_said(old[file], new[file]))
            if said:
                yield f"- {name_of(new[file])}: {'; '.join(said)}."


def _said(old: Lines, new: Lines) -> Iterator[str]:
    if name_of(old) != name_of(new):
        yield f"before {name_of(old)}"
    moved = Counter((before, now) for _, before, now in changed(old, new))
    for (before, now), count in sorted(moved.items()):
        operations = f"{count} operation{'s' * (count > 1)}"
        if before == "-":
            yield f"{operations} more asked, {now}"
        elif now == "-":
            yield f"{operations} no longer asked, {before} before"
        else:
            yield f"{operations} from {before} to {now}"
    gone, come = kinds(old) - kinds(new), kinds(new) - kinds(old)
    yield from (f"gone: {what}" for what in sorted(gone))
    yield from (f"new: {what}" for what in sorted(come))


def _counted(verdicts: Counter[str]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "not asked"


def table(old: Mapping[str, Lines], new: Mapping[str, Lines]) -> Iterator[str]:
    """Every operation whose verdict changed, of rows that both have."""
    yield "| row | operation | before | now |"
    yield "| --- | --- | --- | --- |"
    for file in sorted({*old} & {*new}):
        for op, before, now in changed(old[file], new[file]):
            yield f"| {name_of(new[file])} | `{op}` | {before} | {now} |"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default="HEAD")
    parser.add_argument("--table", action="store_true", help="every operation whose verdict changed")
    options = parser.parse_args()
    try:
        old = committed(options.commit)
    except ValueError as error:
        parser.error(str(error))
    lines = list((table if options.table else changelog)(old, present()))
    print("\n".join(lines) or "Nothing changed.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
