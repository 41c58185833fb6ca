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
from ..spec.operations.definition import get_semantics
from ..spec.operations.integers import OutOfRange
from ..spec.overflow import default_overflow
from ..spec.profiles.constants import constant, get_constant
from ..spec.projection import Projection, get_projection
from ..spec.rounding import Rounding, get_rounding, random_field
from .families import (
    ACCUMULATOR,
    BY_TESTFLOAT,
    CHECKS,
    CONSTANT,
    FAMILIES,
    INTEGER_MODE,
    PROJECTION,
    WITH_EPSILON,
    Family,
)
from .keys import KEYS, check_keys
from .scaling.quantisers import get_quantiser
from .scaling.recipes import is_element, of_recipe

INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
# as TestFloat and numpy write them
INTEGER_ALIASES = {alias: name for name in INTEGERS for alias in (f"{'u' * (name[0] == 'u')}int{name[1:]}",)}
INTEGER_ALIASES |= {f"ui{name[1:]}": name for name in INTEGERS if name[0] == "u"}
_NUMPY_INTEGERS = {name: f"{name[0]}{int(name[1:]) // 8}" for name in INTEGERS}
WIDE = ("f16", "bf16", "f32", "f64")
UNITS = ("bool", "class")  # results that are no numbers: 0 or 1, and the classes 0 to 9; both travel as uint8
PROJECTION_KEYS = ("nan", "negative", "tininess", "snan", "subnormal")
ANY_MODE = "*"
LONGEST = 300  # characters of an id
DEFAULT_MODES = {INTEGER_MODE: "rtz.riscv", ACCUMULATOR: "exact"}


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
        """The operation of an id or of a TestFloat name; a mode that is not said is the family's default.

        Names may be aliases; the operation has the canonical ones.  Raises ValueError that says which part is wrong.
        """
        return cls._parse(text, None)

    @classmethod
    def parse_claim(cls, text: str) -> Operation:
        """The same of a claim, where a mode that is not said is ``*``: nothing is claimed of it."""
        return cls._parse(text, ANY_MODE)

    @classmethod
    def _parse(cls, text: str, missing: str | None) -> Operation:
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
        stochastic = family.kind == "convert" and operands[-1].startswith("rbits")
        if family.arity and len(operands) != family.arity + stochastic and family.kind != "scale":
            raise ValueError(f"operation {text!r}: {family.name} takes {family.arity} operand(s), not {len(operands)}")
        op = cls(
            family.name,
            tuple(map(type_name, operands)),
            parts[2] if parts[2] == family.result else result_name(family, parts[2]),
            parts[3] if len(parts) == 4 else _unsaid_mode(family, parts[2], missing),
            tuple(_key(text, pair) for pair in pairs),
        )
        op._check(text)
        return op

    def _check(self, text: str) -> None:
        """Raises ValueError where the types do not fit the family, or the mode is none."""
        kind = self.asked.kind
        check_keys(kind, self.family, self.keys, text)
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
        if any(name.startswith("rbits") for name in self.operands):
            self._check_random(text)
        if kind in CHECKS:
            CHECKS[kind](self, text)
            return
        if kind == "constant":
            self._check_constant(text)
            return
        if kind == "arithmetic":
            if self.key("eps") and self.family not in WITH_EPSILON:
                raise ValueError(f"operation {text!r}: {self.family} has no eps")
            require_defined(self.definition, self.result_format, get_semantics(self.key("semantics", "ieee")))
        if kind == "codes" and self.family == "neg" and not self.result_format.signed:
            raise ValueError(f"operation {text!r}: {self.result} is unsigned and has no negative of any value but 0")
        if self.mode is not None and self.mode != ANY_MODE:  # an unknown mode is an error here, not later
            self.integer_mode if kind == "int" else self.projection  # noqa: B018

    def _check_random(self, text: str) -> None:
        """Raises ValueError where random bits are no second operand of a conversion, or its mode takes none."""
        where = [name.startswith("rbits") for name in self.operands]
        if self.asked.kind != "convert" or where != [False, True] or not (self.mode or "").startswith("sr-"):
            raise ValueError(
                f"operation {text!r}: random bits are the second operand of a conversion under a stochastic mode, like "
                "convert/f32.rbits16/e5m2/sr-ptx.sat"
            )
        f, source = self.result_format, self.operands[0]
        random_field(
            self.projection.rounding, self.random_width, (0 if source in INTEGERS else get_format(source).t) - f.t
        )

    def _check_constant(self, text: str) -> None:
        try:
            result = constant_type(self.mode or "")
            constant(self.mode or "", get_format(self.operands[0]))
        except ValueError as error:
            raise ValueError(f"operation {text!r}: {error}") from None
        if self.result != result:
            raise ValueError(f"operation {text!r}: the result of {self.mode} is {result}, not {self.result}")

    @classmethod
    def convert(cls, source: str, result: str, mode: str | None = None, **keys: str) -> Operation:
        mode = mode or default_mode_of(FAMILIES["convert"], result)
        return cls("convert", (source,), result, mode, tuple(sorted(keys.items())))

    @classmethod
    def decode(cls, source: str, result: str) -> Operation:
        return cls("decode", (source,), result)

    def with_mode(self, mode: str) -> Operation:
        return replace(self, mode=mode)

    def key(self, name: str, default: str = "") -> str:
        return dict(self.keys).get(name, default)

    @property
    def put(self) -> Operation:
        """The question as an implementation hears it: how far off it may be is the judge's affair."""
        return replace(self, keys=tuple(pair for pair in self.keys if pair[0] != "kappa"))

    @property
    def asked(self) -> Family:
        """The kind of question."""
        return FAMILIES[self.family]

    @property
    def definition(self) -> str:
        """The name of the operation in the specification."""
        if self.family in WITH_EPSILON:
            return f"{WITH_EPSILON[self.family]} {self.key('eps', '1e-5')}"
        return self.asked.definition

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
    def random_width(self) -> int:
        """How many random bits a case is handed; 0 where there is no such operand."""
        last = self.operands[-1]
        return get_format(last).k if last.startswith("rbits") else 0

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
            names = (f"ui{name[1:]}" if name in INTEGERS and name[0] == "u" else name
                     for name in (".".join(self.operands), self.result))  # fmt: skip
            return "_to_".join(names)
        word = self.asked.testfloat
        if self.asked.kind == "compare" and word and self.key("signalling"):
            word += "_signaling" if self.key("signalling") == "1" else "_quiet"
        alike = len({*self.operands, self.result} - set(UNITS)) == 1
        return f"{self.operands[0]}_{word}" if word and alike else self.id


