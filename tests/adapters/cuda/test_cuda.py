"""The CUDA adapter as far as no GPU is needed: layouts, tiles, claims, compilation, and words where no device is."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from short import some

from fp8ref.adapters.base import Broken, Unavailable, Unsupported
from fp8ref.adapters.cuda import device as cuda
from fp8ref.adapters.cuda.tiles import Unit, dots, misplaced
from fp8ref.cases.operation import Operation

FOLDER = Path(cuda.__file__).parent
WIDTHS = {
    "e4m3": (8, 3, 7),
    "e5m2": (8, 2, 15),
    "f16": (16, 10, 15),
    "bf16": (16, 7, 127),
    "e2m1": (4, 1, 1),
}  # k, t, bias
UNIT = Unit("mma_e4m3_e5m2_f32", ("e4m3fn", "e5m2"), "f32", 16)


def value(codes: Any, name: str) -> Any:
    """Values of finite codes, from the definition of the fields."""
    k, t, bias = WIDTHS[name]
    codes = codes.astype(np.int64)
    e, m = codes >> t & ((1 << (k - 1 - t)) - 1), codes & ((1 << t) - 1)
    magnitude = np.where(e > 0, np.ldexp(1 + m / 2**t, e - bias), np.ldexp(m / 2**t, 1 - bias))
    return np.where(codes >> (k - 1), -magnitude, magnitude)


VALUES = {name: value(np.arange(1 << width), name) for name, (width, _, _) in WIDTHS.items()}

SCALES = {"mx": lambda s: 2.0 ** (s.astype(int) - 127), "nv": lambda s: VALUES["e4m3"][s]}  # E8M0; E4M3 without sign


def tiles(kernel: str) -> Callable[[Any, Any, Any], Any]:
    """What the tiles of a kernel are, in float64, for sums that are exact."""
    _, fa, fb, fd, *scaled = kernel.split("_")
    dtype = np.dtype(fd.replace("f", "float"))

    def multiply(a: Any, b: Any, c: Any, *scales: Any) -> Any:
        if scaled:
            sa, sb = (SCALES[scaled[0]](s) for s in scales)
            block = a.shape[2] // sa.shape[2]
            a, b = (VALUES[f][x] * np.repeat(s, block, axis=2) for f, x, s in ((fa, a, sa), (fb, b, sb)))
            return (a @ b.transpose(0, 2, 1) + c.view(dtype)).astype(dtype).view(c.dtype)
        d = VALUES[fa][a] @ VALUES[fb][b].transpose(0, 2, 1) + c.view(dtype).astype(np.float64)
        return d.astype(dtype).view(c.dtype)

    return multiply


class FakeDevice:
    """A device of numpy that has every kernel of mma.sync and wgmma and converts everything to 2A."""

    capability: tuple[int, ...] = (9, 0)

    def __init__(
        self,
        source: Path,
        index: int = 0,
        includes: Sequence[Path] = (),
        define: str = "",
        prepared: Path | None = None,
    ) -> None:
        self.prepared = prepared
        self.facts = {"model": "fake", "cuda_driver": "13.0"}
        self.launched: list[str] = []

    def has(self, kernel: str) -> bool:
        return "mma" in kernel or not any(name in kernel for name in ("e2m", "e3m2", "ue8m0"))

    def run(self, kernel: str, blocks: int, threads: int, operands: Any, out: Any, scalars: Any) -> Any:
        self.launched.append(kernel)
        if "mma_" not in kernel:
            out[...] = 0x2A
            return out
        assert scalars[1] * 4 == operands[0].shape[2] * operands[0].itemsize
        if "e2m1" in kernel:  # two elements a byte, the first in the lower half
            operands = [np.stack([x & 15, x >> 4], -1).reshape(*x.shape[:2], -1) for x in operands[:2]] + operands[2:]
        return tiles(kernel)(*operands)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> type[FakeDevice]:
    fake = type("Fake", (FakeDevice,), {})
    monkeypatch.setattr(cuda, "Device", fake)
    if "another_layout" not in request.node.name:
        monkeypatch.setattr(cuda, "misplaced", lambda unit, multiply: "")  # proved below, and it takes time
    return fake


# -- layouts ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., int]:
    """The functions of layout.h, compiled for the host."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("layout")
    names = {"a_row": 2, "a_word": 2, "b_row": 1, "b_word": 2, "d_row": 2, "d_column": 1, "shared_word": 2}
    variables = {1: ("x", "u32 x"), 2: ("x, y", "u32 x, u32 y")}
    calls = "".join(f"u32 call_{n}({variables[k][1]}) {{ return {n}({variables[k][0]}); }}\n" for n, k in names.items())
    (folder / "calls.c").write_text(f'#include "{FOLDER / "layout.h"}"\n{calls}')
    command = [compiler, "-std=c11", "-shared", "-fPIC", "-o", str(folder / "calls.so"), str(folder / "calls.c")]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(folder / "calls.so"))
    return lambda name, *arguments: int(getattr(library, f"call_{name}")(*arguments))


