"""The expressions of P3109's declarations: ``(' BitwidthOf(fr) >= BitwidthOf(fx) ')``, ranges, lists, intervals.

They come from strangers: a parser of its own, with bounds on length, depth and the size of what they make.  Numbers are
exact; pi, e, phi and roots that are not rational are taken to some 60 digits, which no number of a format equals.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.functions.decide import exact_root, integer_root

LONGEST = 500  # characters of an expression
DEEPEST = 30
MOST = 1000  # values of a range or list
LARGEST = 1 << 64  # of a number, and of what arithmetic makes

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>==|!=|<=|>=|[-+*/<>()\[\],:^]))"
)
DIGITS = 10**60
CONSTANTS = {
    "pi": Fraction(3141592653589793238462643383279502884197169399375105820974944, 10**60),
    "e": Fraction(2718281828459045235360287471352662497757247093699959574966967, 10**60),
    "phi": (1 + Fraction(integer_root(5 * DIGITS**2, 2), DIGITS)) / 2,
}
UNICODE = str.maketrans({"\N{MINUS SIGN}": "-", "π": "pi", "φ": "phi", "∞": "Inf", "≤": "<=", "≥": ">="})


@dataclass(frozen=True)
class Infinite:
    """An infinity, as a bound of an interval or a kappa."""

    sign: int


INFINITY = Infinite(1)


class Expression(ValueError):
    """What is wrong with an expression."""


def exponent_bits(f: Format) -> int:
    return f.k - f.p + (0 if f.signed else 1)


OF_FORMATS: dict[str, Callable[[Format], Any]] = {
    "BitwidthOf": lambda f: Fraction(f.k),
    "PrecisionOf": lambda f: Fraction(f.p),
    "SignednessOf": lambda f: "Signed" if f.signed else "Unsigned",
    "DomainOf": lambda f: "Extended" if f.infinities else "Finite",
    "ExponentBitwidthOf": lambda f: Fraction(exponent_bits(f)),
    "ExponentBitsOf": lambda f: Fraction(exponent_bits(f)),
    "TrailingSignificandBitwidthOf": lambda f: Fraction(f.p - 1),
    "TrailingBitsOf": lambda f: Fraction(f.p - 1),
    "ExponentBiasOf": lambda f: Fraction(f.bias),
    "MaxFiniteOf": lambda f: f.max,
    "MinFiniteOf": lambda f: -f.max if f.signed else Fraction(0),
    "MinPositiveOf": lambda f: f.min_subnormal if f.p > 1 else f.min_normal,
    "MinNormalOf": lambda f: f.min_normal,
}


def _sqrt(x: Fraction) -> Fraction:
    if x < 0:
        raise Expression(f"Sqrt({x}) is no number")
    return exact_root(x, 2) or Fraction(integer_root(int(x * DIGITS**2), 2), DIGITS)


OF_NUMBERS: dict[str, Callable[..., Fraction]] = {
    "Minimum": lambda *xs: min(xs),
    "Maximum": lambda *xs: max(xs),
    "Abs": lambda x: abs(x),
    "Sqrt": _sqrt,
}
WORDS = ("in", "for", "and", "or", "not", "div", "mod")


def format_named(name: str) -> Format | None:
    """The format that a declaration calls Binary8p3se or binary32; None where it is none."""
    wide = {"binary16": "f16", "binary32": "f32", "binary64": "f64", "bfloat16": "bf16"}
    name = name.strip().lower()
    if not (name in wide or re.fullmatch(r"binary\d{1,2}p\d{1,2}[su][ef]", name)):
        return None
    try:
        return get_format(wide.get(name, name))
    except ValueError:
        return None


def require_format(name: str) -> Format:
    """Raises :class:`Expression` for a name that is no format."""
    found = format_named(name)
    if found is None:
        raise Expression(f"{name!r:.40} is no format of P3109 or IEEE 754, such as Binary8p3se or binary32")
    return found


def inside(text: str) -> str | None:
    """What stands between the round brackets of an expression, and the quotes around it; None for plain text."""
    text = text.strip()
    if not (text.startswith("(") and text.endswith(")")):
        return None
    text = text[1:-1].strip()
    if len(text) > 1 and text[0] == text[-1] == "'" and "'" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def evaluate(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """The value of an expression without its brackets: a Fraction, a bool, a string, a Format, a list or an infinity.

    ``names``: what its variables stand for.  Raises :class:`Expression`.
    """
    if len(text) > LONGEST:
        raise Expression(f"an expression of {len(text)} characters; {LONGEST} are allowed")
    parser = _Parser(_tokens(text), text, dict(names or {}))
    found = parser.listed()
    parser.end()
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    text = text.translate(UNICODE)
    found, at = [], 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if match is None:
            raise Expression(f"{text!r:.60}: {text[at:].strip()[:10]!r} is not understood")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return found


class _Parser:
    """Recursive descent; every value is made where it is read, generators by reading their body again."""

    def __init__(self, tokens: list[tuple[str, str]], text: str, names: dict[str, Any]) -> None:
        self.tokens, self.text, self.names, self.at, self.depth = tokens, text, names, 0, 0

    def wrong(self, what: str) -> Expression:
        return Expression(f"{self.text!r:.60}: {what}")

    def peek(self) -> str:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")
        return "" if kind == "text" else text

    def take(self, *wanted: str) -> bool:
        if self.peek() in wanted:
            self.at += 1
            return True
        return False

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.wrong(f"{wanted!r} is missing before {self.peek() or 'the end'!r}")

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise self.wrong(f"{self.tokens[self.at][1]!r} is too much")

    # -- lists, ranges, generators ---------------------------------------------------------------------------------

    def listed(self) -> Any:
        """A value, a range a:b or a:step:b, or ``body for i in ...``."""
        loops = self.loops_ahead()
        if loops is not None:
            body, self.at = self.at, loops
            return self.generated(body)
        return self.listed_once()

    def loops_ahead(self) -> int | None:
        """Where the first ``for`` of this list stands."""
        depth = 0
        for i in range(self.at, len(self.tokens)):
            kind, text = self.tokens[i]
            if kind == "text":
                continue
            depth += (text in ("(", "[")) - (text in (")", "]"))
            if depth < 0 or (depth == 0 and text == ","):
                return None
            if depth == 0 and text == "for":
                return i
        return None

    def range(self, first: Any, last: Any, second: Any) -> list[Fraction]:
        start, step, stop = (first, Fraction(1), second) if last is None else (first, second, last)
        if not all(isinstance(x, Fraction) and x.denominator == 1 for x in (start, step, stop)) or not step:
            raise self.wrong("a range is of whole numbers, start:stop or start:step:stop")
        if (stop - start) / step >= MOST:
            raise self.wrong(f"a range of more than {MOST} numbers")
        return [Fraction(x) for x in range(int(start), int(stop) + (1 if step > 0 else -1), int(step))]

    def generated(self, body: int) -> list[Any]:
        loops: list[tuple[str, list[Any]]] = []
        while self.take("for"):
            kind, name = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")
            if kind != "name" or name in WORDS:
                raise self.wrong("a name is missing after 'for'")
            self.at += 1
            self.expect("in")
            values = self.listed_once()
            loops.append((name, values if isinstance(values, list) else [values]))
        after, size = self.at, 1
        for _, values in loops:
            size *= len(values)
        if size > MOST:
            raise self.wrong(f"a list of more than {MOST} values")
        found = []
        for row in itertools.product(*(values for _, values in loops)):
            self.at = body
            self.names.update(zip((name for name, _ in loops), row))
            found.append(self.choice())
        self.at = after
        return found

    def listed_once(self) -> Any:
        first = self.choice()
        if not self.take(":"):
            return first
        second = self.choice()
        return self.range(first, self.choice() if self.take(":") else None, second)

    # -- conditions ------------------------------------------------------------------------------------------------

    def choice(self) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong("brackets too deep")
        found = self.both()
        while self.take("or"):
            other = self.both()
            found = self.truth(found) or self.truth(other)
        self.depth -= 1
        return found

    def both(self) -> Any:
        found = self.denied()
        while self.take("and"):
            other = self.denied()
            found = self.truth(found) and self.truth(other)
        return found

    def denied(self) -> Any:
        if self.take("not"):
            return not self.truth(self.compared())
        return self.compared()

    def truth(self, x: Any) -> bool:
        if not isinstance(x, bool):
            raise self.wrong(f"{x} is no condition")
        return x

    def compared(self) -> Any:
        x = self.sum()
        sign = self.peek()
        if sign not in ("==", "!=", "<", "<=", ">", ">=", "in"):
            return x
        self.at += 1
        y = self.sum()
        if sign == "in":
            if not isinstance(y, list):
                raise self.wrong("a list belongs after 'in'")
            return any(_same(x, one) for one in y)
        if sign in ("==", "!="):
            return _same(x, y) == (sign == "==")
        if not (isinstance(x, Fraction) and isinstance(y, Fraction)):
            raise self.wrong(f"{sign} compares numbers")
        return {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[sign]

    # -- numbers ---------------------------------------------------------------------------------------------------

    def sum(self) -> Any:
        x = self.product()
        while self.peek() in ("+", "-"):
            minus = self.take("-") or not self.take("+")
            y = self.product()
            x = self.number(x) - self.number(y) if minus else self.number(x) + self.number(y)
        return x

    def product(self) -> Any:
        x = self.signed()
        while (sign := self.peek()) in ("*", "/", "div", "mod"):
            self.at += 1
            y = self.number(self.signed())
            if sign != "*" and not y:
                raise self.wrong("a division by 0")
            x = self.number(x)
            x = x * y if sign == "*" else x / y if sign == "/" else Fraction(x // y) if sign == "div" else x % y
            if max(abs(x.numerator), x.denominator) > LARGEST * DIGITS**2:
                raise self.wrong("a number too large")
        return x

    def number(self, x: Any) -> Fraction:
        if not isinstance(x, Fraction):
            raise self.wrong(f"{x} is no number")
        return x

    def signed(self) -> Any:
        minus = False
        while self.peek() in ("-", "+"):
            minus ^= self.take("-") or not self.take("+")
        x = self.atom()
        if not minus:
            return x
        return Infinite(-x.sign) if isinstance(x, Infinite) else -self.number(x)

    def atom(self) -> Any:
        if self.at >= len(self.tokens):
            raise self.wrong("it ends too early")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return self.bounded(Fraction(text))
        if kind == "text":
            return re.sub(r"\$\((\w+)\)", lambda m: self.interpolated(m[1]), text[1:-1])
        if text == "(":
            found = self.listed()
            self.expect(")")
            return found
        if text == "[":
            return self.list()
        if kind != "name" or text in WORDS:
            raise self.wrong(f"{text!r} is out of place")
        return self.call(text) if self.take("(") else self.named(text)

    def bounded(self, x: Fraction) -> Fraction:
        if x > LARGEST:
            raise self.wrong("a number too large")
        return x

    def list(self) -> list[Any]:
        found: list[Any] = []
        while not self.take("]"):
            one = self.listed()
            found += one if isinstance(one, list) else [one]
            if not self.take(",") and self.peek() != "]":
                raise self.wrong("']' is missing")
        return found

    def interpolated(self, name: str) -> str:
        x = self.names.get(name)
        if x is None:
            raise self.wrong(f"$({name}) stands for nothing")
        return str(x)

    def named(self, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in ("Inf", "inf", "Infinity"):
            return INFINITY
        if name in ("Signed", "Unsigned", "Extended", "Finite"):
            return name
        return require_format(name)

    def call(self, name: str) -> Any:
        given = []
        while not self.take(")"):
            given.append(self.choice())
            if not self.take(",") and self.peek() != ")":
                raise self.wrong("')' is missing")
        if name in OF_FORMATS:
            if len(given) != 1 or not isinstance(given[0], Format):
                raise self.wrong(f"{name} takes one format")
            return OF_FORMATS[name](given[0])
        if name not in OF_NUMBERS:
            raise self.wrong(f"unknown function {name}; known are {', '.join([*OF_FORMATS, *OF_NUMBERS])}")
        if not given or (name in ("Abs", "Sqrt") and len(given) != 1):
            raise self.wrong(f"{name} takes {'one number' if name in ('Abs', 'Sqrt') else 'numbers'}")
        return OF_NUMBERS[name](*(self.number(x) for x in given))


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, str) and isinstance(y, Format):
        x, y = y, x
    if isinstance(x, Format) and isinstance(y, str):
        y = format_named(y)
    return bool(x == y)