def from_testfloat(name: str) -> str | None:
    """``f32_to_e4m3fn`` and ``e5m2_mulAdd`` as ids without a mode, or None for a name of another form.

    Rounding to an integer raises no inexact, TestFloat's ``-notexact``, its default.  Beyond TestFloat's own:
    ``e4m3fn_dot32_f32``, ``e4m3fn.e5m2_dot32_f32`` and ``e4m3fn_mulAdd_f32``.
    """
    match = re.fullmatch(r"(\w+?(?:\.rbits\d+)?)_to_(\w+)", name)
    if match is not None:
        source, result = (canonical_name(word) for word in match.groups())
        integer = result in INTEGERS and source not in INTEGERS
        decode = result in WIDE and source not in (*WIDE, *INTEGERS)
        family_of = "int" if integer else "decode" if decode else "convert"
        return f"{family_of}/{match[1]}/{match[2]}{';exact=0' if integer else ''}"
    match = re.fullmatch(r"([A-Za-z0-9]+)(?:\.([A-Za-z0-9]+))?_dot(\d{1,6})_([A-Za-z0-9]+(?:\.\d+)?)", name)
    if match is not None:
        return f"dot/{match[1]}.{match[2] or match[1]}/{match[4]};k={match[3]}"
    match = re.fullmatch(r"([A-Za-z0-9]+)_mulAdd_([A-Za-z0-9]+)", name)
    if match is not None:
        return f"fma/{match[1]}.{match[1]}.{match[2]}/{match[2]}"
    match = re.fullmatch(r"([A-Za-z0-9]+)_([A-Za-z]+?)(_signaling|_quiet)?", name)
    family = BY_TESTFLOAT.get(match[2]) if match else None
    if match is None or family is None or (match[3] and family.kind != "compare"):
        return None
    key = {"_signaling": ";signalling=1", "_quiet": ";signalling=0"}.get(match[3] or "", "")
    return f"{family.name}/{'.'.join([match[1]] * family.arity)}/{family.result or match[1]}{key}"


def type_name(name: str) -> str:
    """The canonical name of an operand type: an integer type, a format of the catalogue or of the grammar."""
    name = INTEGER_ALIASES.get(name, name)
    return name if name in INTEGERS else get_format(name).name


def canonical_name(name: str) -> str:
    """The canonical name of a type, a quantiser or a result that is always the same; any other text as it is."""
    for named in (type_name, lambda name: get_quantiser(name).name):
        try:
            return named(name)
        except ValueError:
            pass
    return name


def result_name(family: Family, name: str) -> str:
    """The canonical name of a result: of a quantiser where blocks are scaled, else of a type."""
    return get_quantiser(name).name if family.kind == "scale" else type_name(name)


def canonical(pattern: str) -> str:
    """A selection (an id, the first parts of one, a TestFloat name, a glob) with the canonical name of every type.

    >>> canonical("convert/float32/E4M3"), canonical("f32_to_ui32"), canonical("decode/e4m3*/half")
    ('convert/f32/e4m3fn', 'int/f32/u32', 'decode/e4m3*/f16')
    """
    named = from_testfloat(pattern.partition(";")[0])
    if named is not None:  # whether inexact is raised is no part of the name that selects
        named = named.removesuffix(";exact=0")
        pattern = ";".join([named, *pattern.split(";")[1:]])
    head, semicolon, keys = pattern.partition(";")
    family, *parts = head.split("/")
    parts[:1] = [".".join(map(canonical_name, part.split("."))) for part in parts[:1]]
    parts[1:2] = [canonical_name(part) for part in parts[1:2]]
    return "/".join([family, *parts]) + semicolon + keys


def constant_type(name: str) -> str:
    """The result type of a constant.  Raises ValueError for an unknown one."""
    return "i64" if get_constant(name).whole else "f64"


def default_mode_of(family: Family, result: str) -> str | None:
    """The mode of an id that names none."""
    if family.kind == "scale":
        return get_quantiser(result).rules[0]
    if family.mode == PROJECTION:
        return f"rne.{default_overflow(get_format(result))}"
    return DEFAULT_MODES.get(family.mode or "")


def default_mode(op: Operation) -> Operation:
    """The operation itself, or for a free mode the one under its first mode."""
    if op.mode == ANY_MODE and op.asked.kind == "scale" and is_element(op.result):
        q = of_recipe(op.result, ANY_MODE, op.operands[0], len(op.operands) > 1, op.key("scale"))
        return op.with_mode(q.rules[0])
    return op if op.mode != ANY_MODE else op.with_mode(default_mode_of(op.asked, op.result) or "")


def _unsaid_mode(family: Family, result: str, missing: str | None) -> str | None:
    """The mode of an id that says none: ``missing`` where the family has modes to choose from."""
    return missing if missing and family.mode not in (None, CONSTANT) else default_mode_of(family, result)


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
