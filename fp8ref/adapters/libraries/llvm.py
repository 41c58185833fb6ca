"""LLVM's APFloat: conversions and arithmetic of its narrow formats, through a small C++ source compiled here."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ...cases.operation import WIDE, Operation
from ...spec.catalog import get_format
from ..base import Unavailable
from ..claims import cast_claim, claims_of, constant_claims
from ..compiled import build, find_compiler
from ..programs.cabi import Cabi

ROUNDINGS = ("rne", "rna", "rtz", "rtp", "rtn")
ARITHMETIC = ("add", "sub", "mul", "div", "fma", "rint")
FINFO = ("bits", "max", "maxexp", "min", "minexp", "nmant", "smallest_normal", "smallest_subnormal")
OLDEST = 17  # the first with all five FP8 formats of the header's list


class Llvm(Cabi):
    """``APFloat::convert``, ``add``, ... in every rounding of ``llvm::RoundingMode``.

    ``config``: the llvm-config of the release; by default the newest on PATH.  Raises Unavailable without LLVM's
    headers or a C++ compiler.
    """

    def __init__(self, config: str = "") -> None:
        config = config or _newest()
        flags = _say(config, "--cxxflags").split()
        libraries = [*_say(config, "--ldflags").split(), *_say(config, "--libs", "core", "support").split()]
        where = Path(__file__)
        mend = "install LLVM's development package, such as llvm-19-dev"
        compiler = find_compiler()
        built = build(
            where.with_suffix(".cpp"), compiler, [f"-I{where.parents[1] / 'programs'}", *flags, *libraries], mend
        )
        super().__init__(str(built))
        types = self._library.fp8ref_llvm_types
        types.restype = ctypes.c_char_p
        self._claims = list(self._operations(types().decode().split()))

    def source(self, op: Operation) -> str:
        """Where the claim comes from."""
        if op.family == "finfo":
            return "APFloat.h: getLargest, getSmallest, getSmallestNormalized and the fields of fltSemantics"
        if op.asked.kind in ("convert", "decode"):
            return "APFloat.h: convert, rounding as named; overflow as IEEE 754, to NaN where there is no infinity"
        return f"APFloat.h: {op.family}, rounding as named; IEEE 754"

    def _operations(self, types: list[str]) -> Iterator[Operation]:
        narrow = [name for name in types if name not in WIDE]
        yield from constant_claims(FINFO, narrow)
        for name in narrow:
            f = get_format(name)
            for source, rounding in product((*WIDE, *narrow), ROUNDINGS):
                if source != name:
                    yield Operation.convert(source, name, f"{rounding}.nonsat")
            yield from (cast_claim(name, wide) for wide in WIDE)
            if f.zero:
                families = [family for family in ARITHMETIC if f.has_nan or family != "div"]  # x/0 needs a NaN
                for rounding in ROUNDINGS:
                    yield from claims_of(dict.fromkeys(families, f"{rounding}.nonsat"), name)


def _newest() -> str:
    names = ["llvm-config", *(f"llvm-config-{n}" for n in range(40, OLDEST - 1, -1))]
    found = [(_major(path), path) for name in names if (path := shutil.which(name))]
    if not found or max(found)[0] < OLDEST:
        raise Unavailable(f"no llvm-config of LLVM {OLDEST} or newer: install llvm-19-dev, or name one, config=PATH")
    return max(found)[1]


def _major(config: str) -> int:
    match = re.match(r"\d+", _say(config, "--version"))
    return int(match[0]) if match else 0


def _say(config: str, *arguments: str) -> str:
    try:
        done = subprocess.run([config, *arguments], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"{config} cannot be asked: {error}") from error
    return done.stdout.strip()
