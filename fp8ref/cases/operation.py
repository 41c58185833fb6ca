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
from functools import lru_cache

import numpy as np

from ..fast.kernel import code_dtype
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.operations.arithmetic import require_defined
from ..spec.operations.integers import OutOfRange
from ..spec.profiles.constants import constant, get_constant
from ..spec.projection import Projection, get_projection
from ..spec.rounding import Rounding, get_rounding
from .families import ACCUMULATOR, BY_TESTFLOAT, CHECKS, FAMILIES, INTEGER_MODE, PROJECTION, Family
from .scaling.quantisers import get_quantiser

INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
_NUMPY_INTEGERS = {name: f"{name[0]}{int(name[1:]) // 8}" for name in INTEGERS}
WIDE = ("f16", "bf16", "f32", "f64")
UNITS = ("bool", "class")  # results that are no numbers: 0 or 1, and the classes 0 to 9; both travel as uint8
KEYS = (
    "flags", "tininess", "snan", "subnormal", "nan", "negative", "semantics", "signalling", "exact", "via", "k",
    "scale", "block", "bias", "scale_result",
)  # fmt: skip
PROJECTION_KEYS = ("nan", "negative", "tininess", "snan", "subnormal")
ANY_MODE = "*"
LONGEST = 300  # characters of an id
DEFAULT_MODES = {PROJECTION: "rne.sat", INTEGER_MODE: "rtz.riscv", ACCUMULATOR: "exact"}


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
        text = text.strip()
        if len(text) > LONGEST or not (text.isascii() and text.isprintable()):
            raise ValueError(f"operation {text!r:.80}: an id is ASCII, of at most {LONGEST} characters")
        head, *pairs = text.split(";")
        named = from_testfloat(head)
        if named is not None:
            head, *more = named.split(";")
            pairs = [*more, *pairs]
        parts = head.split("/")
        family = FAMILIES.get(parts[0])
        if family is None:
            raise ValueError(f"operation {text!r}: unknown family {parts[0]!r}{_nearest(parts[0], FAMILIES)}")
        if not 3 <= len(parts) <= 4:
            raise ValueError(f"operation {text!r}: an id is family/operands/result[/mode], here {len(parts)} parts")
        if not all(parts):
            raise ValueError(f"operation {text!r}: a part of the id is empty")
        if (len(parts) == 4) and family.mode is None:
            raise ValueError(f"operation {text!r}: {family.name} rounds nothing and has no mode")
        operands = tuple(parts[1].split("."))
        if len(operands) != family.arity and family.kind != "scale":
            raise ValueError(f"operation {text!r}: {family.name} takes {family.arity} operand(s), not {len(operands)}")
        op = cls(
            family.name,
            tuple(map(type_name, operands)),
            parts[2] if parts[2] == family.result else result_name(family, parts[2]),
            parts[3] if len(parts) == 4 else default_mode_of(family, parts[2]),
            tuple(_key(text, pair) for pair in pairs),
        )
        op._check(text)
        return op

    def _check(self, text: str) -> None:
        """Raises ValueError where the types do not fit the family, or the mode is none."""
        kind = self.asked.kind
        wanted = self.asked.result
        if wanted and self.result != wanted:
            raise ValueError(f"operation {text!r}: the result of {self.family} is {wanted}, not {self.result}")
        if kind == "int" and self.result not in INTEGERS:
            raise ValueError(f"operation {text!r}: the result of int is one of {', '.join(INTEGERS)}")
        if kind not in ("int", "convert", "constant") and not wanted and self.result in INTEGERS:
            raise ValueError(f"operation {text!r}: the result of {self.family} is a format, not {self.result}")
        integers = [name for name in self.operands if name in INTEGERS]
        if integers and kind != "convert" and not (self.family == "scaleb" and self.operands[0] not in INTEGERS):
            raise ValueError(f"operation {text!r}: {self.family} takes codes of formats, not {integers[0]}")
        if self.family == "scaleb" and not integers:
            raise ValueError(f"operation {text!r}: the second operand of scaleb is an integer type")
        if kind == "codes" and len({*self.operands, self.result} - set(UNITS)) > 1:
            raise ValueError(f"operation {text!r}: {self.family} is an operation of one format")
        if kind in CHECKS:
            CHECKS[kind](self, text)
            return
        if kind == "constant":
            self._check_constant(text)
            return
        if kind == "arithmetic":
            require_defined(self.asked.definition, self.result_format)
        if kind == "codes" and self.family == "neg" and not self.result_format.signed:
            raise ValueError(f"operation {text!r}: {self.result} is unsigned and has no negative of any value but 0")
        if self.mode is not None and self.mode != ANY_MODE:  # an unknown mode is an error here, not later
            self.integer_mode if kind == "int" else self.projection  # noqa: B018

    def _check_constant(self, text: str) -> None:
        try:
            result = constant_type(self.mode or "")
            constant(self.mode or "", get_format(self.operands[0]))
        except ValueError as error:
            raise ValueError(f"operation {text!r}: {error}") from None
        if self.result != result:
            raise ValueError(f"operation {text!r}: the result of {self.mode} is {result}, not {self.result}")

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
    def asked(self) -> Family:
        """The kind of question."""
        return FAMILIES[self.family]

    @property
    def is_defined(self) -> bool:
        """Is it an operation that the specification defines for these types?"""
        try:
            self._check(self.id)
        except ValueError:
            return False
        return True

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
        """Raises ValueError for integers, bool and class."""
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
    def integer_mode(self) -> tuple[Rounding, OutOfRange]:
        """The rounding and the rule out of range that a mode of int names.  Raises ValueError for any other."""
        rounding, _, rule = (self.mode or "").partition(".")
        try:
            return get_rounding(rounding), OutOfRange(rule)
        except ValueError:
            choices = ", ".join(OutOfRange)
            raise ValueError(f"operation {self.id!r}: the mode is rounding.range, range one of {choices}") from None

    @property
    def testfloat(self) -> str:
        """The TestFloat name, which has no mode; the id where TestFloat has none."""
        if self.asked.kind in ("convert", "decode", "int"):
            return f"{self.operands[0]}_to_{self.result}"
        word = self.asked.testfloat
        if self.asked.kind == "compare" and word and self.key("signalling"):
            word += "_signaling" if self.key("signalling") == "1" else "_quiet"
        alike = len({*self.operands, self.result} - set(UNITS)) == 1
        return f"{self.operands[0]}_{word}" if word and alike else self.id


