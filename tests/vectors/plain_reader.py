"""A reader of vector files written from docs/vectors.md alone: it shares nothing with fp8ref."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any


@dataclass
class Case:
    operands: list[list[int]]
    result: list[int]
    flags: int | None
    exact: str = ""
    bins: dict[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass
class Part:
    operation: str
    header: dict[str, Any]
    cases: list[Case] = field(default_factory=list)


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("ascii")


@cache
def read_jsonl(path: Path) -> list[Part]:
    parts: list[Part] = []
    lines: list[str] = []

    def close() -> None:
        if parts:
            header = parts[-1].header
            assert header["count"] == len(parts[-1].cases)
            assert header["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
            lines.clear()

    for number, line in enumerate(text_of(path).splitlines(keepends=True), 1):
        found = json.loads(line)
        if "fp8ref" in found:
            close()
            parts.append(Part(found["operation"], found))
            continue
        lines.append(line)
        codes = []
        for column in parts[-1].header["columns"]:
            text, d = found[column["name"]], column["digits"]
            codes.append([int(text[i : i + d], 16) for i in range(0, len(text), d)])
            assert len(codes[-1]) == column["elements"]
        flags = int(found["x"], 16) if "x" in found else None
        bins = dict(word.split("=", 1) for word in found.get("bins", "").split())
        parts[-1].cases.append(Case(codes[:-1], codes[-1], flags, found.get("exact", ""), bins, number))
    close()
    return parts


@cache
def read_fpv(path: Path) -> list[Part]:
    """The words of every line; single codes only."""
    parts: list[Part] = []
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if line.startswith("@ end"):
            assert line == f"@ end count={len(parts[-1].cases)}"
        elif line.startswith("@"):
            name, *words = line[1:].split()
            keys = dict(word.split("=", 1) for word in words)
            parts.append(Part(name, keys))
        elif not line.startswith("#"):
            *operands, result, flags = line.split(" ")
            parts[-1].cases.append(
                Case([[int(w, 16)] for w in operands], [int(result, 16)], None if flags == "--" else int(flags, 16),
                     line=number)
            )  # fmt: skip
    return parts


def value_of(exact: str) -> Fraction:
    """The number of an exact sum: hexadecimal significand, power of two."""
    significand, _, exponent = exact.partition("p")
    return Fraction(int(significand, 16)) * Fraction(2) ** int(exponent)
