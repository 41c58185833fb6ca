"""The public array functions."""

from .conversion import convert, decode, encode, quantize

__all__ = ["convert", "decode", "encode", "quantize"]
