"""The generated C model as a shared object, asked array by array."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.vectors.c_model.generate import c_model

ROUNDINGS = ("rne", "rtz", "rtn", "rtp", "rna", "rto")
STOCHASTIC = ("sr-a", "sr-b", "sr-c", "sr-ptx", "sr-bias", "sr-hip", "sr-hip-ocp")
OVERFLOWS = {"sat": 0, "satprop": 16, "nonsat": 17}
TININESS = ("after", "before", "delivered")
OPERATIONS = ("add", "sub", "mul", "div", "fma", "sqrt")
RULES = (
    ("nan", ("canonical", "keep-sign", "quiet", "payload", "max", "zero", "default", "signed-max")),
    ("snan", ("ieee", "quiet")),
    ("subnormal", ("keep", "daz", "ftz", "both")),
    ("negative", ("lowest", "magnitude")),
)
TO = ("max", "ieee", "inf", "nan")

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")


class Rules(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("rounding", "overflow", "tininess", *(r[0] for r in RULES), "width")),
        ("random", ctypes.c_uint32),
    )


def overflow_number(rule: str) -> int:
    finite, dash, infinite = rule.partition("-")
    return TO.index(finite) << 2 | TO.index(infinite) if dash else OVERFLOWS[rule]


def rules_of(op: Operation) -> Rules:
    rounding, _, overflow = (op.mode or "").partition(".")
    rest = [choices.index(op.key(name, choices[0])) for name, choices in RULES]
    tininess = TININESS.index(op.key("tininess", "after"))
    return Rules(ROUNDINGS.index(rounding), overflow_number(overflow), tininess, *rest)


class Model:
    """A compiled model; ``edits`` replace text of its source first, ``loops`` are C files beside this one."""

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str],
        *edits: tuple[str, str],
        level: str = "-O1",
        loops: Sequence[str] = ("model_loops.c",),
    ):
        sources = c_model(formats)
        for edit in edits:
            assert sources["fp8ref_model.c"].count(edit[0]) == 1, edit[0]
            sources["fp8ref_model.c"] = sources["fp8ref_model.c"].replace(*edit)
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        shared = folder / "model.so"
        parts = [str(folder / "fp8ref_model.c"), *(str(Path(__file__).with_name(name)) for name in loops)]
        command = ["gcc", *STRICT, level, "-shared", "-fPIC", f"-I{folder}", "-o", str(shared), *parts]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        self.library = ctypes.CDLL(str(shared))

    def function(self, name: str) -> ctypes.c_void_p:
        return ctypes.cast(getattr(self.library, f"fp8ref_{name}"), ctypes.c_void_p)

    def format(self, name: str) -> int:
        return ctypes.addressof(ctypes.c_char.in_dll(self.library, f"fp8ref_format_{name}"))

    def table(self, name: str, k: int) -> np.ndarray:
        return np.array((ctypes.c_uint32 * (1 << k)).in_dll(self.library, f"fp8ref_{name}_f32"), np.uint32)

    def wrapped(self, op: Operation, operands: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Answers and flags through the function of the operation's own name."""
        n = operands[0].size
        z, flags = np.zeros(n, carrier_dtype(op.result)), np.full(n, 0xFF, np.uint8)
        rules = rules_of(op)
        arrays = [x.ctypes.data_as(ctypes.c_void_p) for x in operands]
        widths = f"{8 * operands[0].itemsize}_{8 * z.itemsize}"
        loop = {1: f"one_{widths}", 2: "two", 3: "three"}[len(operands)]
        getattr(self.library, loop)(
            self.function(op.testfloat), *arrays, ctypes.c_size_t(n), rules.rounding, rules.overflow, rules.tininess,
            z.ctypes.data_as(ctypes.c_void_p), flags.ctypes.data_as(ctypes.c_void_p),
        )  # fmt: skip
        return z, flags

    def general(self, op: Operation, operands: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Answers and flags through fp8ref_convert or fp8ref_compute, with every rule that the operation names."""
        n = operands[0].size
        z, flags = np.zeros(n, np.uint64), np.full(n, 0xFF, np.uint8)
        codes = np.ascontiguousarray(np.stack([x.astype(np.uint64) for x in operands], axis=1))
        outs = [z.ctypes.data_as(ctypes.c_void_p), flags.ctypes.data_as(ctypes.c_void_p)]
        rules = ctypes.byref(rules_of(op))
        sources = [ctypes.c_void_p(self.format(name)) for name in op.operands]
        to = ctypes.c_void_p(self.format(op.result))
        into = codes.ctypes.data_as(ctypes.c_void_p)
        if op.family in ("convert", "decode"):
            self.library.convert_all(sources[0], to, into, ctypes.c_size_t(n), rules, *outs)
        else:
            pointers: Any = (ctypes.c_void_p * len(sources))(*sources)
            self.library.compute_all(
                OPERATIONS.index(op.family), pointers, into, ctypes.c_size_t(len(sources)), to, ctypes.c_size_t(n),
                rules, *outs,
            )  # fmt: skip
        return z.astype(carrier_dtype(op.result)), flags
