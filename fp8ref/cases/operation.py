"""Questions: an operation and its id, ``family/operands/result[/mode][;key=value...]``.

>>> op = Operation.parse("convert/f32/e4m3fn/rne.sat")
>>> op.family, op.operands, op.result, op.mode
('convert', ('f32',), 'e4m3fn', 'rne.sat')
>>> Operation.parse("e5m2_to_f16;flags=1").id
'decode/e5m2/f16;flags=1'
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

import numpy as np

from ..fast.kernel import code_dtype
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.projection import Projection, get_projection

INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
_NUMPY_INTEGERS = {name: f"{name[0]}{int(name[1:]) // 8}" for name in INTEGERS}
WIDE = ("f16", "bf16", "f32", "f64")
KEYS = ("flags", "tininess", "snan", "subnormal", "nan", "negative", "via", "k")
PROJECTION_KEYS = ("nan", "negative", "tininess", "snan", "subnormal")
ANY_MODE = "*"


@dataclass(frozen=True)
class Family:
    """A kind of question: how many operands, and what its mode is."""

    name: str
    arity: int
    mode: str | None  # "projection", "accumulator", "scheme", or None where nothing is rounded
    asks: str


FAMILIES = {
    f.name: f
    for f in (
        Family("convert", 1, "projection", "codes of one format to codes of another; operand x (n) -> z (n)"),
        Family("decode", 1, None, "codes of a narrow format to a wide float; operand x (n) -> z (n)"),
    )
}


@dataclass(frozen=True)
class Operation:
    """One question that an implementation can be asked about many cases."""

    family: str
    operands: tuple[str, ...]
    result: str
    mode: str | None = None
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        head = "/".join([self.family, ".".join(self.operands), self.result, *([self.mode] if self.mode else [])])
        return head + "".join(f";{key}={value}" for key, value in self.keys)

    def __str__(self) -> str:
        return self.id

    @classmethod
    def parse(cls, text: str) -> Operation:
        """The operation of an id or of a TestFloat name.  Raises ValueError that says which part is wrong."""
        head, *pairs = text.strip().split(";")
        parts = (from_testfloat(head) or head).split("/")
        family = FAMILIES.get(parts[0])
        if family is None:
            raise ValueError(f"operation {text!r}: unknown family {parts[0]!r}{_nearest(parts[0], FAMILIES)}")
        if not 3 <= len(parts) <= 4:
            raise ValueError(f"operation {text!r}: an id is family/operands/result[/mode], here {len(parts)} parts")
        if (len(parts) == 4) and family.mode is None:
            raise ValueError(f"operation {text!r}: {family.name} rounds nothing and has no mode")
        operands = tuple(parts[1].split("."))
        if len(operands) != family.arity:
            raise ValueError(f"operation {text!r}: {family.name} takes {family.arity} operand(s), not {len(operands)}")
        op = cls(
            family.name,
            tuple(map(type_name, operands)),
            type_name(parts[2]),
            parts[3] if len(parts) == 4 else "rne.sat" if family.mode == "projection" else None,
            tuple(_key(text, pair) for pair in pairs),
        )
        if op.family == "convert" and op.mode != ANY_MODE:
            op.projection  # noqa: B018 - an unknown mode is an error here, not later
        return op

    @classmethod
    def convert(cls, source: str, result: str, mode: str = "rne.sat", **keys: str) -> Operation:
        return cls("convert", (source,), result, mode, tuple(sorted(keys.items())))

    @classmethod
    def decode(cls, source: str, result: str) -> Operation:
        return cls("decode", (source,), result)

    def with_mode(self, mode: str) -> Operation:
        return replace(self, mode=mode)

    def key(self, name: str, default: str = "") -> str:
        return dict(self.keys).get(name, default)

    @property
    def flags(self) -> bool:
        """Is the status asked for too?"""
        return self.key("flags", "0") == "1"

    @property
    def source_format(self) -> Format | None:
        """The format of the first operand; None for integers."""
        return None if self.operands[0] in INTEGERS else get_format(self.operands[0])

    @property
    def result_format(self) -> Format:
        return get_format(self.result)

    @property
    def projection(self) -> Projection:
        """The projection that a mode ``rounding.overflow`` and the keys name.

        Raises ValueError for a mode that is not of this form, ``*`` included.
        """
        rounding, dot, overflow = (self.mode or "").partition(".")
        if not dot:
            raise ValueError(f"operation {self.id!r}: the mode is rounding.overflow, like rne.sat, not {self.mode!r}")
        options = {name: value for name, value in self.keys if name in PROJECTION_KEYS}
        return get_projection(self.result_format, rounding, overflow, **options)

    @property
    def testfloat(self) -> str:
        """The TestFloat name, which tells no mode."""
        return f"{self.operands[0]}_to_{self.result}" if self.family in ("convert", "decode") else self.id


def from_testfloat(name: str) -> str | None:
    """``f32_to_e4m3fn`` as an id, or None for a name of another form."""
    match = re.fullmatch(r"(\w+?)_to_(\w+)", name)
    if match is None:
        return None
    decode = match[2] in WIDE and match[1] not in (*WIDE, *INTEGERS)
    return f"{'decode' if decode else 'convert'}/{match[1]}/{match[2]}"


def type_name(name: str) -> str:
    """The canonical name of an operand type: an integer type, a format of the catalogue or of the grammar."""
    return name if name in INTEGERS else get_format(name).name


def carrier_dtype(name: str) -> np.dtype[np.generic]:
    """The dtype in which codes of a type travel: unsigned for formats, the integer itself for integers."""
    return np.dtype(_NUMPY_INTEGERS[name]) if name in INTEGERS else code_dtype(get_format(name))


def _key(text: str, pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals or key not in KEYS:
        raise ValueError(f"operation {text!r}: {pair!r} is not key=value with a key of {', '.join(KEYS)}")
    return key, value


def _nearest(name: str, among: object) -> str:
    near = difflib.get_close_matches(name, list(among), n=1, cutoff=0.4)  # type: ignore[call-overload]
    return f"; did you mean {near[0]}?" if near else f"; choose from {', '.join(among)}"  # type: ignore[arg-type]
