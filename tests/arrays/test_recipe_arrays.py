"""scale_blocks by recipe: shapes, levels, random bits, values back, and what is refused."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref.fast import recipes as fast


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def test_groups_rows_columns_squares_and_tensors() -> None:
    x = normal(70, 200)
    s = fp8ref.scale_blocks(x, "vllm-group")
    assert (s.codes.shape, s.scales.shape, s.scales.dtype, s.block) == ((70, 200), (70, 2), np.float32, 128)
    last = fp8ref.scale_blocks(np.ascontiguousarray(x[3, 128:]), "vllm-group")
    assert s.codes[3, 128:].tolist() == last.codes.tolist()
    assert s.scales[3, 1] == last.scales[0]
    assert fp8ref.scale_blocks(x, "vllm-token").scales.shape == (70, 1)
    assert fp8ref.scale_blocks(x, "te-current").scales.shape == (1, 1)
    square = fp8ref.scale_blocks(x, "hf-fp8")
    assert square.scales.shape == (1, 2)
    assert square.scales[0, 1] == fp8ref.scale_blocks(x[:, 128:], "hf-fp8").scales[0, 0]
    by_column = fp8ref.scale_blocks(x, "vllm-token column")
    assert by_column.scales.shape == (1, 200)
    assert by_column.codes.T.tolist() == fp8ref.scale_blocks(np.ascontiguousarray(x.T), "vllm-token").codes.tolist()
    tall = fp8ref.scale_blocks(x, "vllm-group 64x1")
    assert tall.scales.shape == (2, 200)
    turned = fp8ref.scale_blocks(x, "te-mxfp8", axis=0)
    assert turned.scales.shape == (3, 200)
    assert fp8ref.scale_blocks(x[:0], "vllm-group").codes.shape == (0, 200)


@pytest.mark.parametrize("name", ["vllm-group", "vllm-group-packed", "torchao-row", "te-nvfp4", "ct-nvfp4",
                                  "gguf-nvfp4",
                                  "modelopt-mxfp4", "torchao-nvfp4", "hf-fp8"])  # fmt: skip
def test_values_come_back(name: str) -> None:
    x = normal(6, 256)
    s = fp8ref.scale_blocks(x, name)
    back = s.dequantize()
    size = np.abs(x).max(axis=1, keepdims=True)
    assert (np.abs(back - x) < size * (0.25 if "4" in name else 0.07)).all()


def test_a_block_of_a_larger_tensor() -> None:
    x = normal(4, 64)
    whole = fp8ref.scale_blocks(x, "te-nvfp4")
    part = fp8ref.scale_blocks(x[:1] * np.float32(0.5), "te-nvfp4", tensor_amax=float(np.abs(x).max()))
    assert part.tensor_scale == whole.tensor_scale == np.float32(1) / (np.float32(2688) / np.abs(x).max())
    assert fp8ref.scale_blocks(x[:1], "te-nvfp4").tensor_scale != whole.tensor_scale


def test_the_source_type_enters_where_the_recipe_says_so() -> None:
    x = normal(64, 128).astype(ml_dtypes.bfloat16)
    bf16 = fp8ref.scale_blocks(x, "ct-fp8")
    f32 = fp8ref.scale_blocks(x.astype(np.float32), "ct-fp8")
    assert not np.array_equal(bf16.scales, f32.scales)
    assert np.array_equal(bf16.scales, fp8ref.scale_blocks(x, "ct-fp8-bf16").scales)
    assert (bf16.scales.view(np.uint32) & 0xFFFF == 0).all()


def test_stochastic_rounding_takes_random_bits() -> None:
    """Zero bits truncate; all ones go away from zero wherever anything is discarded."""
    x = normal(3, 32)
    low = fp8ref.scale_blocks(x, "te-nvfp4-sr", random_bits=np.zeros(x.shape, np.uint8))
    cut = fp8ref.scale_blocks(x, "te-nvfp4 rounding=rtz")
    assert np.array_equal(low.codes, cut.codes)
    high = fp8ref.scale_blocks(x, "te-nvfp4-sr", random_bits=np.full(x.shape, 255, np.uint8))
    assert ((high.codes & 7) >= (cut.codes & 7)).all()
    assert not np.array_equal(high.codes, cut.codes)
    with pytest.raises(ValueError, match="random_bits"):
        fp8ref.scale_blocks(x, "te-nvfp4-sr")


def test_the_hadamard_transformation_turns_a_unit_vector_into_signs() -> None:
    x = np.zeros((16, 16), np.float32)
    np.fill_diagonal(x, 4.0)
    y = fast.transformed(fp8ref.get_recipe("te-nvfp4-rht"), x, "f32")
    assert (np.abs(y) == 1).all()
    assert y[:, 0].tolist() == [1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1, -1]
    assert np.array_equal(y @ y.T, 16 * np.eye(16))


def test_today_s_schemes_keep_their_names() -> None:
    x = normal(2, 64)
    assert fp8ref.scale_blocks(x, "mxfp8_e4m3").recipe is None
    got = fp8ref.scale_blocks(x, fp8ref.get_recipe("te-mxfp8"))
    old = fp8ref.scale_blocks(x, "mxfp8_e4m3", rule="te")
    assert np.array_equal(got.codes, old.codes)
    assert np.array_equal(got.scales, old.scales)


@pytest.mark.parametrize(
    ("keys", "error", "told"),
    [
        ({"scheme": "vllm-gruop"}, ValueError, "did you mean vllm-group"),
        ({"scheme": "vllm-group", "rule": "te"}, ValueError, "no rules"),
        ({"scheme": "vllm-group", "tensor_amax": 3.0}, ValueError, "one level"),
        ({"scheme": "mxfp4", "tensor_amax": 3.0}, ValueError, "for recipes"),
        ({"scheme": "hf-fp8", "x": np.zeros(4, np.float32)}, ValueError, "two axes"),
        ({"scheme": "vllm-group", "x": np.zeros(4)}, TypeError, "binary32"),
        ({"scheme": "te-nvfp4-sr", "random_bits": np.zeros((2, 2), np.uint8)}, ValueError, "shape"),
        ({"scheme": "te-nvfp4-rht 1x8"}, ValueError, "rows of 16"),
    ],
)
def test_bad_input(keys: dict[str, object], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        fp8ref.scale_blocks(**{"x": normal(2, 32), **keys})  # type: ignore[arg-type]
