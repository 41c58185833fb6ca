"""Operation ids whose mode is a pattern: every rounding, every overflow rule of an operation."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from ..cases.answers import modes
from ..cases.operation import ANY_MODE, Operation
from ..cases.products.questions import is_exact
from ..spec.rounding import DETERMINISTIC

GLOB = "*?["
OVERFLOWS = ("sat", "satprop", "nonsat", "ieee")  # of exact sums, by name


def is_pattern(text: str) -> bool:
    """Has an id a mode that is a pattern?  ``*`` alone is none: it is any one mode.

    >>> is_pattern("convert/f32/e4m3fn/r*.sat"), is_pattern("convert/f32/e4m3fn/*"), is_pattern("e4m3fn_add")
    (True, False, False)
    """
    mode = _parts(text)[1]
    return mode != ANY_MODE and any(c in mode for c in GLOB)


def with_modes(text: str) -> list[Operation]:
    """The operations of an id, in order: those whose mode its pattern matches, or the one that it is.

    Raises ValueError where it is none, or nothing matches.

    >>> [op.id for op in with_modes("convert/f32/e4m3fn/rt[np].sat")]
    ['convert/f32/e4m3fn/rtp.sat', 'convert/f32/e4m3fn/rtn.sat']
    """
    if not is_pattern(text):
        return [Operation.parse(text)]
    head, mode, keys = _parts(text)
    if is_exact(mode.partition(".")[0]) and head.startswith("dot/"):
        found = [*_exact(head, mode, keys)]
        there = [f"exact.{r.value}.{o}" for r in DETERMINISTIC for o in OVERFLOWS[:1]]
    else:
        op = Operation.parse(f"{head}/{ANY_MODE}{keys}")
        there = list(modes(op))
        found = [Operation.parse(f"{head}/{one}{keys}") for one in fnmatch.filter(there, mode)]
    if not found:
        raise ValueError(f"operation {text!r:.120}: no mode matches; there are {', '.join(there[:8])} ...")
    return found


def _exact(head: str, mode: str, keys: str) -> Iterator[Operation]:
    for rounding in DETERMINISTIC:
        for overflow in OVERFLOWS:
            name = f"exact.{rounding.value}.{overflow}"
            if fnmatch.fnmatchcase(name, mode):
                try:
                    yield Operation.parse(f"{head}/{name}{keys}")
                except ValueError:
                    continue


def _parts(text: str) -> tuple[str, str, str]:
    """Family, operands and result; the mode; the keys with their semicolon."""
    body, semicolon, keys = text.partition(";")
    words = body.split("/")
    return "/".join(words[:3]), "/".join(words[3:]), semicolon + keys
