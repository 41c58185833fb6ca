"""Classes of codes: zero, the ends of subnormals and normals and what lies between, infinities, NaNs; with signs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import INTEGERS, UNITS, carrier_dtype
from ...fast.kernel import unpack_fields
from ...spec.catalog import get_format
from ...spec.formats import Format, NaNs
from ..section import NONE, Codes

MAGNITUDES = ("zero", "minsub", "sub", "maxsub", "minnorm", "norm", "maxnorm", "inf")
CLASSES = (*(sign + name for name in MAGNITUDES for sign in "+-"), "qnan", "snan")
QNAN, SNAN = CLASSES.index("qnan"), CLASSES.index("snan")


@dataclass(frozen=True)
class Runs:
    """Runs of consecutive magnitude codes of one class: where each starts, its number, how many codes it has."""

    starts: NDArray[np.uint64]
    which: NDArray[np.int16]  # of MAGNITUDES
    sizes: NDArray[np.uint64]


@lru_cache(maxsize=256)
def runs(f: Format) -> Runs:
    """The runs of a format, NaNs left out."""
    first = 1 << f.t
    begins: dict[int, str] = {}
    if f.fixed_point:
        begins = {0: "zero", 1: "minsub", 2: "norm", f.max_code: "maxnorm"}
    elif f.zero:
        begins = {0: "zero", 1: "minsub", 2: "sub"}
        if first > 2:
            begins[first - 1] = "maxsub"
    if not f.fixed_point:
        base = first if f.zero else 0
        begins[base] = "minnorm"
        begins[base + 1] = "norm"
        begins[f.max_code] = "maxnorm"
    stop = f.max_code + 1 + f.fixed_point
    if f.infinities:
        begins[f.infinity_code] = "inf"
        stop = f.infinity_code + 1
    starts = sorted(start for start in begins if start < stop)
    sizes = [after - start for start, after in zip(starts, [*starts[1:], stop])]
    which = [MAGNITUDES.index(begins[start]) for start in starts]
    return Runs(np.array(starts, np.uint64), np.array(which, np.int16), np.array(sizes, np.uint64))


def classes(codes: Codes, type_: str) -> NDArray[np.int16]:
    """The class of every code as its place in CLASSES."""
    if type_ in UNITS:
        return np.full(codes.shape, NONE, np.int16)
    if type_ in INTEGERS:
        return _integer_classes(codes)
    f = get_format(type_)
    if f.k <= 16:
        return _class_table(f)[codes]
    return _classes(codes, f)


@lru_cache(maxsize=64)
def _class_table(f: Format) -> NDArray[np.int16]:
    return _classes(np.arange(1 << f.k, dtype=carrier_dtype(f.name)), f)


def _classes(codes: Codes, f: Format) -> NDArray[np.int16]:
    fields = unpack_fields(codes, f)
    magnitude = fields.sig if f.fixed_point else codes.astype(np.uint64) & np.uint64(f.magnitude_mask)
    table = runs(f)
    found = table.which[np.searchsorted(table.starts, magnitude, "right") - 1] * 2 + fields.negative
    found = found.astype(np.int16)
    if fields.nan.any():
        quiet = np.uint64(1 << max(f.t - 1, 0))
        signalling = (magnitude & quiet == 0) & (f.nans is NaNs.IEEE)
        found = np.where(fields.nan, np.where(signalling, SNAN, QNAN), found).astype(np.int16)
    return found


def _integer_classes(codes: Codes) -> NDArray[np.int16]:
    """Zero, plus or minus one, the others, and the ends."""
    info = np.iinfo(codes.dtype)
    found = np.where(codes == 0, 0, np.where((codes == 1) | ((codes < 0) & (codes + 1 == 0)), 1, 5)) * 2
    found = np.where((codes == info.max) | ((codes == info.min) & (info.min < 0)), 12, found)
    signed: NDArray[np.int16] = (found + (codes < 0)).astype(np.int16)
    return signed


@lru_cache(maxsize=64)
def sizes(type_: str) -> NDArray[np.float64]:
    """How many codes of a type are of each class."""
    found = np.zeros(len(CLASSES))
    if type_ in INTEGERS:
        info = np.iinfo(carrier_dtype(type_))  # type: ignore[type-var]
        found[[0, 2, 10, 12]] = 1, 1, info.max - 2.0, 1
        if info.min < 0:
            found[[3, 11, 13]] = 1, info.max - 1.0, 1
        return found
    f = get_format(type_)
    if f.k <= 16:
        return np.bincount(_class_table(f), minlength=len(CLASSES)).astype(np.float64)
    table = runs(f)
    for sign in range(1 + f.signed):
        np.add.at(found, table.which * 2 + sign, table.sizes.astype(np.float64))
    if f.nans is NaNs.IEEE and f.t:
        found[QNAN] = 2 * 2.0 ** (f.t - 1)
        found[SNAN] = found[QNAN] - 2
    return found


def why_empty(type_: str, name: str) -> str:
    """Why a type has no code of a class."""
    if name.startswith("-") and type_ not in INTEGERS and not get_format(type_).signed:
        return f"{type_} has no sign"
    if name == "snan":
        return f"{type_} has no signalling NaN"
    if name == "qnan":
        return f"{type_} has no NaN"
    if name == "-zero":
        return f"{type_} has no -0"
    return f"{type_} has no {name.lstrip('+-')}"


def random_of_classes(type_: str, n: int, rng: np.random.Generator) -> Codes:
    """Random codes, every class that the type has as likely as any other."""
    dtype = carrier_dtype(type_)
    if type_ in INTEGERS:
        info = np.iinfo(dtype)  # type: ignore[type-var]
        ends = np.array([info.min, info.max, 0, 1, max(info.min, -1)], dtype)
        some = rng.integers(max(info.min, -40), min(info.max, 40), n, dtype=np.int64, endpoint=True).astype(dtype)
        return np.where(rng.random(n) < 0.4, rng.choice(ends, n), some).astype(dtype)
    f = get_format(type_)
    if f.k <= 16:
        order, starts, counts = _by_class(f)
        present = np.flatnonzero(counts)
        chosen = rng.choice(present, n)
        codes: Codes = order[starts[chosen] + (rng.random(n) * counts[chosen]).astype(np.int64)]
        return codes
    table = runs(f)
    rows = rng.integers(0, table.starts.size + (2 if f.nans is NaNs.IEEE else 0), n)
    run = np.minimum(rows, table.starts.size - 1)
    magnitude = table.starts[run] + (rng.random(n) * table.sizes[run].astype(np.float64)).astype(np.uint64)
    if f.nans is NaNs.IEEE:
        payload = rng.integers(1, 1 << (f.t - 1), n, dtype=np.uint64)
        quiet = np.where(rows == table.starts.size, np.uint64(1 << (f.t - 1)), np.uint64(0))
        magnitude = np.where(rows >= table.starts.size, np.uint64(f.infinity_code) | quiet | payload, magnitude)
    sign = rng.integers(0, 2, n, dtype=np.uint64) * np.uint64(f.sign_bit)
    return (magnitude | sign).astype(dtype)


@lru_cache(maxsize=64)
def _by_class(f: Format) -> tuple[Codes, NDArray[np.int64], NDArray[np.int64]]:
    table = _class_table(f)
    counts = np.bincount(table, minlength=len(CLASSES)).astype(np.int64)
    order = np.argsort(table, kind="stable").astype(carrier_dtype(f.name))
    return order, np.cumsum(counts) - counts, counts
