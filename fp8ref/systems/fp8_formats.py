"""FP8 Formats for Deep Learning [Micikevicius et al. 2022, arXiv 2209.05433]: the paper's table, from the formats.

E4M3 and E5M2 are this project's basis, so that nothing is defined here.  E3M4 is the third format of Intel's FP8
Emulation Toolkit; e4m3 and e3m4 are what IEEE 754's rules alone would have made, to show what the paper gained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..spec import Format, get_format
from ..spec.datum import floor_log2
from . import Table
from .power_of_exponent.distributions import GAUSSIAN, Floats
from .power_of_exponent.expected import two_sided

SHOWN = ("e4m3fn", "e5m2", "e3m4fn", "e4m3", "e3m4")


def binades(f: Format) -> int:
    """Binades from the smallest subnormal to the largest value."""
    return floor_log2(f.max) - floor_log2(f.min_subnormal) + 1


def nan_codes(f: Format) -> int:
    """How many codes are NaN."""
    return sum(f.is_nan_code(code) for code in range(f.code_mask + 1))


def sqnr(format: Format | str, sigmas: Sequence[float] | Floats) -> Floats:
    """SQNR in dB of rounding N(0, sigma**2) data to nearest, saturated, without a scale; one for each sigma."""
    values = get_format(format).values()
    up, down = (np.array(sorted(float(abs(v)) for v in values if v * sign >= 0)) for sign in (1, -1))
    scale = 1 / np.asarray(sigmas, np.float64)
    return np.asarray(two_sided(np.multiply.outer(scale, up), np.multiply.outer(scale, down), GAUSSIAN).sqnr)


def table() -> Table:
    rows = []
    for f in map(get_format, SHOWN):
        values = (f.max, f.min_normal, f.min_subnormal)
        specials = ("yes" if f.infinities else "no", str(nan_codes(f)))
        shown = (str(f.bias), *(f"{float(v):g}" for v in values), *specials, str(len(f.values())), str(binades(f)))
        rows.append((f.name, *shown, f"{float(sqnr(f, [1.0])[0]):.3f}"))
    return Table(
        "The formats of FP8 Formats for Deep Learning, and what IEEE 754's rules alone would give",
        ("format", "bias", "max", "min normal", "min subnormal", "inf", "NaNs", "values", "binades", "dB on N(0,1)"),
        tuple(rows),
        ("Values are the finite ones, with +0 and -0 counted once; the last column is the SQNR without a scale.",),
    )
