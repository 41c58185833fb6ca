"""The keys of an operation's id: which kinds of question have each, and what they may say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..spec.catalog import get_format
from ..spec.functions.reductions import EPSILONS
from ..spec.matrix.exact import Zero
from ..spec.operations.definition import Semantics
from ..spec.projection import NaN, Negative, SNaN, Subnormal
from ..spec.status import Tininess
from .kappa import Kappa, require_name

BIT = ("0", "1")
EVERY = ("convert", "decode", "arithmetic", "int", "compare", "test", "codes", "constant", "scale", "dot")
ROUNDED = ("convert", "arithmetic")
PATHS = ("eager", "compiled", "constant")  # ways through one library, which may answer differently


@dataclass(frozen=True)
class Key:
    """``kinds`` of question that have it; ``choices``: what it may say, or a function that raises ValueError."""

    kinds: tuple[str, ...]
    choices: Sequence[str] | Callable[[str], object] | None = None


KEYS = {
    "flags": Key(EVERY, BIT),
    "tininess": Key((*ROUNDED, "dot"), tuple(Tininess)),
    "snan": Key((*ROUNDED, "int", "compare", "dot"), tuple(SNaN)),
    "subnormal": Key((*ROUNDED, "int"), tuple(Subnormal)),
    "nan": Key(ROUNDED, tuple(NaN)),
    "negative": Key(ROUNDED, tuple(Negative)),
    "semantics": Key(("arithmetic",), tuple(Semantics)),
    "as": Key(("arithmetic",), require_name),
    "eps": Key(("arithmetic",), EPSILONS),
    "kappa": Key(("arithmetic",), Kappa.parse),
    "signalling": Key(("compare",), BIT),
    "exact": Key(("int",), BIT),
    "via": Key(("convert",), get_format),
    "path": Key(EVERY, PATHS),
    "k": Key(("scale", "dot")),  # these are checked with what they belong to
    "scale": Key(("scale", "dot"), get_format),
    "n": Key(("dot",)),
    "block": Key(("dot",)),
    "bias": Key(("dot",), get_format),
    "scale_result": Key(("dot",), BIT),
    "zero": Key(("dot",), tuple(Zero)),
    "c": Key(("dot",), ("none",)),
    "amax": Key(("dot",), ("1", "number", "nan")),
}


def check_keys(kind: str, family: str, keys: Sequence[tuple[str, str]], text: str) -> None:
    """Raise ValueError for a key that a kind of question does not have, one said twice, and an unknown value."""
    said = set()
    for name, value in keys:
        key = KEYS[name]
        if name in said:
            raise ValueError(f"operation {text!r}: {name} is said twice")
        said.add(name)
        if kind not in key.kinds:
            have = [other for other, one in KEYS.items() if kind in one.kinds]
            raise ValueError(f"operation {text!r}: {family} has no {name}; its keys are {', '.join(have) or 'none'}")
        if callable(key.choices):
            try:
                key.choices(value)
            except ValueError as error:
                raise ValueError(f"operation {text!r}: {name}: {error}") from None
        elif key.choices is not None and value not in key.choices:
            raise ValueError(f"operation {text!r}: {name} is one of {', '.join(key.choices)}, not {value!r:.40}")
