"""A CUDA device: its conversions and its matrix instructions, one kernel each.

Kernels of ``kernels.cu`` are compiled for the device when the adapter starts.  Every matrix kernel is proved to
place its operands as the instruction expects before it is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...cases.operation import ANY_MODE, Operation, carrier_dtype
from ...cases.products.questions import block_of, length, scale_type
from ...spec.profiles.catalog import get_profile
from ..base import Broken, Codes, Unavailable, Unsupported
from ..claims import Claims, cast_claim
from .driver import Device
from .host import cuda_version, find_headers
from .tiles import Unit, dots, misplaced

SOURCE = Path(__file__).with_name("kernels.cu")
UNITS = ("cvt", "header", "mma", "wgmma")
NAMES = {"e4m3fn": "e4m3", "e5m2": "e5m2", "e2m3fn": "e2m3", "e3m2fn": "e3m2", "e2m1fn": "e2m1"}  # PTX's
NARROW, WIDE = ("e4m3fn", "e5m2"), ("f16", "bf16", "f32", "f64")
SATURATION = {"sat": "cuda-satfinite", "nosat": "cuda-nosat"}
RELU = ("negative", "zero")  # of an operation id: .relu
CHUNK = 1 << 26  # elements of one launch of a conversion
THREADS = 256
# unit -> compute capability, or its major number -> kind of operands -> the model but for its result
HOPPER = {"fp8": "hopper.mma.fp8", "f16": "hopper.mma.f16", "bf16": "hopper.mma.bf16"}
MODELS: dict[str, dict[tuple[int, ...], dict[str, str]]] = {
    "mma": {
        (8, 9): {"fp8": "ada.mma.fp8", "f16": "ampere.mma.f16", "bf16": "ampere.mma.bf16"},
        (9,): HOPPER,
        (10,): HOPPER,
        (12,): {"fp8": "sm120.mma.fp8", "mx": "blackwell.mxf8f6f4"},
    },
    "wgmma": {(9,): {kind: model.replace(".mma.", ".wgmma.") for kind, model in HOPPER.items()}},
}
ROWS = {"mma": 16, "wgmma": 64}
CHAINS = (1, 4)  # instructions one after the other in the products that are claimed


class Cuda:
    """A device's ``cvt``, ``mma.sync`` and ``wgmma``, and the functions of cuda_fp8.h where the headers are found.

    ``device``: its number.  ``unit``: one of UNITS alone; by default all, a conversion by ``cvt`` where there is one.
    ``prepared``: a folder of machine code that ``tools/captures/hopper/prepare.py`` made, for a start without NVRTC.
    The mode of a product is the model that is published for the architecture: what is claimed of the device, not
    what NVIDIA promises.  Raises Unavailable without cuda-bindings, driver or device of compute capability 8.9.
    """

    def __init__(self, device: str = "0", unit: str = "", prepared: str = "") -> None:
        if unit not in ("", *UNITS):
            raise ValueError(f"unit is one of {', '.join(UNITS)}, not {unit!r}")
        if not device.isdigit():
            raise ValueError(f"device is the number of a CUDA device, not {device!r}")
        self._units = (unit,) if unit else UNITS
        self._prepared = Path(prepared) if prepared else None
        self._device = self._open(int(device))
        self._kernels = {op: k for op, k in _conversions(self._units) if self._device.has(k)}
        self._products = {
            op: u for op, u in _products(self._units, self._device.capability) if self._device.has(u.kernel)
        }
        for found in dict.fromkeys(self._products.values()):
            self._prove(found)
        self._claims = Claims(self._kernels)

    def _prove(self, unit: Unit) -> None:
        """Raise Unavailable where the tiles of a kernel do not lie as they should."""
        try:
            wrong = misplaced(unit, lambda *tiles: self._multiply(unit, *tiles))
        except Broken as error:
            raise Unavailable(str(error)) from None
        if wrong:
            raise Unavailable(f"{unit.kernel} does not lay out tiles as the PTX ISA says: {wrong}")

    def _open(self, index: int) -> Device:
        """The device, with the functions of the headers where they are found and compile."""
        self._headers = "not asked for"
        if "header" in self._units:
            try:
                include = find_headers()
                found = Device(SOURCE, index, [include, include / "cccl"], "-DFP8REF_HEADERS")
                self._headers = cuda_version(include)
                return found
            except Unavailable as error:
                if self._units == ("header",):
                    raise
                self._headers = f"none: {error}"
        return Device(SOURCE, index, prepared=self._prepared)

    def identify(self) -> Mapping[str, str]:
        facts = self._device.facts
        known = {"name": "cuda", "version": facts["cuda_driver"], "device": facts["model"], "headers": self._headers}
        known["units"] = " ".join(self._units)
        return {**known, **{key: value for key, value in facts.items() if key != "model"}}

    def capabilities(self) -> Sequence[str]:
        chained = (_claimed(op, unit, unit.length * n).id for op, unit in self._products.items() for n in CHAINS)
        return [*self._claims.ids, *chained]

    def source(self, op: Operation) -> str:
        if op.asked.kind == "dot":
            return f"NVIDIA documents no arithmetic of {self._unit(op).kernel}; the mode is a published model"
        if op.family == "decode":
            return "PTX ISA, cvt: exact"
        rule = get_profile(
            SATURATION[self._kernel(op).rpartition("_")[2]] if self._by_header(op) else SATURATION["sat"]
        )
        found = rule.rule(op.operands[0], op.result)
        said = (found.promised if found else "") or "the documentation says nothing of this conversion"
        return f"{said}; PTX ISA, cvt: .relu makes negative results 0" if RELU in op.keys else said

    def run(self, op: Operation, *operands: Codes) -> Codes:
        native = [np.ascontiguousarray(x, x.dtype.newbyteorder("=")) for x in operands]
        if op.asked.kind == "dot":
            unit = self._unit(op)
            return dots(unit, lambda *tiles: self._multiply(unit, *tiles), *native)
        kernel, (x,) = self._kernel(op), native
        out = np.empty(x.shape, carrier_dtype(op.result))
        each = 1 if self._by_header(op) else 2  # elements of a thread
        for start in range(0, x.size, CHUNK):
            part, z = x[start : start + CHUNK], out[start : start + CHUNK]
            self._device.run(kernel, -(-part.size // (each * THREADS)), THREADS, [part], z, [np.uint64(part.size)])
        return out

    # -- kernels ------------------------------------------------------------------------------------------------------
    def _kernel(self, op: Operation) -> str:
        return self._kernels[self._claims.covering(op)]

    def _by_header(self, op: Operation) -> bool:
        return self._kernel(op).startswith("header_")

    def _unit(self, op: Operation) -> Unit:
        """The instruction that is asked; a free mode where only one has such operands and result."""
        alike = {
            claim.mode: unit
            for claim, unit in self._products.items()
            if (op.family, op.operands, op.result) == (claim.family, claim.operands, claim.result)
            and (scale_type(op) or "", block_of(op) if scale_type(op) else 0) == (unit.scale, unit.block)
        }
        if op.mode == ANY_MODE and len(alike) > 1:
            raise Unsupported(f"it has {' and '.join(u.kernel for u in alike.values())}: choose by unit=")
        found = next(iter(alike.values()), None) if op.mode == ANY_MODE else alike.get(op.mode)
        if found is None:
            raise Unsupported(f"it has no {op.id}")
        if length(op) % found.length:
            raise Unsupported(f"{found.kernel} multiplies {found.length} elements at a time, not {length(op)}")
        return found

    def _multiply(self, unit: Unit, a: Codes, b: Codes, c: Codes, *scales: Codes) -> Codes:
        if unit.bits == 4:  # the element of even k in the lower half of a byte
            a, b = (x[..., ::2] | x[..., 1::2] << 4 for x in (a, b))
        tiles, words = len(a), a.shape[2] * a.itemsize // 4
        blocks, threads = (tiles, 128) if unit.rows == ROWS["wgmma"] else (-(-tiles // 4), 128)
        sizes = [np.uint32(tiles), np.uint32(words)]
        return self._device.run(unit.kernel, blocks, threads, [a, b, c, *scales], np.empty_like(c), sizes)


def _conversions(units: Sequence[str]) -> Iterator[tuple[Operation, str]]:
    """Every conversion that a unit may have, and its kernel; the earlier of two units wins."""
    sat, nosat = (get_profile(SATURATION[policy]) for policy in ("sat", "nosat"))
    found: dict[Operation, str] = {}
    if "cvt" in units:
        for name, ptx in NAMES.items():
            for source in ("f32",) if name in ("e2m3fn", "e3m2fn") else ("f32", "f16"):
                claim = cast_claim(source, name, sat)
                found[claim] = f"cvt_{ptx}_{source}"
                found[replace(claim, keys=tuple(sorted((*claim.keys, RELU))))] = f"cvt_{ptx}_{source}_relu"
            found[cast_claim(name, "f16")] = f"cvt_f16_{ptx}"
        for source in ("f32", "bf16"):
            for mode, suffix in (("rtz.sat", "rz"), ("rtp.sat", "rp")):
                keys = {"negative": "magnitude"}
                found[Operation.convert(source, "e8m0fnu", mode, **keys)] = f"cvt_ue8m0_{source}_{suffix}"
        found[Operation.decode("e8m0fnu", "bf16")] = "cvt_bf16_ue8m0"
    if "header" in units:
        for name in NARROW:
            for source in WIDE:
                for policy, profile in (("sat", sat), ("nosat", nosat)):
                    found.setdefault(cast_claim(source, name, profile), f"header_{NAMES[name]}_{source}_{policy}")
            found.setdefault(cast_claim(name, "f16"), f"header_f16_{NAMES[name]}")
    yield from found.items()


def _products(units: Sequence[str], capability: tuple[int, ...]) -> Iterator[tuple[Operation, Unit]]:
    """Every product that an architecture may have, without its K, and its instruction."""
    fp8 = [(a, b, result) for a in NARROW for b in NARROW for result in ("f32", "f16")]
    wide = [("f16", "f16", "f32"), ("f16", "f16", "f16"), ("bf16", "bf16", "f32")]
    for kind in ROWS:
        if kind not in units:
            continue
        models = MODELS[kind].get(capability) or MODELS[kind].get(capability[:1]) or {}
        for a, b, result in (*fp8, *wide):
            model = models.get("fp8" if a in NARROW else a)
            kernel = f"{kind}_{NAMES.get(a, a)}_{NAMES.get(b, b)}_{result}"
            op = Operation("dot", (a, b), result, f"{model}.{result}" if model else ANY_MODE)
            yield op, Unit(kernel, (a, b), result, ROWS[kind])
        if "mx" in models:
            yield from _scaled_products(kind)


def _scaled_products(kind: str) -> Iterator[tuple[Operation, Unit]]:
    """Every product with block scales."""
    mx = [(a, b, "mxf8f6f4", "mx", "e8m0fnu", 32) for a in NARROW for b in NARROW]
    four = (("mxf4", "mx", "e8m0fnu", 32), ("mxf4nvf4", "nv", "ue4m3", 16))
    fp4 = [("e2m1fn", "e2m1fn", *rest) for rest in four]
    for a, b, name, suffix, scale, block in (*mx, *fp4):
        unit = Unit(f"{kind}_{NAMES[a]}_{NAMES[b]}_f32_{suffix}", (a, b), "f32", ROWS[kind], scale, block)
        yield Operation("dot", (a, b), "f32", f"blackwell.{name}"), unit


def _claimed(op: Operation, unit: Unit, k: int) -> Operation:
    """The claim of a product of so many elements."""
    scales = {"scale": unit.scale, "block": str(unit.block)} if unit.scale else {}
    return replace(op, keys=tuple(sorted({"k": str(k), **scales}.items())))
