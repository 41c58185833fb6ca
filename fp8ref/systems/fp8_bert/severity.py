"""Which format suits a tensor: the theory, and the same numbers measured.

The theory takes a tensor for a normal body of standard deviation sigma with outliers that are too few to matter except
that the largest, amax, sets the scale.  All that it needs is then the outlier severity k = amax / sigma: INT8 loses
6 dB for every doubling of k, since its step grows with amax; a floating-point format loses nothing, since its steps
follow the values.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...spec.catalog import get_format
from .recipes import INT8, Quantised

FORMATS = (INT8, "e4m3fn", "e5m2")
FAR = 40.0  # standard deviations: beyond lies nothing


def predicted(format: str, severity: float) -> float:
    """SQNR in dB of a tensor of that severity.

    INT8: an error uniform in a step, whose mean square is (amax / 127)**2 / 12.  A floating-point format: what a
    standard normal keeps, whatever the scale.
    """
    if format == INT8:
        return 10 * math.log10(12 * 127**2 / severity**2)
    return normal_sqnr(format)


@lru_cache(maxsize=8)
def normal_sqnr(format: str) -> float:
    """SQNR in dB of a standard normal rounded to the nearest value of a floating-point format.

    In closed form, cell by cell: of a cell [u, v] with value g the error is the integral of (x - g)**2 times the
    density.
    """
    g = np.array(get_format(format).values(), dtype=np.float64)
    edges = np.concatenate([[-FAR], np.clip((g[1:] + g[:-1]) / 2, -FAR, FAR), [FAR]])
    below = np.array([0.5 * (1 + math.erf(e / math.sqrt(2))) for e in edges])
    density = np.exp(-edges * edges / 2) / math.sqrt(2 * math.pi)
    m0, m1 = np.diff(below), -np.diff(density)
    m2 = m0 - np.diff(edges * density)
    return -10 * math.log10(float(np.sum(m2 - 2 * g * m1 + g * g * m0)))


@lru_cache(maxsize=8)
def crossover(format: str) -> float:
    """The severity from which on a floating-point format beats INT8: where both lines of :func:`predicted` meet."""
    return 10 ** ((predicted(INT8, 1.0) - normal_sqnr(format)) / 20)


def sqnr(reference: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Signal to quantisation noise in dB: the mean square of the reference over that of the error."""
    wide = reference.astype(np.float64)
    noise = float(np.mean((found - wide) ** 2))
    return math.inf if noise == 0 else 10 * math.log10(float(np.mean(wide * wide)) / noise)


def severity(reference: NDArray[np.floating], steps: Quantised) -> float:
    """amax / rms, with amax 127 of the INT8 steps; of several scales the root mean square counts.

    With one scale for a channel, noise is the mean of the channels' noises: so is amax squared.
    """
    amax = 127 * steps.scale.astype(np.float64)
    return math.sqrt(float(np.mean(amax * amax)) / float(np.mean(reference.astype(np.float64) ** 2)))
