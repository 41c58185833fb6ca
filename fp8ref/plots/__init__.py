"""Figures: where the values of formats lie, how they round, what they lose, and the numbers of the papers' systems.

Every function returns a ``matplotlib.figure.Figure``, which a notebook shows and a caller may add to and save; with
``ax=`` it draws into axes of the caller's and returns them (several where the figure has several).  No global state of
matplotlib is touched.  Needs the extra ``plots``.

>>> from fp8ref.plots import density
>>> [line.get_label() for line in density(["e4m3fn", "e5m2"]).axes[0].lines]
['e4m3fn', 'e5m2']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from .formats import density, number_line, relative_error
from .functions import function
from .products import disagreement, error_growth, growth
from .staircase import Step, staircase, steps
from .style import Figure, MissingMatplotlib, save
from .systems_fp8_bert import fp8_bert
from .systems_int8 import dyadic_codes, gelu_errors, outliers, tree_error
from .systems_integers import fixed_point_averages, propagation
from .systems_power_of_exponent import sqnr
from .systems_ranges import fp8_range, range_precision
from .systems_s2fp8 import s2fp8


class Plot(NamedTuple):
    """What draws a figure, and the formats that it takes: ``draw(f)``, ``draw([f, ...])`` or ``draw()``."""

    draw: Callable[..., Figure]
    formats: Literal["one", "several", "none"]


PLOTS: dict[str, Plot] = {
    "number-line": Plot(number_line, "one"),
    "staircase": Plot(staircase, "one"),
    "relative-error": Plot(relative_error, "several"),
    "density": Plot(density, "several"),
    "error-growth": Plot(error_growth, "one"),
    "disagreement": Plot(disagreement, "one"),
    "sqnr": Plot(sqnr, "none"),
    "fp8-range": Plot(fp8_range, "none"),
    "range-precision": Plot(range_precision, "none"),
    "llm-int8": Plot(outliers, "none"),
    "adam8": Plot(tree_error, "none"),
    "i-bert": Plot(gelu_errors, "none"),
    "hawq-v3": Plot(dyadic_codes, "none"),
    "fp8-bert": Plot(fp8_bert, "none"),
    "scale-propagation": Plot(propagation, "none"),
    "s2fp8": Plot(s2fp8, "none"),
    "integer-fine-tuning": Plot(fixed_point_averages, "none"),
}

__all__ = [
    "PLOTS",
    "MissingMatplotlib",
    "Plot",
    "Step",
    "density",
    "disagreement",
    "dyadic_codes",
    "error_growth",
    "fixed_point_averages",
    "fp8_bert",
    "fp8_range",
    "function",
    "gelu_errors",
    "growth",
    "number_line",
    "outliers",
    "propagation",
    "range_precision",
    "relative_error",
    "s2fp8",
    "save",
    "sqnr",
    "staircase",
    "steps",
    "tree_error",
]
