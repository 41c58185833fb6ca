"""What ``vectors/`` ships, and the recipes of larger sets: one row a file.

    python tools/vectors/ship.py [DIRECTORY]

Every file is made again from its recipes; run it when the version of the vectors changes, and commit what it writes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from fp8ref.cases.operation import Operation
from fp8ref.vectors.generate import Recipe
from fp8ref.vectors.manifest import Planned, build

SOURCES = ("f32", "f16", "bf16")
RESULTS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu", "e3m2fn", "e2m3fn", "e2m1fn")
OCP = ("e4m3fn", "e5m2")
ROUNDINGS = ("rne", "rna", "rtz", "rtp", "rtn", "rto")
MODES = ("rtz", "rtp", "rtn", "rna")  # RISC-V's others beside rne
PAIRS = tuple((a, b) for a in OCP for b in OCP)
LENGTHS = (2, 4, 16, 32)
UNITS = (  # with modes and flags: (name, operation, with the mode left out)
    ("e5m2", "dot/e5m2.e5m2/f16/exact.{}.nonsat;flags=1;k=2"),
    ("e4m3fn", "dot/e4m3fn.e4m3fn/f16/exact.{}.nonsat;flags=1;k=4"),
)
ACCUMULATORS = ("hopper.wgmma.fp8.f32", "ada.mma.fp8.f32", "blackwell.tcgen05.fp8.f32")
SCALED = (
    "dot/e4m3fn.e4m3fn/f32/exact;block=32;k=64;scale=e8m0fnu",
    "dot/e4m3fn.e4m3fn/f32/blackwell.mxf8f6f4;block=32;k=64;scale=e8m0fnu",
    "dot/e2m1fn.e2m1fn/f32/blackwell.mxf4nvf4;k=64;scale=ue4m3",
)
DEFINED = (  # units that documents define: Arm, RISC-V, x86
    "dot/e4m3fn.e5m2/f32/arm.fdot4.fp8.f32;k=4",
    "dot/e5m2.e4m3fn/f16/arm.fmmla.fp8.f16;k=4",
    "dot/e5m2.e5m2/f16/arm.fdot2.fp8.f16@lscale=3@saturate=1;k=2",
    "dot/e4m3fn.e4m3fn/f32/riscv.bulknorm16.fp8.f32;k=16",
    "dot/e4m3fn.e4m3fn/f32/x86.amx.fp8.f32;k=16",
    "dot/f16.f16/f32/x86.vdp.f16.f32;k=2",
    "dot/bf16.bf16/f32/x86.vdp.bf16.f32;k=2",
    "dot/e4m3fn.e5m2/f32/x86.ace.mxfp8.f32;block=32;k=32;scale=e8m0fnu",
)
TILES = ("dot/e5m2.e4m3fn/f32/x86.amx.fp8.f32;k=16", "dot/bf16.bf16/f32/x86.amx.bf16.f32;k=8")
SCHEMES = ("f32/mxfp8_e4m3", "f32/mxfp8_e5m2", "f32/mxfp6_e3m2", "f32/mxfp6_e2m3", "f32/mxfp4", "f32/mxint8",
           "f32.f32/nvfp4")  # fmt: skip
TININESS = ("before", "after", "delivered")


def conversions(source: str, result: str) -> Iterator[Recipe]:
    """The modes in which a conversion is shipped, by bins: rne, and for OCP's formats all six roundings."""
    overflows = ("sat", "nonsat") if Operation.convert(source, result).result_format.has_nan else ("sat",)
    for overflow in overflows:
        for rounding in ROUNDINGS if result in OCP else ROUNDINGS[:1]:
            yield Recipe.of(f"convert/{source}/{result}/{rounding}.{overflow}", "bins")
    if result in OCP:  # the underflow flag by each convention; `after` is the default above
        for tininess in ("before", "delivered"):
            yield Recipe.of(f"convert/{source}/{result}/rne.sat;tininess={tininess}", "bins")


