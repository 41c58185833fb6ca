"""fp8ref: the bit-exact reference of 8-bit and narrower floating point, and the conformance suite built on it."""

from .arrays import convert, decode, encode, quantize
from .fast.chunks import get_threads, set_threads
from .spec import Format, formats, get_format

__version__ = "0.1.0"

__all__ = [
    "Format",
    "convert",
    "decode",
    "encode",
    "formats",
    "get_format",
    "get_threads",
    "quantize",
    "set_threads",
]
