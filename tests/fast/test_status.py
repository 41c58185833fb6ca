"""Status, NaN choices and overflow pairs of the array functions equal the reference's."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import numpy as np
import pytest
from fast.runs import DTYPES
from numpy.typing import NDArray
from second_oracles.exact import ROUNDINGS
from short import some

import fp8ref
from fp8ref import spec

FORMATS = (
    *("e4m3fn", "e5m2", "e3m4", "e4m3fnuz", "e5m2fnuz", "e8m0fnu", "ue5m3", "e3m2fn", "e2m1fn", "mxint8"),
    *("binary8p4se", "binary8p1uf", "binary8p7ue", "f16", "bf16", "e8m7b200", "e5m0", "e0m3fn"),
)


def assert_as_specified(x: NDArray[Any], source: str, name: str, **options: Any) -> None:
    """Codes and status of the array are the reference's, element by element."""
    codes, status = fp8ref.encode(x, name, flags=True, **options)
    bits = x.view(f"u{x.dtype.itemsize}")
    for n, code in enumerate(bits.tolist()):
        want = spec.encode(spec.decode(code, source), name, **options)
        assert (int(codes[n]), int(status[n])) == want, (source, hex(code), name, options)
    assert np.array_equal(fp8ref.encode(x, name, **options), codes)


def thresholds(name: str, count: int) -> list[float]:
    """Values and ties near zero, near the smallest normal and near the top, their neighbours, and some of the rest."""
    f = spec.get_format(name)
    draw = random.Random(name)
    ulp, top_ulp = f.min_subnormal, spec.Datum.of(f.max - spec.decode(f.max_code - 1, f).value).magnitude
    exact = [ulp * n / 4 for n in range(1, 7)]
    exact += [f.min_normal + d * ulp / 8 for d in range(-8, 5)]
    for top in {f.max, abs(f.lowest) or f.max}:
        exact += [top + d * top_ulp / 4 for d in range(-2, 7)]
    found = [float(x) for x in exact if 0 < x < 2**1000]
    low, high = float(np.log2(found[0])), float(np.log2(found[-1]))
    found += [2.0 ** draw.uniform(low - 2, high + 1) for _ in range(count)]
    near = [np.nextafter(x, to) for x in found for to in (0.0, np.inf)]
    return [s * float(x) for x in (*found, *near, 0.0, np.inf) for s in (1, -1)]


# the tininess of the other rules where subnormals differ in kind: none, many, one, a format of few bits, a wide one
TINY = ("e4m3fn", "e5m2fnuz", "e8m0fnu", "e2m1fn", "mxint8", "binary8p1uf", "f16")
TININESS = [(name, tininess) for name in FORMATS for tininess in ("after", "before", "delivered")]


@pytest.mark.parametrize(
    ("name", "tininess"), some(TININESS, [t for t in TININESS if t[0] in TINY or t[1] == "after"], "-".join)
)
def test_thresholds_and_random_values(name: str, tininess: str) -> None:
    """float64 with each rounding mode in turn, and float32, float16 and bfloat16."""
    values = np.array(thresholds(name, 10))
    for n, rounding in enumerate(ROUNDINGS):
        overflow = ("nonsat", "sat", "satprop")[n % 3]
        assert_as_specified(values[n % 2 :: 2], "f64", name, rounding=rounding, overflow=overflow, tininess=tininess)
    with np.errstate(over="ignore"):
        for source, rounding in (("f32", "rne"), ("f16", "rtp"), ("bf16", "rto"), ("f16", "rna")):
            narrowed = values.astype(DTYPES[source])[::3]
            assert_as_specified(narrowed, source, name, rounding=rounding, overflow="nonsat", tininess=tininess)


CHOICES = ("canonical", "keep-sign", "quiet", "payload", "default", "max", "signed-max", "zero")


@pytest.mark.parametrize("nan", CHOICES)
@pytest.mark.parametrize("source", DTYPES)
def test_nan_choices(source: str, nan: str) -> None:
    """Quiet and signalling, both signs, payloads at every place, and numbers beside them."""
    f = spec.get_format(source)
    payloads = [1 << n for n in range(f.t)] + [(1 << n) - 1 for n in range(2, f.t + 1)] + [(1 << f.t) - 2]
    codes = [f.infinity_code | p for p in payloads] + [f.infinity_code, f.infinity_code - 1, 0]
    codes += [c | f.sign_bit for c in codes]
    x = np.array(codes, np.dtype(f"u{np.dtype(DTYPES[source]).itemsize}")).view(DTYPES[source])
    for name in ("e4m3fn", "e5m2", "e4m3", "e4m3fnuz", "e8m0fnu", "e2m1fn", "mxint8", "f16", "bf16", "f32"):
        assert_as_specified(x, source, name, nan=nan, overflow="nonsat")


@pytest.mark.parametrize("name", ["e5m2", "e4m3fn", "e2m1fn", "binary8p4ue", "mxint8", "e8m0fnu"])
def test_every_overflow_pair(name: str) -> None:
    f = spec.get_format(name)
    top = float(f.max)
    x = np.array([top, top * 1.01, top * 1.25, top * 3, 1e300 if top < 1e30 else 1e308, np.inf, np.nan, -np.nan])
    x = np.concatenate([x, -x])
    tried = 0
    for pair in product(("max", "ieee", "inf", "nan"), repeat=2):
        if ("inf" in pair and not f.infinities) or ("nan" in pair and not f.has_nan):
            continue
        tried += 1
        for rounding in ROUNDINGS:
            assert_as_specified(x, "f64", name, rounding=rounding, overflow=pair, nan="keep-sign")
    assert tried == (2 + f.infinities + f.has_nan) ** 2


@pytest.mark.parametrize("name", ["ue4m3", "e8m0fnu", "binary8p3ue", "binary6p1uf", "e4m3fn"])
@pytest.mark.parametrize("negative", ["lowest", "magnitude"])
def test_negative_values_of_unsigned_formats(name: str, negative: str) -> None:
    values = np.array(thresholds(name, 5))
    for rounding in ROUNDINGS:
        assert_as_specified(values[::5], "f64", name, rounding=rounding, overflow="nonsat", negative=negative)


@pytest.mark.parametrize("source", ["e4m3fn", "e5m2", "e4m3fnuz", "e8m0fnu", "ue5m3", "mxint8", "binary8p3se"])
def test_conversions_of_codes(source: str) -> None:
    """Every code of a narrow format, subnormals included, to a coarser, a finer and a wide one."""
    codes = np.arange(1 << spec.get_format(source).k, dtype=np.uint8)
    for name, rounding in product(("e5m2fnuz", "e2m1fn", "e3m4", "f16", "e8m7b200", "f64"), ("rne", "rtn")):
        options = {"rounding": rounding, "overflow": "nonsat", "nan": "keep-sign"}
        got, status = fp8ref.convert(codes, source, name, flags=True, **options)
        want = [spec.encode(spec.decode(code, source), name, **options) for code in codes.tolist()]
        assert list(zip(got.tolist(), status.tolist())) == want