def fragment(lane: int, i: int, operand: str, size: int) -> tuple[int, int]:
    """(row, column) of element i of a fragment of mma.m16n8k32 (size 1 byte) or m16n8k16 (2 bytes), PTX ISA 9.7.14."""
    group, thread = lane >> 2, lane % 4
    if operand == "c":
        return group + 8 * (i >= 2), thread * 2 + (i & 1)
    if size == 1:
        if operand == "a":
            return group + 8 * (4 <= i < 8 or i >= 12), thread * 4 + (i & 3) + 16 * (i >= 8)
        return thread * 4 + (i & 3) + 16 * (i >= 4), group
    if operand == "a":
        return group + 8 * (2 <= i < 4 or i >= 6), thread * 2 + (i & 1) + 8 * (i >= 4)
    return thread * 2 + (i & 1) + 8 * (i >= 2), group


@pytest.mark.parametrize("size", [1, 2])
def test_registers_hold_the_elements_that_the_isa_says(layout: Callable[..., int], size: int) -> None:
    rng = np.random.default_rng(1)
    k, each = 32 // size, 4 // size  # elements of a row, and of a register
    a, b = rng.integers(0, 200, (16, k)), rng.integers(0, 200, (8, k))  # b: B transposed, as the kernels have it
    words = [x.astype(f"u{size}").view(np.uint32) for x in (a, b)]
    got_a, got_b = np.full((16, k), -1), np.full((k, 8), -1)
    seen = set()
    for lane in range(32):
        registers = [words[0][layout("a_row", lane, i), layout("a_word", lane, i)] for i in range(4)]
        for i, x in enumerate(np.array(registers, np.uint32).view(f"u{size}")):
            got_a[fragment(lane, i, "a", size)] = x
        registers = [words[1][layout("b_row", lane), layout("b_word", lane, i)] for i in range(2)]
        for i, x in enumerate(np.array(registers, np.uint32).view(f"u{size}")):
            got_b[fragment(lane, i, "b", size)] = x
        for i in range(4):
            place = layout("d_row", lane, i // 2), layout("d_column", lane) + i % 2
            assert place == fragment(lane, i, "c", size)
            seen.add(place)
    assert each * 4 * 32 == 16 * k
    assert np.array_equal(got_a, a)
    assert np.array_equal(got_b, b.T)
    assert len(seen) == 128


def test_shared_memory_is_core_matrices(layout: Callable[..., int]) -> None:
    """8 rows of 16 contiguous bytes each; the next 16 bytes of K 128 bytes on, the next 8 rows 256 bytes on."""
    for row, byte in itertools.product(range(64), range(0, 32, 4)):
        address = row % 8 * 16 + byte % 16 + byte // 16 * 128 + row // 8 * 256
        assert layout("shared_word", row, byte // 4) * 4 == address


@pytest.mark.parametrize(
    "unit",
    [
        UNIT,
        Unit("wgmma_e5m2_e4m3_f16", ("e5m2", "e4m3fn"), "f16", 64),
        Unit("mma_f16_f16_f16", ("f16", "f16"), "f16", 16),
        Unit("wgmma_bf16_bf16_f32", ("bf16", "bf16"), "f32", 64),
    ],
    ids=lambda unit: unit.kernel,
)
def test_a_wrong_layout_is_found(unit: Unit) -> None:
    right = tiles(unit.kernel)
    assert misplaced(unit, right) == ""
    swapped = np.arange(unit.length)
    swapped[[3, 9]] = 9, 3
    rows = np.arange(unit.rows)
    rows[[2, 10]] = 10, 2
    assert "wrong number at row 0" in misplaced(unit, lambda a, b, c: right(a[:, :, swapped], b, c))
    assert misplaced(unit, lambda a, b, c: right(a[:, rows], b, c)).startswith("A is 1 at row 2, k = 0 alone")
    assert misplaced(unit, lambda a, b, c: right(a, b[:, ::-1], c))
    assert misplaced(unit, lambda a, b, c: right(a, b, c[:, rows])).startswith("A and B are zeros")
    # both operands permuted alike is no fault of layout: the sum is the same one, in another order
    assert misplaced(unit, lambda a, b, c: right(a[:, :, swapped], b[:, :, swapped], c)) == ""


@pytest.mark.parametrize(
    "unit",
    [
        Unit("mma_e5m2_e4m3_f32_mx", ("e5m2", "e4m3fn"), "f32", 16, "e8m0fnu", 32),
        Unit("mma_e2m1_e2m1_f32_mx", ("e2m1fn", "e2m1fn"), "f32", 16, "e8m0fnu", 32),
        Unit("mma_e2m1_e2m1_f32_nv", ("e2m1fn", "e2m1fn"), "f32", 16, "ue4m3", 16),
    ],
    ids=lambda unit: unit.kernel,
)
def test_a_scale_in_a_wrong_place_is_found(unit: Unit) -> None:
    right = tiles(unit.kernel)
    assert misplaced(unit, right) == ""
    turned = np.roll(np.arange(16), 1)
    found = misplaced(unit, lambda a, b, c, sa, sb: right(a, b, c, sa[:, turned], sb))
    assert found.startswith("the scale of row 0, block 0 is 2 alone")
    assert "the scale of column" in misplaced(unit, lambda a, b, c, sa, sb: right(a, b, c, sa, sb[:, ::-1]))
    swapped = np.arange(unit.length)
    swapped[[3, 9]] = 9, 3
    assert "A is 1 at" in misplaced(unit, lambda a, b, c, *s: right(a[:, :, swapped], b, c, *s))
    if unit.length > unit.block:
        assert "the scale of row" in misplaced(unit, lambda a, b, c, sa, sb: right(a, b, c, sa[:, :, ::-1], sb))


def test_block_scales_reach_the_instruction(device: type[FakeDevice]) -> None:
    device.capability = (12, 0)
    adapter = cuda.Cuda(unit="mma")
    rng = np.random.default_rng(3)
    for name, fa, scaled in (
        ("dot/e4m3fn.e5m2/f32/blackwell.mxf8f6f4;block=32;k=32;scale=e8m0fnu", ("e4m3", "e5m2"), "mx"),
        ("dot/e2m1fn.e2m1fn/f32/blackwell.mxf4;block=32;k=256;scale=e8m0fnu", ("e2m1", "e2m1"), "mx"),
        ("dot/e2m1fn.e2m1fn/f32/blackwell.mxf4nvf4;block=16;k=64;scale=ue4m3", ("e2m1", "e2m1"), "nv"),
    ):
        assert name in adapter.capabilities()
        op = Operation.parse(name)
        k, block = int(op.key("k")), int(op.key("block"))
        a, b = (rng.integers(0, 8, (11, k)).astype(np.uint8) for _ in "ab")
        if fa[0] == "e4m3":
            a, b = a + 0x38, b + 0x38
        one = 127 if scaled == "mx" else 0x38
        sa, sb = (rng.integers(one - 2, one + 3, (11, k // block)).astype(np.uint8) for _ in "ab")
        c = rng.integers(-9, 9, 11).astype(np.float32)
        x, y = (VALUES[f][v] * np.repeat(SCALES[scaled](s), block, axis=1) for f, v, s in zip(fa, (a, b), (sa, sb)))
        got = adapter.run(op, a, b, c.view(np.uint32), sa, sb)
        assert got.view(np.float32).tolist() == ((x * y).sum(1) + c).astype(np.float32).tolist()
    with pytest.raises(Unsupported, match="it has no"):
        adapter.run(Operation.parse("dot/e4m3fn.e5m2/f32/*;block=16;k=32;scale=e8m0fnu"), a, b, c, sa, sb)


def test_cases_are_asked_at_several_places_of_a_tile() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0x30, 0x40, (2, 21, 64)).astype(np.uint8)
    c = rng.integers(0, 9, 21).astype(np.float32).view(np.uint32)
    want = (value(a, "e4m3") * value(b, "e5m2")).sum(1) + c.view(np.float32)
    got = dots(UNIT, tiles(UNIT.kernel), a, b, c)
    assert got.view(np.float32).tolist() == want.tolist()

    def moody(a: Any, b: Any, c: Any) -> Any:
        d = tiles(UNIT.kernel)(a, b, c)
        d[1, 11, 3] ^= 1
        return d

    with pytest.raises(Broken, match=r"in row 3 and .* in row 11 of a tile"):
        dots(UNIT, moody, a, b, c)


# -- claims -----------------------------------------------------------------------------------------------------------
def test_what_a_device_claims_depends_on_its_architecture(device: type[FakeDevice]) -> None:
    hopper = cuda.Cuda().capabilities()
    assert "dot/e4m3fn.e5m2/f32/hopper.mma.fp8.f32;k=32" in hopper
    assert "dot/e5m2.e5m2/f16/hopper.wgmma.fp8.f16;k=128" in hopper
    assert "dot/bf16.bf16/f32/hopper.mma.bf16.f32;k=16" in hopper
    assert "convert/f32/e4m3fn/rne.sat" in hopper
    assert len(set(hopper)) == len(hopper)
    for claim in hopper:
        Operation.parse(claim)
    device.capability = (8, 9)
    ada = cuda.Cuda().capabilities()
    assert "dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32;k=32" in ada
    assert not any("wgmma" in claim for claim in ada)
    device.capability = (12, 0)
    assert "dot/f16.f16/f32/*;k=16" in cuda.Cuda().capabilities()


def test_a_unit_alone_answers_free_modes(device: type[FakeDevice]) -> None:
    a, b = np.full((3, 32), 0x38, np.uint8), np.full((3, 32), 0x3C, np.uint8)
    c = np.zeros(3, np.uint32)
    free = Operation.parse("dot/e4m3fn.e5m2/f32/*;k=32")
    with pytest.raises(Unsupported, match="choose by unit="):
        cuda.Cuda().run(free, a, b, c)
    unit = cuda.Cuda(unit="wgmma")
    assert unit.run(free, a, b, c).view(np.float32).tolist() == [32.0] * 3
    assert unit._device.launched == ["wgmma_e4m3_e5m2_f32"]  # type: ignore[attr-defined]
    with pytest.raises(Unsupported, match="32 elements at a time, not 48"):
        unit.run(Operation.parse("dot/e4m3fn.e5m2/f32/*;k=48"), *np.zeros((2, 1, 48), np.uint8), c[:1])
    with pytest.raises(Unsupported, match="it has no"):
        unit.run(Operation.parse("convert/f32/e4m3fn/rne.sat"), c)


def test_conversions_prefer_the_instruction(device: type[FakeDevice]) -> None:
    x = np.zeros((2, 3), np.uint32)
    for unit, kernel in (("", "cvt_e4m3_f32"), ("cvt", "cvt_e4m3_f32"), ("header", "header_e4m3_f32_sat")):
        adapter = cuda.Cuda(unit=unit)
        assert adapter.run(Operation.parse("convert/f32/e4m3fn/rne.sat"), x).tolist() == [[0x2A] * 3] * 2
        assert adapter._device.launched[-1] == kernel  # type: ignore[attr-defined]


def test_rectified_conversions_are_instructions_of_their_own(device: type[FakeDevice]) -> None:
    adapter = cuda.Cuda(unit="cvt")
    x = np.zeros(3, np.uint16)
    for result in ("e4m3", "e5m2"):
        name = {"e4m3": "e4m3fn"}.get(result, result)
        op = Operation.parse(f"convert/f16/{name}/rne.sat;negative=zero")
        assert op.id in adapter.capabilities()
        assert ".relu" in adapter.source(op)
        adapter.run(op, x)
        assert adapter._device.launched[-1] == f"cvt_{result}_f16_relu"  # type: ignore[attr-defined]
    with pytest.raises(Unsupported, match="it has no"):
        cuda.Cuda(unit="header").run(op, x)


def test_blackwell_has_the_narrower_formats(device: type[FakeDevice], monkeypatch: pytest.MonkeyPatch) -> None:
    hopper = cuda.Cuda(unit="cvt").capabilities()
    device.capability = (10, 0)
    monkeypatch.setattr(device, "has", lambda self, kernel: True)
    more = set(cuda.Cuda(unit="cvt").capabilities()) - set(hopper)
    assert more >= {
        "convert/f16/e2m1fn/rne.sat;nan=max",
        "convert/f32/e3m2fn/rne.sat;nan=max;negative=zero",
        "convert/bf16/e8m0fnu/rtp.sat;negative=magnitude",
        "decode/e8m0fnu/bf16",
        "decode/e2m1fn/f16",
    }


def test_a_device_with_another_layout_is_refused(device: type[FakeDevice], monkeypatch: pytest.MonkeyPatch) -> None:
    run = FakeDevice.run

    def other(self: Any, kernel: str, blocks: int, threads: int, operands: Any, out: Any, scalars: Any) -> Any:
        if kernel.startswith("wgmma"):
            operands = [operands[0], operands[1][:, ::-1], operands[2]]
        return run(self, kernel, blocks, threads, operands, out, scalars)

    monkeypatch.setattr(device, "run", other)
    with pytest.raises(Unavailable, match="wgmma_e4m3_e4m3_f32 does not lay out tiles"):
        cuda.Cuda(unit="wgmma")


@pytest.mark.parametrize("options", [{"unit": "tcgen"}, {"device": "gpu"}])
def test_bad_options(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"is one of|is the number"):
        cuda.Cuda(**options)


# -- without a GPU ----------------------------------------------------------------------------------------------------
def test_without_a_device_it_says_so_in_one_line() -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(Unavailable) as caught:
        cuda.Cuda()
    assert "\n" not in str(caught.value)
    command = [sys.executable, "-m", "fp8ref", "check", "--impl", "py:fp8ref.adapters.cuda.device:Cuda"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 6
    assert len(found.stderr.strip().splitlines()) == 1
    assert "would not start" in found.stderr


@pytest.mark.parametrize("target", some(["sm_89", "sm_90a", "sm_100a", "sm_120a"], ["sm_90a", "sm_120a"]))
def test_every_kernel_compiles(target: str, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not here")
    code = f"arch=compute_{target[3:]},code={target}"
    out = tmp_path / "kernels.cubin"
    command = [nvcc, "-std=c++17", f"-gencode={code}", "-DFP8REF_HEADERS", "-cubin", "-o", str(out), str(cuda.SOURCE)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    image = out.read_bytes()
    wanted = {"sm_90a": b"wgmma_e4m3_e5m2_f16", "sm_100a": b"cvt_e2m1_f32", "sm_120a": b"mma_e2m1_e2m1_f32_nv"}
    for kernel in (b"cvt_e5m2_f16_relu", b"mma_e4m3_e5m2_f16", b"header_e4m3_f64_nosat", wanted.get(target, b"")):
        assert kernel in image
    assert (b"wgmma" in image) == (target == "sm_90a")
