"""Compare every value table of P3109 with fp8ref: ``python tools/p3109/value_tables.py CHECKOUT [K...]``.

CHECKOUT is a clone of github.com/P3109/Public; its tables, "Value Tables/Hexadecimal/**/*.csv", have a line
``code, hexadecimal float, * if subnormal`` for each code.  K: the widths to compare.  Every code is compared with the
arrays' own decoding, and one in 61 with the specification itself, whose numbers of p = 1 have 30,000 bits; all 504
tables, 7.7 million codes, take less than a minute of one core.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fp8ref.fast.kernel import code_dtype, unpack_fields
from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.datum import Datum, power_of_two
from fp8ref.spec.formats import Format

STRIDE = 61  # of the codes that are compared with the specification
SPECIAL = {"NaN": 2, "Inf": 1, "-Inf": 1}


def parts(text: str) -> tuple[bool, int, int, int]:
    """``-0x1.8p-3`` as sign, integer, exponent of two and kind: 0 a number, 1 an infinity, 2 a NaN."""
    negative = text[0] == "-"
    if text in SPECIAL:
        return negative, 0, 0, SPECIAL[text]
    digits, _, exponent = text.lower().partition("p")
    whole, _, part = digits.lstrip("+-").removeprefix("0x").partition(".")
    return negative, int(whole + part, 16), int(exponent) - 4 * len(part), 0


def datum(text: str) -> Datum:
    negative, n, e, kind = parts(text)
    if kind:
        return Datum.nan() if kind == 2 else Datum.infinity(int(negative))
    return Datum.finite(Fraction(-n if negative else n) * power_of_two(e))


def odd(sig: NDArray[np.uint64], exp: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The same numbers with odd integers; 0 with the exponent 0."""
    twos = np.bitwise_count((sig & (~sig + np.uint64(1))) - np.uint64(1)).astype(np.int64)
    zero = sig == 0
    return np.where(zero, sig, sig >> twos.clip(max=63).astype(np.uint64)), np.where(zero, 0, exp + twos)


def differing(f: Format, codes: NDArray[np.int64], said: list[str], small: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which lines say something else than the arrays' decoding, or, one in :data:`STRIDE`, than the specification."""
    got = unpack_fields(codes.astype(code_dtype(f)), f)
    negative, n, e, kind = (np.array(column) for column in zip(*map(parts, said)))
    number = kind == 0
    ours, theirs = odd(got.sig, got.exp), odd(n.astype(np.uint64), e.astype(np.int64))
    same = np.where(number, (ours[0] == theirs[0]) & (ours[1] == theirs[1]) & ~got.infinite & ~got.nan, True)
    same &= (got.nan == (kind == 2)) & (got.infinite == (kind == 1))
    same &= (got.negative == negative) | got.nan | (number & (n == 0))
    magnitude = codes & f.magnitude_mask
    same &= small == (number & (magnitude > 0) & (magnitude < 1 << f.t) & f.zero)
    wrong = np.asarray(~same)
    for i in range(0, codes.size, STRIDE):
        want, x = datum(said[i]), unpack(int(codes[i]), f)
        wrong[i] |= x.is_nan != want.is_nan or (not x.is_nan and x != want)
        wrong[i] |= small[i] != (x.is_finite and 0 < x.magnitude < f.min_normal)
    return wrong


def compare(path: Path) -> tuple[int, list[str]]:
    """How many codes a table has, and the lines that differ."""
    f = get_format(path.stem.lower())
    lines = path.read_text().splitlines()[1:]
    columns = [line.split(",") for line in lines]
    codes = np.array([int(column[0], 16) for column in columns])
    small = np.array([column[2].strip() == "*" for column in columns])
    found = differing(f, codes, [column[1].strip() for column in columns], small)
    wrong = [f"{path.name}: {lines[i]}" for i in np.flatnonzero(found)]
    if not np.array_equal(codes, np.arange(1 << f.k)):
        wrong.append(f"{path.name}: {len(lines)} lines are not its {1 << f.k} codes in order")
    return len(lines), wrong


def main() -> None:
    root, *widths = sys.argv[1:]
    tables = sorted(Path(root).glob("Value Tables/Hexadecimal/K*/P*/*/*.csv"))
    chosen = [path for path in tables if not widths or path.parts[-4][1:] in widths]
    codes, differ = 0, 0
    for path in chosen:
        n, wrong = compare(path)
        codes, differ = codes + n, differ + bool(wrong)
        if wrong:
            print(*wrong[:3], sep="\n", flush=True)
    print(f"{len(chosen)} tables, {codes} codes; {differ} tables differ")
    sys.exit(differ > 0 or not chosen)


if __name__ == "__main__":
    main()
