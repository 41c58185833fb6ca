"""The specification: what a number is and what the standards say, in exact rationals.  Slow, readable, stdlib only."""

from .catalog import aliases, formats, get_format, scaled_format
from .codec import canonical_nan, pack, unpack
from .datum import Datum, Kind
from .formats import Format, NaNs
from .operations.arithmetic import compute, compute_codes
from .operations.definition import Semantics
from .overflow import Overflow, To, get_overflow
from .projection import NaN, Negative, Projection, SNaN, Subnormal, decode, encode, get_projection, project
from .rounding import DETERMINISTIC, RandomBits, Rounding, get_rounding
from .status import Status, Tininess

__all__ = [
    "DETERMINISTIC",
    "Datum",
    "Format",
    "Kind",
    "NaN",
    "NaNs",
    "Negative",
    "Overflow",
    "Projection",
    "RandomBits",
    "Rounding",
    "SNaN",
    "Semantics",
    "Status",
    "Subnormal",
    "Tininess",
    "To",
    "aliases",
    "canonical_nan",
    "compute",
    "compute_codes",
    "decode",
    "encode",
    "formats",
    "get_format",
    "get_overflow",
    "get_projection",
    "get_rounding",
    "pack",
    "project",
    "scaled_format",
    "unpack",
]
