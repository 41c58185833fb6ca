"""``fp8ref prove``: exhaustive claims, their certificate, and repeating a part of one."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from ..check import shards
from ..check.harness.transport import Crashed, Declined, NotStarted, TimedOut
from ..check.proof.proof import TIMEOUT, Claim, Shard, prove
from ..engines import Engine, EngineError, Journal, NoRoom, open_engine
from ..engines import run as done
from ..escapes import plain, shell
from ..fast.chunks import set_threads
from ..report.runs import certificate
from ..report.terminal import counted
from ..vectors.patterns import with_modes
from ..version import __version__
from . import engine as engines
from . import resuming
from .errors import BadInput, OneLine
from .files import require_free, write
from .meter import metered
from .say import prose, say

REFUTED, ANOTHER, NOT_STARTED = 1, 5, 6
Asked = list[tuple[Claim, int, int]]
Found = list[tuple[Claim, Shard]]


@click.command("prove", cls=OneLine)
@click.argument("claims", metavar="[CLAIM]...", nargs=-1)
@click.option("--impl", default="", help="The implementation: [kind:]id[,key=value...]. Default: fp8ref itself.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the certificate here.")
@click.option(
    "--resume", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Continue the unfinished proof that was to write this certificate.",
)  # fmt: skip
@click.option(
    "--verify",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Repeat the proof of this certificate.",
)
@click.option(
    "--sample", default="100%", show_default=True, metavar="PART%", help="--verify: how much of it to repeat."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=None,
    help="--sample: selects the part. Default: drawn at random and printed, so that it can be repeated.",
)
@click.option("--root", default=None, metavar="HASH", help="--verify: fail unless the certificate has this root.")
@engines.engine_options
@click.option("--force", is_flag=True, help="Replace an existing file.")
def prove_(
    claims: tuple[str, ...],
    impl: str,
    output: Path | None,
    resume: Path | None,
    verify: Path | None,
    sample: str,
    seed: int | None,
    root: str | None,
    jobs: int | None,
    engine: str,
    scheduler: str,
    force: bool,
) -> None:
    """Prove that operations answer as the reference does for every one of their inputs.

    CLAIM is an operation id with a definite mode: a conversion of a float of at most 32 bits, or arithmetic,
    comparisons and predicates of at most 16 bits of operands; * stands for all modes.  The certificate holds the
    digest of the answers to each shard of the inputs, so that anyone can repeat a part of the proof.

    \b
    fp8ref prove convert/f32/e4m3fn/rne.sat -o e4m3fn.json
    fp8ref prove 'add/e4m3fn.e4m3fn/e4m3fn/*' -o tables.json
    fp8ref prove convert/f32/e4m3fn/rne.nonsat --impl ml_dtypes
    fp8ref prove --verify e4m3fn.json --sample 1%
    fp8ref prove --verify torch.json --impl torch

    Exit codes: 0 proved, or verified; 1 refuted; 4 usage or unreadable file; 5 the certificate is of another
    implementation than the one here; 6 the implementation crashed, hung or would not start.
    """
    if sum((bool(claims), verify is not None, resume is not None)) != 1:
        raise BadInput("name claims, such as convert/f32/e4m3fn/rne.sat, or a file with --verify or --resume")
    set_threads(1)
    workers, engine = engines.chosen(jobs, engine, scheduler)
    part = _part(sample)
    try:
        where = open_engine(engine, workers, scheduler)
    except EngineError as error:
        raise BadInput(str(error)) from None
    try:
        if verify is not None:
            _verify(verify, impl, part, seed, root, where)
        else:
            _prove(claims, impl, output, resume, force, where)
    finally:
        where.close()
        shards.close_sessions(impl, TIMEOUT)


def _prove(
    names: tuple[str, ...], impl: str, output: Path | None, resume: Path | None, force: bool, engine: Engine
) -> None:
    journal = None
    if resume is not None:
        engines.refuse_beside_resume()
        journal = engines.resume(resume, "prove")
        head, output = resuming.begun(journal, "prove"), resume
        resuming.require_named("prove", "resume", resume, head["impl"], impl)
        names = tuple(head["claims"])
    require_free(output, force=force)
    claims = _claims(names, impl)
    started = time.monotonic()
    identity = _identity(impl, engine)
    if journal is not None and journal.head["identity"] != identity:
        raise BadInput(f"the proof began with {journal.head['identity']}, now {identity}: start it again")
    if journal is None and output is not None:
        head = {"kind": "prove", "claims": list(names), "impl": impl, "identity": identity}
        journal = engines.begin(output, head, force)
    asked = [(claim, first, count) for claim in claims for first, count in claim.shards]
    found = _asked(asked, identity, engine, journal, output)
    _require_proved(found)
    certified = certificate.certify(claims, identity, found)
    if output is not None:
        write({output: certified.text()}, force)
    if journal is not None:
        journal.remove()
    took = time.monotonic() - started
    what = claims[0].op.id if len(claims) == 1 else f"{len(claims)} operations"
    prose(
        f"proved: {_who(claims[0])} answers {what} as the reference does for all {certified.cases} inputs "
        f"({took:.1f} s)"
    )


def _verify(path: Path, impl: str, part: float, seed: int | None, root: str | None, engine: Engine) -> None:
    try:
        found = certificate.read(path)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from None
    resuming.require_named("prove", "verify", path, found.impl, impl)
    if root is not None and root.lower() != found.root:
        raise BadInput(f"{path} has the root {found.root}, not {root}: it is another certificate")
    identity = _identity(found.impl, engine)
    _require_same(path, found, identity)
    seed = certificate.fresh_seed() if seed is None else seed
    chosen = certificate.sample(found, part, seed)
    asked = [(claim, shard.first, shard.count) for claim, shard in chosen]
    again = _asked(asked, identity, engine, None, None)
    _require_proved(again)
    certified = {(claim, shard.first): shard.digest for claim, shard in chosen}
    for claim, shard in sorted(again, key=lambda one: (one[0].op.id, one[1].first)):
        if shard.digest != certified[claim, shard.first]:
            what = f"{path}: {claim.op.id}, shard {shard.first}"
            prose(f"{what}: the answers have SHA-256 {shard.digest}, not the certified one (--seed {seed})")
            sys.exit(REFUTED)
    cases = sum(shard.count for _, shard in again)
    of = found.proofs[0].claim.op.id if len(found.proofs) == 1 else f"{len(found.proofs)} operations"
    who = " ".join(identity[key] for key in ("name", "version", "device") if key in identity)
    drawn = "" if len(again) == len(found.shards) else f", drawn by --seed {seed}"
    prose(
        f"{plain(str(path))}: {len(again)} of {len(found.shards)} shards of {of} repeated{drawn}, {cases} cases, "
        f"the same answers from {plain(who)}\n"
        f"root {found.root}: {certificate.confidence(len(found.shards), len(again))}"
    )


def _require_same(path: Path, found: certificate.Certificate, identity: Mapping[str, str]) -> None:
    """End the command where what answers here is not what the certificate is of: then nothing can be verified."""
    theirs = {**found.identity, "fp8ref": found.versions.get("fp8ref", "")}
    ours = {**identity, "fp8ref": __version__}
    for key in sorted({*theirs, *ours}):
        if theirs.get(key) != ours.get(key):
            prose(
                f"{plain(str(path))}: another implementation: {plain(key)} is {plain(repr(theirs.get(key)))} in the "
                f"certificate and {plain(repr(ours.get(key)))} here; nothing was verified",
                err=True,
            )
            sys.exit(ANOTHER)


def _claims(names: Sequence[str], impl: str) -> list[Claim]:
    """The claims that are named, with every mode of those whose mode is a pattern."""
    found: dict[str, Claim] = {}
    try:
        for name in names:
            ops = with_modes(name) if not name.endswith("/*") else with_modes(f"{name}*")
            found.update((op.id, Claim(op, impl)) for op in ops)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return list(found.values())


def _asked(
    asked: Asked, identity: Mapping[str, str], engine: Engine, journal: Journal | None, output: Path | None
) -> Found:
    found: Found = []
    try:
        with metered("proving", "piece", len(asked)) as tick:
            for one in prove(asked, identity, engine, journal):
                found.append(one)
                tick(len(found), len(asked))
    except (NotStarted, Crashed, TimedOut, EngineError) as error:
        _failed(f"{asked[0][0].impl}: {error}" if asked[0][0].impl else str(error), journal)
    except (Declined, ValueError) as error:
        _drop(journal)
        raise BadInput(f"{asked[0][0].op.id}: {error}") from None
    except NoRoom as error:
        assert output is not None
        engines.no_room(output, error)
    except KeyboardInterrupt:
        if output is not None:
            say(f"{resuming.command('prove', 'resume', output, asked[0][0].impl)} goes on", err=True)
        sys.exit(engines.INTERRUPTED)
    return found


def _failed(why: str, journal: Journal | None) -> NoReturn:
    _drop(journal)
    say(plain(why), err=True)
    sys.exit(NOT_STARTED)


def _drop(journal: Journal | None) -> None:
    """Nothing to go on with: the same would happen again."""
    if journal is not None:
        journal.remove()


def _identity(impl: str, engine: Engine) -> dict[str, str]:
    if not impl:
        return {"name": "fp8ref", "version": __version__}
    ((_, result),) = done(engine, [shards.task("hello", impl=impl, timeout=TIMEOUT)])
    try:
        return dict(sorted(shards.said(result).identity.items()))
    except NotStarted as error:
        if error.usage:
            raise BadInput(str(error)) from None
        _failed(f"{impl} would not start: {error}", None)


def _require_proved(found: Found) -> None:
    """End with the first counterexample, where there is one."""
    wrong = sorted(
        ((claim, shard) for claim, shard in found if shard.wrong), key=lambda one: (one[0].op.id, one[1].first)
    )
    if not wrong:
        return
    claim, first = wrong[0]
    assert first.counterexample is not None
    inputs, got, want = first.counterexample
    case = ".".join(f"{code:X}" for code in inputs)
    count = sum(shard.wrong for one, shard in wrong if one == claim)
    prose(f"refuted: {_who(claim)} answers {counted(count, 'input')} of {claim.op.id} otherwise, the first {case}:")
    say(f"  got {got:X}, the reference says {want:X}; fp8ref explain {shell(f'{claim.op.id}#{case}', True)}")
    others = len({one for one, _ in wrong}) - 1
    if others:
        say(f"  and {others} more of the claims are refuted")
    sys.exit(REFUTED)


def _who(claim: Claim) -> str:
    return plain(claim.impl) or "fp8ref"


def _part(text: str) -> float:
    try:
        part = float(text.removesuffix("%")) / 100
    except ValueError:
        part = 0.0
    if not text.endswith("%") or not 0 < part <= 1:
        raise BadInput(f"--sample {text!r}: a part is a percentage above 0, such as 1% or 100%")
    return part
