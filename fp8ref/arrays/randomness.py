"""Random bits for stochastic rounding: checked, drawn, and taken out of the words of a PTX instruction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.rounding import Rounding
from .dense import dense

DRAWN_WIDTH = {Rounding.STOCHASTIC_BIAS: 8}  # else 32


def random_words(
    rounding: Rounding,
    shape: tuple[int, ...],
    random_bits: ArrayLike | None,
    random_width: int | None,
    rng: np.random.Generator | None,
) -> tuple[NDArray[Any], int] | None:
    """Random words of that shape and their width; None for the deterministic modes.

    Raises ValueError where random bits are given to a mode that takes none, not given to one that does, given twice, of
    another shape or beyond the width; TypeError where they are not unsigned integers or ``rng`` is not a Generator.
    """
    if not rounding.is_stochastic:
        for name, given in (("random_bits", random_bits), ("random_width", random_width), ("rng", rng)):
            if given is not None:
                raise ValueError(f"{name} is for stochastic rounding, and {rounding.value!r} is deterministic")
        return None
    if (random_bits is None) == (rng is None):
        raise ValueError(f"rounding {rounding.value!r} needs random_bits or rng, one of them")
    if random_width is not None and not (isinstance(random_width, int) and 1 <= random_width <= 64):
        raise ValueError(f"random_width must be an integer from 1 to 64, not {random_width!r}")
    if rng is not None:
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a numpy Generator, not {type(rng).__name__}")
        width = random_width or DRAWN_WIDTH.get(rounding, 32)
        return rng.integers(0, (1 << width) - 1, shape, np.uint64, endpoint=True), width
    words = dense(random_bits, "random_bits")
    if words.dtype.kind != "u" and not (words.dtype.kind == "i" and not isinstance(random_bits, np.ndarray)):
        raise TypeError(f"random_bits must be unsigned integers, not {words.dtype}")
    if words.shape != shape:
        raise ValueError(f"random_bits have shape {words.shape}; one word for every element has shape {shape}")
    width = random_width or 8 * words.dtype.itemsize
    if words.size and (int(words.max()) >> width or int(words.min()) < 0):
        bad = (words < 0) | (words.astype(np.uint64) > np.uint64((1 << width) - 1))
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"random_bits{list(where)} = {int(words[where])} does not fit in random_width = {width} bits")
    return words, width


@exact_floats
def ptx_random_bits(rbits: ArrayLike, destination: str | Format) -> tuple[NDArray[Any], int]:
    """The random bits that PTX ``cvt.rs`` gives each element of a vector, for ``rounding="sr-ptx"``.

    ``rbits``: the 32-bit words of the instruction, any shape S.  Returns (bits, width), bits of shape S + (n,), operand
    order: n = 2 for f16 and bf16 (a from the upper half, b from the lower; f16 takes the 13 low bits of its half), n =
    4 for formats of at most 8 bits: a and b share the upper 16 bits, e and f the lower; for e2m1, a and b share the
    upper bytes of both halves, e and f the lower bytes [PTX ISA 9.0, cvt].

    Of two elements that share 16 bits each takes all of them, a and e in reverse order: a figure of the PTX ISA, not
    its text; measured on a B200 for e4m3, e5m2 and e2m1 (vkuzo/quant_cast_bench, nvidia_rs_bit_probe 41fec096), and
    assumed for the FP6 formats.

    >>> [[f"{x:04X}" for x in row] for row in ptx_random_bits([0x12345678], "e4m3fn")[0].tolist()]
    [['2C48', '1234', '1E6A', '5678']]

    Raises ValueError for other destinations and for words of more than 32 bits.
    """
    words = dense(rbits, "rbits")
    if words.dtype.kind not in "iu" or (words.size and (int(words.min()) < 0 or int(words.max()) >> 32)):
        raise ValueError("rbits are the 32-bit words of the instruction: integers from 0 to 2**32 - 1")
    w = words.astype(np.uint64)
    f = get_format(destination)
    half = np.uint64(0xFFFF)
    upper, lower = w >> np.uint64(16), w & half
    if f.name in ("f16", "bf16"):
        bits = 13 if f.name == "f16" else 16
        return np.stack([upper, lower], -1) & np.uint64((1 << bits) - 1), bits
    if f.name not in ("e4m3fn", "e5m2", "e3m2fn", "e2m3fn", "e2m1fn"):
        raise ValueError(f"PTX has no cvt.rs to {f.name}; destinations are f16 bf16 e4m3fn e5m2 e3m2fn e2m3fn e2m1fn")
    if f.name == "e2m1fn":  # regroup the bytes: the upper ones of both halves, the lower ones of both halves
        byte = np.uint64(0xFF)
        upper, lower = (
            ((w >> np.uint64(24)) << np.uint64(8)) | ((w >> np.uint64(8)) & byte),
            (((w >> np.uint64(16)) & byte) << np.uint64(8)) | (w & byte),
        )
    return np.stack([_reversed16(upper), upper, _reversed16(lower), lower], -1), 16


def _reversed16(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The 16 low bits in reverse order."""
    for width, mask in ((1, 0x5555), (2, 0x3333), (4, 0x0F0F), (8, 0x00FF)):
        m, n = np.uint64(mask), np.uint64(width)
        x = ((x & m) << n) | ((x >> n) & m)
    return x
