"""What real GPUs answered, in public recordings: read as they were published, with the accumulator that explains each.

Two sources: ``mmaemu`` (PyPI sdist 0.1.0, Apache-2.0: a GeForce RTX 4060, mma.sync and torch._scaled_mm) and
MATLAB-tensor-core (BSD-2-Clause: V100 to B200).  Nothing of them is kept in this project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import fp8ref

Codes = np.ndarray[Any, Any]
MMAEMU = "mmaemu 0.1.0, Apache-2.0, (c) 2026 X. Ding and the mmaemu contributors"
MATLAB = "F. A. Khattak and M. Mikaitis, MATLAB-tensor-core (arXiv 2512.07004), BSD-2-Clause, (c) 2025 the authors"
FP8 = {"e4m3": "e4m3fn", "e5m2": "e5m2"}
RESULTS = {
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "float8_e4m3fn": "e4m3fn",
    "float8_e5m2": "e5m2",
}


@dataclass(frozen=True)
class Recording:
    """Codes that a device was given and gave.

    ``a`` (M, K), ``b`` (N, K), ``d`` (M, N) with ``outer``, else rows of dot products; ``c``: binary32 or binary16
    codes, ``scales``: binary32 codes of scale_a, scale_b, scale_result.  ``accumulator``: the model declared for it.
    """

    name: str
    device: str
    instruction: str
    operands: tuple[str, str]
    result: str
    accumulator: str
    a: Codes
    b: Codes
    d: Codes
    c: Codes | None = None
    outer: bool = False
    scales: tuple[int | None, int | None, int | None] = (None, None, None)
    group: str = ""

    @property
    def origin(self) -> str:
        return MMAEMU if self.device == "GeForce RTX 4060" else MATLAB

    @property
    def k(self) -> int:
        return int(self.a.shape[-1])


@dataclass
class Apart:
    """Calls that are no evidence about arithmetic, by the reason they are left out for."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, n: int = 1) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + n


# -- mmaemu -----------------------------------------------------------------------------------------------------------
class Mmaemu:
    """The recordings of an unpacked sdist of mmaemu 0.1.0."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tests" / "data" / "hw_mini"
        self.index = json.loads((self.root / "index.json").read_text(encoding="utf-8"))
        if self.index.get("format") != "mmaemu-hwmini/1":
            raise ValueError(f"{self.root}: format {self.index.get('format')!r}; this reads mmaemu-hwmini/1")
        self.apart = Apart()
        self._shards: dict[str, Any] = {}

    def array(self, reference: tuple[str, str]) -> Codes:
        """The array of a reference (shard, key); the shard's digest is verified."""
        shard, key = reference
        if shard not in self._shards:
            path = self.root / Path(shard).name
            if hashlib.sha256(path.read_bytes()).hexdigest() != self.index["shards"][shard]["sha256"]:
                raise ValueError(f"{path}: not the bytes of its digest")
            self._shards[shard] = np.load(path, allow_pickle=False)
        return np.asarray(self._shards[shard][key])

    def __iter__(self) -> Iterator[Recording]:
        for case in self.index["cases"]:
            if case["kind"] == "mma":
                yield from self._instruction(case)
            elif case["kind"] == "gemm":
                yield from self._products(case)
            else:
                self.apart.add("calls recorded for their arguments (API parity)", len(case["outputs"]))

    def _instruction(self, case: dict[str, Any]) -> Iterator[Recording]:
        p, given = case["params"], {name: self.array(ref) for name, ref in case["inputs"].items()}
        a, b, c, d = given["a"], given["b"], given["c"], self.array(case["expect"]["bits"])
        if p["layout"] == "tile":
            shape = (a.shape[0], a.shape[1], b.shape[1], a.shape[2])
            a, b = np.broadcast_to(a[:, :, None], shape), np.broadcast_to(b[:, None], shape)
        k = a.shape[-1]
        a, b, c, d = a.reshape(-1, k), b.reshape(-1, k), c.reshape(-1), d.reshape(-1)
        formats = FP8[p["fmt_a"]], FP8[p["fmt_b"]]
        yield Recording(
            case["id"], "GeForce RTX 4060", "mma.sync m16n8k32", formats, "f32", "ada.mma.fp8.f32", a, b, d, c,
            group=".".join(formats),
        )  # fmt: skip

    def _products(self, case: dict[str, Any]) -> Iterator[Recording]:
        outputs = case.get("outputs") or [{"name": "", "expect": case["expect"]}]
        for output in outputs:
            p = {**case["params"], **output.get("params", {})}
            expect = output["expect"]
            if p.get("zero_operands") or "error" in expect:
                self.apart.add("calls that cuBLASLt refused" if p.get("scaling") != "rowwise" else "row-wise scales")
                continue
            if p.get("call", {}).get("bias") or p.get("scaling") == "rowwise":
                self.apart.add("calls with a bias or row-wise scales")
                continue
            yield self._product(case, output["name"], p, self.array(expect["bits"]))

    def _product(self, case: dict[str, Any], name: str, p: dict[str, Any], d: Codes) -> Recording:
        result = RESULTS[p["out_dtype"]]
        parts, scheme = int(p["splitk"]["S"]), p["splitk"]["scheme"]
        unit = "ada.mma.fp8.f32" + ("" if p["fast"] else "+promote128.fadd")
        if parts > 1:
            unit += f"+split{parts}.t64.interleaved" + (".pairwise" if scheme == "pairwise" else "")
        narrow = result in FP8.values()
        output_scale = p.get("scale_result_bits") if narrow else None  # torch ignores it for other outputs
        words = ["scale", *(["scale_result"] if output_scale is not None else []), "sat" if narrow else "nonsat"]
        a, b = (self.array(case["inputs"][side]) for side in "ab")
        diagonal = p.get("out_select") == "diagonal"
        kind = f"{'fast' if p['fast'] else 'slow'} {'unsplit' if parts == 1 else 'split, ' + scheme}"
        return Recording(
            f"{case['id']}/{name}", "GeForce RTX 4060", "torch._scaled_mm, cuBLASLt 12.8.3.14",
            (FP8[p["fmt_a"]], FP8[p["fmt_b"]]), result, f"{unit}+out.{'.'.join(words)}", a, b, d,
            outer=not diagonal, scales=(p["scale_a_bits"], p["scale_b_bits"], output_scale), group=f"{kind}, {result}",
        )  # fmt: skip


