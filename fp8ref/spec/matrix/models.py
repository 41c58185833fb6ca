"""The catalogue of accumulator models: what is known of real matrix units, each with its source and evidence.

Names compose from left to right, as ``compositions.py`` says::

    hopper.wgmma.fp8.f32+promote128.fadd    a partial sum of 128 products, then an FP32 addition
    hopper.mma.bf16.f32@min_exponent=-126   a named choice other than the default, where evidence differs
    f32.fma@order=down                      another order over K
    ada.mma.fp8.f32+split3.t64.interleaved+out.scale.bias.sat    split over K, then an epilogue
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..rounding import Rounding
from .accumulate import Chain, Evidence, ExactStep, Fused, FusedLate, GroupDot, Model, Scales, Tree, TwoChains
from .compositions import compose, with_option

FP8 = ("e4m3fn", "e5m2")
FNUZ = ("e4m3fnuz", "e5m2fnuz")
F8F6F4 = (*FP8, "e3m2fn", "e2m3fn", "e2m1fn")
CUDA_NAN = {"f32": 0x7FFFFFFF, "f16": 0x7FFF}
QUIET_NAN = {"f64": 0x7FF8 << 48, "f32": 0x7FC00000, "f16": 0x7E00, "bf16": 0x7FC0}
NEAREST = Rounding.TIES_TO_EVEN

KHATTAK = "Khattak and Mikaitis, MATLAB-tensor-core of August 2026"
VECTORS = f"{KHATTAK}: measured vectors (arXiv 2512.07004)"
RTX4060 = "mmaemu 0.1.0 (October 2026): 616,077 results of a GeForce RTX 4060, C and specials among them"
MMASIM = "Xie et al., mmasim 2.1.1 of October 2026 (arXiv 2511.10909)"
LEAST = (
    "min_exponent, what a zero operand shows: mmasim 2.1.1, confirmed by Khattak and Mikaitis; -126 in MMA-Sim "
    "c785138; no recorded result reaches it"
)
EMULATED = "FP8 mma.sync is converted to FP16 and runs on the FP16 unit, two of four lanes at a time"

MODELS: dict[str, Model] = {}
ALIASES: dict[str, str] = {}
LONGEST = 200  # characters of a name


def _declare(model: Model, *aliases: str) -> None:
    MODELS[model.name] = model
    for alias in aliases:
        ALIASES[alias] = model.name


def _nvidia(
    name: str, operands: tuple[str, ...], results: str, unit: Fused, *aliases: str, least: tuple[int, int]
) -> None:
    """A fused unit with an f32 and an f16 result, the latter rounded to nearest; ``least``: min_exponent of each."""
    for result in results.split():
        to: dict[str, Any] = {"min_exponent": least[0]}
        if result == "f16":
            to = {"min_exponent": least[1], "precision": 0, "rounding": NEAREST}
        model = replace(unit, name=f"{name}.{result}", operands=operands, result=result, nan=CUDA_NAN[result], **to)
        _declare(model, *(f"{alias}.{result}" for alias in aliases))


VOLTA, AMPERE, HOPPER = (-131, -19), (-132, -20), (-133, -21)  # least exponents: f32 results, f16 results

for _f in ("f32", "f16", "bf16", "f64"):
    _own: dict[str, Any] = {
        "result": _f,
        "nan": QUIET_NAN[_f],
        "evidence": Evidence.DEFINITION,
        "source": "IEEE 754-2019 5.4.1",
    }
    _declare(Chain(name=f"{_f}.fma", fused=True, **_own))
    _declare(Chain(name=f"{_f}.mul-add", fused=False, **_own))
    _declare(Tree(name=f"{_f}.pairwise", **_own))

# NVIDIA, FP8.  Ada: two steps of 16; Hopper's wgmma: one of 32; both keep 13 fraction bits and E8M13 sums.
_measured: dict[str, Any] = {"source": VECTORS, "evidence": Evidence.MEASURED}
_ada = Fused(name="", k=16, products=16, fraction_bits=13, precision=14, note=LEAST, **_measured)
_nvidia("ada.mma.fp8", FP8, "f32 f16", _ada, least=AMPERE)
MODELS["ada.mma.fp8.f32"] = replace(MODELS["ada.mma.fp8.f32"], source=f"{VECTORS}; {RTX4060}")
_hopper = replace(_ada, k=32, products=32, source=f"{VECTORS}; C other than 0: {MMASIM}")
_nvidia("hopper.wgmma.fp8", FP8, "f32 f16", _hopper, least=HOPPER)
MODELS["hopper.wgmma.fp8.f16"] = replace(MODELS["hopper.wgmma.fp8.f16"], source=MMASIM, evidence=Evidence.PUBLISHED)
_nvidia(
    "hopper.mma.fp8",
    FP8,
    "f32 f16",
    Fused(
        name="", k=32, products=16, lanes=((0, 1), (2, 3)), fraction_bits=25, c_last=True, note=EMULATED, **_measured
    ),
    "b200.mma.fp8",
    "blackwell.mma.fp8",
    least=HOPPER,
)
_wide = Fused(
    name="",
    k=32,
    products=32,
    fraction_bits=25,
    source=f"{MMASIM}, FP6 and FP4 operands too; 25 bits also DeepGEMM issue 176",
    evidence=Evidence.PUBLISHED,
    note=LEAST,
)
_nvidia("blackwell.tcgen05.fp8", F8F6F4, "f32 f16", _wide, least=HOPPER)
_nvidia("sm120.mma.fp8", F8F6F4, "f32 f16", _wide, least=HOPPER)

# NVIDIA, block scales.
_declare(
    replace(
        _wide,
        name="blackwell.mxf8f6f4",
        operands=F8F6F4,
        nan=CUDA_NAN["f32"],
        scales=Scales.PRODUCT,
        block=32,
        scale_formats=("e8m0fnu",),
    ),
    "sm120.mxf8f6f4",
)
for _name, _block, _scale in (
    ("mxf4", 32, ("e8m0fnu",)),
    ("mxf4nvf4", 16, ("ue4m3", "e4m3fn")),
    ("mxf4nvf4.ue8m0", 16, ("e8m0fnu",)),  # with block 32 it is mxf4; CUDA 13.0's ptxas has no such mma
):
    _declare(
        GroupDot(
            name=f"blackwell.{_name}",
            operands=("e2m1fn",),
            k=64,
            nan=CUDA_NAN["f32"],
            scales=Scales.GROUP,
            block=_block,
            scale_formats=_scale,
            source=f"{MMASIM}; 34 to 37 bits: DeepGEMM issue 176",
            evidence=Evidence.PUBLISHED,
            note="min_exponent and zero_groups: -126 and scale in MMA-Sim c785138",
        ),
        f"sm120.{_name}",
    )

# NVIDIA, FP16, BF16 and TF32.
for _name, _aliases, _k, _bits, _types, _least in (
    ("volta.mma", ("turing.mma.k4",), 4, 23, "f16", VOLTA),
    ("turing.mma", (), 8, 24, "f16", AMPERE),
    ("ampere.mma", ("ada.mma",), 8, 24, "f16 bf16 tf32", AMPERE),
    ("hopper.mma", ("hopper.wgmma", "b200.mma", "blackwell.tcgen05", "sm120.mma"), 16, 25, "f16 bf16 tf32", HOPPER),
):
    for _type in _types.split():
        _one = _k // 2 if _type == "tf32" else _k
        _unit = Fused(name="", k=_one, products=_one, fraction_bits=_bits, note=LEAST, **_measured)
        if _name == "turing.mma":
            _unit = replace(_unit, source=MMASIM, evidence=Evidence.PUBLISHED)
        if (_name, _type) == ("hopper.mma", "tf32"):
            _unit = replace(_unit, source=f"{VECTORS} of 4 products; that a step takes 8: {MMASIM}")
        _nvidia(
            f"{_name}.{_type}",
            (_type,),
            "f32 f16" if _type == "f16" else "f32",
            _unit,
            *(f"{alias}.{_type}" for alias in _aliases),
            least=_least,
        )

# Units of IEEE operations: binary64 and binary32 products, fma by fma, k upward.
_fma: dict[str, Any] = {"source": MMASIM, "evidence": Evidence.PUBLISHED, "note": "the NaN payload is not known"}
_declare(
    Chain(name="ampere.mma.f64.f64", operands=("f64",), result="f64", nan=QUIET_NAN["f64"], **_fma),
    "hopper.mma.f64.f64",
    "cdna2.mfma.f64.f64",
    "cdna3.mfma.f64.f64",
)
_declare(
    Chain(name="cdna1.mfma.f32.f32", operands=("f32",), nan=QUIET_NAN["f32"], **_fma),
    "cdna2.mfma.f32.f32",
    "cdna3.mfma.f32.f32",
)

# AMD.  NaN payloads are unknown: the quiet NaN stands for all.
_amd = "the NaN payload is not known: compare NaN-ness"
_late = f"{_amd}; sum_bits, keep_bits and zero_exponent: 31, none and -126 in MMA-Sim c785138"
_published: dict[str, Any] = {"source": MMASIM, "evidence": Evidence.PUBLISHED}
_declare(
    FusedLate(
        name="cdna3.mfma.fp8.f32",
        operands=FNUZ,
        k=16,
        products=16,
        groups=2,
        window=25,
        product_limit=None,
        source=f"{MMASIM}; {KHATTAK}, model MI300",
        evidence=Evidence.PUBLISHED,
        note=_late,
    ),
)
for _type, _k in (("f16", 8), ("bf16", 8), ("xf32", 4)):
    _own_type = "tf32" if _type == "xf32" else _type
    _declare(
        FusedLate(name=f"cdna3.mfma.{_type}.f32", operands=(_own_type,), k=_k, products=_k, note=_late, **_published)
    )
for _type, _k in (("f16", 4), ("bf16", 2)):
    _declare(ExactStep(
        name=f"cdna1.mfma.{_type}.f32", operands=(_type,), k=_k, evidence=Evidence.PUBLISHED, note=_amd,
        source=f"{MMASIM}; {KHATTAK}, model MI100",
    ))  # fmt: skip
    _old = f"{_amd}; as MMA-Sim c785138 had it"
    _declare(Tree(name=f"cdna1.mfma.{_type}.pairwise.f32", operands=(_type,), k=_k, **{**_published, "note": _old}))
for _name, _k, _how in (("f16", 4, ""), ("bf16", 4, "; the _1k instruction"), ("bf16.k2", 2, "; without _1k")):
    _declare(
        Tree(
            name=f"cdna2.mfma.{_name}.f32",
            operands=(_name.partition(".")[0],),
            k=_k,
            flush=True,
            note=_amd + _how,
            **_published,
        )
    )


# Units that are defined.  Arm: every product of FP8 operands is one exact sum of 1, 2, 4 or 8 products times 2**-LSCALE
# plus C, rounded once; FPCR's rounding and flushing are ignored; FPMR.OSM is @saturate=1.  Where rows, columns or
# elements are inactive, they count as +0.
_arm: dict[str, Any] = {
    "operands": FP8,
    "zero": "ieee",
    "evidence": Evidence.DEFINITION,
    "source": "Arm ARM DDI 0487 M.a.a, J1.3.3: FP8DotAddFP, FP8MatMulAddFP; A1.5.5 (read December 2026)",
    "note": "FPMR: LSCALE is @lscale, OSM @saturate; NaN code with FPCR.AH = 0",
}
for _name, _result, _k, _others in (
    ("fmlal", "f16", 1, ""),
    ("fmlall", "f32", 1, ""),
    ("fdot2", "f16", 2, "fvdot2 fmopa2 fmop4a2 ftmopa2"),
    ("fvdot", "f32", 2, ""),
    ("fdot4", "f32", 4, "fmopa4 fmop4a4 ftmopa4"),
    ("fmmla", "f16", 4, ""),
    ("fmmla", "f32", 8, ""),
):
    _declare(
        ExactStep(name=f"arm.{_name}.fp8.{_result}", result=_result, k=_k, nan=QUIET_NAN[_result], **_arm),
        *(f"arm.{alias}.fp8.{_result}" for alias in _others.split()),
    )

# RISC-V, bulk-normalised dot products: a set of n products is aligned, cut to odd and rounded to odd, and C is added
# to odd.  How many products a set has is open; the reference simulator takes VLMAX, then adds C.
for _n in (4, 8, 16, 32, 64):
    _declare(
        Fused(
            name=f"riscv.bulknorm{_n}.fp8.f32",
            operands=FP8,
            k=_n,
            products=_n,
            fraction_bits=23 + (_n - 1).bit_length(),
            cut=Rounding.TO_ODD,
            rounding=Rounding.TO_ODD,
            c_last=True,
            c_rounding=Rounding.TO_ODD,
            min_exponent=None,
            nan=QUIET_NAN["f32"],
            evidence=Evidence.DEFINITION,
            source="RISC-V Zvfqwdota8f, Zvfqwbdota8f 0.2 (riscv-misc b38069a); riscv-isa-sim 55b4658d, bulknormdot.h",
            note="one set of n products, then C: as the simulator does; the specification leaves sets and order open",
        )
    )

# x86.  Tiles (AMX): two chains begin at +0, C is added last; vectors: fma by fma, of each pair the high element first;
# ACE: a few products at a time, C last.  Everywhere: to nearest, subnormals of binary32 are zeros, MXCSR is not read.
_x86: dict[str, Any] = {
    "nan": 0xFFC00000,
    "evidence": Evidence.DEFINITION,
    "source": "bochs-emu/Bochs 783b58fd amx.cc, avx512_bf16.cc, avx10_2_misc.cc; Intel's own text was not seen",
    "note": "a NaN operand's payload comes through: compare NaN-ness",
}
_declare(
    TwoChains(
        name="x86.amx.fp8.f32",
        operands=FP8,
        k=64,
        pairs=True,
        daz=("e5m2",),
        **{
            **_x86,
            "note": "subnormals of E5M2 are zeros, as Bochs converts through FP16 under DAZ; no text seen decides: "
            f"@daz=none, @daz=all; {_x86['note']}",
        },
    ),
    *(f"x86.{name}.fp8.f32" for name in ("tdpbf8ps", "tdpbhf8ps", "tdphbf8ps", "tdphf8ps")),
)
for _type, _tile, _vector in (("f16", "tdpfp16ps", "vdpphps"), ("bf16", "tdpbf16ps", "vdpbf16ps")):
    _declare(TwoChains(name=f"x86.amx.{_type}.f32", operands=(_type,), k=32, **_x86), f"x86.{_tile}.{_type}.f32")
    _declare(
        Chain(name=f"x86.vdp.{_type}.f32", operands=(_type,), k=2, order="swapped", flush=True, **_x86),
        f"x86.{_vector}.{_type}.f32",
    )
_ace: dict[str, Any] = {
    "evidence": Evidence.DEFINITION,
    "source": "x86 AI Compute Extensions 1, 14.1 to 14.3, 16.5, as bochs-emu/Bochs d651ee9c amx_top.cc and "
    "AndreasKoestler/ace-rs 3e71e8df restate it; the document itself was not seen",
}
_mx: dict[str, Any] = {"k": 4, "c_last": True, "flush": True, "scales": Scales.PRODUCT, "block": 32, **_ace}
_declare(
    ExactStep(
        name="x86.ace.mxfp8.f32",
        operands=FP8,
        plain=True,
        scale_formats=("e8m0fnu",),
        nan=0x7FC00000,
        note="every code of E4M3 and E5M2 is a number; NaN code FFC00000 in ace-rs; of a NaN in C, its own in Bochs",
        **_mx,
    ),
    *(f"x86.{name}.mxfp8.f32" for name in ("top4mxbf8ps", "top4mxbhf8ps", "top4mxhbf8ps", "top4mxhf8ps")),
)
_declare(
    ExactStep(
        name="x86.ace.mxint8.f32", operands=("mxint8",), scale_formats=("e8m0fnu",), note="NaN code as mxfp8", **_mx
    ),
    "x86.top4mxbssps.mxint8.f32",
)
_declare(
    Tree(name="x86.ace.bf16.f32", operands=("bf16",), k=2, flush=True, signed=True, **{**_x86, **_ace}),
    "x86.top2bf16ps.bf16.f32",
)


@lru_cache(maxsize=1024)
def get_model(name: str) -> Model:
    """The model of a name, an alias or a composition.

    >>> get_model("b200.mma.fp8.f32").name, get_model("hopper.wgmma.fp8.f32+promote128.fadd").every
    ('hopper.mma.fp8.f32', 128)

    Raises ValueError with the nearest names for an unknown one, and for options or compositions that do not fit.
    """
    if not isinstance(name, str):
        raise TypeError(f"an accumulator is named by a string, not {name!r}")
    if len(name) > LONGEST or not name.isascii():
        raise ValueError(f"unknown accumulator {name!r:.80}: a name is ASCII, of at most {LONGEST} characters")
    head, *suffixes = name.strip().split("+")
    base, *options = head.split("@")
    model = MODELS.get(ALIASES.get(base, base))
    if model is None:
        near = difflib.get_close_matches(base, ["exact", *MODELS, *ALIASES], n=3, cutoff=0.4)
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"`fp8ref list models` lists the {len(MODELS)} models, exact beside them"
        )
        raise ValueError(f"unknown accumulator {name!r}: {hint}")
    for option in options:
        model = with_option(model, option, name)
    for suffix in suffixes:
        model = compose(model, suffix, name)
    return model


def models() -> tuple[Model, ...]:
    """Every catalogued model, in the catalogue's order; compositions are built on demand."""
    return tuple(MODELS.values())


def scales_taken(model: Model) -> str:
    """What formats of scales a unit takes, and which variants of its instruction take others; for messages."""
    others = [m for m in MODELS.values() if m.name.startswith(f"{model.name}.") and m.scale_formats]
    said = (f"{m.name} takes scales in {', '.join(m.scale_formats)}" for m in (model, *others))
    return "; ".join(said)
