"""The public array functions."""

from .conversion import convert, decode, encode, quantize
from .products import dot, matmul

__all__ = ["convert", "decode", "dot", "encode", "matmul", "quantize"]
