"""What libraries call the specification's functions, and that every element-wise function is asked or named here."""

from __future__ import annotations

from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

from fp8ref.adapters.libraries.elementwise import NAMES, Elementwise, elementwise_claims, functions_of, options
from fp8ref.adapters.libraries.ml_dtypes import FUNCTIONS, MlDtypes
from fp8ref.adapters.libraries.numpy_matmul import NumpyMatmul
from fp8ref.cases import Operation
from fp8ref.cases.families import FAMILIES

# NumPy's ufuncs of floats that are not asked on narrow types, and why
LEFT = {
    "spacing": "no definition says what becomes of the ends",
    "ldexp": "asked as scaleb",
    "fabs abs positive conjugate conj": "the same as abs, or nothing",
    "true_divide pow mod asin acos atan atan2 asinh acosh atanh": "other names",
    "divmod": "floor_divide and remainder are asked",
    "degrees radians float_power matmul vecdot matvec vecmat": "into another type",
}


def test_every_ufunc_of_numpy_on_narrow_types_is_asked_or_left_for_a_reason() -> None:
    left = {name for names in LEFT for name in names.split()}
    asked = {found.name.removeprefix("numpy.") for found in FUNCTIONS.found}
    dtype = np.dtype(ml_dtypes.float8_e4m3fn)
    missed = []
    for name in dir(np):
        ufunc = getattr(np, name)
        if isinstance(ufunc, np.ufunc) and name not in left | asked:
            try:
                ufunc.resolve_dtypes((dtype,) * ufunc.nin + (None,) * ufunc.nout)
            except TypeError:
                continue
            missed.append(name)
    aliases = {name for name in missed if any(getattr(np, name) is found.call for found in FUNCTIONS.found)}
    assert set(missed) - aliases == set()


def test_the_first_home_wins_and_its_own_names_are_found() -> None:
    first = SimpleNamespace(arcsin=lambda x: x + 1, subtract=lambda x, y: x - y, min=lambda x: 0)
    second = SimpleNamespace(asin=lambda x: x + 2, sub=lambda x, y: y - x, modf=lambda x: (x + 3, x), round=lambda x: x)
    found = Elementwise(functions_of({"a": first, "b": second}))
    asked = {
        "asin/e4m3fn/e4m3fn/rne.nonsat": ("a.arcsin", 1),
        "frac/e4m3fn/e4m3fn/rne.nonsat": ("b.modf", 3),
        "rint/e4m3fn/e4m3fn/rne.nonsat": ("b.round", 0),
    }
    for text, (name, answer) in asked.items():
        function = found[Operation.parse(text)]
        assert (function.name, function.call(0)) == (name, answer)
    assert found[Operation.parse("sub/e5m2.e5m2/e5m2/rne.nonsat")].call(5, 2) == 3
    assert found.get(Operation.parse("min/e5m2.e5m2/e5m2/rne.nonsat")) is None  # a reduction is no function of two


def test_claims_of_pairs_and_of_scales() -> None:
    home = SimpleNamespace(hypot=np.hypot, exp=np.exp, mul=np.multiply)
    found = functions_of({"a": home})

    def ids(name: str, pairs: bool = False) -> set[str]:
        return {op.id for op in elementwise_claims(found, name, pairs)}

    assert ids("e4m3fn") == {"exp/e4m3fn/e4m3fn/*", "mul/e4m3fn.e4m3fn/e4m3fn/*"}
    assert ids("e4m3fn", True) - ids("e4m3fn") == {"hypot/e4m3fn.e4m3fn/e4m3fn/*;snan=quiet"}
    assert ids("e8m0fnu") == {
        "exp/e8m0fnu/e8m0fnu/*;semantics=scales",
        "mul/e8m0fnu.e8m0fnu/e8m0fnu/*;semantics=scales",
    }
    assert ids("bf16", True) == {"exp/bf16/bf16/*", "mul/bf16.bf16/bf16/*"}
    assert {op.id for op in elementwise_claims(found, "e5m2", works=lambda f, op: op.family == "exp")} == {
        "exp/e5m2/e5m2/*"
    }


def test_names_are_of_families_that_there_are() -> None:
    assert {family for families in NAMES.values() for family in families} <= set(FAMILIES)


def test_unknown_choices_are_refused() -> None:
    assert options("all", "narrow") == (True, False)
    for wrong in (("some", "all"), ("all", "none")):
        with pytest.raises(ValueError, match=r"functions='some'|pairs='none'"):
            options(*wrong)


def test_16_bits_are_asked_where_they_are_wanted() -> None:
    assert "exp/bf16/bf16/*" in MlDtypes(functions="all").capabilities()
    adapter = NumpyMatmul("all")
    x = np.array([0x3C00, 0xBC00, 0x7C00], np.uint16)  # 1, -1, infinity
    assert adapter.run(Operation.parse("exp/f16/f16/rne.nonsat"), x).tolist() == [0x4170, 0x35E3, 0x7C00]
    assert adapter.run(Operation.parse("issignminus/f16/bool"), x).tolist() == [0, 1, 0]
    assert not any(claim.startswith("exp") for claim in NumpyMatmul().capabilities())


def test_gelu_of_jax_is_asked_by_its_formula() -> None:
    pytest.importorskip("jax")
    from fp8ref.adapters.libraries.jax import Jax

    adapter = Jax(functions="all")
    x = np.array([0xC02D], np.uint16)  # bf16 -2.703125
    exact, tanh = (adapter.run(Operation.parse(f"{g}/bf16/bf16/rne.nonsat"), x)[0] for g in ("gelu", "gelu_tanh"))
    assert exact != tanh  # the formulas differ most near 2.7
