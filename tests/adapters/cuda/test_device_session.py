"""What a device session writes and how it is judged, rehearsed with a simulated one: agreement, mismatches, damage."""

from __future__ import annotations

import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools" / "captures" / "hopper"), str(ROOT / "tests" / "adapters" / "cuda")]

import ask_dots  # noqa: E402
import ask_shapes  # noqa: E402
import draws  # noqa: E402
import judge  # noqa: E402
import judge_dots  # noqa: E402
import judge_shapes  # noqa: E402
import pack  # noqa: E402
import shapes  # noqa: E402
from simulated import SimulatedHopper  # noqa: E402

import fp8ref  # noqa: E402
from fp8ref.adapters.captures import blocks  # noqa: E402
from fp8ref.adapters.captures import files as captures  # noqa: E402
from fp8ref.cases.operation import Operation  # noqa: E402

WGMMA = "dot/e4m3fn.e5m2/f32/hopper.wgmma.fp8.f32;k=32"
MASK = (1 << 64) - 1


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 256 cases, and two of each class."""
    for module in (draws, ask_dots, judge_dots):
        monkeypatch.setattr(module, "BLOCK", 256)
    monkeypatch.setattr(ask_dots, "COUNTS", dict.fromkeys(draws.CLASSES, 512))
    monkeypatch.setattr(judge_dots, "EACH", 40)


def asked(folder: Path, device: Any = None, seconds: float = 1e9) -> int:
    return ask_dots.ask(device or SimulatedHopper("wgmma"), folder, [WGMMA], 1.0, time.monotonic() + seconds)


# -- draws ------------------------------------------------------------------------------------------------------------
def test_words_are_those_of_the_definition() -> None:
    def mix(x: int) -> int:
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
        x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
        return x ^ x >> 31

    golden = 0x9E3779B97F4A7C15
    got = draws.words(20261122, 65, np.array([0, 7, 1 << 40], np.uint64), 3)
    for case, row in zip((0, 7, 1 << 40), got.tolist()):
        for lane, word in enumerate(row):
            rows = mix((mix((20261122 * golden + 65) & MASK) + case * golden) & MASK)
            assert word == mix((rows + lane * golden) & MASK)


@pytest.mark.parametrize("name", ["dot/e4m3fn.e5m2/f32/*;k=32", "dot/bf16.bf16/f32/*;k=16", "dot/f16.f16/f16/*;k=64"])
def test_every_class_holds_what_it_says(name: str) -> None:
    op = Operation.parse(name)
    for kind in draws.CLASSES:
        a, b, c = (x.astype(np.int64) for x in draws.block(op, 1, kind, 3))
        draw = draws.Draw(op, 1, 0, np.arange(4, dtype=np.uint64))
        largest = [f.max_code for f in (draw.fa, draw.fb, draw.fc)]
        sizes = [x & f.magnitude_mask for x, f in zip((a, b, c), (draw.fa, draw.fb, draw.fc))]
        special = sum((x > top).any(axis=-1) if x.ndim > 1 else x > top for x, top in zip(sizes, largest)) > 0
        assert special.all() if kind == "infinities and NaNs" else not special.any()
        if kind == "infinities and NaNs":  # in every lane of a and of b
            assert (sizes[0] > largest[0]).any(axis=0).all()
            assert (sizes[1] > largest[1]).any(axis=0).all()
        if kind == "subnormals":
            assert ((sizes[0] > 0) & (sizes[0] < 1 << draw.fa.t)).any(axis=1).mean() > 0.3
            assert ((sizes[2] > 0) & (sizes[2] < 1 << draw.fc.t)).mean() > 0.3
        if kind == "zeros of both signs":
            assert ((a == draw.fa.sign_bit) | (a == 0)).mean() > 0.7
            assert (c == draw.fc.sign_bit).any()
        if kind == "C of every magnitude":
            assert np.unique(sizes[2] >> draw.fc.t).size > (20 if draw.fc.k == 16 else 100)
        if kind == "overflow":
            assert (sizes[1] >> draw.fb.t >= (largest[1] >> draw.fb.t) - 1).all()
    again = draws.block(op, 1, "random", 3)
    assert (
        draws.digest(again)
        == draws.digest(draws.block(op, 1, "random", 3))
        != draws.digest(draws.block(op, 2, "random", 3))
    )


# -- drawn products ---------------------------------------------------------------------------------------------------
def test_a_device_that_is_its_model_agrees(tmp_path: Path) -> None:
    assert asked(tmp_path) == 0
    (path,) = tmp_path.iterdir()
    found = judge_dots.judge(path)
    assert found.agrees
    assert dict(found.asked) == dict.fromkeys(draws.CLASSES, 512)
    held = blocks.read(path)
    assert [bool(content) for _, content in held.records] == [True] * 8 + [False] * 8  # first blocks whole
    assert {name for name, _ in found.readings} >= {"NaN", "infinity", "zeros"}
    assert "agrees" in judge_dots.table([found])


def test_a_device_of_another_kind_is_found_out(tmp_path: Path) -> None:
    asked(tmp_path, SimulatedHopper("wgmma", fraction_bits="12"))
    (path,) = tmp_path.iterdir()
    found = judge_dots.judge(path)
    assert not found.agrees
    assert found.other["cancellation"] > 50
    assert "12" in found.page  # the fraction bits
    kept = [record["class"] for record, content in blocks.read(path).records if content]
    assert kept.count("cancellation") == 2  # both of its blocks
    assert "| 0 |" not in judge_dots.table([found]).splitlines()[2]


def test_another_nan_is_distinguished_from_another_answer(tmp_path: Path) -> None:
    asked(tmp_path, SimulatedHopper("wgmma", nan="7fc00000"))
    (path,) = tmp_path.iterdir()
    found = judge_dots.judge(path, identify=False)
    assert sum(found.other.values()) == 0
    assert found.nan_codes["infinities and NaNs"] > 300
    assert ("NaN", "7FC00000") in found.readings


def test_a_digest_that_is_another_is_no_agreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of a device that differs, whose answers found no room."""
    monkeypatch.setattr(ask_dots.Product, "__init__", _without_room(ask_dots.Product.__init__))
    asked(tmp_path, SimulatedHopper("wgmma", fraction_bits="12"))
    (path,) = tmp_path.iterdir()
    record = blocks.read(path).records[-1][0]
    assert record["bytes"] == 0
    assert record["differ"] > 0
    found = judge_dots.judge(path, identify=False)
    assert found.unknown["cancellation"] == 256
    assert not found.agrees


