"""Codes, values and cases as people write them.  Every refusal is one line that says what would be right."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import Unreadable
from ..spec.catalog import get_format
from ..spec.datum import Datum
from .operation import INTEGERS, Operation, type_name
from .scaling.questions import is_scale, quantiser

CODES = "a code is 0x7E or 7E (hexadecimal), 0b01111110, or d:126 (decimal)"
VALUES = "a value is 0.3, -2e-5, 5/16, 0x1.8p-3, inf or nan"
EXPONENT_LIMIT = 5000  # a decimal or hexadecimal exponent beyond this is refused: no format comes near

LONGEST = 2000  # characters of a value

_PLAIN = re.I | re.ASCII
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e([+-]?\d+))?", _PLAIN)
_RATIO = re.compile(r"[+-]?\d+/\d+", re.ASCII)
_HEX_FLOAT = re.compile(r"([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?\d+)", _PLAIN)
_SPECIAL = re.compile(r"([+-]?)(inf|infinity|nan)", re.I)


def read_code(text: str, k: int, owner: str, what: str = "CODE") -> int:
    """A code of k bits in one of the notations of CODES.  ``owner`` names the format in a refusal.

    Binary takes all k digits, so that it cannot be mistaken for a hexadecimal code that begins with 0B.

    >>> read_code("7E", 8, "e4m3fn"), read_code("0b0111_1110", 8, "e4m3fn"), read_code("d:126", 8, "e4m3fn")
    (126, 126, 126)
    """
    text = text.strip()
    if text[:1] in ("+", "-") or _SPECIAL.fullmatch(text) or "." in text:
        raise Unreadable(
            f"{what} {text!r:.80} is a value, not a bit pattern: {CODES}; values are given with --from VALUE"
        )
    if text[:2].lower() == "d:":
        return _in_range(_digits(text, 2, 10, what, CODES), k, owner, text, what)
    if text[:2].lower() == "0b" and len(text) > 2:
        digits = text[2:].replace("_", "")
        if len(digits) != k:
            raise Unreadable(
                f"{what} {text!r:.80} is binary and has {len(digits)} digits: write all {k} bits of {owner}, "
                "or put 0x before a hexadecimal code"
            )
        return _digits(text, 2, 2, what, CODES)
    return read_hex(text, k, owner, what, CODES)


def read_hex(text: str, k: int, owner: str, what: str, notations: str = "a code is hexadecimal, like 3F8CCCCD") -> int:
    """A code of k bits in hexadecimal, with or without 0x."""
    text = text.strip()
    prefix = 2 if text[:2].lower() == "0x" else 0
    return _in_range(_digits(text, prefix, 16, what, notations), k, owner, text, what)


def _digits(text: str, start: int, base: int, what: str, notations: str) -> int:
    name, alphabet = {2: ("binary", "01"), 10: ("decimal", "0123456789"), 16: ("hexadecimal", "0123456789abcdef")}[base]
    for position, digit in enumerate(text[start:], start + 1):
        if digit.lower() not in alphabet and digit != "_":
            raise Unreadable(f"{what} {text!r:.80}: {digit!r} at position {position} is no {name} digit; {notations}")
    plain = text[start:].replace("_", "")
    if not plain or len(plain) > 80:
        raise Unreadable(f"{what} {text!r:.80} has {len(plain) or 'no'} digits; {notations}")
    return int(plain, base)


def _in_range(code: int, k: int, owner: str, text: str, what: str) -> int:
    if code >> k:
        digits = -(-k // 4)
        codes = f"0x{0:0{digits}X} to 0x{(1 << k) - 1:0{digits}X}"
        raise Unreadable(f"{what} {text!s:.80} is out of range: {owner} has {k} bits, codes {codes}")
    return code


def read_typed_code(text: str, what: str) -> tuple[str, int]:
    """``f32:3F8CCCCD`` as the type and the code."""
    name, _, digits = text.partition(":")
    try:
        name = type_name(name.strip())
    except ValueError as error:
        raise Unreadable(f"{what} {text!r:.80}: {error}") from None
    k = int(name[1:]) if name in INTEGERS else get_format(name).k
    return name, read_hex(digits, k, name, f"{what} {name}: code")


def read_value(text: str, what: str) -> Datum:
    """The exact datum that a text spells: nothing is rounded on the way."""
    text = text.strip().replace("_", "")
    if len(text) > LONGEST:
        raise Unreadable(f"{what} {text!r:.40}... has {len(text)} characters; a value has at most {LONGEST}")
    if match := _SPECIAL.fullmatch(text):
        sign = int(match[1] == "-")
        return Datum.nan(sign) if match[2].lower() == "nan" else Datum.infinity(sign)
    sign = int(text.startswith("-"))
    value: Fraction | None = None
    if match := _HEX_FLOAT.fullmatch(text):
        if match[2] or match[3]:
            _check_exponent(match[4], text, what)
            value = Fraction(int((match[2] + match[3]) or "0", 16)) * Fraction(2) ** (int(match[4]) - 4 * len(match[3]))
    elif match := _DECIMAL.fullmatch(text):
        _check_exponent(match[3] or "0", text, what)
        value = abs(Fraction(text))
    elif _RATIO.fullmatch(text):
        if int(text.partition("/")[2]) == 0:
            raise Unreadable(f"{what} {text!r:.80} divides by zero; {VALUES}")
        value = abs(Fraction(text))
    if value is None:
        hint = (
            f"; a code needs its format, as in f32:{text}"
            if re.fullmatch(r"0[xb]\w{1,40}|[0-9a-f]{1,40}", text, _PLAIN)
            else ""
        )
        raise Unreadable(f"{what} {text!r:.80} is no number: {VALUES}{hint}")
    return Datum.finite(value).with_sign(sign)


def _check_exponent(exponent: str, text: str, what: str) -> None:
    if len(exponent) > 6 or abs(int(exponent)) > EXPONENT_LIMIT:
        raise Unreadable(f"{what} {text!r:.80}: exponents go from -{EXPONENT_LIMIT} to {EXPONENT_LIMIT}")


def read_case(text: str) -> tuple[Operation, list[int]]:
    """``convert/f32/e4m3fn/rne.sat#43E80001`` as the operation and the operands' codes, joined by points."""
    name, hash_, digits = text.strip().partition("#")
    if not hash_:
        raise Unreadable(f"CASE {text!r:.80} has no '#': a case is operation-id#HEXINPUT, like {EXAMPLE}")
    try:
        op = Operation.parse(name)
    except ValueError as error:
        raise Unreadable(f"CASE: {error}") from None
    codes = digits.split(".")
    if is_scale(op):
        return _read_block(text, op, codes)
    if len(codes) != len(op.operands):
        raise Unreadable(
            f"CASE {text!r:.80}: {op.family} takes {len(op.operands)} code(s) joined by points, not {len(codes)}"
        )
    return op, [read_hex(code, _width(type_), type_, "CASE, input") for code, type_ in zip(codes, op.operands)]


def _read_block(text: str, op: Operation, codes: list[str]) -> tuple[Operation, list[int]]:
    """The elements of a block and, where the scheme has one, the largest magnitude of the tensor."""
    q = quantiser(op)
    names = [op.operands[0]] * (len(codes) - q.tensor) + ["f32"] * q.tensor
    if len(codes) <= q.tensor or (q.block and len(codes) - q.tensor > q.block):
        most = f"1 to {q.block} elements" if q.block else "elements"
        raise Unreadable(
            f"CASE {text!r:.80}: {op.result} takes {most}{' and the amax of a tensor' if q.tensor else ''}"
        )
    return op, [read_hex(code, _width(name), name, "CASE, input") for code, name in zip(codes, names)]


def _width(type_: str) -> int:
    return int(type_[1:]) if type_ in INTEGERS else get_format(type_).k


EXAMPLE = "convert/f32/e4m3fn/rne.sat#43E80001"
