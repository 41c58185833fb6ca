"""For the test suites of other projects: assertions whose message is the drawn counterexample, and ready-made suites.

>>> import numpy as np, ml_dtypes
>>> from fp8ref.testing import assert_converts
>>> assert_converts(lambda x: x.astype(ml_dtypes.float8_e5m2), "f32", "e5m2", "rne.nonsat")

The assertions need nothing else; the property suites need Hypothesis and pytest: ``pip install '.[testing]'`` in a
checkout of fp8ref.
"""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .assertions import (
        NotConforming,
        assert_converts,
        assert_dot_within,
        assert_equal_codes,
        assert_operation,
        assert_scales,
        require_conforming,
    )
    from .suites import AdapterSuite, ArithmeticSuite, ConversionSuite, DotSuite, ScalingSuite

__all__ = [
    "AdapterSuite",
    "ArithmeticSuite",
    "ConversionSuite",
    "DotSuite",
    "NotConforming",
    "ScalingSuite",
    "assert_converts",
    "assert_dot_within",
    "assert_equal_codes",
    "assert_operation",
    "assert_scales",
    "require_conforming",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(
        __name__,
        {name: ".suites" if name.endswith("Suite") else ".assertions" for name in __all__}
        | {name: f".{name}" for name in ("assertions", "plugin", "suites")},
    )
