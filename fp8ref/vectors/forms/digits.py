"""Codes as hexadecimal digits and back, whole arrays at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..section import Codes, Column

Text = NDArray[np.uint8]  # ASCII

_PAIRS = np.frombuffer("".join(f"{i:02X}" for i in range(256)).encode(), np.uint16)  # two digits each
_BAD = 255
_NIBBLES = np.full(256, _BAD, np.uint8)
for _i, _digit in enumerate("0123456789ABCDEF"):
    _NIBBLES[ord(_digit)] = _NIBBLES[ord(_digit.lower())] = _i


def to_digits(codes: Codes, column: Column) -> Text:
    """Codes (n, ...) of a column as digits (n, elements, digits), upper case."""
    n, size = len(codes), codes.dtype.itemsize * column.words
    big = np.ascontiguousarray(codes.reshape(n, column.elements * column.words)).astype(
        codes.dtype.newbyteorder(">"), copy=False
    )
    pairs = _PAIRS[np.ascontiguousarray(big).view(np.uint8).reshape(n, column.elements * size)]
    digits: Text = pairs.view(np.uint8).reshape(n, column.elements, 2 * size)[:, :, 2 * size - column.digits :]
    return digits


def from_digits(text: Text, column: Column) -> tuple[Codes, NDArray[np.bool_]]:
    """Digits (n, elements, digits) of either case as codes (n, *shape), and which cases hold no codes of the type."""
    nibbles = _NIBBLES[text]
    bad = (nibbles == _BAD).any(axis=(1, 2))
    if column.words > 1:
        return _wide_codes(nibbles & np.uint8(15), column), bad | _too_wide(nibbles, column)
    dtype = column.dtype
    unsigned = np.dtype(f"u{dtype.itemsize}")
    found = np.zeros(text.shape[:2], unsigned)
    shift = unsigned.type(4)
    for i in range(text.shape[2]):
        found = (found << shift) | (nibbles[:, :, i] & 15)
    if column.bits < 8 * dtype.itemsize:
        bad |= (found > unsigned.type((1 << column.bits) - 1)).any(axis=1)
    return found.view(dtype).reshape(len(text), *column.shape), bad


def _wide_codes(nibbles: NDArray[np.uint8], column: Column) -> Codes:
    """Codes of several words (n, *shape, words), the highest first."""
    whole = np.zeros((*nibbles.shape[:2], 16 * column.words), np.uint8)
    whole[:, :, -nibbles.shape[2] :] = nibbles
    octets = whole[:, :, ::2] << 4 | whole[:, :, 1::2]
    return octets.view(">u8").astype(np.uint64).reshape(len(nibbles), *column.stored)


def _too_wide(nibbles: NDArray[np.uint8], column: Column) -> NDArray[np.bool_]:
    """Has the highest digit bits that the type does not have?"""
    spare = 4 * column.digits - column.bits
    return np.asarray((nibbles[:, :, 0] >> (4 - spare) != 0).any(axis=1)) if spare else np.zeros(len(nibbles), bool)


def squeezed(text: Text) -> bytes:
    """The bytes of text rows without the zeros that pad them."""
    return text.tobytes().translate(None, b"\0")


def table(words: list[bytes]) -> Text:
    """Words as rows of one length, padded with zeros."""
    width = max(map(len, words), default=0)
    joined = b"".join(word.ljust(width, b"\0") for word in words)
    return np.frombuffer(joined, np.uint8).reshape(len(words), width)
