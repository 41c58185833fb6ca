"""Conversions as lookups: which bits of a source code decide, and the table over them, filled by the kernel.

A conversion to p bits of precision is decided by the sign, the exponent and the first p + 1 trailing significand bits
of the source, once everything below is OR-ed into the last of them (round to odd at p + 2 bits is innocuous).  The one
condition is that the source's own subnormals are finer than a quarter ulp of the target; ``significant_bits`` checks it
and takes more bits, or declines, where it does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..spec.codec import pack, unpack
from ..spec.formats import Format, NaNs
from ..spec.projection import NaN, Projection, get_projection, project
from .kernel import Codes, Random, code_dtype, longest, operand_fields, project_codes

MAX_INDEX_BITS = 20
WORTH = 1 << 13  # elements that the kernel converts in about the time that it needs for a table
CALL = 1 << 8  # elements that it converts in the time that a call takes


@dataclass(frozen=True)
class Table:
    """Answers by index; ``shift`` low source bits are folded into the index's lowest bit (0: the code is the index)."""

    shift: int
    codes: Codes
    status: NDArray[np.uint8]


def worth_a_table(source: Format, result: Format, rho: Projection, size: int) -> bool:
    """Whether so much has been asked of a conversion, ``size`` elements more included, that its table pays."""
    asked = _asked(source, result, rho)
    asked[0] += size + CALL
    return asked[0] > WORTH


@lru_cache(maxsize=4096)
def _asked(source: Format, result: Format, rho: Projection) -> list[int]:
    return [0]


@lru_cache(maxsize=256)
def conversion_table(source: Format, result: Format, rho: Projection) -> Table | None:
    """The table of a conversion; None where none of a sensible size exists and the kernel must serve."""
    if rho.rounding.is_stochastic:
        return None
    if source.k <= 16:
        return Table(0, *convert_by_kernel(np.arange(1 << source.k, dtype=code_dtype(source)), source, result, rho))
    kept = significant_bits(source, result)
    if kept is None or source.k - source.t + kept > MAX_INDEX_BITS:
        return None
    return _sticky_table(source, result, rho, source.t - kept)


def significant_bits(source: Format, result: Format) -> int | None:
    """How many trailing significand bits of a wide source decide (the sticky bit included); None: all of them may."""
    finest = result.quantum_exponent(result.emin) - 3  # eighths of the smallest ulp: underflow flags need one more bit
    kept = max(longest(result) + 1, source.emin - finest)
    return kept if kept < source.t else None


def _sticky_table(source: Format, result: Format, rho: Projection, shift: int) -> Table:
    per_binade = 1 << (source.t - shift)
    count = 1 << (source.k - 1 - shift)
    infinity = source.infinity_code >> shift
    # every nonzero value below the range answers like the tiniest, every finite one above it like the largest
    low = max(0, result.quantum_exponent(result.emin) - 3 + source.bias) * per_binade + 1
    high = min((result.emax + 3 + source.bias) * per_binade + 1, infinity - 1)
    index = np.arange(count)
    index[1:infinity] = np.clip(index[1:infinity], low, high)
    if rho.subnormal.of_operands:
        index[1:per_binade] = 0
    needed, where = np.unique(index, return_inverse=True)
    signed = np.stack([needed, needed + count]).astype(np.uint64) << np.uint64(shift)
    codes, status = convert_by_kernel(signed.astype(code_dtype(source)), source, result, rho)
    return Table(shift, codes[:, where].ravel(), status[:, where].ravel())


def convert_by_kernel(
    codes: Codes, source: Format, result: Format, rho: Projection, random: Random | None = None
) -> tuple[Codes, NDArray[np.uint8]]:
    """Codes of one format to codes of another and their status, by the kernel; NaNs one by one by the reference."""
    fields = operand_fields(codes, source, rho)
    out, status = project_codes(fields, result, _without_error(rho), random)
    if fields.nan.any():
        found, back = np.unique(nan_key(codes[fields.nan], source, result, rho), return_inverse=True)
        answers = [nan_answer(int(code), source, result, _without_error(rho)) for code in found]
        out[fields.nan] = np.array([a[0] for a in answers], np.uint64)[back]
        status[fields.nan] = np.array([a[1] for a in answers], np.uint8)[back]
    return out.astype(code_dtype(result)), status


def nan_key(codes: Codes, source: Format, result: Format, rho: Projection) -> Codes:
    """NaN codes with the payload bits dropped that the answer cannot depend on."""
    if source.nans is not NaNs.IEEE:
        return codes
    kept = max(1, result.t) if rho.nan is NaN.PAYLOAD else 1
    drop = max(0, source.t - kept)
    low = codes.dtype.type((1 << drop) - 1)
    sticky = ((codes & low) != 0).astype(codes.dtype)  # a NaN whose leading payload bits are 0 must stay a NaN
    folded: Codes = (codes & ~low) | sticky
    return folded


def nan_answer(code: int, source: Format, result: Format, rho: Projection) -> tuple[int, int]:
    datum, status = project(unpack(code, source), result, rho)
    return pack(datum, result), int(status)


def _without_error(rho: Projection) -> Projection:
    """nan='error' is judged before a table is asked; the table itself needs some answer."""
    if rho.nan is not NaN.ERROR:
        return rho
    return replace(rho, nan=NaN.CANONICAL)


@lru_cache(maxsize=256)
def exactly_holds(carrier: Format, f: Format) -> bool:
    """Does the carrier have every finite value of the format?"""
    if longest(f) - f.fixed_point > longest(carrier) or f.max > carrier.max or f.lowest < carrier.lowest:
        return False
    return f.quantum_exponent(f.emin) >= carrier.quantum_exponent(carrier.emin)


@lru_cache(maxsize=256)
def decode_table(f: Format, carrier: Format) -> Codes:
    """Codes in the carrier of every code of a format of at most 16 bits, exact where the carrier holds them.

    A NaN becomes the carrier's quiet NaN of the same sign; values that the carrier lacks are rounded to nearest even.
    """
    rho = get_projection(carrier, "rne", "nonsat", "keep-sign")
    return convert_by_kernel(np.arange(1 << f.k, dtype=code_dtype(f)), f, carrier, rho)[0]


@lru_cache(maxsize=64)
def decode_pairs(f: Format, carrier: Format) -> Codes:
    """Two codes of at most 8 bits at a time: both answers side by side in one word of twice the carrier's width."""
    one = np.zeros(256, code_dtype(carrier))
    table = decode_table(f, carrier)
    one[: table.size] = table
    both = one[np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)]
    return np.ascontiguousarray(both).view(f"u{2 * one.itemsize}").ravel()
