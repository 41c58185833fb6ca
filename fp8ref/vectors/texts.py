"""The documents beside shipped vectors: what every flag and bin means, and the schemas of the JSON forms."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ..cases.operation import Operation
from .coverage.bins import points_of
from .section import VERSION

EXAMPLES = {
    "convert": "convert/f32/e4m3fn/rne.sat", "decode": "decode/e5m2/f32", "unary": "sqrt/e5m2/e5m2/rne.nonsat",
    "add": "add/e5m2.e5m2/e5m2/rne.nonsat", "mul": "mul/e5m2.e5m2/e5m2/rne.nonsat",
    "div": "div/e5m2.e5m2/e5m2/rne.nonsat", "fma": "fma/e5m2.e5m2.e5m2/e5m2/rne.nonsat",
    "dot": "dot/e5m2.e5m2/f32/exact;flags=1;k=32;zero=ieee",
    "dot in fixed point": "dot/e5m2.e5m2/fx40.20/exact.rne.wrap;c=none;k=4",
    "stochastic convert": "convert/f32.rbits16/e5m2/sr-ptx.sat",
    "block-scaled dot": "dot/e5m2.e5m2/f32/exact;block=32;k=64;scale=ue4m3",
    "scale": "scale/f32/mxfp8_e4m3/floor",
}  # fmt: skip
STATUS = {
    "x bit 0 (01)": "NX, inexact", "x bit 1 (02)": "UF, underflow", "x bit 2 (04)": "OF, overflow",
    "x bit 3 (08)": "DZ, division by zero", "x bit 4 (10)": "NV, invalid",
}  # fmt: skip
WORDS = {
    "zero": "0 of that sign", "minsub": "the smallest subnormal", "sub": "a subnormal between the extremes",
    "maxsub": "the largest subnormal", "minnorm": "the smallest normal", "norm": "a normal between the extremes",
    "maxnorm": "the largest finite value", "inf": "infinity", "qnan": "a quiet NaN", "snan": "a signalling NaN",
}  # fmt: skip
SCHEMAS = ("vectors.schema.json", "case.schema.json", "manifest.schema.json", "flags.schema.json")


def flags() -> dict[str, Any]:
    """Every coverpoint of every family with its question and its values."""
    families = {}
    for family, example in EXAMPLES.items():
        points = points_of(Operation.parse(example))
        families[family] = {
            "example": example,
            "points": {
                p.coverpoint.name: {
                    "asks": p.asks,
                    "values": list(p.coverpoint.values) if len(p.coverpoint.values) < 100 else "CLASS,CLASS",
                }
                for p in points
            },
        }
    return {
        "fp8ref": "flags",
        "schema": "fp8ref/flags/1",
        "version": VERSION,
        "status": STATUS,
        "classes": WORDS,
        "families": families,
    }


@cache
def documents() -> dict[str, bytes]:
    """Name -> bytes of the documents that stand beside shipped vectors."""
    found = {"flags.json": json.dumps(flags(), indent=1).encode() + b"\n"}
    for name in SCHEMAS:
        found[f"schema/{name}"] = files(__package__).joinpath("schema", name).read_bytes()
    return found
