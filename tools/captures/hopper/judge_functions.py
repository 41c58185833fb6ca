"""What the approximate functions gave, and what attention did with tiles of two widths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ask_attention
import numpy as np
from ask_attention import HEADS, ROWS, WIDTH, Attention
from draws import digest
from functions import BY_NAME, SEED, SIGN, U32s, unpacked

from fp8ref.adapters.captures import blocks
from fp8ref.cases.products.cases import values_of
from fp8ref.spec.catalog import get_format

RESULTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "float8_e4m3fn": "e4m3fn", "float8_e5m2": "e5m2"}
EXPONENT, FRACTION = 0x7F800000, 0x7FFFFF


@dataclass
class Computed:
    """One function: how many codes its results are from the nearest number, and what its spots say."""

    name: str
    source: Mapping[str, str]
    blocks: int
    asked: int = 0
    off: dict[int, int] = field(default_factory=dict)  # codes from the nearest number -> results
    far: int = 0  # results more than 127 codes away
    spots: str = ""
    complaints: list[str] = field(default_factory=list)


def functions_of(path: Path) -> list[tuple[Path, str]]:
    """A file and each of its functions, to be judged side by side."""
    file = blocks.read(path)
    if file.header.get("seed") != SEED:
        raise ValueError(f"{path}: drawn under seed {file.header.get('seed')!r}; this version draws under {SEED}")
    return [(path, name) for name in dict.fromkeys(str(record.get("function")) for record, _ in file.records)]


def computed(one: tuple[Path, str]) -> Computed:
    """Count the results of a function by their distance from the base, after their digests were checked."""
    path, name = one
    file = blocks.read(path)
    f = BY_NAME.get(name)
    if f is None:
        raise ValueError(f"{path.name}: unknown function {name!r:.40}")
    source = {str(key): str(value)[:400] for key, value in dict(file.header.get("source", {})).items()}
    found = Computed(name, source, len(f.blocks))
    table: dict[int, U32s] = {}
    spots: U32s | None = None
    for record, content in file.records:
        if record.get("function") != name:
            continue
        block = str(record.get("block"))
        if block not in f.blocks:
            found.complaints.append(f"{name}: no block {block!r:.20}")
            continue
        arguments = f.arguments(block)
        base = None if block == "spots" else f.base(*arguments)
        got = unpacked(str(record.get("form")), content, base)
        if got.size != arguments[0].size or digest([got]) != record.get("answers"):
            found.complaints.append(f"{name}, block {block}: the results are not those of the digest")
            continue
        found.asked += got.size
        if base is None:
            spots = got
            continue
        table[int(block)] = got
        off = (got - base).view(np.int32)
        near = np.abs(off.astype(np.int64)) < 128
        found.far += int((~near).sum())
        for value, count in zip(*np.unique(off[near], return_counts=True)):
            found.off[int(value)] = found.off.get(int(value), 0) + int(count)
    if spots is not None:
        found.spots = _spots(name, f.arguments("spots"), spots, table)
    return found


def _spots(name: str, arguments: tuple[U32s, ...], got: U32s, table: dict[int, U32s]) -> str:
    """Of a reciprocal whether other exponents follow the table of significands; of others what is special."""
    (x, *rest) = arguments
    if name.startswith("rcp") and len(table) == 8 and not rest:
        whole = np.concatenate([table[i] for i in range(8)])
        exponent = (x & EXPONENT).astype(np.int64) >> 23
        predicted = whole[x & np.uint32(FRACTION)].astype(np.int64) - ((exponent - 127) << 23)
        normal = (exponent > 0) & (exponent < 255) & (predicted >= 1 << 23) & (predicted < EXPONENT)
        same = (predicted[normal] | (x[normal] & np.uint32(SIGN))) == got[normal]
        small = got[(exponent > 0) & (exponent < 255) & (predicted < 1 << 23)]
        return (
            f"{int(same.sum()):,} of {int(normal.sum()):,} of other exponents follow the table; "
            f"subnormal results {'are zeros' if not (small & np.uint32(0x7FFFFFFF)).any() else 'stay'}; "
            f"{_special(x, got)}"
        )
    return _special(x, got) if not rest else ""


def _special(x: U32s, got: U32s) -> str:
    """What zeros, subnormals, infinities and NaNs give."""
    magnitude = x & np.uint32(0x7FFFFFFF)
    kinds = {
        "+0": x == 0,
        "-0": x == SIGN,
        "subnormals": (magnitude > 0) & (magnitude < 1 << 23),
        "inf": x == EXPONENT,
        "-inf": x == (SIGN | EXPONENT),
        "NaN": magnitude > EXPONENT,
    }
    said = []
    for kind, mask in kinds.items():
        codes = np.unique(got[mask])
        if codes.size:
            shown = " ".join(f"{int(code):08X}" for code in codes[:2])
            said.append(f"{kind}: {shown}" + (f" and {codes.size - 2:,} others" if codes.size > 2 else ""))
    return ", ".join(said)


def functions_table(found: list[Computed]) -> str:
    rows = [
        "| function | results | nearest | by codes from it | farther | elsewhere |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for c in found:
        counted = sum(c.off.values()) + c.far
        share = f"{c.off.get(0, 0) / counted:.2%}" if counted else ""
        by = ", ".join(f"{value:+d}: {count:,}" for value, count in sorted(c.off.items()) if value)
        rows.append(f"| `{c.name}` | {c.asked:,} | {share} | {by} | {c.far:,} | {c.spots} |")
    return "\n".join(rows)


# -- attention --------------------------------------------------------------------------------------------------------
@dataclass
class Attended:
    """A row of Markdown for every record."""

    source: Mapping[str, Any]
    rows: list[str] = field(default_factory=list)


def attention_of(path: Path) -> Attended:
    """For every product its worst error against float64, and whether the width of a tile shows."""
    file = blocks.read(path)
    if file.header.get("seed") != ask_attention.SEED:
        raise ValueError(f"{path}: drawn under seed {file.header.get('seed')!r}")
    found = Attended(dict(file.header.get("source", {})))
    digests: dict[tuple[int, str], dict[int, str]] = {}
    for record, content in file.records:
        p = Attention(**record["attention"])
        if p not in ask_attention.products():
            raise ValueError(f"{path.name}: {p} is not asked in this version")
        head = f"| {p.operands} | {p.length} | {p.tile} |"
        if "declined" in record or not content:
            found.rows.append(
                f"{head} not offered: {str(record.get('declined', 'no results')).replace('|', '/')} | | |"
            )
            continue
        f = get_format(RESULTS[str(record.get("result"))])
        got = values_of(np.frombuffer(content, f"<u{-(-f.k // 8)}").copy(), f).reshape(HEADS, ROWS, WIDTH)
        worst = float(np.abs(got - exact(p)).max())
        digests.setdefault((p.length, p.operands), {})[p.tile] = str(record["answers"])
        seen = digests[p.length, p.operands]
        said = "" if len(seen) < 2 else "the same bits" if len(set(seen.values())) == 1 else "other bits"
        again = "" if record.get("again") else ", not repeatable"
        found.rows.append(f"{head} {record['result']}{again} | {worst:.3g} | {said} |")
    return found


def exact(p: Attention) -> Any:
    """The rows that are kept, in float64."""
    q, k, v = (values_of(p.codes(w), get_format(p.operands)) for w in "qkv")
    s = q[:, :: p.length // ROWS] @ k.transpose(0, 2, 1) / np.sqrt(WIDTH)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)) @ v


def attention_table(found: Attended) -> str:
    head = "| operands | length | tile | result | largest error against float64 | against the other tile |"
    return "\n".join([head, "| --- | ---: | ---: | --- | ---: | --- |", *found.rows])
