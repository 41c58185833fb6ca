"""Which accumulator, epilogue and split over K explain the tiles of ``ask_shapes.py``, bit for bit.

An explanation is tried on a few results first and then on all that were kept.  Explanations are models of fp8ref for
the sums, with partial sums of several lengths promoted to FP32 or not and K split or not, and orders of multiplying by
scales and adding a bias; block scales meet the partial sums of 128 products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from draws import Codes
from numpy.typing import NDArray
from shapes import BLOCK, BLOCKS, ROW, SEED, TENSOR, Product

from fp8ref.adapters.captures import blocks
from fp8ref.arrays import encode, matmul
from fp8ref.arrays.conversion import FLOAT_DTYPES
from fp8ref.fast.matrix.narrow import fma
from fp8ref.spec.catalog import get_format

F32s = NDArray[np.float32]
F32 = get_format("f32")
BASES = ("hopper.wgmma.fp8.f32", "hopper.mma.fp8.f32")
PROMOTED = (32, 64, 128, 256, 512, 1024, 2048)
SPLITS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 32)
PLAIN = ("exact", "f32.fma", "f32.mul-add", "f32.pairwise")
FEW = 6  # rows and columns on which an explanation is tried first


@dataclass
class Tile:
    """A product, and the rows and columns whose results are looked at."""

    p: Product
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    got: Codes

    def part(self, n: int) -> Tile:
        """The first and last rows and columns."""
        r, c = (np.unique(np.r_[np.arange(min(n, x.size)), x.size - 1]) for x in (self.rows, self.columns))
        return Tile(self.p, self.rows[r], self.columns[c], self.got[np.ix_(r, c)])

    @property
    def key(self) -> tuple[Any, ...]:
        p = self.p
        return p.m, p.n, p.k, p.a, p.b, tuple(self.rows.tolist()), tuple(self.columns.tolist())


@dataclass
class Explained:
    """``names``: every explanation of all results; else the nearest and its first mismatch."""

    p: Product
    size: int = 0
    names: list[str] = field(default_factory=list)
    nearest: str = ""
    misses: int = 0
    mismatch: str = ""
    declined: str = ""
    unrepeatable: bool = False
    launched: tuple[str, ...] = ()  # what cuBLASLt's log says


@lru_cache(maxsize=2048)
def _sums(key: tuple[Any, ...], accumulator: str, start: int, stop: int) -> F32s:
    """Sums of a tile by an accumulator over a part of K."""
    m, n, k, fa, fb, rows, columns = key
    p = Product(m, n, k, fa, fb)
    a, b = p.matrix("a", rows), p.matrix("b", columns)
    found = matmul(a[:, start:stop], b[:, start:stop].T, fa, fb, accumulator=accumulator)
    return np.asarray(found, np.float32)


def _summed(t: Tile, accumulator: str, run: int) -> F32s:
    """Sums over all of K: of parts of so many products, added in order."""
    parts = [_sums(t.key, accumulator, start, start + run) for start in range(0, t.p.k, run)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def accumulators(k: int) -> list[tuple[str, int]]:
    """Names of accumulators, the catalogue's and promoted ones, and the parts into which K is split for them."""
    runs = dict.fromkeys(-(-k // (parts * unit)) * unit for parts in SPLITS for unit in (128, 64, 32))
    split = [k, *(run for run in runs if run < k)]
    found = []
    for run in split:
        for base in BASES:
            found += [(base, run), *((f"{base}+promote{n}.fadd", run) for n in PROMOTED if n < run)]
    return [*found, *((name, k) for name in PLAIN)]


def explanations(t: Tile) -> Iterator[tuple[str, Callable[[Tile], Codes]]]:
    """A name, and the results that it predicts."""
    if t.p.recipe in BLOCKS:
        for base in BASES:
            for name in JOINS:
                for parts in (1, *SPLITS):
                    if parts <= t.p.k // BLOCK:
                        shown = f"{base}, {name}" + (f", K in {parts} parts" if parts > 1 else "")
                        yield shown, lambda x, b=base, j=name, s=parts: _finished(x, _blockwise(x, b, j, s))  # type: ignore[misc]
        return
    for accumulator, run in accumulators(t.p.k):
        shown = accumulator + (f", K in parts of {run}" if run < t.p.k else "")
        for name in EPILOGUES if t.p.bias else SCALINGS:
            yield f"{shown}, {name}", lambda x, a=accumulator, r=run, e=name: _finished(x, _scaled(x, a, r, e))  # type: ignore[misc]


# -- epilogues --------------------------------------------------------------------------------------------------------
def _product(x: F32s, y: F32s) -> F32s:
    return np.asarray(np.multiply(x, y, dtype=np.float32))


def _fma(x: F32s, y: F32s, z: F32s) -> F32s:
    exact = np.asarray(x, np.float64) * np.asarray(y, np.float64)
    return np.asarray(fma(exact, np.broadcast_to(z, exact.shape), F32), np.float32)


SCALINGS: dict[str, Callable[[F32s, F32s, F32s], F32s]] = {
    "d (sa sb)": lambda d, a, b: _product(d, _product(a, b)),
    "(d sb) sa": lambda d, a, b: _product(_product(d, b), a),
    "(d sa) sb": lambda d, a, b: _product(_product(d, a), b),
}
EPILOGUES: dict[str, Callable[[F32s, F32s, F32s, F32s], F32s]] = {
    "fma(d, sa sb, bias)": lambda d, a, b, z: _fma(d, _product(a, b), z),
    "d (sa sb) + bias": lambda d, a, b, z: SCALINGS["d (sa sb)"](d, a, b) + z,
    "fma(d sb, sa, bias)": lambda d, a, b, z: _fma(_product(d, b), a, z),
    "fma(d sa, sb, bias)": lambda d, a, b, z: _fma(_product(d, a), b, z),
    "(d sb) sa + bias": lambda d, a, b, z: SCALINGS["(d sb) sa"](d, a, b) + z,
}
# the running sum, a partial sum, its scales -> the running sum
JOINS: dict[str, Callable[[F32s, F32s, F32s, F32s], F32s]] = {
    "fma(partial, sa sb, sum)": lambda s, d, a, b: _fma(d, _product(a, b), s),
    "sum + partial (sa sb)": lambda s, d, a, b: s + SCALINGS["d (sa sb)"](d, a, b),
    "sum + (partial sa) sb": lambda s, d, a, b: s + SCALINGS["(d sa) sb"](d, a, b),
    "sum + (partial sb) sa": lambda s, d, a, b: s + SCALINGS["(d sb) sa"](d, a, b),
    "fma(partial sa, sb, sum)": lambda s, d, a, b: _fma(_product(d, a), b, s),
    "fma(partial sb, sa, sum)": lambda s, d, a, b: _fma(_product(d, b), a, s),
}


def _scale(t: Tile, which: str) -> F32s:
    """Scales of a tile, to be broadcast against it."""
    x = np.asarray(t.p.scale(which, (t.rows if which == "a" else t.columns).tolist()), np.float32)
    return x if t.p.recipe == TENSOR else x[:, None] if which == "a" else x[None, :]


def _scaled(t: Tile, accumulator: str, run: int, epilogue: str) -> F32s:
    d, a, b = _summed(t, accumulator, run), _scale(t, "a"), _scale(t, "b")
    if not t.p.bias:
        return SCALINGS[epilogue](d, a, b)
    codes = t.p.bias_of(t.columns.tolist())
    z = (codes.astype(np.uint32) << 16).view(np.float32)
    if t.p.result == "f16":
        z = z.astype(np.float16).astype(np.float32)
    return EPILOGUES[epilogue](d, a, b, z[None, :])


def _blockwise(t: Tile, base: str, join: str, parts: int) -> F32s:
    sa, sb = (np.asarray(t.p.scale(w, x.tolist()), np.float32) for w, x in (("a", t.rows), ("b", t.columns)))
    chunks = t.p.k // BLOCK
    run = -(-chunks // parts)
    total = None
    for start in range(0, chunks, run):
        s = np.zeros(t.got.shape, np.float32)
        for i in range(start, min(start + run, chunks)):
            s = JOINS[join](s, _sums(t.key, base, i * BLOCK, (i + 1) * BLOCK), sa[:, i : i + 1], sb[:, i][None, :])
        total = s if total is None else total + s
    return np.zeros(t.got.shape, np.float32) if total is None else total


def _finished(t: Tile, d: F32s) -> Codes:
    """Codes of the result."""
    if t.p.result == "f32":
        return d.view(np.uint32)
    if t.p.result == "e4m3fn":
        return np.asarray(encode(_product(d, np.float32(t.p.scale_result)), "e4m3fn"))  # type: ignore[arg-type]
    with np.errstate(over="ignore"):
        return np.asarray(d.astype(FLOAT_DTYPES[t.p.result]).view(np.uint16))


# -- judging ----------------------------------------------------------------------------------------------------------
def explain(record: dict[str, Any], content: bytes, first: list[str]) -> Explained:
    """Every explanation of a record; those of ``first`` are tried before all others, which are then left out."""
    p = Product(**record["product"])
    if "declined" in record or not content:
        return Explained(p, declined=str(record.get("declined", "no results")))
    rows, columns = p.picked()
    dtype = np.dtype({"f32": "<u4", "e4m3fn": "u1"}.get(p.result, "<u2"))
    if len(content) != rows.size * columns.size * dtype.itemsize:
        return Explained(p, declined=f"{len(content)} bytes of results: damaged")
    got = np.frombuffer(content, dtype).astype(dtype.newbyteorder("=")).reshape(rows.size, columns.size)
    t = Tile(p, rows, columns, got)
    said = tuple(str(line)[:400] for line in record.get("launched", []))
    found = Explained(p, got.size, unrepeatable=record.get("again") is False, launched=said)
    small = t.part(FEW)
    every = dict(explanations(t))
    known = [name for name in first if name in every]
    scored: list[tuple[int, str]] = []
    for names in (known, [name for name in every if name not in known]):
        for name in names:
            missed = int((every[name](small) != small.got).sum())
            if missed:
                scored.append((missed, name))
            elif (every[name](t) == got).all():
                found.names.append(name)
            else:
                scored.append((0, name))
        if found.names:
            return found
    _, found.nearest = min(scored)
    want = every[found.nearest](t)
    off = np.argwhere(want != got)
    found.misses = len(off)
    r, c = (int(i) for i in off[0])
    digits = 2 * dtype.itemsize
    found.mismatch = (
        f"row {rows[r]}, column {columns[c]}: {int(got[r, c]):0{digits}X} instead of {int(want[r, c]):0{digits}X}"
    )
    return found


def judge(path: Path) -> tuple[dict[str, Any], list[Explained], int]:
    """The source, every product of a file explained or not, and torn bytes."""
    file = blocks.read(path)
    if file.header.get("seed") != SEED:
        raise ValueError(f"{path}: drawn under seed {file.header.get('seed')!r}; this version draws under {SEED}")
    found: list[Explained] = []
    known: list[str] = []
    for record, content in file.records:
        one = explain(record, content, known)
        known = list(dict.fromkeys([*one.names[:4], *known]))[:40]
        found.append(one)
    return dict(file.header.get("source", {})), found, file.torn


def table(found: list[Explained]) -> str:
    """Rows of Markdown: recipe, operands, result, bias, accumulation; the explanation, and what is not explained."""
    rows = [
        "| recipe | operands | result | fast | explained by | shapes | results | not explained |",
        "| --- | --- | --- | --- | --- | ---: | ---: | --- |",
    ]
    groups: dict[tuple[Any, ...], list[Explained]] = {}
    for e in found:
        p = e.p
        groups.setdefault((p.recipe, f"{p.a}.{p.b}", p.result + (" + bias" if p.bias else ""), p.fast), []).append(e)
    for (recipe, operands, result, fast), some in groups.items():
        head = f"| {recipe} | {operands} | {result} | {'yes' if fast else 'no'} |"
        for names, those in _by_explanation([e for e in some if e.names]):
            shapes = str(len(those)) if len(those) > 3 else ", ".join(e.p.shape for e in those)
            rows.append(f"{head} {names} | {shapes} | {sum(e.size for e in those):,} | |")
        for e in some:
            if e.nearest:
                missed = f"{e.misses} of {e.size}: {e.mismatch}"
                rows.append(f"{head} nearest: {e.nearest} | {e.p.shape} | {e.size:,} | {missed} |")
        declined = [e for e in some if e.declined]
        for reason in dict.fromkeys(e.declined for e in declined):
            count = sum(e.declined == reason for e in declined)
            rows.append(f"{head} not offered: {reason.replace('|', '/')} | {count} | | |")
    return "\n".join(rows)


def algorithms(found: list[Explained]) -> str:
    """Rows of Markdown: what cuBLASLt said that it launched, and for which products; nothing where it was silent."""
    groups: dict[str, list[str]] = {}
    for e in found:
        for line in e.launched:
            name = f"{e.p.shape} {e.p.recipe} {e.p.result}{' fast' if e.p.fast else ''}{' bias' if e.p.bias else ''}"
            groups.setdefault(line.replace("|", "/"), []).append(name)
    rows = [f"| `{line}` | {len(names)} | {', '.join(names[:4])} |" for line, names in groups.items()]
    return "\n".join(["| launched | products | such as |", "| --- | ---: | --- |", *rows]) if rows else ""


def _by_explanation(some: list[Explained]) -> Iterator[tuple[str, list[Explained]]]:
    """As few explanations as will do: the one of most shapes first."""
    left = list(some)
    while left:
        counted: dict[str, int] = {}
        for e in left:
            for name in e.names:
                counted[name] = counted.get(name, 0) + 1
        best = max(counted, key=lambda name: (counted[name], -len(name)))
        yield f"`{best}`", [e for e in left if best in e.names]
        left = [e for e in left if best not in e.names]


__all__ = ["ROW", "Explained", "explain", "explanations", "judge", "table"]
