"""The reference's runs of answers over the codes of a source, and the arrays held against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import fp8ref
from fp8ref import spec
from fp8ref.check.proof.runs import Reference, Run, find_runs, guesses
from fp8ref.spec import Format

__all__ = ["DTYPES", "Mode", "Run", "disagreement", "every_code", "every_run", "find_runs", "nan_answer", "samples"]

DTYPES: dict[str, Any] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
Mode = tuple[str, str]  # rounding, overflow


def every_run(source: str, name: str, modes: Sequence[Mode]) -> tuple[dict[tuple[Mode, bool], list[Run]], int]:
    """The runs of each mode and sign, and how often the reference was asked.

    The ends found first are guesses for the modes that differ in overflow.
    """
    found: dict[tuple[Mode, bool], list[Run]] = {}
    ends: dict[str, list[int]] = {}
    calls = 0
    for rounding, overflow in modes:
        reference = Reference(source, name, spec.get_projection(spec.get_format(name), rounding, overflow))
        directed = rounding in ("rtp", "rtn")
        for negative in (False, True):
            key = f"{rounding}{negative}" if directed else rounding
            if key not in ends:
                ends[key] = guesses(reference.source, reference.format, rounding)
            runs = reference.runs(negative, ends[key])
            found[(rounding, overflow), negative] = runs
            if directed or not negative:
                ends[key] = [run.last for run in runs]
        calls += reference.calls
    return found, calls


def nan_answer(f: Format) -> int:
    """What a NaN becomes by default."""
    return f.max_code if f.nan_canonical is None else f.nan_canonical


def samples(runs: Sequence[Run], per_run: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both ends of every run, their neighbours within it and random codes of it; and the answer to each."""
    first = np.array([run.first for run in runs], np.int64)
    last = np.array([run.last for run in runs], np.int64)
    columns = [first, last, np.minimum(first + 1, last), np.maximum(last - 1, first), first + (last - first) // 2]
    columns += [rng.integers(first, last + 1) for _ in range(per_run)]
    return np.concatenate(columns), np.tile([run.code for run in runs], len(columns))


def every_code(runs: Sequence[Run]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every magnitude code from 0 to the last run's last, and the answer to each."""
    lengths = [run.last - run.first + 1 for run in runs]
    return np.arange(sum(lengths)), np.repeat([run.code for run in runs], lengths)


def disagreement(
    source: str, f: Format, mode: Mode, negative: bool, magnitudes: NDArray[Any], want: NDArray[Any]
) -> str:
    """'' where the arrays' answers to these magnitude codes are the wanted ones, else the first that is not."""
    dtype = np.dtype(f"u{np.dtype(DTYPES[source]).itemsize}")
    bits = magnitudes.astype(dtype)
    bits |= dtype.type(spec.get_format(source).sign_bit if negative else 0)
    x = bits.view(DTYPES[source])
    got = fp8ref.encode(x, f, rounding=mode[0], overflow=mode[1])
    wrong = np.flatnonzero(got != want)
    if wrong.size == 0:
        return ""
    at = wrong[0]
    case = f"{source}:{int(bits[at]):#x} to {f.name} {'.'.join(mode)}"
    return f"{case}: {int(got[at]):#x}, the reference says {int(want[at]):#x}"
