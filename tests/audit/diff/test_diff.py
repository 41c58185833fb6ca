"""Two files side by side: what differs is counted as the test itself counts it, and each answer follows from that."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit.checkpoints import BF16, F32, Checkpoint, ct_channel, e4m3, fp8, nvfp4, spread, write_safetensors
from click.testing import CliRunner
from second_oracles import matrix_units as second

from fp8ref.cli.main import main

pytest.importorskip("safetensors")
NAME = "model.layers.0.self_attn.q_proj"


def run(*words: Any) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(main, ["diff", *map(str, words), "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("{") else {"said": done.output}


def written(folder: Path, one: Checkpoint, name: str) -> Path:
    return one.write(folder / name)[0]


def only(document: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    (found,) = [t for t in document["tensors"] if t["name"] == name]
    return found | {step["question"]: step for step in found["steps"]}


def block() -> Checkpoint:
    return fp8((128, 128), suffix="_scale_inv", config={"quant_method": "fp8", "weight_block_size": [128, 128]})


def test_a_file_and_itself(tmp_path: Path) -> None:
    path = written(tmp_path, block(), "a")
    code, found = run(path, path)
    assert (code, found["verdicts"], found["explained"]) == (0, {"equal": 3}, True)
    assert found["schema"] == "fp8ref/diff/1"


def test_another_order_in_bytes_and_another_layout_are_equal(tmp_path: Path) -> None:
    """The first code in the high nibble and scales in tiles, against neither: the same codes under the same scales."""
    a, b = written(tmp_path, nvfp4("modelopt"), "a"), written(tmp_path, nvfp4("comfy"), "b")
    code, found = run(a, b)
    one = only(found)
    assert (code, one["verdict"]) == (0, "equal")
    assert "order in bytes: low in A, high in B" in one["same form?"]["answer"]


def test_scales_that_differ_by_one_unit(tmp_path: Path) -> None:
    """Three codes of the group move with its scale, by a step each."""
    one, other = block(), block()
    name, expected = f"{NAME}.weight", 3
    s = other.tensors[f"{name}_scale_inv"].copy()
    s[0, 1] = np.nextafter(s[0, 1], F32(np.inf))
    moved = other.tensors[name].copy()
    for i, j in np.argwhere((moved.view(np.uint8)[:, 128:] & 0x7F) == 0x60)[:expected]:
        moved.view(np.uint8)[i, 128 + j] += 1
    other.tensors[name], other.tensors[f"{name}_scale_inv"] = moved, s
    code, found = run(written(tmp_path, one, "a"), written(tmp_path, other, "b"))
    t = only(found)
    assert (code, t["verdict"], found["verdicts"]) == (1, "open", {"equal": 2, "open": 1})
    assert (t["same scales?"]["differ"], t["same scales?"]["first"]["at"]) == (1, [0, 0, 1])
    assert "each by one unit" in t["same scales?"]["answer"]
    bits = int(s[0, 1].view(np.uint32))
    assert (t["same scales?"]["first"]["a"], t["same scales?"]["first"]["b"]) == (f"{bits - 1:08X}", f"{bits:08X}")
    assert t["same codes?"]["differ"] == expected
    assert f"{expected} under a scale that differs by one unit" in t["same codes?"]["answer"]
    assert "same scale;" not in t["same codes?"]["answer"]


def test_one_step_and_one_sign_of_zero_under_the_same_scale(tmp_path: Path) -> None:
    one, other = block(), block()
    name = f"{NAME}.weight"
    for each in (one, other):
        each.tensors[name] = each.tensors[name].copy()
        each.tensors[name].view(np.uint8)[7, 9] = 0x00
    codes = other.tensors[name].view(np.uint8)
    codes[7, 9] = 0x80
    at = tuple(int(i) for i in np.argwhere((codes[10:] & 0x7F) == 0x70)[0])
    codes[at[0] + 10, at[1]] += 1
    code, found = run(written(tmp_path, one, "a"), written(tmp_path, other, "b"))
    t = only(found)
    assert code == 1
    assert t["same codes?"]["differ"] == 2
    assert all(text in t["same codes?"]["answer"] for text in
               ("2 under the same scale", "1 by one step", "1 in the sign of zero alone"))  # fmt: skip
    assert t["same codes?"]["first"] == {
        "at": [0, 7, 9],
        "a": "00",
        "b": "80",
        "text": t["same codes?"]["first"]["text"],
    }
    assert t["same values?"]["differ"] == 1


def test_other_groups_are_compared_by_codes_and_values(tmp_path: Path) -> None:
    a, b = written(tmp_path, fp8((128, 128)), "a"), written(tmp_path, fp8((1, 0)), "b")
    code, found = run(a, b)
    t = only(found)
    assert code == 1
    assert t["same scales?"]["same"] is None
    assert "under another scale" in t["same codes?"]["answer"]
    assert t["same values?"]["differ"] > 0


def test_values_that_were_cast_or_dequantised(tmp_path: Path) -> None:
    one = block()
    s, codes = one.tensors[f"{NAME}.weight_scale_inv"], one.tensors[f"{NAME}.weight"]
    values = (codes.astype(F32) * spread(s, 128, 128)).astype(BF16)
    half = np.linspace(-3, 3, 48, dtype=F32).reshape(6, 8) / F32(7)
    a = written(tmp_path, Checkpoint({**one.tensors, "y": half}, {}, one.config), "a")
    b = written(tmp_path, Checkpoint({f"{NAME}.weight": values, "y": half.astype(BF16)}, {}), "b")
    code, found = run(a, b)
    assert (code, found["verdicts"]) == (0, {"cast": 1, "dequantised": 1})
    assert len(found["only_a"]) == 2
    spoilt = values.copy()
    spoilt[3, 3] = BF16(1)
    b = written(tmp_path, Checkpoint({f"{NAME}.weight": spoilt}, {}), "c")
    code, found = run(a, b)
    assert (code, found["verdicts"]) == (1, {"open": 1})


def test_names_are_changed_on_request_and_nothing_in_common_is_said(tmp_path: Path) -> None:
    one = block()
    other = Checkpoint({k.replace("self_attn", "attention"): x for k, x in one.tensors.items()}, {}, one.config)
    a, b = written(tmp_path, one, "a"), written(tmp_path, other, "b")
    assert run(a, b)[0] == 5
    assert run(a, b, "--rename", "attention=self_attn")[0] == 0
    code, found = run(a, b, "--rename", "attention")
    assert code == 4
    assert "OLD=NEW" in found["said"]


def test_a_fault_of_one_side_is_no_difference_of_recipes(tmp_path: Path) -> None:
    one, other = block(), block()
    s = other.tensors[f"{NAME}.weight_scale_inv"].copy()
    s[0, 0] = np.nan
    other.tensors[f"{NAME}.weight_scale_inv"] = s
    code, found = run(written(tmp_path, one, "a"), written(tmp_path, other, "b"))
    t = only(found)
    assert (code, t["verdict"]) == (1, "fault")
    assert t["b"]["faults"]
    assert not t["a"]["faults"]


def test_names_of_strangers_and_unreadable_files(tmp_path: Path) -> None:
    name = "\x1b[2J<b>evil"
    for side, x in (("a", 1.0), ("b", 2.0)):
        write_safetensors(tmp_path / f"{side}.safetensors", {name: np.full((2, 2), x, F32)})
    done = CliRunner().invoke(main, ["diff", str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")])
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    (tmp_path / "c.safetensors").write_bytes(b"short")
    assert run(tmp_path / "a.safetensors", tmp_path / "c.safetensors")[0] == 4


def test_both_right_by_different_recipes(tmp_path: Path) -> None:
    """Scales and quotients in bfloat16 against binary32: numpy counts what differs, and the recipes are named."""
    bf16, f32 = ct_channel(), fp8((1, 0), config=ct_channel().config)
    original = tmp_path / "original.safetensors"
    write_safetensors(original, bf16.original)
    a, b = written(tmp_path, bf16, "a"), written(tmp_path, f32, "b")
    code, found = run(a, b, "--original", original)
    t = only(found)
    name = f"{NAME}.weight"
    scales = int((bf16.tensors[f"{name}_scale"].astype(F32) != f32.tensors[f"{name}_scale"]).sum())
    codes = int((bf16.tensors[name].view(np.uint8) != f32.tensors[name].view(np.uint8)).sum())
    assert (code, t["verdict"], found["explained"]) == (0, "both right", True)
    assert (t["same scales?"]["differ"], t["same codes?"]["differ"]) == (scales, codes)
    assert t["same recipe?"]["same"] is False
    assert "ct-fp8-bf16" in t["same recipe?"]["answer"]
    assert "bfloat16" in t["same recipe?"]["first"]["text"]
    assert "the largest magnitude" in t["same scales?"]["first"]["text"]
    i = t["same scales?"]["first"]["at"][1]
    assert t["same scales?"]["first"]["amax"] == float(np.abs(bf16.original[name][i].astype(F32)).max())


def test_a_code_that_no_recipe_gives_is_not_explained(tmp_path: Path) -> None:
    one, other = block(), block()
    original = tmp_path / "original.safetensors"
    write_safetensors(original, one.original)
    name = f"{NAME}.weight"
    other.tensors[name] = other.tensors[name].copy()
    other.tensors[name].view(np.uint8)[20, 30] ^= 0x04
    code, found = run(written(tmp_path, one, "a"), written(tmp_path, other, "b"), "--original", original)
    assert code == 1
    assert found["explained"] is False
    assert only(found)["verdict"] in ("fault", "unexplained")


# -- products ----------------------------------------------------------------------------------------------------------
def outputs(x: np.ndarray, w: np.ndarray, how: str) -> np.ndarray:
    """X W^T by another's integer arithmetic (Hopper's unit), or by exact fractions rounded once to binary32."""
    codes = [[int(c) for c in row] for row in x.view(np.uint8)], [[int(c) for c in row] for row in w.view(np.uint8)]
    if how == "hopper":
        bits = [[second.nvidia(p, q, "e4m3fn", "e4m3fn", 0, "f32", 32, 13, 14) for q in codes[1]] for p in codes[0]]
        return np.array(bits, np.uint32).view(F32)
    exact = [[sum(Fraction(float(p)) * Fraction(float(q)) for p, q in zip(r, s)) for s in w] for r in x]
    return np.array([[F32(float(v)) for v in row] for row in exact])


def operands() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    sizes = np.exp2(rng.integers(-6, 7, (2, 64)))
    x, w = (e4m3((rng.standard_normal((rows, 64)) * sizes[i]).astype(F32)) for i, rows in enumerate((6, 8)))
    return {"x": x, "w": w}


def test_outputs_of_two_units(tmp_path: Path) -> None:
    held = operands()
    for side, how in (("a", "hopper"), ("b", "exact")):
        write_safetensors(tmp_path / f"{side}.safetensors", held | {"y": outputs(held["x"], held["w"], how)})
    code, found = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--product", "x,w,y")
    (product,) = found["products"]
    assert (code, product["verdict"]) == (0, "both right")
    assert "hopper.wgmma.fp8.f32" in product["a"]["accumulators"]
    assert "exact" not in product["a"]["accumulators"]
    assert "exact" in product["b"]["accumulators"]
    assert "hopper.wgmma.fp8.f32" not in product["b"]["accumulators"]
    assert [step["same"] for step in product["steps"]] == [True, False, True, True, False]


def test_outputs_that_no_unit_gives_are_unexplained(tmp_path: Path) -> None:
    held = operands()
    y = outputs(held["x"], held["w"], "exact")
    write_safetensors(tmp_path / "a.safetensors", held | {"y": y})
    write_safetensors(tmp_path / "b.safetensors", held | {"y": y * F32(1.25)})
    code, found = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--product", "x,w,y")
    (product,) = found["products"]
    assert (code, product["verdict"], product["b"]["accumulators"]) == (1, "unexplained", [])


@pytest.mark.parametrize(
    ("words", "said"),
    [("x,w", "three names"), ("x,w,y,z", "three names"), ("x,w,z", "no tensor 'z'"), ("y,w,x", "not quantised")],
)
def test_a_product_that_cannot_be_asked(words: str, said: str, tmp_path: Path) -> None:
    held = operands()
    write_safetensors(tmp_path / "a.safetensors", held | {"y": np.zeros((6, 8), F32)})
    code, found = run(tmp_path / "a.safetensors", tmp_path / "a.safetensors", "--product", words)
    assert code == 4
    assert said in found["said"]
