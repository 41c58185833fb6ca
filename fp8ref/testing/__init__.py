"""For the test suites of other projects: assertions whose message is the drawn counterexample, and ready-made suites.

>>> import numpy as np, ml_dtypes
>>> from fp8ref.testing import assert_converts
>>> assert_converts(lambda x: x.astype(ml_dtypes.float8_e5m2), "f32", "e5m2", "rne.nonsat")

The assertions need nothing else; the property suites need Hypothesis and pytest: ``pip install 'fp8ref[testing]'``.
"""

from typing import TYPE_CHECKING

from .assertions import (
    NotConforming,
    assert_converts,
    assert_dot_within,
    assert_equal_codes,
    assert_operation,
    assert_scales,
    require_conforming,
)

if TYPE_CHECKING:
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

SUITES = ("AdapterSuite", "ArithmeticSuite", "ConversionSuite", "DotSuite", "ScalingSuite")


def __getattr__(name: str) -> object:
    if name in SUITES:
        from . import suites

        return getattr(suites, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
