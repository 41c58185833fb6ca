"""The public array functions."""

from .arithmetic import add, divide, faa, fma, log_b, multiply, remainder, round_to_integral, scale_b, sqrt, subtract
from .conversion import convert, decode, encode, quantize
from .layouts import pack_gguf, relayout, swap_nibbles, unpack_gguf
from .products import dot, matmul, output_amax
from .randomness import ptx_random_bits
from .scaling import ScaledArray, scale_blocks, unpack
from .selection import (
    abs_,
    classify,
    compare,
    copysign,
    is_class,
    maximum,
    minimum,
    negate,
    next_down,
    next_up,
    to_integer,
    total_order,
)

__all__ = [
    "ScaledArray",
    "abs_",
    "add",
    "classify",
    "compare",
    "convert",
    "copysign",
    "decode",
    "divide",
    "dot",
    "encode",
    "faa",
    "fma",
    "is_class",
    "log_b",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "negate",
    "next_down",
    "next_up",
    "output_amax",
    "pack_gguf",
    "ptx_random_bits",
    "quantize",
    "relayout",
    "remainder",
    "round_to_integral",
    "scale_b",
    "scale_blocks",
    "sqrt",
    "subtract",
    "swap_nibbles",
    "to_integer",
    "total_order",
    "unpack",
    "unpack_gguf",
]
