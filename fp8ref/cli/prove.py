"""``fp8ref prove``: an exhaustive claim, its certificate, and repeating a part of one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .. import __version__
from ..cases.operation import Operation
from ..check.proof import Claim, Shard, prove
from ..check.transport import Crashed, Declined, NotStarted, TimedOut
from ..fast.chunks import set_threads
from ..report import certificate
from .errors import BadInput, OneLine
from .files import require_free, write
from .starting import open_session

REFUTED, NOT_STARTED = 1, 6


@click.command("prove", cls=OneLine)
@click.argument("claim", required=False)
@click.option("--impl", default="", help="Prove it of an implementation: [kind:]id[,key=value...]. Default: fp8ref.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the certificate here.")
@click.option("--verify", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Repeat a certificate.")
@click.option("--sample", default="100%", show_default=True, metavar="PART%", help="--verify: so much of it.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="--sample: which part.")
@click.option("--jobs", type=click.IntRange(1, 256), default=None, help="Processes; default: one for each core.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def prove_(
    claim: str | None,
    impl: str,
    output: Path | None,
    verify: Path | None,
    sample: str,
    seed: int,
    jobs: int | None,
    force: bool,
) -> None:
    """Prove that an operation answers as the law does for every one of its inputs.

    CLAIM is an operation id with a definite mode: a conversion of a float of at most 32 bits, or arithmetic on at most
    16 bits of operands.  The certificate holds the digest of the answers to each shard of the inputs, so that anyone
    can repeat a part of the proof.

    \b
    fp8ref prove convert/f32/e4m3fn/rne.sat -o e4m3fn.json
    fp8ref prove convert/f32/e4m3fn/rne.nonsat --impl ml_dtypes
    fp8ref prove --verify e4m3fn.json --sample 1%
    """
    if (claim is None) == (verify is None):
        raise BadInput("name one claim, such as convert/f32/e4m3fn/rne.sat, or a certificate with --verify FILE")
    set_threads(1)
    workers = jobs or os.cpu_count() or 1
    if verify is not None:
        _verify(verify, _part(sample), seed, workers)
        return
    require_free(output, force)
    try:
        what = Claim(Operation.parse(claim or ""), impl)
    except ValueError as error:
        raise BadInput(str(error)) from None
    started = time.monotonic()
    identity = _identity(impl)
    shards = _asked(what, None, workers)
    wrong = sum(shard.wrong for shard in shards)
    if wrong:
        _refuted(what, shards, wrong)
    if output is not None:
        write(output, certificate.certify(what, identity, shards).text())
    took = time.monotonic() - started
    click.echo(f"proved: {_who(what)} answers {what.op.id} as the law does for all {what.inputs} inputs ({took:.1f} s)")


def _verify(path: Path, part: float, seed: int, workers: int) -> None:
    try:
        found = certificate.read(path)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from None
    chosen = certificate.sample(found, part, seed)
    shards = _asked(found.claim, [(shard.first, shard.count) for shard in chosen], workers)
    wrong = sum(shard.wrong for shard in shards)
    if wrong:
        _refuted(found.claim, shards, wrong)
    certified = {shard.first: shard.digest for shard in found.shards}
    for shard in sorted(shards, key=lambda shard: shard.first):
        if shard.digest != certified[shard.first]:
            click.echo(f"{path}: shard {shard.first}: the answers have SHA-256 {shard.digest}, not the certified one")
            sys.exit(REFUTED)
    cases = sum(shard.count for shard in shards)
    click.echo(f"{path}: {len(shards)} of {len(found.shards)} shards repeated, {cases} cases, the same answers")


def _asked(claim: Claim, chosen: Sequence[tuple[int, int]] | None, workers: int) -> list[Shard]:
    total = len(claim.shards if chosen is None else chosen)
    try:
        return list(_with_progress(prove(claim, chosen, min(workers, total)), total))
    except NotStarted as error:
        click.echo(f"{claim.impl} would not start: {error}", err=True)
        sys.exit(NOT_STARTED)
    except (Crashed, TimedOut) as error:
        click.echo(f"{claim.impl}: {error}", err=True)
        sys.exit(NOT_STARTED)
    except (Declined, ValueError) as error:
        raise BadInput(f"{claim.op.id}: {error}") from None


def _with_progress(shards: Iterable[Shard], total: int) -> Iterable[Shard]:
    if not sys.stderr.isatty():
        yield from shards
        return
    columns = (TextColumn("proving"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(shards, total=total)


def _identity(impl: str) -> dict[str, str]:
    if not impl:
        return {"name": "fp8ref", "version": __version__}
    with open_session(impl) as session:
        return dict(sorted(session.hello.identity.items()))


def _refuted(claim: Claim, shards: Sequence[Shard], wrong: int) -> None:
    first = min((shard for shard in shards if shard.counterexample), key=lambda shard: shard.first)
    assert first.counterexample is not None
    inputs, got, want = first.counterexample
    case = ".".join(f"{code:X}" for code in inputs)
    click.echo(f"refuted: {_who(claim)} answers {wrong} inputs of {claim.op.id} otherwise, the first {case}:")
    click.echo(f"  got {got:X}, the law says {want:X}; fp8ref explain '{claim.op.id}#{case}'")
    sys.exit(REFUTED)


def _who(claim: Claim) -> str:
    return claim.impl or "fp8ref"


def _part(text: str) -> float:
    try:
        part = float(text.removesuffix("%")) / 100
    except ValueError:
        part = 0.0
    if not text.endswith("%") or not 0 < part <= 1:
        raise BadInput(f"--sample {text!r}: a part is a percentage above 0, such as 1% or 100%")
    return part
