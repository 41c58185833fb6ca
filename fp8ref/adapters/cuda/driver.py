"""A CUDA device through cuda-bindings: sources compiled by NVRTC for it, kernels launched on arrays.  No nvcc."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...extras import install
from ..base import Broken, Codes, Unavailable
from ..claims import require

MEND = install("cuda")
OLDEST = (8, 9)  # compute capability: Ada, the first with FP8
WITHOUT_FEATURES = ((8, 9),)  # capabilities whose target has no form "a", in which all instructions are there
RUNNING = Path("/proc/driver/nvidia/version")


class Device:
    """One device, and the kernels of one source.

    ``facts``: what it is, for the record.  ``prepared``: a folder of machine code that nvcc made before, see
    :func:`prepared_name`; what is not there, or of another source, is compiled.  Raises Unavailable where there is no
    driver, no device, an old one, or the source does not compile; :meth:`run` raises Broken where the device fails.
    """

    def __init__(
        self,
        source: Path,
        index: int = 0,
        includes: Sequence[Path] = (),
        define: str = "",
        prepared: Path | None = None,
    ) -> None:
        self._driver = require("cuda.bindings.driver", MEND)
        self._lost = ""  # the kernel in which the device failed
        self._nvrtc = require("cuda.bindings.nvrtc", MEND)
        try:
            self._start(index)
            self._load(source, includes, define, prepared)
        except _Failed as error:
            raise Unavailable(str(error)) from None

    def has(self, kernel: str) -> bool:
        """Is there such a kernel for this architecture?"""
        return kernel in self._kernels or self._found(kernel)

    def run(
        self, kernel: str, blocks: int, threads: int, operands: Sequence[Codes], out: Codes, scalars: Sequence[Any]
    ) -> Codes:
        """Fill ``out`` by a kernel that takes pointers to the operands and to ``out``, then the scalars of numpy."""
        memory: list[Any] = []
        if self._lost:
            raise Broken(f"not asked: the device failed before, in {self._lost}")
        try:
            for array in (*operands, out):
                memory.append(self._call("cuMemAlloc", max(array.nbytes, 1)))
            for pointer, array in zip(memory, operands):
                self._call("cuMemcpyHtoD", pointer, array.ctypes.data, array.nbytes)
            values = [*(np.array([int(pointer)], np.uint64) for pointer in memory), *(np.array([s]) for s in scalars)]
            addresses = np.array([value.ctypes.data for value in values], np.uint64)
            function = self._kernels[kernel]
            self._call("cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, 0, 0, addresses.ctypes.data, 0)
            self._call("cuCtxSynchronize")
            self._call("cuMemcpyDtoH", out.ctypes.data, memory[-1], out.nbytes)
        except _Failed as error:
            if "OUT_OF_MEMORY" not in str(error):  # a trap or a fault leaves the context unusable
                self._lost = kernel
            raise Broken(f"{kernel}: {error}") from None
        finally:
            for pointer in memory:
                self._driver.cuMemFree(pointer)
        return out

    # -- starting -----------------------------------------------------------------------------------------------------
    def _start(self, index: int) -> None:
        try:
            self._call("cuInit", 0)
        except _Failed as error:
            raise _Failed(f"no CUDA device can be used: {error}") from None
        except Exception as error:  # the bindings' own, of a kind that changed between releases
            raise _Failed(f"there is no CUDA driver here ({_first_line(error)})") from None
        count = self._call("cuDeviceGetCount")
        if not 0 <= index < count:
            raise _Failed(f"there is no CUDA device {index}; the driver finds {count}")
        device = self._call("cuDeviceGet", index)
        attribute = self._driver.CUdevice_attribute
        parts = [getattr(attribute, f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{part}") for part in ("MAJOR", "MINOR")]
        self.capability = tuple(self._call("cuDeviceGetAttribute", part, device) for part in parts)
        name = self._call("cuDeviceGetName", 128, device)
        name = name.split(b"\0")[0].decode()
        shown = ".".join(map(str, self.capability))
        if self.capability < OLDEST:
            raise _Failed(f"{name} has compute capability {shown}; FP8 needs 8.9 or more")
        api = self._call("cuDriverGetVersion")
        major, minor = self._compiler_version()
        if major > api // 1000:
            raise _Failed(
                f"the driver is for CUDA {_version(api)}, NVRTC is of CUDA {major}.{minor}: update the driver, or "
                f"pip install 'nvidia-cuda-nvrtc<{api // 1000 + 1}'"
            )
        self.facts: dict[str, str] = {
            "model": name,
            "compute_capability": shown,
            "cuda_driver": _version(api),
            "nvrtc": f"{major}.{minor}",
        }
        if RUNNING.exists():
            found = re.search(r"\b\d{3}\.\d+[\d.]*", RUNNING.read_text(errors="replace"))
            self.facts["driver"] = found[0] if found else "unknown"
        self._call("cuCtxSetCurrent", self._call("cuDevicePrimaryCtxRetain", device))

    def _load(self, source: Path, includes: Sequence[Path], define: str, prepared: Path | None) -> None:
        target = f"sm_{self.capability[0]}{self.capability[1]}" + "a" * (self.capability not in WITHOUT_FEATURES)
        self.facts["target"] = target
        self.facts["source_sha256"] = source_digest(source)
        there = prepared / prepared_name(source, target) if prepared is not None and not define else None
        if there is not None and there.is_file():
            cubin, ptx, by = there.read_bytes(), b"", "nvcc, before"
        else:
            options = [f"--gpu-architecture={target}", "--std=c++17", *(f"--include-path={path}" for path in includes)]
            options += [define] if define else []
            cubin, ptx = compile_source(self._nvrtc, source.name, source.read_bytes(), _headers(source), options)
            by = "NVRTC, for this run"
        self.facts["compiled"] = by
        self.facts["ptx_sha256"] = hashlib.sha256(ptx).hexdigest() if ptx else "none"
        self.facts["sass_sha256"] = hashlib.sha256(cubin).hexdigest()
        image = np.frombuffer(cubin, np.uint8)
        self._module = self._call("cuModuleLoadData", image.ctypes.data)
        self._kernels: dict[str, Any] = {}

    def _found(self, kernel: str) -> bool:
        try:
            self._kernels[kernel] = self._call("cuModuleGetFunction", self._module, kernel.encode())
        except _Failed:
            return False
        return True

    def _compiler_version(self) -> tuple[int, int]:
        try:
            _, major, minor = self._nvrtc.nvrtcVersion()
        except Exception as error:
            raise _Failed(f"NVRTC is not here ({_first_line(error)}): {MEND}") from None
        return major, minor

    def _call(self, function: str, *arguments: Any) -> Any:
        """The result of a driver function.  Raises _Failed, naming its error."""
        error, *results = getattr(self._driver, function)(*arguments)
        if int(error):
            raise _Failed(f"{function} says {error.name}")
        return results[0] if results else None


def _headers(source: Path) -> Mapping[str, bytes]:
    """The headers beside a source."""
    return {p.name: p.read_bytes() for p in sorted(source.parent.glob("*.h"))}


def source_digest(source: Path) -> str:
    """sha256 of a source and the headers beside it."""
    return hashlib.sha256(source.read_bytes() + b"".join(_headers(source).values())).hexdigest()


def prepared_name(source: Path, target: str) -> str:
    """The file of machine code prepared from a source for ``sm_90a`` or another target: no stale one has its name."""
    return f"{source.stem}.{target}.{source_digest(source)[:16]}.cubin"


class _Failed(Exception):
    """A call failed; the text is for people."""


def compile_source(
    nvrtc: Any, name: str, text: bytes, headers: Mapping[str, bytes], options: Sequence[str]
) -> tuple[bytes, bytes]:
    """Machine code and, where the compiler gives it, PTX.  Raises Unavailable with the compiler's first error."""

    def call(function: str, *arguments: Any) -> Any:
        error, *results = getattr(nvrtc, function)(*arguments)
        if int(error):
            raise _Failed(f"{function} says {error.name}")
        return results[0] if results else None

    names = [header.encode() for header in headers]
    program = call("nvrtcCreateProgram", text, name.encode(), len(names), list(headers.values()), names)
    given = [option.encode() for option in options]
    try:
        call("nvrtcCompileProgram", program, len(given), given)
    except _Failed as failed:
        log = b" " * call("nvrtcGetProgramLogSize", program)
        call("nvrtcGetProgramLog", program, log)
        lines = log.decode(errors="replace").strip("\0 \n").splitlines()
        first = next((line for line in lines if "error" in line), lines[0] if lines else str(failed))
        raise Unavailable(f"{name} does not compile with {' '.join(options)}: {first}") from None
    found = []
    for what in ("CUBIN", "PTX"):
        try:
            blob = b" " * call(f"nvrtcGet{what}Size", program)
            call(f"nvrtcGet{what}", program, blob)
        except _Failed:
            blob = b""
        found.append(blob)
    return found[0], found[1]


def _version(number: int) -> str:
    """``13.0`` of 13000."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