def _without_room(make: Any) -> Any:
    return lambda self, *rest: make(self, *rest[:3], 0)


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    assert asked(tmp_path, seconds=0) == 16
    (path,) = tmp_path.iterdir()
    asked(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    torn = judge_dots.judge(path)
    assert torn.torn > 0
    assert torn.agrees  # of what is there
    assert asked(tmp_path) == 0
    assert path.read_bytes() == whole
    with pytest.raises(ValueError, match="has another source"):
        asked(tmp_path, _Renamed("wgmma"))


class _Renamed(SimulatedHopper):
    def identify(self) -> dict[str, str]:
        return {**super().identify(), "version": "2"}


def test_a_damaged_answer_is_noticed(tmp_path: Path) -> None:
    asked(tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    held = blocks.read(path)
    at = data.index(b"\n", data.index(b"\n") + 1) + 20  # in the first answers
    data[at] ^= 1
    path.write_bytes(bytes(data))
    found = judge_dots.judge(path)
    assert found.torn > 0
    assert len(blocks.read(path).records) < len(held.records)
    assert not found.agrees  # nothing is left


# -- shapes -----------------------------------------------------------------------------------------------------------
class SimulatedProducts:
    """``torch._scaled_mm`` of models: promoted every 128 unless fast, block scales by FMA; no bias on f32."""

    split = ""

    def identify(self) -> dict[str, str]:
        return {"name": "simulated", "version": "1", "device": "SIMULATED device, no hardware"}

    def launched(self) -> list[str]:
        return ["algo=[algoId=66 splitK=1]"]

    def multiply(self, p: Any, a: Any, b: Any) -> Any:
        if p.bias and p.result == "f32":
            raise ask_shapes.Declined("no bias with f32")
        base = "hopper.wgmma.fp8.f32"
        sa, sb = np.asarray(p.scale("a")), np.asarray(p.scale("b"))
        if p.recipe in shapes.BLOCKS:
            d = fp8ref.matmul(
                a, b.T, p.a, p.b, accumulator=f"{base}+promote128.ffma", scale_a=sa, scale_b=sb.T, block=128
            )
        else:
            name = base + ("" if p.fast else "+promote128.fadd") + (self.split if p.k >= 256 else "")
            d = fp8ref.matmul(a, b.T, p.a, p.b, accumulator=name)
            s = sa * sb if p.recipe == shapes.TENSOR else sa[:, None] * sb[None, :]
            d = d * s
            if p.bias:
                bias = (p.bias_of().astype(np.uint32) << 16).view(np.float32)
                d = d + (bias.astype(np.float16).astype(np.float32) if p.result == "f16" else bias)
        if p.result == "f32":
            return d.view(np.uint32)
        if p.result == "e4m3fn":
            return fp8ref.encode(d * p.scale_result, "e4m3fn")
        return fp8ref.encode(d, p.result, overflow="nonsat")


@pytest.fixture
def few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "SHAPES", ((16, 16, 32), (16, 48, 384)))
    monkeypatch.setattr(shapes, "PICKED", 8)
    monkeypatch.setattr(judge_shapes, "SPLITS", (2, 3))


@pytest.mark.usefixtures("few_shapes")
def test_every_recipe_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "shapes.blocks"
    assert ask_shapes.ask(SimulatedProducts(), path, 4096, 1e18) == 0
    _, found, torn = judge_shapes.judge(path)
    assert torn == 0
    assert not [e for e in found if e.nearest]
    said = {(e.p.recipe, e.p.fast, e.p.k): e.names for e in found if e.p.result == "f32" and e.p.a == e.p.b}
    assert any("promote128.fadd, d (sa sb)" in name for name in said["tensor", False, 384])
    assert "hopper.wgmma.fp8.f32, d (sa sb)" in said["tensor", True, 384]
    assert not any("promote128" in name for name in said["tensor", True, 384])
    assert "hopper.wgmma.fp8.f32, fma(partial, sa sb, sum)" in said["1x128.128x128", False, 384]
    assert all(e.declined for e in found if e.p.recipe in shapes.BLOCKS and e.p.k == 32)
    assert "not offered" in judge_shapes.table(found)
    (row,) = judge_shapes.algorithms(found).splitlines()[2:]
    assert row.startswith("| `algo=[algoId=66 splitK=1]` | ")


@pytest.mark.usefixtures("few_shapes")
def test_a_split_is_found_and_a_wrong_result_shown(tmp_path: Path) -> None:
    who = SimulatedProducts()
    who.split = "+splitk2"
    p = shapes.Product(32, 16, 256)
    a, b = p.matrix("a"), p.matrix("b")
    record, content = ask_shapes.record_of(p, who, a, b)
    found = judge_shapes.explain(record, content, [])
    assert found.names
    assert all("parts of 128" in name or "promote128.fadd" in name for name in found.names)
    wrong = bytearray(content)
    wrong[8] ^= 1
    found = judge_shapes.explain(record, bytes(wrong), [])
    assert not found.names
    assert (found.misses, found.mismatch.partition(":")[0]) == (1, f"row 0, column {p.picked()[1][2]}")
    assert judge_shapes.explain(record, content[:-1], []).declined.endswith("damaged")


def test_operands_of_some_rows_are_those_of_all() -> None:
    for recipe in shapes.RECIPES:
        p = shapes.Product(160, 144, 256, recipe=recipe)
        rows = [0, 3, 129, 143]
        for which in "ab":
            assert np.array_equal(p.matrix(which, rows), p.matrix(which)[rows])
            if recipe != shapes.TENSOR:
                assert np.array_equal(p.scale(which, rows), p.scale(which)[rows])
        assert np.array_equal(p.bias_of(rows), p.bias_of()[rows])
        scale = np.asarray(p.scale("a"))
        assert ((scale >= 0.5) & (scale < 4)).all()
    assert len(set(shapes.SHAPES)) == 8
    assert (shapes.SHAPES[0], shapes.SHAPES[-1]) == ((16, 16, 32), (4096,) * 3)


# -- the whole --------------------------------------------------------------------------------------------------------
def passes(path: Path) -> list[tuple[str, str, int, int, str]]:
    return [("some operation", "pass", 1, 0, "")]


def test_what_came_back_is_judged_and_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back = tmp_path / "back"
    asked(tmp_path / "random" / "wgmma")
    op = Operation.parse(WGMMA)
    operands = draws.block(op, 5, "random", 0)
    one = captures.Capture(op, tuple(operands), SimulatedHopper().run(op, *operands), SimulatedHopper().identify())
    cast = Operation.parse("convert/f16/e4m3fn/rne.sat;negative=zero")
    x = np.arange(0, 1 << 16, 7, dtype=np.uint16)
    two = captures.Capture(cast, (x,), SimulatedHopper().run(cast, x), SimulatedHopper().identify())
    (tmp_path / "units").mkdir()
    captures.write(tmp_path / "units" / "dot.jsonl.gz", one)
    captures.write(tmp_path / "units" / "cast.jsonl.gz", two)
    back.mkdir()
    for name in ("random", "units"):
        with tarfile.open(back / f"{name}.tar", "w") as archive:
            archive.add(tmp_path / name, name)
    report = tmp_path / "report.md"
    assert judge.main([str(back), "-o", str(report)]) == judge.AGREES
    text = report.read_text()
    assert "4,096 | 0 | agrees" in text
    assert f"`{cast.id}` | pass | {x.size:,} | 0" in text

    replayed = judge.replayed
    monkeypatch.setattr(judge, "replayed", passes)  # each is a process

    # nothing simulated is ever shipped
    assert judge.main([str(back), "-o", str(report), "--pack", str(tmp_path / "set")]) == judge.UNREADABLE
    assert "is no NVIDIA device" in report.read_text()
    assert not (tmp_path / "set").exists()
    files = pack.pack(tmp_path, tmp_path / "set", limit=60_000, require=lambda source: None)
    assert sum(path.stat().st_size for path in files[:-1]) <= 60_000
    readme = files[-1].read_text()
    assert "SIMULATED" in readme  # its words are the captures' own
    for path in files[:-1]:
        capture = captures.read(path)
        assert f"| `{path.name}` | `{capture.operation.id}` | {capture.count:,} |" in readme
        assert capture.source["license"].startswith("CC0")
    ((_, verdict, _, _, _),) = replayed(files[0])
    assert verdict == "pass"

    # a torn archive and one that is lost: the rest is judged, and it is said
    data = (back / "random.tar").read_bytes()
    (back / "random.tar").write_bytes(data[: len(data) // 2])
    assert judge.main([str(back), "-o", str(report)]) == judge.UNREADABLE
    assert "random.tar: damaged" in report.read_text()
    assert "| pass |" in report.read_text()
    for path in back.iterdir():
        path.unlink()
    assert judge.main([str(back), "-o", str(report)]) == judge.NOTHING
