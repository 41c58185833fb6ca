"""Hypotheses around a unit: splits over K, epilogues, output conversions.  Searched where no catalogued model answers.

In the order of what is known to be shipped: cuBLASLt on Ada (tiles of 64 dealt round-robin, serial or pairwise) and on
Hopper (runs of tiles of 128), then runs of instructions, then every tile and order up to 8 parts, stream-K last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...cases.operation import Operation
from ...cases.products.questions import length, scale_type
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Fused, Model, Scales, Split
from ...spec.matrix.models import get_model, models
from .accumulators import Hypothesis, fits, takes

MOST_PARTS, MOST_OTHERWISE = 32, 8
SCHEMES = ("", ".interleaved", ".pairwise", ".interleaved.pairwise")
SHIPPED = (("ada.mma.fp8.f32", ".t64.interleaved", ("", ".pairwise")), ("hopper.wgmma.fp8.f32", ".t128", ("",)))
EPILOGUES = ("sab.bias", "sa.sb.bias", "sa.fsb.bias", "sb.sa.bias", "sb.fsa.bias")


def splits(op: Operation, names: Names) -> Iterator[Hypothesis]:
    """A unit's chain or promoted chain over K, split; every one once that fits the operation.

    An FP8 output of what is shipped saturates, too: cuBLASLt's do.
    """
    seen = set()
    ends = ("", "+out.sat") if names is _shipped and get_format(op.result).k <= 8 else ("",)
    bases = [m for m in models() if isinstance(m, Fused) and takes(m, op) and m.scales is Scales.EPILOGUE]
    for name in names(bases, length(op)):
        if name not in seen:
            seen.add(name)
            for end in ends:
                yield from _named(op, name + end)


def _shipped(bases: Sequence[Model], k: int) -> Iterator[str]:
    here = {m.name: m for m in bases}
    for name, dealt, combined in SHIPPED:
        split = get_model(f"{name}+split2{dealt}")
        assert isinstance(split, Split)
        yield from chains(here[name], k) if name in here else ()
        for parts in range(2, min(MOST_PARTS, -(-k // split.tile)) + 1) if name in here else ():
            yield from (f"{chain}+split{parts}{dealt}{how}" for chain in chains(here[name], k) for how in combined)


def _instructions(bases: Sequence[Model], k: int) -> Iterator[str]:
    for base in bases:
        for parts in range(2, min(MOST_OTHERWISE * 2, -(-k // base.k)) + 1):
            yield from (f"{chain}+splitk{parts}" for chain in chains(base, k))


def _tiles(bases: Sequence[Model], k: int) -> Iterator[str]:
    for base in bases:
        for tile in (64, 128):
            for parts in range(2, min(MOST_OTHERWISE, -(-k // tile)) + 1):
                yield from (f"{chain}+split{parts}.t{tile}{how}" for chain in chains(base, k) for how in SCHEMES)


def _streams(bases: Sequence[Model], k: int) -> Iterator[str]:
    """Stream-K: a part of so many tiles, then parts of so many each."""
    for base in bases:
        for tile in (64, 128):
            tiles = -(-k // tile)
            for run in range(1, min(MOST_OTHERWISE, tiles)):
                starts = [first for first in range(1, min(MOST_OTHERWISE, tiles)) if first != run]
                yield from (f"{chain}+stream{run}.t{tile}.first{n}" for chain in chains(base, k) for n in starts)


Names = Callable[[Sequence[Model], int], Iterator[str]]
FORMS: dict[str, Names] = {"as cuBLASLt ships": _shipped, "runs of instructions": _instructions, "tiles": _tiles,
                          "stream-K": _streams}  # fmt: skip


def chains(base: Model, k: int) -> list[str]:
    """A unit alone, and promoted every 128 products."""
    return [base.name, *([f"{base.name}+promote128.fadd"] if k > 128 and 128 % base.k == 0 else [])]


def _named(op: Operation, name: str) -> Iterator[Hypothesis]:
    model = get_model(name)
    if fits(model, op):
        yield Hypothesis(name, model, evidence=model.evidence.value)


def finished(op: Operation, hypotheses: list[Hypothesis]) -> Iterator[Hypothesis]:
    """The same with other epilogues: scales in another order, a saturating output."""
    narrow = get_format(op.result).k <= 8
    words = [*(EPILOGUES if scale_type(op) else ())]
    words = [*(["sat"] if narrow else []), *(f"{w}.sat" if narrow else w for w in words), *(words if narrow else [])]
    for h in hypotheses:
        if h.model is not None and "+out" not in h.name:
            for word in words:
                try:
                    yield from _named(op, f"{h.name}+out.{word}")
                except ValueError:
                    continue  # an epilogue that the unit has no place for
