"""Signatures, projections and the places of what is wrong in the entries of a declaration."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

from . import names
from .documents import Malformed, merged
from .expressions import Expression

SIGNATURE = re.compile(r"\s*(\w+)\s*<([^<>]*)>\s*:?\s*\(([^()]*)\)\s*->\s*\w+\s*")
RHO = ("\N{GREEK SMALL LETTER RHO}", "rho")
Rounding = str | tuple[str, str]  # a mode's name, or a stochastic one with the expression of its bits


@dataclass(frozen=True)
class Signature:
    """``Add<fx, fy, fr, rho>(x, y) -> r``; ``formats``, ``result``: the variables of its operands and its result."""

    name: str
    formats: tuple[str, ...]
    result: str
    projects: bool

    @classmethod
    def parse(cls, text: str) -> Signature:
        match = SIGNATURE.fullmatch(text) if len(text) < 300 else None
        if match is None:
            raise Expression(f"{text!r:.60} is no signature, such as 'Add<fx, fy, fr, rho>(x, y) -> r'")
        variables = [part.strip() for part in match[2].split(",")]
        operands = [part for part in match[3].split(",") if part.strip()]
        projects = variables[-1] in RHO
        formats = variables[:-1] if projects else variables
        if len(formats) != len(operands) + projects or not all(map(str.isidentifier, formats)):
            raise Expression(f"{text!r:.60}: {len(operands)} operands do not go with formats {', '.join(formats)}")
        return cls(match[1], tuple(formats[: len(operands)]), formats[-1], projects)


def listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


class placed:  # reads as a statement
    """Names the place of what is wrong in it."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Expression):
            raise Malformed(f"{self.where}: {error}") from None


def rounding(said: Any, where: str) -> Rounding:
    """The name of a mode, or of a stochastic one with the expression of its bits."""
    if isinstance(said, str) and (found := names.rounding(said)) is not None and not found.startswith("sr-"):
        return found
    if isinstance(said, dict) and len(said) == 1:
        ((name, more),) = said.items()
        bits = merged(more).get("bits")
        found = names.rounding(name)
        if found is not None and found.startswith("sr-") and isinstance(bits, str):
            return found, bits
    shown = said if isinstance(said, str) else ", ".join(said) if isinstance(said, dict) else said
    raise Malformed(f"{where}: {shown!r:.40} is no rounding; choose from {', '.join(names.ROUNDINGS)}, Stochastic... "
                    "with their bits")  # fmt: skip


def saturation(said: Any, where: str) -> str:
    found = names.saturation(said) if isinstance(said, str) else None
    if found is None:
        raise Malformed(f"{where}: {said!r:.40} is no saturation; choose from {', '.join(names.SATURATIONS)}")
    return found


def pairs(said: Any, where: str, left: dict[str, str]) -> list[tuple[Rounding, str]]:
    """Pairs of rounding and saturation: a list of maps, a list of pairs, or two lists of which all pairs are meant."""
    if isinstance(said, dict) or (isinstance(said, list) and said and all(isinstance(x, dict) for x in said)):
        apart = isinstance(said, list) and all("RoundingMode" in x and "SaturationMode" in x for x in said)
        found: list[tuple[Rounding, str]] = []
        maps = said if apart else [merged(said)]
        for one in maps:
            roundings, saturations = one.get("RoundingMode"), one.get("SaturationMode")
            if not roundings or not saturations:
                raise Malformed(f"{where}: Projections lack RoundingMode or SaturationMode")
            found += itertools.product(
                [rounding(x, where) for x in listed(roundings)], [saturation(x, where) for x in listed(saturations)]
            )
        return found
    if not (isinstance(said, list) and said and all(isinstance(x, list) and len(x) == 2 for x in said)):
        raise Malformed(f"{where}: Projections are pairs of RoundingMode and SaturationMode")
    found = []
    for x, y in said:
        if names.saturation(str(y)) is None:
            left[f"{where}, [{x}, {y}]"] = f"{str(y)!r:.40} is no saturation"
            continue
        found.append((rounding(x, where), saturation(y, where)))
    return found
