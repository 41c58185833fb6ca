"""Conversion of whole arrays: one gather per element where a table serves, the kernel elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.projection import NaN, Projection
from ..spec.rounding import OF_CONVERSIONS, random_field
from .chunks import Array, Body, Scratch, for_each_chunk, for_each_chunk_of
from .environment import exact_floats
from .kernel import Fields, Random, code_dtype, longest, nan_codes, project_codes
from .tables import Table, conversion_table, convert_by_kernel, worth_a_table

Answer = tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.uint8] | None]
KERNEL_CHUNK = 1 << 13  # the kernel keeps a dozen 64-bit temporaries


RandomArray = tuple[Array, int]  # random words, one per element, and how many bits each has


@exact_floats
def convert_codes(
    codes: Array, source: Format, result: Format, rho: Projection, flags: bool, random: RandomArray | None = None
) -> Answer:
    """Codes of ``source`` (any shape, strides, byte order) to codes of ``result``, and their status where asked."""
    if rho.nan is NaN.ERROR:
        _refuse_nan(codes, source, result)
    if random is not None:
        low, width = random_field(rho.rounding, random[1], source.t - result.t)

        def answer(part: Array, bits: Array) -> tuple[Array, Array]:
            return convert_by_kernel(part, source, result, rho, _field(bits, low, width))

        return _run_randomly([codes, random[0]], result, answer, flags)
    return _run(codes, result, converter(source, result, rho, codes.size), flags)


@exact_floats
def convert_integers(
    values: Array, result: Format, rho: Projection, flags: bool, random: RandomArray | None = None
) -> Answer:
    """Integer values to codes of ``result``."""
    if random is not None:
        if rho.rounding in OF_CONVERSIONS:
            raise ValueError(
                f"rounding {rho.rounding.value!r} adds to the bits of a floating-point source, not integers"
            )
        width = random[1]

        def answer(part: Array, bits: Array) -> tuple[Array, Array]:
            return project_codes(_integer_fields(part), result, rho, _field(bits, 0, width))

        return _run_randomly([values, random[0]], result, answer, flags)
    if longest(result) > 40:  # float64 results: no float carries 64-bit integers with bits to spare
        return _run(values, result, partial(_integers_by_kernel, result, rho), flags)
    return _run(values, result, partial(_through_f64, converter(get_format("f64"), result, rho, values.size)), flags)


def converter(source: Format, result: Format, rho: Projection, size: int) -> Body:
    """The chunk body of a conversion of ``size`` elements: the cheapest that the formats allow."""
    table = conversion_table(source, result, rho) if worth_a_table(source, result, rho, size) else None
    if table is None:
        return partial(_by_kernel, source, result, rho)
    return partial(_by_table if table.shift == 0 else _by_sticky_table, table)


def _run(source: Array, result: Format, body: Body, flags: bool) -> Answer:
    out = np.empty(source.size, code_dtype(result))
    outs = [out, np.empty(source.size, np.uint8)] if flags else [out]
    for_each_chunk(source, outs, body)
    shaped = [o.reshape(source.shape) for o in outs]
    return shaped[0], shaped[1] if flags else None


def _field(words: Array, low: int, width: int) -> Random:
    bits = (words.astype(np.uint64) >> np.uint64(low)) & np.uint64((1 << width) - 1)
    return Random(bits, width)


def _run_randomly(
    sources: Sequence[Array], result: Format, answer: Callable[[Array, Array], tuple[Array, Array]], flags: bool
) -> Answer:
    out = np.empty(sources[0].size, code_dtype(result))
    outs = [out, np.empty(sources[0].size, np.uint8)] if flags else [out]

    def body(chunks: Sequence[Array], parts: Sequence[Array], scratch: Scratch) -> None:
        for a in range(0, chunks[0].size, KERNEL_CHUNK):
            piece = slice(a, a + KERNEL_CHUNK)
            for part, found in zip(parts, answer(chunks[0][piece], chunks[1][piece])):
                part[piece] = found

    for_each_chunk_of(sources, outs, body)
    shaped = [o.reshape(sources[0].shape) for o in outs]
    return shaped[0], shaped[1] if flags else None


def _gather(table: Table, index: Array, outs: Sequence[Array]) -> None:
    # mode='clip' skips numpy's bounds check and its buffering; indices are in range by construction
    table.codes.take(index, out=outs[0], mode="clip")
    if len(outs) > 1:
        table.status.take(index, out=outs[1], mode="clip")


def _by_table(table: Table, codes: Array, outs: Sequence[Array], scratch: Scratch) -> None:
    index = scratch.get("index", np.intp, codes.size)
    np.copyto(index, codes, casting="unsafe")
    _gather(table, index, outs)


def _by_sticky_table(table: Table, codes: Array, outs: Sequence[Array], scratch: Scratch) -> None:
    low = codes.dtype.type((1 << table.shift) - 1)
    folded = scratch.get("folded", codes.dtype, codes.size)
    np.bitwise_and(codes, low, out=folded)
    np.add(folded, low, out=folded)  # carries into bit `shift` if any low bit is set
    np.bitwise_or(folded, codes, out=folded)
    np.right_shift(folded, codes.dtype.type(table.shift), out=folded)
    _by_table(table, folded, outs, scratch)


def _by_kernel(
    source: Format, result: Format, rho: Projection, codes: Array, outs: Sequence[Array], scratch: Scratch
) -> None:
    for a in range(0, codes.size, KERNEL_CHUNK):
        part = slice(a, a + KERNEL_CHUNK)
        answers = convert_by_kernel(codes[part], source, result, rho)
        for out, answer in zip(outs, answers):
            out[part] = answer


def _magnitudes(values: Array) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    negative = values < 0
    magnitude = values.astype(np.uint64)  # two's complement
    np.negative(magnitude, out=magnitude, where=negative)
    return negative, magnitude


def _through_f64(body: Body, values: Array, outs: Sequence[Array], scratch: Scratch) -> None:
    """Integers to float64 by round-to-odd at 53 bits or fewer, so that the second rounding is innocuous."""
    if values.dtype.itemsize < 8:
        carried = values.astype(np.float64)
    else:
        negative, magnitude = _magnitudes(values)
        low = np.uint64((1 << 11) - 1)
        odd = (magnitude & ~low) | (((magnitude & low) != 0).astype(np.uint64) << np.uint64(11))
        carried = np.where(magnitude >> np.uint64(53) != 0, odd, magnitude).astype(np.float64)
        np.negative(carried, out=carried, where=negative)
    body(carried.view(np.uint64), outs, scratch)


def _integers_by_kernel(
    result: Format, rho: Projection, values: Array, outs: Sequence[Array], scratch: Scratch
) -> None:
    for a in range(0, values.size, KERNEL_CHUNK):
        part = slice(a, a + KERNEL_CHUNK)
        for out, answer in zip(outs, project_codes(_integer_fields(values[part]), result, rho)):
            out[part] = answer


def _integer_fields(values: Array) -> Fields:
    negative, magnitude = _magnitudes(values)
    never = np.zeros(negative.shape, bool)
    return Fields(negative, magnitude, np.zeros(negative.shape, np.int64), never, never)


def _refuse_nan(codes: Array, source: Format, result: Format) -> None:
    for a, chunk in _chunks(codes):
        nan = nan_codes(chunk, source)
        if nan.any():
            where = np.unravel_index(a + int(np.argmax(nan)), codes.shape)
            place = ", ".join(str(int(i)) for i in where)
            raise ValueError(f"a NaN at [{place}] is to be converted to {result.name} and nan='error' refuses it")


def _chunks(codes: Array) -> Sequence[tuple[int, Array]]:
    flat = codes.reshape(-1)
    return [(a, flat[a : a + KERNEL_CHUNK]) for a in range(0, flat.size, KERNEL_CHUNK)]
