"""Adapters of small libraries, each where it is installed: the protocol, and answers worked out by hand."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.asking import ask, well_formed

from fp8ref.adapters.libraries.headers import LIBRARIES, Headers
from fp8ref.adapters.library import codes_of_values
from fp8ref.cases.operation import Operation

# 1.3 lies between 1.25 and 1.375 of E4M3, nearer to the first; 1.0625 halfway between 1 and 1.125, where 1 is even
POINTS = [1.3, 1.0625, -448, 0]
E4M3 = [0x3A, 0x38, 0xFE, 0x00]
SMALL = {
    "numkong": ("NumKong", "numkong", "convert/f32/e4m3fn/", POINTS, E4M3),
    "breccia": ("Breccia", "breccia", "convert/f32/e4m3fn/", POINTS, E4M3),
    "custom_float_quant": (
        "CustomFloatQuant",
        "custom-float-quant",
        "convert/f32/e4m3/",
        [1.3, -240, 0],
        [0x3A, 0xF7, 0],
    ),
    "fpy2": ("Fpy2", "fpy2", "convert/f32/e4m3fn/", POINTS, E4M3),
}


@pytest.mark.parametrize("module", SMALL)
def test_casts(module: str) -> None:
    name, package, prefix, values, codes = SMALL[module]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{package} is not installed")
    adapter: Any = getattr(import_module(f"fp8ref.adapters.libraries.{module}"), name)()
    well_formed(adapter, package)
    assert ask(adapter, prefix, values) == codes


def test_ggml_makes_the_same_mxfp4_blocks_as_by_hand() -> None:
    if importlib.util.find_spec("libggml") is None:
        pytest.skip("libggml-python is not installed")
    from fp8ref.adapters.libraries.ggml import MXFP4, Ggml

    adapter = Ggml()
    well_formed(adapter, "ggml")
    assert ask(adapter, "convert/f32/f16/", [1, 1 + 2**-11, 65520]) == [0x3C00, 0x3C00, 0x7C00]
    x = np.array([[6, -3, 0.5, 0] * 8], np.float32).view(np.uint32)  # amax 6: the scale is 2^0
    found = adapter.run(Operation.parse(MXFP4), x)
    assert found.tolist() == [[127, *[7, 0xD, 1, 0] * 8]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_header_libraries(library: str) -> None:
    header = {"eigen": "Eigen/Core", "fp16": "fp16.h", "imath": "half.h"}[library]
    if not (Path(LIBRARIES[library][0]) / header).exists():
        pytest.skip(f"apt-get install {LIBRARIES[library][1]}")
    adapter = Headers(library)
    well_formed(adapter, library)
    assert ask(adapter, "convert/f32/f16/", [1, 1 + 2**-11, 1 + 3 * 2**-11, 65520]) == [0x3C00, 0x3C00, 0x3C02, 0x7C00]


def test_an_unknown_header_library() -> None:
    with pytest.raises(ValueError, match="eigen, fp16, imath, not 'boost'"):
        Headers("boost")


def test_a_number_that_the_format_has_not_is_no_code() -> None:
    assert codes_of_values(np.array([1.25, -0.0, np.inf]), "e5m2").tolist() == [0x3D, 0x80, 0x7C]
    with pytest.raises(ValueError, match=r"element 1: .*1\.3.* is no value of e4m3fn"):
        codes_of_values(np.array([1, 1.3]), "e4m3fn")
    with pytest.raises(ValueError, match=r"inf.* is no value of e4m3fn"):
        codes_of_values(np.array([np.inf]), "e4m3fn")
