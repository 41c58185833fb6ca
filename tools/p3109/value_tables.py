"""Compare every value table of P3109 with the specification: ``python tools/p3109/value_tables.py CHECKOUT [K...]``.

CHECKOUT is a clone of github.com/P3109/Public; its tables, "Value Tables/Hexadecimal/**/*.csv", have a line
``code, hexadecimal float, * if subnormal`` for each code.  K: the widths to compare; all of them take minutes.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.datum import Datum, power_of_two


def value(text: str) -> Fraction:
    """``-0x1.8p-3`` exactly, whatever its exponent."""
    digits, _, exponent = text.lower().partition("p")
    sign = -1 if digits.startswith("-") else 1
    whole, _, part = digits.lstrip("+-").removeprefix("0x").partition(".")
    return sign * int(whole + part, 16) * power_of_two(int(exponent) - 4 * len(part))


def datum(text: str) -> Datum:
    if text == "NaN":
        return Datum.nan()
    if text in ("Inf", "-Inf"):
        return Datum.infinity(int(text[0] == "-"))
    return Datum.finite(value(text))


def compare(path: Path) -> tuple[int, list[str]]:
    """How many codes a table has, and the lines that differ."""
    f = get_format(path.stem.lower())
    wrong = []
    lines = path.read_text().splitlines()[1:]
    for line in lines:
        code, said, subnormal = line.split(",")
        want, got = datum(said.strip()), unpack(int(code, 16), f)
        same = got.is_nan if want.is_nan else got == want
        small = got.is_finite and 0 < got.magnitude < f.min_normal
        if not same or small != (subnormal.strip() == "*"):
            wrong.append(f"{path.name}: {line}: {got}")
    if len(lines) != 1 << f.k:
        wrong.append(f"{path.name}: {len(lines)} lines")
    return len(lines), wrong


def main() -> None:
    root, *widths = sys.argv[1:]
    tables = sorted(Path(root).glob("Value Tables/Hexadecimal/K*/P*/*/*.csv"))
    chosen = [path for path in tables if not widths or path.parts[-4][1:] in widths]
    codes, differ = 0, 0
    for path in chosen:
        n, wrong = compare(path)
        codes, differ = codes + n, differ + bool(wrong)
        print(*wrong[:3], sep="\n", end="\n" if wrong else "", flush=True)
    print(f"{len(chosen)} tables, {codes} codes; {differ} tables differ")
    sys.exit(differ > 0 or not chosen)


if __name__ == "__main__":
    main()
