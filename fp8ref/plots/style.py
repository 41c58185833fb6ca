"""What all figures share: colours, one style, logarithmic axes, and files that are the same bytes each time."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from fractions import Fraction
from functools import cache, wraps
from pathlib import Path
from typing import Any

from ..extras import install
from ..outputs import atomically
from ..spec.datum import floor_log2

# Okabe and Ito's palette, which colour-blind readers can distinguish
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
SIZE = (8.4, 3.9)  # inches

STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
}

Figure = Any  # matplotlib.figure.Figure: matplotlib is optional
Axes = Any


class MissingMatplotlib(ImportError):
    """matplotlib is not installed."""


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw under one style, and leave matplotlib's own settings as they were.

    With ``ax=`` what is drawn stands in axes of the caller's, which are returned in the figure's place: one, or as many
    in a row as the figure has.
    """

    @wraps(draw)
    def drawn(*args: Any, ax: Axes | Sequence[Axes] | None = None, **options: Any) -> Figure | Axes:
        given = None if ax is None else Given(ax)
        token = _GIVEN.set(given)
        try:
            with matplotlib().rc_context(STYLE):
                fig = draw(*args, **options)
        finally:
            _GIVEN.reset(token)
        return fig if given is None else ax

    return drawn


class Given:
    """The caller's axes, as far as a figure is asked for what it has."""

    def __init__(self, ax: Axes | Sequence[Axes]) -> None:
        self._axes: list[Axes] = list(getattr(ax, "flat", ax if isinstance(ax, (list, tuple)) else [ax]))

    def subplots(self, rows: int = 1, columns: int = 1, **_: Any) -> Axes:
        if rows * columns != len(self._axes):
            raise ValueError(f"this figure has {rows * columns} axes; ax= gives {len(self._axes)}")
        return self._axes[0] if len(self._axes) == 1 else self._axes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._axes[0].figure, name)


_GIVEN: ContextVar[Given | None] = ContextVar("given", default=None)


def save(fig: Figure, file: str, force: bool = True) -> None:
    """Write a figure; the kind is that of the file name's ending.  The same figure gives the same bytes.

    Raises ValueError for an ending that matplotlib does not know, OSError where the file cannot be written,
    FileExistsError where there is one and ``force`` does not say that it may be replaced.
    """
    kind = file.rpartition(".")[2].lower()
    known = fig.canvas.get_supported_filetypes()
    if "." not in file or kind not in known:
        raise ValueError(f"{file}: the file name should end in {', '.join('.' + k for k in ('png', 'svg', 'pdf'))}")
    no_date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    context = matplotlib().rc_context({"svg.hashsalt": "fp8ref", "svg.fonttype": "none"})
    with context, atomically(Path(file), force) as out:
        fig.savefig(out, format=kind, dpi=160, metadata=no_date.get(kind))


def matplotlib() -> Any:
    try:
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise MissingMatplotlib(f"plots need matplotlib: {install('plots')}") from error


def figure() -> Figure:
    given = _GIVEN.get()
    if given is not None:
        return given
    return _inline(importlib.import_module("matplotlib.figure").Figure)(figsize=SIZE, layout="constrained")


@cache
def _inline(base: Any) -> Any:
    """matplotlib's figure, shown by a notebook without its backend or pyplot."""

    class Figure(base):  # type: ignore[misc]
        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png", dpi=110)
            return out.getvalue()

    return Figure


def log2_axis(axes: Axes, low: Fraction, high: Fraction) -> None:
    """A logarithmic x axis a little wider than [low, high], with at most ten powers of two as ticks."""
    first, last = floor_log2(low), floor_log2(high) + 1
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if (last - first) // n <= 10)
    exponents = range(first - first % every, last + 1, every)
    axes.set_xscale("log", base=2)
    axes.set_xticks([2.0**e for e in exponents], [f"$2^{{{e}}}$" for e in exponents])
    axes.minorticks_off()
    margin = 2.0 ** (0.02 * (last - first))
    axes.set_xlim(float(low) / margin, float(high) * margin)
