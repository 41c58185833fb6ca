"""Recipes in files: what is read, and what every bad file is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import fp8ref
from fp8ref.arrays.recipe_files import LARGEST


def test_a_file_and_a_text_are_one_recipe(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text('schema = "fp8ref/recipe/1"\nname = "ours"\nbase = "vllm-group"\nfloor = "s:1e-12"\n')
    assert fp8ref.read_recipe(path) is fp8ref.get_recipe(fp8ref.read_recipe(path))
    assert fp8ref.read_recipe(path) == fp8ref.get_recipe("vllm-group floor=s:1e-12")
    spelled = {"element": "e4m3fn", "group": "1x128", "floor": "a:1e-10", "nan": "-max", "note": "spelled out"}
    (tmp_path / "ours.json").write_text(json.dumps(spelled))
    assert fp8ref.read_recipe(str(tmp_path / "ours.json")) is fp8ref.get_recipe("vllm-group")
    x = np.ones((2, 128), np.float32)
    assert fp8ref.scale_blocks(x, fp8ref.read_recipe(path)).codes.shape == (2, 128)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("r.txt", b"base = 'vllm-group'", "a .toml or .json file"),
        ("r.toml", b"base = vllm-group", "no TOML: "),
        ("r.json", b"{'base': 1}", "no JSON: "),
        ("r.json", b"[]", "a table of keys, not list"),
        ("r.json", b"[" * 60000, "nested too deeply"),
        ("r.json", b'{"base": "vllm-group", "base": "deepgemm"}', "'base' is given twice"),
        ("r.toml", b"\xff", "byte 0 is no UTF-8"),
        ("r.toml", b"# " + b"x" * LARGEST, f"at most {LARGEST} bytes"),
        ("r.toml", b"base = 'vlm-group'", "did you mean vllm-group"),
        ("r.toml", b"base = 'vllm-group'\nflor = 'none'", "unknown key 'flor'; did you mean floor"),
        ("r.toml", b"base = 'vllm-group'\nxyzzy = 'none'", "choose from base"),
        ("r.toml", b"base = 'vllm-group'\nfloor = 1e-10", "floor is a text in quotes"),
        ("r.toml", b"base = 'vllm-group'\nfloor = '1e-10'", "a:1e-10"),
        ("r.toml", b"base = 'vllm-group'\n[floor]\na = '1'", "floor is a text in quotes"),
        ("r.toml", b"base = 'vllm-group'\nelement = 'e5m2'", "either base"),
        ("r.toml", b"floor = 'none'", "either base"),
        ("r.toml", b"element = 'f16'", "unknown recipe 'f16'"),
        ("r.toml", b"base = 'vllm-group'\nschema = 'fp8ref/recipe/2'", "this version reads fp8ref/recipe/1"),
    ],
)
def test_bad_files_say_what_would_be_right(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=told) as caught:
        fp8ref.read_recipe(tmp_path / name)
    assert name in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fp8ref.read_recipe(tmp_path / "none.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ValueError, match="no file of its own"):
        fp8ref.read_recipe(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises((ValueError, IsADirectoryError)):
        fp8ref.read_recipe(tmp_path / "folder.toml")
