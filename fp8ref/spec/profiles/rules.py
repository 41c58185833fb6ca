"""What a named behaviour is made of: rules, the first of which that matches a conversion decides it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from ..catalog import CATALOG, get_format
from ..projection import NaN, Negative, SNaN, Subnormal
from ..rounding import Rounding


@dataclass(frozen=True)
class Rule:
    """What becomes of conversions from ``sources`` to ``results``.

    ``roundings``: the modes that the rule speaks of, the usual one first (``*``: every mode, roundTiesToEven first).
    ``overflow``, ``nan``, ``negative``, ``snan`` and ``subnormal`` are the names that an operation id takes.
    ``promised`` says where the implementation's own documentation promises this; empty where it is only observed.
    """

    results: str
    overflow: str
    roundings: str = "rne"
    sources: str = "*"
    nan: str = "canonical"
    negative: str = "lowest"
    promised: str = ""
    snan: str = "ieee"
    subnormal: str = "keep"

    @property
    def mode(self) -> str:
        """The mode of an operation id, ``rounding.overflow``."""
        first = self.roundings.split()[0]
        return f"{'rne' if first == '*' else first}.{self.overflow}"

    @property
    def keys(self) -> dict[str, str]:
        """The keys of an operation id that differ from their defaults."""
        keys = {
            "nan": (self.nan, NaN.CANONICAL),
            "negative": (self.negative, Negative.LOWEST),
            "snan": (self.snan, SNaN.IEEE),
            "subnormal": (self.subnormal, Subnormal.KEEP),
        }
        return {name: value for name, (value, default) in keys.items() if value != default}

    def allows(self, rounding: Rounding) -> bool:
        """Does the rule speak of a mode?"""
        return self.roundings == "*" or rounding.value in self.roundings.split()

    def speaks_of(self, source: str, result: str) -> bool:
        return matches(source, self.sources) and matches(result, self.results)


@dataclass(frozen=True)
class Profile:
    """A named behaviour.  ``notes``: what the document leaves open, or what no rule can express.

    ``via``: the format to which f64 and integers are rounded first, where the implementation makes that detour.
    """

    name: str
    title: str
    source: str
    rules: tuple[Rule, ...]
    notes: tuple[str, ...] = ()
    specification: bool = False
    via: str = ""

    def rule(self, source: str, result: str, rounding: Rounding | None = None) -> Rule | None:
        """The rule for a conversion, under a mode if one is named; None where the profile does not speak of it."""
        fitting = (rule for rule in self.rules if rule.speaks_of(source, result))
        return next((rule for rule in fitting if rounding is None or rule.allows(rounding)), None)


@lru_cache(maxsize=1024)
def _names(type_name: str) -> tuple[str, ...]:
    """Every catalogued name of the format of that name; an integer type has only its own."""
    try:
        f = get_format(type_name)
    except ValueError:
        return (type_name,)
    return tuple(dict.fromkeys((f.name, *(name for name, other in CATALOG.items() if other == f))))


@lru_cache(maxsize=4096)
def matches(type_name: str, patterns: str) -> bool:
    """Does a type answer to one of some names or globs, separated by spaces?"""
    return any(fnmatchcase(name, pattern) for pattern in patterns.split() for name in _names(type_name))
