"""One format on one page: parameters, bit fields, extreme values, a number line and the table of values."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from ...spec.catalog import aliases
from ...spec.codec import pack, unpack
from ...spec.datum import Datum
from ...spec.formats import Format, NaNs
from ..findings.draw import WIDTH, Drawn, bit_fields, class_name, draw_rows, drawn, value_text
from ..findings.neighbours import code_text
from .numbers import fitted_text, scaled_text
from .scale import log_scale

NARROW = 9  # columns: with less, few values could be shown exactly
CELL = 13  # the most columns that a value in the table takes
PLURALS = {"zero": "zeros", "infinity": "infinities"}

LIBRARIES = (
    ("OCP", r"(ocp|mx)\..*"),
    ("ml_dtypes, numpy", r"float\d+_.*|bfloat16|float(16|32|64)"),
    ("torch", r"torch\..*"),
    ("LLVM, ONNX", r"float\d+e.*"),
    ("MLIR", r"f\d+e.*"),
    ("CUDA", r"__nv_.*"),
    ("PTX", r"ptx\..*"),
    ("other names", r".*"),
)


def format_page(f: Format, unicode: bool = True, width: int = WIDTH) -> str:
    """The page of a format; ``unicode`` False draws with ASCII alone; ``width``: of its pictures and tables."""
    density = "  how dense the positive values lie, on a logarithmic axis\n" + log_scale(f, width - 4, unicode)
    table = value_table(f, width) if f.k <= 8 else ""
    parts = [title(f), bit_picture(f, unicode), extremes(f), names(f), density, table]
    return "\n\n".join(part for part in parts if part)


def title(f: Format) -> str:
    """Name, widths, parameters and the document that defines the format."""
    widths = [(int(f.signed), "sign"), (f.w, "exponent"), (f.t, "trailing significand")]
    if f.fixed_point:
        widths = [(1, "sign"), (f.k - 1 - f.t, "integer"), (f.t, "fraction")]
    fields = ", ".join(f"{what} {bits}" for bits, what in widths if bits)
    parameters = {"k": f.k, "p": f.p, "t": f.t, "w": f.w, "bias": f.bias, "emin": f.emin, "emax": f.emax}
    if f.fixed_point:
        parameters = {"k": f.k, "p": f.p, "t": f.t}
    head = f"{f.name}   {f.k} bits: {fields}"
    line = "   ".join(f"{name} {value}" for name, value in parameters.items())
    return "\n".join([head, *([f"  {f.source}"] if f.source else []), f"  {line}"])


def bit_picture(f: Format, unicode: bool = True) -> str:
    """The fields as boxes with bit numbers, and beside them the rule that gives the value."""
    v, h, corners = ("│", "─", "┌┬┐└┴┘") if unicode else ("|", "-", "++++++")
    fields = [("S", f.k - 1, f.k - f.signed)] if f.signed else []
    fields += [("I" if f.fixed_point else "E", f.k - 1 - f.signed, f.t), ("T", f.t - 1, 0)]
    boxes, numbers = [], []
    for letter, high, low in fields:
        n = high - low + 1
        if n < 1:
            continue
        text = " ".join(letter * n) if n <= 10 else f"{letter} {letter} .. {letter} {letter}"
        boxes.append(text)
        numbers.append(str(high) if n == 1 else f"{high}{low:>{len(text) - len(str(high))}}")
    # a two-digit bit number over a one-bit field needs a wider box
    cells = [f"{box:^{max(len(box), len(number))}}" for box, number in zip(boxes, numbers)]
    picture = [
        corners[0] + corners[1].join(h * len(cell) for cell in cells) + corners[2],
        v + v.join(cells) + v,
        corners[3] + corners[4].join(h * len(cell) for cell in cells) + corners[5],
        " " + " ".join(f"{number:<{len(cell)}}" for number, cell in zip(numbers, cells)),
    ]
    rules = ["", *value_rules(f), "", ""]
    return "\n".join(f"  {line:<{len(picture[0])}}    {rule}".rstrip() for line, rule in zip(picture, rules))


def value_rules(f: Format) -> list[str]:
    """How fields make a value, one rule a line."""
    if f.fixed_point:
        return [f"two's complement: code x 2^-{f.t}"]
    sign = "(-1)^S x " if f.signed else ""
    part = f"T/{1 << f.t}" if f.t <= 10 else f"T x 2^-{f.t}"
    first, top = 1 if f.zero else 0, f.max_code >> f.t
    rules = []
    if top >= first:
        span = f"E = {first} to {top}" if top > first else f"E = {top}"
        rules.append((span, f"{sign}2^(E - {f.bias})" + (f" x (1 + {part})" if f.t else "")))
    if f.zero:
        rules.append(("E = 0" if f.w else "", f"{sign}2^{f.emin} x {part}" if f.t else "0"))
    width = max(len(span) for span, _ in rules)
    return [f"{span:<{width}}   {rule}" for span, rule in rules]


def extremes(f: Format) -> str:
    """The largest, smallest and special codes, drawn."""
    rows: list[tuple[str, Drawn | str]] = [("max", _drawn(f.max_code, f))]
    lowest = pack(Datum.finite(f.lowest), f)
    if f.fixed_point:
        rows.append(("lowest", _drawn(lowest, f)))
        rows.append(("smallest", _drawn(1, f)))
    else:
        if f.zero and f.min_normal <= f.max:
            rows.append(("min normal", _drawn(1 << f.t, f)))
        if f.has_subnormals:
            largest = min((1 << f.t) - 1, f.max_code)
            if largest > 1:
                rows.append(("max subnormal", _drawn(largest, f)))
            rows.append(("min subnormal" if largest > 1 else "subnormal", _drawn(1, f)))
        if not f.zero:
            rows.append(("min", _drawn(0, f)))
    if f.min_subnormal <= 1 <= f.max and (one := _code_or_none(Fraction(1), f)) is not None:
        rows.append(("one", _drawn(one, f)))
    zeros = [0, *([f.sign_bit] if f.has_negative_zero else [])] if f.zero else []
    rows.append(("zeros", ", ".join(f"{code_text(c, f.k)} {'-' if c else '+'}0" for c in zeros) or "none"))
    rows.append(("infinities", ", ".join(code_text(c, f.k) for c in infinity_codes(f)) or "none"))
    rows += [("NaN", text) for text in _nan_texts(f)]
    rows.append(("codes", _census_text(f)))
    return draw_rows(rows)


def names(f: Format) -> str:
    """Under which names other libraries know the format, one line each; empty where under none."""
    found: dict[str, list[str]] = {}
    for alias in aliases(f):
        library = next(name for name, pattern in LIBRARIES if re.fullmatch(pattern, alias))
        found.setdefault(library, []).append(alias)
    return draw_rows([(library, ", ".join(found[library])) for library, _ in LIBRARIES if library in found])


def infinity_codes(f: Format) -> list[int]:
    """The codes of the infinities."""
    if not f.infinities:
        return []
    return [f.infinity_code, *([f.sign_bit | f.infinity_code] if f.signed else [])]


def nan_ranges(f: Format) -> list[tuple[int, int]]:
    """The codes of the NaNs as (first, last)."""
    if not f.has_nan:
        return []
    if f.nans is NaNs.NEGATIVE_ZERO:
        return [(f.sign_bit, f.sign_bit)]
    first = f.infinity_code + 1 if f.nans is NaNs.IEEE else f.magnitude_mask
    return [(sign | first, sign | f.magnitude_mask) for sign in ([0, f.sign_bit] if f.signed else [0])]


def census(f: Format) -> dict[str, int]:
    """How many codes there are of each class; together 2**k."""
    signs = 2 if f.signed else 1
    infinities = len(infinity_codes(f))
    nans = sum(last - first + 1 for first, last in nan_ranges(f))
    zeros = f.zero + f.has_negative_zero
    if f.fixed_point:
        return {"fixed-point": (1 << f.k) - 1, "zero": 1}
    subnormals = signs * min((1 << f.t) - 1, f.max_code) if f.has_subnormals else 0
    normals = (1 << f.k) - subnormals - zeros - infinities - nans
    counts = {"normal": normals, "subnormal": subnormals, "zero": zeros, "infinity": infinities, "NaN": nans}
    return {name: n for name, n in counts.items() if n}


def value_table(f: Format, width: int = WIDTH) -> str:
    """Every value of a format of at most 8 bits: code by code up to 6 bits, else a line for every 8 codes or fewer."""
    return _whole_table(f, width) if f.k <= 6 else _grid(f, width)


def _whole_table(f: Format, width: int) -> str:
    half = 1 << (f.k - 1)

    def entry(code: int) -> str:
        x, name = unpack(code, f), class_name(code, f)
        value = "NaN" if x.is_nan else value_text(x)
        remark = name if name in ("subnormal", "NaN quiet", "NaN signalling") else ""
        return f"{code_text(code, f.k)}  {bit_fields(code, f)}   {value:<14} {remark.removeprefix('NaN ')}".rstrip()

    pairs = [(entry(code), entry(code + half)) for code in range(half)]
    left_width = max(len(left) for left, _ in pairs)
    gap = max(1, min(4, width - 2 - left_width - max(len(right) for _, right in pairs)))
    return "\n".join(f"  {left:<{left_width + gap}}{right}" for left, right in pairs)


def _grid(f: Format, room: int) -> str:
    """Magnitude codes in rows; the column gives the last bits, the row the others."""
    magnitudes = f.magnitude_mask + 1
    low = max(min(f.t, 3), (magnitudes // 32).bit_length() - 1)  # bits given by the column: at most 8 columns, 32 rows
    left = room - 4 - len(bit_fields(0, f)) - len(code_text(0, f.k))
    if left // (1 << low) - 1 < NARROW and low > 2 and f.p > 1:
        low = 2  # more rows, before values are rounded
    columns = 1 << low
    cell = min(CELL, left // columns - 1)
    rows = [["", *(f"{'_' if low < f.t else ''}{column:0{low}b}" for column in range(columns))]]
    for first in range(0, magnitudes, columns):
        bits = bit_fields(first, f)
        label = f"{code_text(first, f.k)}  {bits[: len(bits) - low]}{'_' * low}"
        rows.append([label, *(_cell(code, f, cell) for code in range(first, first + columns))])
    width = max(len(row[0]) for row in rows)
    lines = [f"  {row[0]:<{width}}" + "".join(f" {text:>{cell}}" for text in row[1:]) for row in rows]
    notes = [_negatives(f)] if f.signed else []
    if any("~" in line for line in lines):
        notes.append(f"~ is rounded to fit here; `fp8ref show {f.name} CODE` prints a value exactly")
    return "\n".join([*lines, *([""] if notes else []), *("  " + note for note in notes)])


def _cell(code: int, f: Format, width: int) -> str:
    x = unpack(code, f)
    if not x.is_finite:
        return "NaN" if x.is_nan else "Inf"
    if f.p == 1 and not x.is_zero:
        return scaled_text(x.value).removeprefix("1 x ")
    return fitted_text(x.value, width)


def _negatives(f: Format) -> str:
    first, last = code_text(f.sign_bit, f.k), code_text(f.code_mask, f.k)
    if f.fixed_point:
        return f"{first} to {last}: the negative values, (code - {1 << f.k}) x 2^-{f.t}"
    zero = "-0" if f.has_negative_zero else "NaN"
    return f"{first} to {last}: the same with the sign bit set, negative; {first} is {zero}"


def _drawn(code: int, f: Format) -> Drawn:
    return replace(drawn(code, f), type="", remark="")


def _code_or_none(value: Fraction, f: Format) -> int | None:
    try:
        return pack(Datum.finite(value), f)
    except ValueError:
        return None


def _nan_texts(f: Format) -> list[str]:
    """The NaN codes, and the canonical one where there are several; two lines where one would be long."""
    ranges = nan_ranges(f)
    if not ranges:
        return ["none"]
    canonical = f.nan_canonical
    assert canonical is not None
    texts = [code_text(a, f.k) if a == b else f"{code_text(a, f.k)} to {code_text(b, f.k)}" for a, b in ranges]
    chosen = f"canonical {code_text(canonical, f.k)}"
    if texts == [code_text(canonical, f.k)]:
        return texts
    return [", ".join(texts) + f"; {chosen}"] if f.k <= 32 else [", ".join(texts), chosen]


def _census_text(f: Format) -> str:
    counts = census(f)
    total = f"{1 << f.k}" if f.k <= 20 else f"2^{f.k}"
    if f.k > 20:
        return f"{total}, of them {counts['NaN']} NaN" if "NaN" in counts else total
    return f"{total}: " + ", ".join(f"{n} {name if n == 1 else PLURALS.get(name, name)}" for name, n in counts.items())
