"""``fp8ref capture``: record what an implementation answers, to be judged anywhere, later."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from ..adapters.captures import files as captures
from ..cases.operation import ANY_MODE, Operation
from ..check.harness.capturing import capture as record
from ..check.harness.capturing import provenance
from ..check.harness.transport import Crashed, Declined, Session, TimedOut
from ..check.run import NothingSelected, select
from ..escapes import plain
from ..fast.chunks import set_threads
from .errors import BadInput, OneLine
from .files import require_free
from .inputs import Seconds
from .say import prose, say
from .starting import open_session

NOTHING_RAN, FAILED = 5, 6
ENDINGS = (".jsonl", ".jsonl.gz")


@click.command("capture", cls=OneLine)
@click.argument("wanted", metavar="[SELECT]...", nargs=-1)
@click.option("--impl", required=True, help="The implementation: [kind:]id[,key=value...].")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER",
    help="One operation into FILE.jsonl[.gz]; or each into a file of its own in FOLDER.",
)  # fmt: skip
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave these operations out.")
@click.option("--level", type=click.IntRange(1, 3), default=1, show_default=True, help="How many cases, as for check.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random cases.")
@click.option("--timeout", type=Seconds(), default=60.0, show_default=True, help="Seconds for one call.")
@click.option("--force", is_flag=True, help="Replace existing files; otherwise finished ones in FOLDER are kept.")
def capture(
    wanted: tuple[str, ...],
    impl: str,
    output: Path,
    skip: tuple[str, ...],
    level: int,
    seed: int,
    timeout: float,
    force: bool,
) -> None:
    """Record answers of an implementation: a GPU, a simulator, anything that is not at hand later.

    Nothing is judged.  A capture has operand codes, result codes and the identity of the implementation.  Products
    begin with the named probes.  The same command continues an interrupted capture; a cut-off end is dropped.

    \b
    fp8ref capture --impl cuda -o h100/ 'dot/*'
    fp8ref capture --impl ml_dtypes -o casts.jsonl.gz convert/f32/e4m3fn
    fp8ref check --impl replay:casts.jsonl.gz

    Exit codes: 0 captured, 5 nothing ran, 6 the implementation crashed, hung or would not start.
    """
    set_threads(1)
    one = output.name.endswith(ENDINGS)
    if one:
        require_free(output, force=force)
    with open_session(impl, timeout) as session:
        claims = _selected(session, wanted, skip)
        if one and len(claims) > 1:
            raise BadInput(f"{len(claims)} operations are selected and {output} holds one; name a folder")
        done = [
            _captured(session, claim, output if one else _file(output, claim), level, seed, force) for claim in claims
        ]
    if FAILED in done:
        sys.exit(FAILED)
    if 0 not in done:
        sys.exit(NOTHING_RAN)


def _selected(session: Session, wanted: tuple[str, ...], skip: tuple[str, ...]) -> list[Operation]:
    try:
        return select([Operation.parse_claim(claim) for claim in session.hello.claims], wanted, skip)
    except NothingSelected as error:
        prose(f"nothing ran: {plain(str(error))}", err=True)
        sys.exit(NOTHING_RAN)
    except ValueError as error:
        raise BadInput(f"capabilities(): {error}") from None


def _file(folder: Path, op: Operation) -> Path:
    """The file of an operation: its id in characters that every file system has."""
    name = re.sub(r"[^A-Za-z0-9.=-]", "_", op.id.replace(ANY_MODE, "any")).replace("=", "")
    return folder / f"{name}.jsonl.gz"


def _captured(session: Session, claim: Operation, path: Path, level: int, seed: int, force: bool) -> int:
    """Capture one operation; says so in one line, and returns its exit code."""
    if not force and os.path.exists(path) and _is_of(session, claim, path, level, seed):
        say(f"kept       {claim.id}  {path}")
        return 0
    unfinished = path.with_name(f"part-{path.name.partition('.jsonl')[0]}.blocks")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if force:
            unfinished.unlink(missing_ok=True)
        found = record(session, claim, level, seed, unfinished)
    except ValueError as error:
        raise BadInput(f"{error}; --force begins anew") from None
    except OSError as error:
        raise BadInput(f"cannot write {unfinished}: {error.strerror or error}") from None
    except Declined as error:
        unfinished.unlink(missing_ok=True)
        say(f"unsupported {claim.id}: {plain(str(error))}")
        return NOTHING_RAN
    except (Crashed, TimedOut) as error:
        say(f"{'timeout' if isinstance(error, TimedOut) else 'crash'}      {claim.id}: {error}", err=True)
        return FAILED
    try:
        captures.write(path, found, force)
        unfinished.unlink(missing_ok=True)
    except FileExistsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from None
    say(f"captured   {claim.id}  {found.count} cases  {path}")
    return 0


def _is_of(session: Session, claim: Operation, path: Path, level: int, seed: int) -> bool:
    """Is a file the finished capture of an operation of this implementation?  BadInput where it is something else."""
    try:
        _, _, source = captures.header_of(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is in the way: {error}; --force replaces it") from None
    wanted = provenance(session.hello.identity, claim, level, seed)
    differ = [key for key in wanted if key != "operation" and source.get(key) != str(wanted[key])[:400]]
    if differ:
        raise BadInput(f"{path} has another {differ[0]} ({source.get(differ[0])!r}); --force replaces it")
    return True
