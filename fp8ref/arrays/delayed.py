"""TransformerEngine's delayed scaling: a multiplier from the largest magnitudes of earlier steps, and its use."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..fast import blocks
from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from ..spec.scaling.schemes import get_scheme
from .conversion import Array, FormatLike
from .scaling import SOURCES, ScaledArray

LONGEST = 1 << 20  # steps of a history


def _f32(x: ArrayLike, what: str) -> Array:
    found = np.asarray(x)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"{what} must be numbers, not {found.dtype}")
    with np.errstate(all="ignore"):
        return found.astype(np.float32)


@exact_floats
def delayed_scale(
    history: ArrayLike, previous: ArrayLike, format: FormatLike, *, margin: int = 0, most_recent: bool = False
) -> Array:
    """The next multipliers of tensors, float32 of shape (...).

    ``history``: largest magnitudes of the last steps, newest first, (H, ...).  ``previous``: the multipliers so far,
    (...), which stay where the largest of the history (``most_recent``: the newest) is not finite or not above 0.
    (max * 2**-margin) / amax in binary32, at most the largest finite number.

    >>> delayed_scale([2.0, 8.0], 1.0, "e4m3fn").item(), delayed_scale([2.0, 8.0], 1.0, "e4m3fn", margin=3).item()
    (56.0, 7.0)

    Raises ValueError for a history without steps or of another shape, TypeError for what are no numbers.
    """
    steps, old = _f32(history, "history"), _f32(previous, "previous")
    if steps.ndim < 1 or not 1 <= len(steps) <= LONGEST or steps.shape[1:] != old.shape:
        raise ValueError(f"history has the shape (steps, *{old.shape}), 1 to {LONGEST} steps, not {steps.shape}")
    if isinstance(margin, bool) or not isinstance(margin, int | np.integer) or not -64 <= margin <= 64:
        raise ValueError(f"margin is a whole number of binades, -64 to 64, not {margin!r:.40}")
    top = np.float32(np.ldexp(np.float32(float(get_format(format).max)), -int(margin)))
    with np.errstate(all="ignore"):
        amax = steps[0] if most_recent else np.max(np.abs(steps), axis=0)
        found = np.minimum(top / amax, blocks.FLT_MAX)
        return np.asarray(np.where(np.isfinite(amax) & (amax > 0), found, old), np.float32)


@exact_floats
def next_history(history: ArrayLike, amax: ArrayLike) -> Array:
    """The history after a step with these largest magnitudes: the newest first, the oldest gone."""
    steps, new = _f32(history, "history"), _f32(amax, "amax")
    if steps.ndim < 1 or not len(steps) or steps.shape[1:] != new.shape:
        raise ValueError(f"history has the shape (steps, *{new.shape}), not {steps.shape}")
    return np.concatenate([new[None], steps[:-1]])


@exact_floats
def scale_by(x: ArrayLike, multiplier: float, format: FormatLike) -> ScaledArray:
    """A tensor in one scale that is given: codes of x times the multiplier, and the multiplier's reciprocal.

    The values of delayed scaling, under :func:`delayed_scale`'s multiplier.  Raises TypeError for x of other types than
    float32, float16 and bfloat16.
    """
    source = np.asarray(x)
    if source.dtype.name not in SOURCES:
        raise TypeError(f"recipes work in binary32: x must be float32, float16 or bfloat16, not {source.dtype}")
    scheme = get_scheme(f"tensor_{get_format(format).name}")
    up = np.float32(multiplier)
    flat = np.ascontiguousarray(source, dtype=np.float32).reshape(1, -1)
    codes = blocks.elements(flat, up.reshape(1), scheme.element).reshape(source.shape)
    with np.errstate(all="ignore"):
        scale = np.full((1,) * max(source.ndim, 1), np.float32(1) / up, np.float32)
    return ScaledArray(codes, scale, scheme, "delayed", max(source.shape[-1] if source.ndim else 1, 1),
                       max(source.ndim - 1, 0))  # fmt: skip
