"""fp8ref: the bit-exact reference of 8-bit and narrower floating point, and the conformance suite built on it."""

from .adapters.base import Unsupported
from .arrays import convert, decode, dot, encode, matmul, quantize
from .fast.chunks import get_threads, set_threads
from .spec import Format, formats, get_format

__version__ = "0.1.0"

__all__ = [
    "Format",
    "Unsupported",
    "convert",
    "decode",
    "dot",
    "encode",
    "formats",
    "get_format",
    "get_threads",
    "matmul",
    "quantize",
    "set_threads",
]
