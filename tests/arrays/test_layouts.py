"""Layouts of scales and codes against places computed one by one from the kernels' own formulas."""

from __future__ import annotations

import numpy as np
import pytest

import fp8ref

SHAPES = [(1, 1), (3, 2), (130, 5), (32, 8), (128, 4), (257, 9)]


def up(n: int, to: int) -> int:
    return (n + to - 1) // to * to


def place(layout: str, i: int, j: int, r: int, b: int) -> int:
    if layout == "columns":
        return j * up(r, 4) + i
    if layout == "int32":
        return 4 * ((j // 4) * up(r, 4) + i) + j % 4
    if layout == "128x4":  # cuBLAS: outer tile, then (row mod 32, row div 32, column)
        return ((i // 128) * (up(b, 4) // 4) + j // 4) * 512 + (i % 32) * 16 + (i // 32 % 4) * 4 + j % 4
    return i * b + j


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", ["rows", "columns", "int32", "128x4"])
def test_every_scale_lies_where_the_formula_says(layout: str, shape: tuple[int, int]) -> None:
    r, b = shape
    scales = np.random.default_rng(1).integers(1, 256, shape).astype(np.uint8)
    found = fp8ref.relayout(scales, "rows", layout)
    flat = found.reshape(-1).view(np.uint8) if layout == "int32" else found.reshape(-1)
    assert [int(flat[place(layout, i, j, r, b)]) for i in range(r) for j in range(b)] == scales.ravel().tolist()
    assert np.count_nonzero(flat) == r * b
    assert np.array_equal(fp8ref.relayout(found, layout, "rows", shape), scales)


@pytest.mark.parametrize("shape", [(32, 8), (64, 16), (33, 9)])
def test_tiles_of_32_by_8_are_a_permutation_of_axes(shape: tuple[int, int]) -> None:
    scales = np.random.default_rng(2).integers(1, 256, shape).astype(np.uint8)
    r, b = up(shape[0], 32), up(shape[1], 8)
    padded = np.zeros((r, b), np.uint8)
    padded[: shape[0], : shape[1]] = scales
    want = padded.reshape(r // 32, 2, 16, b // 8, 2, 4).transpose(0, 3, 5, 2, 4, 1).ravel()
    assert np.array_equal(fp8ref.relayout(scales, "rows", "32x8"), want)
    assert np.array_equal(fp8ref.relayout(want, "32x8", "128x4", shape), fp8ref.relayout(scales, "rows", "128x4"))


def test_float_scales_by_columns() -> None:
    s = fp8ref.scale_blocks(np.random.default_rng(0).standard_normal((5, 256)).astype(np.float32), "trtllm-group")
    packed = s.pack_scales()
    assert packed.shape == (16,)
    assert packed[8 + 3] == s.scales[3, 1]


def test_blocks_of_llama_cpp() -> None:
    """block_mxfp4: e, then qs[j] = code(j) | code(j + 16) << 4; block_nvfp4: d[4], then 8 bytes for each 16 codes."""
    x = np.random.default_rng(4).standard_normal((2, 128)).astype(np.float32)
    for name, kind, size, group in (("gguf-mxfp4", "mxfp4", 17, 32), ("gguf-nvfp4", "nvfp4", 36, 16)):
        s = fp8ref.scale_blocks(x, name)
        packed = s.pack("gguf")
        per = size - 16 if group == 32 else 4
        assert packed.shape == (2, 128 // (group * per) * size)
        first = packed[0, :size].tolist()
        assert first[:per] == s.scales[0, :per].tolist()
        half = group // 2
        for t in range(per):
            for j in range(half):
                low, high = s.codes[0, group * t + j], s.codes[0, group * t + half + j]
                assert first[per + half * t + j] == low | high << 4
        scales, codes = fp8ref.unpack_gguf(packed, kind)
        assert np.array_equal(scales, s.scales)
        assert np.array_equal(codes, s.codes)


def test_nibbles_swap() -> None:
    assert fp8ref.swap_nibbles(np.array([0x21, 0xF0], np.uint8)).tolist() == [0x12, 0x0F]


BAD = [
    (lambda: fp8ref.relayout(np.zeros((2, 2), np.uint8), "row", "rows"), ValueError, "choose from rows"),
    (lambda: fp8ref.relayout(np.zeros(4, np.uint8), "rows", "columns"), ValueError, "two axes"),
    (lambda: fp8ref.relayout(np.zeros(8, np.uint8), "columns", "rows"), ValueError, "shape"),
    (lambda: fp8ref.relayout(np.zeros(8, np.uint8), "columns", "rows", (3, 3)), ValueError, "take 12 places"),
    (lambda: fp8ref.relayout(np.zeros((2, 2), np.float32), "rows", "int32"), TypeError, "one byte"),
    (lambda: fp8ref.relayout(np.zeros(4, np.uint8), "int32", "rows", (1, 4)), TypeError, "32 bits"),
    (lambda: fp8ref.pack_gguf(np.zeros(1, np.uint8), np.zeros(33, np.uint8), "mxfp4"), ValueError, "blocks of 32"),
    (lambda: fp8ref.pack_gguf(np.zeros(1, np.uint8), np.zeros(32, np.uint8), "q4"), ValueError, "choose from"),
    (lambda: fp8ref.unpack_gguf(np.zeros(18, np.uint8), "mxfp4"), ValueError, "17 bytes"),
    (lambda: fp8ref.swap_nibbles(np.zeros(2, np.int8)), TypeError, "uint8"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case: int) -> None:
    call, error, told = BAD[case]
    with pytest.raises(error, match=told):
        call()


@pytest.mark.parametrize("name", ["e2m1fn", "e3m2fn", "e2m3fn"])
def test_codes_one_a_byte(name: str) -> None:
    s = fp8ref.scale_blocks(np.random.default_rng(3).standard_normal((3, 64)).astype(np.float32), f"{name} 1x32")
    assert np.array_equal(s.pack("bytes"), s.codes)
    assert np.array_equal(fp8ref.unpack(s.pack("bytes"), name, layout="bytes"), s.codes)
    assert s.pack().shape[-1] == 64 * (4 if name == "e2m1fn" else 6) // 8
    assert np.array_equal(fp8ref.unpack(s.pack(), name), s.codes)


def test_the_first_code_in_the_high_nibble() -> None:
    codes = np.uint8([[1, 2, 3]])
    s = fp8ref.scale_blocks(np.float32([[0.5, 1.0, 1.5]]), "e2m1fn 1x3 aim=1")
    assert fp8ref.unpack(np.uint8([[0x12, 0x30]]), "e2m1fn", 3, "high").tolist() == codes.tolist()
    assert s.pack("high").tolist() == [[(int(s.codes[0, 0]) << 4) | int(s.codes[0, 1]), int(s.codes[0, 2]) << 4]]


@pytest.mark.parametrize(("name", "layout", "told"), [("e3m2fn", "high", "4 bits"), ("e2m1fn", "low", "dense"),
                                                      ("e2m1fn", "bytes", "no code")])  # fmt: skip
def test_layouts_that_do_not_fit(name: str, layout: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fp8ref.unpack(np.uint8([0xFF]), name, layout=layout)