# -- MATLAB-tensor-core -----------------------------------------------------------------------------------------------
GPUS = {
    "V100": ("V100", "volta"),
    "A100": ("A100", "ampere"),
    "A2": ("A2", "ampere"),
    "Ada": ("RTX 1000 Ada", "ada"),
    "L40S": ("L40S", "ada"),
    "H100": ("H100", "hopper"),
    "H200": ("H200", "hopper"),
    "B200": ("B200", "b200"),
}
TYPES = {"E4M3": "e4m3fn", "E5M2": "e5m2", "fp16": "f16", "bf16": "bf16", "tf32": "tf32"}


def matlab_sets(root: Path) -> Iterator[Recording]:
    """Every set of a checkout's model_validation: K products a row; all numbers are written as binary32."""
    for path in sorted(root.glob("model_validation/*/*/d_*_fp*.txt")):
        gpu, kind = path.parts[-3], path.parts[-2]
        if gpu not in GPUS or kind not in TYPES:
            continue
        device, arch = GPUS[gpu]
        operand, wide = TYPES[kind], path.stem.rpartition("_")[2]
        result = "f16" if wide == "fp16" else "f32"
        a, b = (coded(binary32(path.with_name(f"{side}_{gpu}_{kind}.txt")), operand) for side in "ab")
        c, d = (coded(binary32(path.with_name(name))[:, 0], result) for name in (f"c_{gpu}_fp32.txt", path.name))
        instruction, accumulator, own_c = _ran(arch, operand, result)
        yield Recording(
            f"{gpu}/{kind}/{result}", device, instruction, (operand, operand), result, accumulator, a, b, d,
            c if own_c else np.zeros_like(c), group=f"{operand} {result}",
        )  # fmt: skip


def _ran(arch: str, operand: str, result: str) -> tuple[str, str, bool]:
    """(instruction, accumulator, whether C took part) of a set, as its authors' programs ran it."""
    if operand in FP8.values():
        if arch == "hopper" and result == "f32":
            return "wgmma k32, C = 0", "hopper.wgmma.fp8.f32", False
        unit = {"ada": "ada.mma", "hopper": "hopper.mma", "b200": "b200.mma"}[arch]
        return "mma.sync m16n8k32", f"{unit}.fp8.{result}", True
    return "wmma", f"{arch}.mma.{operand}.{result}", True


def coded(bits: Codes, name: str) -> Codes:
    """Codes in a format of binary32 codes; C of a binary16 result is rounded to nearest, all else is exact."""
    x = bits.view(np.float32)
    return bits if name == "f32" else np.asarray(fp8ref.encode(x, name, overflow="nonsat"))


def binary32(path: Path) -> Codes:
    """Rows of binary32 codes: words of eight hexadecimal digits, or one of 32 binary digits a line."""
    words = path.read_text(encoding="ascii").split()
    rows = len(path.read_text(encoding="ascii").splitlines())
    base = 2 if len(words[0]) == 32 else 16
    return np.array([int(word, base) for word in words], np.uint32).reshape(rows, -1)
