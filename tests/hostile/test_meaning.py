"""What codes cannot carry is not lost in silence: masks, missing values, sparsity, fields, units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fp8ref
from fp8ref.arrays.dense import dense
from fp8ref.check.harness import worker
from fp8ref.check.harness.here import Here
from fp8ref.check.identify.tensors import identify_tensors

MASKED = np.ma.array(np.float32([1, 2, 3]), mask=[0, 1, 0])
CODES = np.ma.array(np.uint8([1, 2, 3]), mask=[0, 1, 0])
PLAIN = np.uint8([1, 2, 3])


class Series:
    """As pandas' with a dtype of its own: what is missing shows in ``isna`` alone."""

    dtype = "Float32"

    def __init__(self, missing: bool) -> None:
        self.missing = missing

    def isna(self) -> Any:
        return np.array([False, self.missing])

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.float32([1, np.nan if self.missing else 2])


class NAType:
    pass


class Sparse:
    nnz = 1

    def toarray(self) -> Any:
        return np.float32([1])


class Quantity(np.ndarray):
    unit = "m"


class Tensor:
    def __init__(self, **kind: bool) -> None:
        self.__dict__.update(kind)


RECORDS = np.zeros(2, [("a", "f4"), ("b", "f4")])
MEANINGFUL = [
    (MASKED, "1 masked elements"),
    (np.ma.masked, "1 masked elements"),
    ([1.0, np.ma.masked], "1 masked elements"),
    ([MASKED, MASKED], "1 masked elements"),
    (Series(True), "1 missing values"),
    ([1.0, NAType()], "a missing value"),
    (Sparse(), "toarray"),
    (Tensor(is_sparse=True), "to_dense"),
    (Tensor(is_quantized=True), "scales of its own"),
    (RECORDS, "fields a, b"),
    (RECORDS.view(np.recarray), "fields a, b"),
    (np.float32([1, 2]).view(Quantity), "the unit 'm'"),
]


@pytest.mark.parametrize(("x", "said"), MEANINGFUL)
def test_what_codes_cannot_carry_is_refused(x: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        fp8ref.encode(x, "e4m3fn")


def test_what_carries_nothing_more_is_taken() -> None:
    want = fp8ref.encode(np.float32([1, 2]), "e4m3fn").tolist()
    whole = np.ma.array(np.float32([1, 2]), mask=[0, 0])
    for x in (whole, Series(False), [1.0, 2.0], (np.float32(1), np.float32(2))):
        assert np.ravel(fp8ref.encode(x, "e4m3fn")).tolist() == want
    assert type(dense(whole)) is np.ndarray


ENTRIES: list[Callable[[], Any]] = [
    lambda: fp8ref.decode(CODES, "e4m3fn"),
    lambda: fp8ref.quantize(MASKED, "e4m3fn"),
    lambda: fp8ref.convert(CODES, "e4m3fn", "e5m2"),
    lambda: fp8ref.add(CODES, PLAIN, "e4m3fn"),
    lambda: fp8ref.add(PLAIN, MASKED, "e4m3fn"),
    lambda: fp8ref.compare(CODES, PLAIN, "lt", "e4m3fn"),
    lambda: fp8ref.classify(CODES, "e4m3fn"),
    lambda: fp8ref.exp(CODES, "e4m3fn"),
    lambda: fp8ref.dot(CODES, PLAIN, "e4m3fn"),
    lambda: fp8ref.dot(PLAIN, CODES, "e4m3fn"),
    lambda: fp8ref.dot(PLAIN, PLAIN, "e4m3fn", c=np.ma.masked),
    lambda: fp8ref.dot(PLAIN, PLAIN, "e4m3fn", scale_a=np.ma.masked),
    lambda: fp8ref.encode(np.float32([1, 2, 3]), "e4m3fn", rounding="sr-a", random_bits=CODES),
    lambda: fp8ref.scale_blocks(np.ma.array(np.ones((1, 32), np.float32), mask=True), "mxfp8_e4m3"),
    lambda: fp8ref.unpack(CODES, "e4m3fn"),
    lambda: identify_tensors(CODES, np.float32([1]), np.float32([[1, 2, 3]]), element="e4m3fn"),
    lambda: identify_tensors(PLAIN, np.float32([1]), MASKED, element="e4m3fn"),
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_way_in_refuses_a_mask(entry: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="masked elements"):
        entry()


def test_pandas_itself() -> None:
    pandas = pytest.importorskip("pandas")
    for x in (pandas.Series([1, None], dtype="Float32"), pandas.array([1, None], dtype="Int8")):
        with pytest.raises(TypeError, match="1 missing values"):
            fp8ref.encode(x, "e4m3fn")
    assert fp8ref.encode(pandas.Series([1.0, float("nan")]), "e4m3fn").tolist() == [0x38, 0x7F]


class Masking:
    """An implementation whose answers have a mask."""

    def identify(self) -> dict[str, str]:
        return {"name": "masking"}

    def capabilities(self) -> list[str]:
        return ["decode/e4m3fn/f32"]

    def run(self, op: Any, x: Any) -> Any:
        return np.ma.array(np.zeros(x.shape, np.uint32), mask=True)


def test_an_answer_with_a_mask_is_none() -> None:
    from fp8ref.cases.operation import Operation

    session = Here(Masking())
    with pytest.raises(TypeError, match="MaskedArray"):
        session.ask(Operation.parse("decode/e4m3fn/f32"), [((PLAIN,), "plain")])
    said = worker._wrong_shape(np.ma.zeros(3, np.uint32), np.dtype(np.uint32), (3,), "codes")
    assert said == "run() must return codes as a numpy array, not MaskedArray"
