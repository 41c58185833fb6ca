"""NVIDIA's header conversions (cuda_fp8.h, cuda_fp6.h, cuda_fp4.h), compiled for the host: no GPU is needed.

``host.cpp`` is compiled once for each set of headers and each compiler, and kept in the user's cache folder.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...cases.operation import Operation, carrier_dtype
from ...spec.profiles.catalog import get_profile
from ...spec.profiles.rules import Profile
from ..base import Codes, Unavailable
from ..claims import Claims
from ..compiled import build, find_compiler

SOURCE = Path(__file__).with_suffix(".cpp")
WHEELS = "pip install nvidia-cuda-runtime nvidia-cuda-crt nvidia-cuda-cccl"
# what the headers may have, by the function that says so
FEATURES = {
    "FP6": "__nv_cvt_float_to_fp6",
    "FP4": "__nv_cvt_float_to_fp4",
    "E8M0": "__nv_cvt_float_to_e8m0",
    "UE5M3": "__nv_cvt_float_to_ue5m3",
    "FP8_TO_BF16": "__nv_cvt_fp8_to_bf16raw",
    "FP6_TO_BF16": "__nv_cvt_fp6_to_bf16raw",
    "FP4_TO_BF16": "__nv_cvt_fp4_to_bf16raw",
}


class CudaHost:
    """The host side of CUDA's narrow conversions, both saturation policies.

    ``include``: the folder of cuda_fp8.h; by default the first found of CUDA_HOME, CUDA_PATH, /usr/local/cuda and the
    PyPI wheels.  Raises Unavailable without headers or without a C++ compiler (CXX, g++, c++ or clang++).

    NaN codes: a NaN of f16, bf16 or f32 becomes 7F in both 8-bit formats, one of f64 keeps its sign and leading
    payload bits, and an overflow to NaN (E4M3 under NOSAT) keeps its sign whatever the source.  So from the three
    narrow sources no single choice describes every NaN of E4M3 under NOSAT; as one class they agree.
    """

    def __init__(self, include: str | None = None) -> None:
        self._include = Path(include) if include is not None else find_headers()
        headers = _read_headers(self._include)
        self._compiler = find_compiler()
        self._version = cuda_version(self._include)
        self._library = ctypes.CDLL(str(self._build(headers)))
        self._library.fp8ref_cuda_id.restype = ctypes.c_char_p
        self._library.fp8ref_cuda_run.argtypes = [
            ctypes.c_int, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t
        ]  # fmt: skip
        self._library.fp8ref_cuda_run.restype = None
        count = self._library.fp8ref_cuda_count()
        operations = [_claim(self._library.fp8ref_cuda_id(entry).decode()) for entry in range(count)]
        self._entries = {op: entry for entry, op in enumerate(operations)}
        self._claims = Claims(operations)

    def identify(self) -> Mapping[str, str]:
        return {
            "name": "cuda_host",
            "version": self._version,
            "device": "cpu",
            "compiler": self._compiler.version,
        }

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        rule = _profile(op).rule(op.operands[0], op.result)
        return rule.promised if rule else f"cuda_fp*.h of CUDA {self._version}: exact conversion to a wider type"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        entry = self._entries[self._claims.covering(op)]
        x = operands[0]
        if not x.dtype.isnative:
            x = x.astype(x.dtype.newbyteorder("="))
        flat = x.reshape(-1)  # the functions take one number at a time: a stride is all the layout they could see
        z = np.empty(flat.size, carrier_dtype(op.result))
        stride = flat.strides[0]
        self._library.fp8ref_cuda_run(entry, flat.ctypes.data, stride, z.ctypes.data, flat.size)
        return z.reshape(x.shape)

    def _build(self, headers: bytes) -> Path:
        defines = [f"-DFP8REF_HAS_{name}" for name, function in FEATURES.items() if function.encode() in headers]
        places = [f"-I{self._include}", f"-I{self._include / 'cccl'}"]  # CUDA 13 keeps nv/target in cccl
        mend = f"install the whole CUDA toolkit, or {WHEELS}"
        return build(SOURCE, self._compiler, ["-std=c++17", *defines, *places], mend, headers)


def _profile(op: Operation) -> Profile:
    return get_profile("cuda-nosat" if (op.mode or "").endswith(".nonsat") else "cuda-satfinite")


def _claim(head: str) -> Operation:
    op = Operation.parse(head)
    rule = _profile(op).rule(op.operands[0], op.result)
    if op.family != "convert" or rule is None:
        return op
    return Operation.convert(op.operands[0], op.result, op.mode or "", **rule.keys)


def _candidates() -> Iterator[Path]:
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(name):
            yield Path(os.environ[name]) / "include"
    yield Path("/usr/local/cuda/include")
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations if spec else None) or ():
        yield from sorted(Path(root).glob("cu[0-9]*/include"), reverse=True)
        yield Path(root) / "cuda_runtime" / "include"  # the wheels of CUDA 12


def find_headers() -> Path:
    looked = list(_candidates())
    for place in looked:
        if (place / "cuda_fp8.h").is_file():
            return place
    raise Unavailable(f"no cuda_fp8.h in {', '.join(map(str, looked))}: set CUDA_HOME, or {WHEELS}")


def _read_headers(include: Path) -> bytes:
    found = sorted(include.glob("cuda_fp*.h*")) + sorted(include.glob("cuda_bf16.h*"))
    if not any(path.name == "cuda_fp8.h" for path in found):
        raise Unavailable(f"no cuda_fp8.h in {include}: name the folder that holds it, or {WHEELS}")
    return b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in found)


def cuda_version(include: Path) -> str:
    """``13.5`` of ``#define CUDART_VERSION 13050``."""
    api = include / "cuda_runtime_api.h"
    match = re.search(r"#define\s+CUDART_VERSION\s+(\d+)", api.read_text(errors="replace")) if api.is_file() else None
    return f"{int(match[1]) // 1000}.{int(match[1]) % 1000 // 10}" if match else "unknown"
