"""C++ header libraries with a half or a bfloat16 of their own, compiled here: Eigen, FP16, Imath."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...cases.operation import Operation
from ..compiled import CXX, build, find_compiler
from ..programs.cabi import Cabi

LIBRARIES = {  # where Debian puts the headers, and their package
    "eigen": ("/usr/include/eigen3", "libeigen3-dev", "Eigen 3.4, Half.h and BFloat16.h"),
    "fp16": ("/usr/include", "libfp16-dev", "FP16, fp16_ieee_from_fp32_value"),
    "imath": ("/usr/include/Imath", "libimath-dev", 'Imath half.h: "round to nearest even"'),
}


class Headers(Cabi):
    """``library``: eigen, fp16 or imath.  ``include``: the folder of its headers, where it is not Debian's."""

    def __init__(self, library: str = "eigen", include: str = "") -> None:
        if library not in LIBRARIES:
            raise ValueError(f"the header libraries are {', '.join(LIBRARIES)}, not {library!r}")
        self.library = library
        folder, package, self._said = LIBRARIES[library]
        self._compiler = find_compiler(CXX)
        here = Path(__file__)
        flags = [f"-D{library.upper()}", f"-I{here.parents[1] / 'programs'}", f"-I{include or folder}", "-std=c++17"]
        super().__init__(str(build(here.with_suffix(".cpp"), self._compiler, flags, f"apt-get install {package}")))

    def identify(self) -> Mapping[str, str]:
        return {**super().identify(), "name": self.library, "compiler": self._compiler.version, "device": "cpu"}

    def source(self, op: Operation) -> str:
        """Where the claim comes from."""
        return self._said