def plan() -> Iterator[Planned]:
    """Every file that is shipped."""
    for source in SOURCES:
        for result in RESULTS:
            yield Planned(f"convert/{source}_to_{result}.jsonl.gz", "jsonl", tuple(conversions(source, result)))
    decodes = [Recipe.of(f"decode/{f}/f32") for f in RESULTS]
    yield Planned("decode/to_f32.jsonl.gz", "jsonl", tuple(decodes))
    for f in OCP:
        for family in ("add", "mul"):
            recipe = Recipe.of(f"{family}/{f}.{f}/{f}/rne.nonsat")
            yield Planned(f"arithmetic/{f}_{family}.fpv.gz", "testfloat", (recipe,))
        fma = [f"fma/{f}.{f}.{f}/{f}/{mode}.nonsat" for mode in ("rne", *MODES)]
        fma.append(f"fma/{f}.{f}.f32/f32/rne.nonsat")
        yield Planned(f"arithmetic/{f}_mulAdd.jsonl.gz", "jsonl", tuple(map(Recipe.of, fma)))
        unary = [f"sqrt/{f}/{f}/{mode}.nonsat" for mode in ("rne", *MODES)]
        unary += [f"rintx/{f}/{f}/rne.nonsat", f"neg/{f}/{f}", f"classify/{f}/class"]
        yield Planned(f"arithmetic/{f}_unary.jsonl.gz", "jsonl", tuple(map(Recipe.of, unary)))
        binary = [f"{name}/{f}.{f}/{f}/{mode}.nonsat" for name in ("add", "mul", "div", "sub") for mode in MODES]
        binary += [f"div/{f}.{f}/{f}/rne.nonsat", f"sub/{f}.{f}/{f}/rne.nonsat", f"lt/{f}.{f}/bool"]
        recipes = tuple(Recipe.of(op, "bins") for op in binary)
        yield Planned(f"arithmetic/{f}_binary.jsonl.gz", "jsonl", recipes)
    for a, b in PAIRS:
        sums = tuple(Recipe.of(f"dot/{a}.{b}/f32/exact;flags=1;k={k}") for k in LENGTHS)
        yield Planned(f"dot/{a if a == b else f'{a}_{b}'}_exact.jsonl.gz", "jsonl", sums)
    for name, op in UNITS:
        modes = tuple(Recipe.of(op.format(mode)) for mode in ("rne", *MODES))
        yield Planned(f"dot/{name}_modes.jsonl.gz", "jsonl", modes)
    for model in ACCUMULATORS:
        recipe = Recipe.of(f"dot/e4m3fn.e4m3fn/f32/{model};k=32")
        yield Planned(f"dot/e4m3fn_{model.split('.')[0]}.jsonl.gz", "jsonl", (recipe,))
    yield Planned("dot/defined_units.jsonl.gz", "jsonl", tuple(map(Recipe.of, DEFINED)))
    tiles = tuple(Recipe.of(op, seed=1) for op in TILES)  # by seed 0 some of their bins stay short of cases
    yield Planned("dot/defined_tiles.jsonl.gz", "jsonl", tiles)
    for op in SCALED:
        model = op.split("/")[3].partition(";")[0].split(".")[-1]
        yield Planned(f"dot/scaled_{model}.jsonl.gz", "jsonl", (Recipe.of(op),))
    yield Planned("scale/blocks.jsonl.gz", "jsonl", tuple(Recipe.of(f"scale/{s}") for s in SCHEMES))


def further() -> Iterator[Recipe]:
    """Sets too large to ship."""
    for f in OCP:
        for family in ("add", "sub", "mul", "div"):
            for rounding in ROUNDINGS:
                yield Recipe.of(f"{family}/{f}.{f}/{f}/{rounding}.nonsat")
        yield Recipe.of(f"fma/{f}.{f}.{f}/{f}/rne.nonsat", n=10_000_000)
        yield Recipe.of(f"convert/f32/{f}/rne.sat", n=100_000_000)
        yield Recipe.of(f"convert/f32/{f}/rne.sat", "every")
        for model in ACCUMULATORS:
            yield Recipe.of(f"dot/{f}.{f}/f32/{model};k=32", n=1_000_000)
    for source in ("f16", "bf16"):
        for result in RESULTS:
            yield Recipe.of(f"convert/{source}/{result}/rne.sat")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the shipped vectors.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[2] / "vectors")
    directory = parser.parse_args().folder
    print("\n".join(build(directory, list(plan()), list(further()))))
