"""The types of ml_dtypes carry their format; a type that the catalogue does not know yet disturbs nobody."""

from __future__ import annotations

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import fp8ref

LATER = """
import ml_dtypes, numpy as np
ml_dtypes.float8_of_a_later_version = type("float8_of_a_later_version", (), {})
import fp8ref
from fp8ref.adapters.libraries.ml_dtypes import MlDtypes
print(fp8ref.encode(np.float32([448]), "e4m3fn")[0], len(MlDtypes().capabilities()) > 1000)
"""


def test_a_type_that_the_catalogue_lacks_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("126 True", "")


@pytest.mark.skipif(not hasattr(ml_dtypes, "float8_e5m3fnu"), reason="ml_dtypes has E5M3 since 0.7.0")
def test_e5m3_is_cudas_ue5m3() -> None:
    codes = np.arange(256, dtype=np.uint8)
    own = codes.view(ml_dtypes.float8_e5m3fnu)
    assert fp8ref.get_format(ml_dtypes.float8_e5m3fnu).name == "ue5m3"
    theirs = own.astype(np.float64)
    ours = fp8ref.decode(own, dtype=np.float64)
    assert np.array_equal(theirs, ours, equal_nan=True)
