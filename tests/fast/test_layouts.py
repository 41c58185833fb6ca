"""Every shape, stride, alignment and byte order, on one thread and on two, gives the answers of the flat array."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from short import over

import fp8ref
from fp8ref.fast import chunks

Array = NDArray[Any]
DTYPES: tuple[Any, ...] = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.int32, np.uint64)


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x: Array) -> Array:
    raw = np.empty(x.nbytes + 1, np.uint8)
    there = raw[1:].view(x.dtype).reshape(x.shape)
    there[...] = x
    return there


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "as it is": lambda x: x,
    "two axes": lambda x: x.reshape(30, -1),
    "transposed": lambda x: x.reshape(30, -1).T,
    "three axes, permuted": lambda x: x.reshape(5, 6, -1).transpose(1, 2, 0),
    "every third": lambda x: x[::3],
    "reversed": lambda x: x[::-1],
    "both axes reversed": lambda x: x.reshape(30, -1)[::-1, ::-1],
    "a corner": lambda x: x.reshape(30, -1)[3:17, 5:-4],
    "Fortran order": lambda x: np.asfortranarray(x.reshape(30, -1)),
    "broadcast": lambda x: np.broadcast_to(x[:7], (4, 7)),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "big-endian, strided": lambda x: x.astype(x.dtype.newbyteorder(">")).reshape(30, -1)[::-2, 1::3],
    "read-only": read_only,
    "unaligned": unaligned,
    "no axis": lambda x: x[5:6].reshape(()),
    "nothing": lambda x: x[:0],
    "nothing by seven": lambda x: x[:0].reshape(0, 7),
    "one by one by one": lambda x: x[:1].reshape(1, 1, 1),
    "longer than a chunk, strided": lambda x: np.tile(x, 80)[::2],
    "longer than a chunk, transposed": lambda x: np.tile(x, 40).reshape(100, -1).T,
}


def values(dtype: Any, count: int = 1200) -> Array:
    bits = np.random.default_rng(7).integers(0, 256, count * np.dtype(dtype).itemsize, np.uint8)
    return bits.view(dtype)


@over("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
def test_encode(dtype: Any, layout: str) -> None:
    x = LAYOUTS[layout](values(dtype))
    flat = np.array(list(x.flat), dtype)  # element by element: no layout left
    for name in ("e4m3fn", "bf16"):
        want, want_status = fp8ref.encode(flat, name, overflow="nonsat", flags=True)
        got, status = fp8ref.encode(x, name, overflow="nonsat", flags=True)
        assert got.shape == status.shape == x.shape
        assert got.dtype == (np.uint8 if name == "e4m3fn" else np.uint16)
        assert status.dtype == np.uint8
        assert got.ravel().tolist() == want.tolist()
        assert status.ravel().tolist() == want_status.tolist()


@over("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["e4m3fn", "f16", "f32"])
def test_decode(name: str, layout: str) -> None:
    size = {"e4m3fn": 1, "f16": 2, "f32": 4}[name]
    codes = LAYOUTS[layout](values(np.dtype(f"u{size}")))
    for dtype in (np.float32, np.float64):
        want = fp8ref.decode(np.array(list(codes.flat), codes.dtype.newbyteorder("=")), name, dtype=dtype)
        got = fp8ref.decode(codes, name, dtype=dtype)
        assert got.shape == codes.shape
        assert got.dtype == dtype
        assert np.array_equal(got.ravel(), want, equal_nan=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_convert_and_quantize(layout: str) -> None:
    codes = LAYOUTS[layout](values(np.uint8))
    flat = np.array(list(codes.flat), np.uint8)
    got = fp8ref.convert(codes, "e5m2", "e4m3fn")
    assert got.shape == codes.shape
    assert got.ravel().tolist() == fp8ref.convert(flat, "e5m2", "e4m3fn").tolist()
    x = LAYOUTS[layout](values(np.float32))
    quantized = fp8ref.quantize(x, "e4m3fn")
    assert quantized.shape == x.shape
    assert quantized.dtype == np.float32
    decoded = fp8ref.decode(fp8ref.encode(x, "e4m3fn"), "e4m3fn")
    assert np.array_equal(quantized, decoded, equal_nan=True)


@pytest.mark.parametrize("size", [0, 1, 2, (1 << 12) - 1, 1 << 12, (1 << 12) + 1, (1 << 15) + 3, (1 << 16) + 1])
def test_sizes_around_the_inner_limits(size: int) -> None:
    codes = np.resize(np.arange(256, dtype=np.uint8), size)
    one_by_one = np.array([fp8ref.decode(code, "e5m2").item() for code in range(256)], np.float32)
    assert np.array_equal(fp8ref.decode(codes, "e5m2"), one_by_one[codes], equal_nan=True)
    finite = codes[codes % 128 < 0x7C]
    assert np.array_equal(fp8ref.encode(one_by_one[finite], "e5m2"), finite)


@pytest.mark.parametrize("size", [chunks.THREADED_SPAN * 2, chunks.THREADED_SPAN * 3 + 17])
def test_two_threads_answer_as_one(size: int) -> None:
    bits = np.random.default_rng(11).integers(0, 1 << 32, size, np.uint32)
    x = bits.view(np.float32)
    codes = bits.astype(np.uint8)

    def everything() -> list[Array]:
        return [
            *fp8ref.encode(x, "e4m3fn", rounding="rtn", overflow="nonsat", flags=True),
            *fp8ref.encode(x.astype(np.float64), "e5m2", flags=True),
            fp8ref.encode(bits, "e4m3fn"),
            fp8ref.encode(x[: chunks.THREADED_SPAN * 2], "bf16"),
            fp8ref.decode(codes, "e4m3fn").view(np.uint32),
            fp8ref.convert(codes, "e5m2", "e3m4"),
        ]

    with np.errstate(invalid="ignore"):
        fp8ref.set_threads(1)
        alone = everything()
        fp8ref.set_threads(2)
        together = everything()
    assert all(np.array_equal(a, b) for a, b in zip(alone, together))


def test_thread_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    fp8ref.set_threads(3)
    assert fp8ref.get_threads() == 3
    fp8ref.set_threads(None)
    monkeypatch.setenv("FP8REF_THREADS", "5")
    assert fp8ref.get_threads() == 5
    monkeypatch.setenv("FP8REF_THREADS", "many")
    assert fp8ref.get_threads() >= 1
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match=f"threads must be a positive integer or None, not {wrong!r}"):
            fp8ref.set_threads(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("dtype", "layout"), [(np.float32, "C"), (np.float64, "C"), (np.float32, "strided")])
def test_memory_beyond_the_result_is_bounded(dtype: Any, layout: str) -> None:
    """Encoding 2**24 values takes less than 64 MiB besides the codes themselves."""
    x = np.linspace(-500, 500, 1 << 24, dtype=dtype)
    if layout == "strided":
        x = x.reshape(1 << 12, -1).T
    fp8ref.encode(x[:4], "e4m3fn")  # the table is made once
    tracemalloc.start()
    try:
        codes = fp8ref.encode(x, "e4m3fn")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert codes.nbytes <= peak < codes.nbytes + (64 << 20)
