"""fp8ref identify of codes and scales: recipes from files of every kind, and the first group that departs."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner, Result

import fp8ref
from fp8ref.arrays.scaling import pack
from fp8ref.cli.main import main


def tensor(*shape: int) -> np.ndarray:
    """Normal numbers with small rows, rows of zeros, and ties."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape).astype(np.float32) * np.float32(2.0) ** rng.integers(-30, 8, (shape[0], 1))
    x[3] = 0
    x[5] = np.round(x[5] * 8) / 8
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["identify", *map(str, args)])


def asked(path: Path, **more: object) -> list[object]:
    names = {"--quantized": "codes", "--scales": "scales", "--original": "x"}
    files = [word for option, name in names.items() for word in (option, f"{path}:{name}")]
    return [*files, *(word for key, value in more.items() for word in (f"--{key.replace('_', '-')}", value))]


@pytest.mark.parametrize(
    "name", ["vllm-group", "sglang-group", "torchao-row", "hf-fp8", "te-mxfp8", "gguf-mxfp4", "te-nvfp4", "ct-nvfp4"]
)
def test_recipes_are_found_in_npz(name: str, tmp_path: Path) -> None:
    x = tensor(128, 256)
    s = fp8ref.scale_blocks(x, name)
    codes = pack(s.codes, s.scheme.element) if "4" in name else s.codes
    np.savez(tmp_path / "a.npz", codes=codes, scales=s.scales, x=x)
    found = run(*asked(tmp_path / "a.npz"))
    assert found.exit_code == 0, found.output
    assert name in found.output.partition("recipe   ")[2].partition("source")[0]


def test_a_variation_and_json_from_npy(tmp_path: Path) -> None:
    x = tensor(64, 256)
    s = fp8ref.scale_blocks(x, "vllm-group floor=a:1e-8")
    for name, array in (("codes", s.codes), ("scales", s.scales), ("x", x.astype(ml_dtypes.bfloat16))):
        np.save(tmp_path / f"{name}.npy", array)
    files = [tmp_path / f"{name}.npy" for name in ("codes", "scales", "x")]
    found = run("--quantized", files[0], "--scales", files[1], "--original", files[2], "--json")
    assert found.exit_code == 0
    answer = json.loads(found.output)
    assert answer["words"] == "vllm-group, but the floor is 1e-8 on the largest magnitude"
    assert (answer["group"], answer["groups"], answer["wrong"]) == ([1, 128], 128, 0)


def test_the_first_group_that_departs_is_drawn(tmp_path: Path) -> None:
    x = tensor(64, 256)
    s = fp8ref.scale_blocks(x, "sglang-group")
    codes = s.codes.copy()
    codes[9, 130] ^= 1
    np.savez(tmp_path / "a.npz", codes=codes, scales=s.scales, x=x)
    found = run(*asked(tmp_path / "a.npz"))
    assert found.exit_code == 1
    assert "differs in 1 of 128 groups" in found.output
    assert "row 9, column 128" in found.output
    assert "sglang-group" in found.output
    assert "k = 2" in found.output


def test_safetensors_say_their_formats(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    x = tensor(32, 128)
    s = fp8ref.scale_blocks(x, "deepgemm")
    header, data = {}, b""
    for name, kind, array in (("codes", "F8_E4M3", s.codes), ("scales", "F32", s.scales), ("x", "F32", x)):
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    found = run(*asked(tmp_path / "a.safetensors"))
    assert found.exit_code == 0, found.output
    assert "deepgemm" in found.output


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    x = tensor(32, 128)
    np.savez(tmp_path / "a.npz", codes=np.zeros((32, 100), np.uint8), scales=np.zeros((32, 1), np.float32), x=x)
    (tmp_path / "b.npz").write_bytes(b"PK no")
    np.save(tmp_path / "c.npy", np.array([{}], object), allow_pickle=True)
    good = asked(tmp_path / "a.npz")
    for args, told in (
        (good, "do not fit 32 x 128"),
        (good[:4], "go together"),
        ([*good[:1], tmp_path / "none.npz", *good[2:]], "no such file"),
        ([*good[:1], tmp_path / "a.npz", *good[2:]], "say FILE:NAME"),
        ([*good[:1], f"{tmp_path / 'a.npz'}:y", *good[2:]], "no tensor 'y'; there is codes, scales, x"),
        ([*good[:1], f"{tmp_path / 'b.npz'}:y", *good[2:]], "cannot be read"),
        ([*good[:1], tmp_path / "c.npy", *good[2:]], "cannot be read"),
        ([*good[:1], Path(__file__), *good[2:]], "is read from .npy"),
        ([*good[:3], f"{tmp_path / 'a.npz'}:x", *good[4:]], "bytes of codes"),
        ([], "--impl, or --quantized"),
    ):
        found = run(*args)
        assert found.exit_code == 4, (args, found.output)
        assert told in found.output