def from_testfloat(name: str) -> str | None:
    """``f32_to_e4m3fn`` and ``e5m2_mulAdd`` as ids, or None for a name of another form."""
    match = re.fullmatch(r"(\w+?)_to_(\w+)", name)
    if match is not None:
        integer = match[2] in INTEGERS and match[1] not in INTEGERS
        decode = match[2] in WIDE and match[1] not in (*WIDE, *INTEGERS)
        return f"{'int' if integer else 'decode' if decode else 'convert'}/{match[1]}/{match[2]}"
    match = re.fullmatch(r"([A-Za-z0-9]+)_([A-Za-z]+?)(_signaling|_quiet)?", name)
    family = BY_TESTFLOAT.get(match[2]) if match else None
    if match is None or family is None or (match[3] and family.kind != "compare"):
        return None
    key = {"_signaling": ";signalling=1", "_quiet": ";signalling=0"}.get(match[3] or "", "")
    return f"{family.name}/{'.'.join([match[1]] * family.arity)}/{family.result or match[1]}{key}"


def type_name(name: str) -> str:
    """The canonical name of an operand type: an integer type, a format of the catalogue or of the grammar."""
    return name if name in INTEGERS else get_format(name).name


def result_name(family: Family, name: str) -> str:
    """The canonical name of a result: of a quantiser where blocks are scaled, else of a type."""
    return get_quantiser(name).name if family.kind == "scale" else type_name(name)


def constant_type(name: str) -> str:
    """The result type of a constant.  Raises ValueError for an unknown one."""
    return "i64" if get_constant(name).whole else "f64"


def default_mode_of(family: Family, result: str) -> str | None:
    """The mode of an id that names none."""
    return get_quantiser(result).rules[0] if family.kind == "scale" else DEFAULT_MODES.get(family.mode or "")


@lru_cache(maxsize=256)
def carrier_dtype(name: str) -> np.dtype[np.generic]:
    """The dtype in which codes of a type travel: unsigned for formats, the integer itself for integers.

    Rows of bytes, the results of quantisers, travel as uint8.
    """
    if name in UNITS:
        return np.dtype(np.uint8)
    if name in INTEGERS:
        return np.dtype(_NUMPY_INTEGERS[name])
    try:
        return code_dtype(get_format(name))
    except ValueError:
        get_quantiser(name)
        return np.dtype(np.uint8)


def _key(text: str, pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals or key not in KEYS:
        raise ValueError(f"operation {text!r}: {pair!r} is not key=value with a key of {', '.join(KEYS)}")
    return key, value


def _nearest(name: str, among: object) -> str:
    near = difflib.get_close_matches(name, list(among), n=1, cutoff=0.4)  # type: ignore[call-overload]
    return f"; did you mean {near[0]}?" if near else f"; choose from {', '.join(among)}"  # type: ignore[arg-type]
