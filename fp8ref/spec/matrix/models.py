"""The catalogue of accumulator models: what is known of real matrix units, each with its source and evidence.

Names compose from left to right, as ``compositions.py`` says::

    hopper.wgmma.fp8.f32+promote128.fadd    a partial sum of 128 products, then an FP32 addition
    hopper.mma.bf16.f32@min_exponent=-133   a named choice other than the default, where evidence differs
    f32.fma@order=down                      another order over K
    ada.mma.fp8.f32+split3.t64.interleaved+out.scale.bias.sat    split over K, then an epilogue
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..catalog import get_format
from ..rounding import Rounding
from .accumulate import Chain, Evidence, Fused, FusedLate, GroupDot, Model, Scales, Tree
from .compositions import compose, with_option

FP8 = ("e4m3fn", "e5m2")
FNUZ = ("e4m3fnuz", "e5m2fnuz")
F8F6F4 = (*FP8, "e3m2fn", "e2m3fn", "e2m1fn")
CUDA_NAN = {"f32": 0x7FFFFFFF, "f16": 0x7FFF}
QUIET_NAN = {"f32": 0x7FC00000, "f16": 0x7E00, "bf16": 0x7FC0}
NEAREST = Rounding.TIES_TO_EVEN

KHATTAK = "Khattak and Mikaitis, MATLAB-tensor-core"
VECTORS = f"{KHATTAK}, measured vectors (arXiv 2512.07004)"
MMA_SIM = "Xie et al., MMA-Sim c785138 (arXiv 2511.10909)"
CLAMP = "min_exponent: -126 in MMA-Sim, -133 (Hopper, Blackwell) or -132 (Ampere, Ada) in Khattak and Mikaitis"
ZERO = "zero_exponent: -126 in MMA-Sim, zero products left out in Khattak and Mikaitis"
EMULATED = "FP8 mma.sync is converted to FP16 and runs on the FP16 unit, two of four lanes at a time"

MODELS: dict[str, Model] = {}
ALIASES: dict[str, str] = {}
LONGEST = 200  # characters of a name


def _declare(model: Model, *aliases: str) -> None:
    MODELS[model.name] = model
    for alias in aliases:
        ALIASES[alias] = model.name


def _nvidia(name: str, operands: tuple[str, ...], results: str, unit: Fused, *aliases: str) -> None:
    """A fused unit with an f32 and an f16 result, the latter rounded to nearest at every step."""
    for result in results.split():
        to: dict[str, Any] = {} if result == "f32" else {"precision": 0, "rounding": NEAREST}
        model = replace(unit, name=f"{name}.{result}", operands=operands, result=result, nan=CUDA_NAN[result], **to)
        _declare(model, *(f"{alias}.{result}" for alias in aliases))


for _f in ("f32", "f16", "bf16"):
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
_nvidia(
    "ada.mma.fp8",
    FP8,
    "f32 f16",
    Fused(name="", k=16, products=16, fraction_bits=13, precision=14, source=VECTORS, evidence=Evidence.MEASURED),
)
_nvidia(
    "hopper.wgmma.fp8",
    FP8,
    "f32 f16",
    Fused(
        name="",
        k=32,
        products=32,
        fraction_bits=13,
        precision=14,
        source=f"{VECTORS}; C other than 0 and the f16 result: {MMA_SIM}",
        evidence=Evidence.MEASURED,
    ),
)
MODELS["hopper.wgmma.fp8.f16"] = replace(MODELS["hopper.wgmma.fp8.f16"], source=MMA_SIM, evidence=Evidence.PUBLISHED)
_nvidia(
    "hopper.mma.fp8",
    FP8,
    "f32 f16",
    Fused(
        name="",
        k=32,
        products=16,
        lanes=((0, 1), (2, 3)),
        fraction_bits=25,
        c_last=True,
        source=VECTORS,
        evidence=Evidence.MEASURED,
        note=EMULATED,
    ),
    "b200.mma.fp8",
    "blackwell.mma.fp8",
)
_wide = Fused(
    name="",
    k=32,
    products=32,
    fraction_bits=25,
    source=f"{MMA_SIM}; 25 bits also DeepGEMM issue 176; FP6 and FP4 operands assumed alike",
    evidence=Evidence.PUBLISHED,
)
_nvidia("blackwell.tcgen05.fp8", F8F6F4, "f32 f16", _wide)
_nvidia("sm120.mma.fp8", F8F6F4, "f32 f16", _wide)

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
        note=f"{ZERO}; {CLAMP}",
    ),
    "sm120.mxf8f6f4",
)
for _name, _block, _scale in (("mxf4", 32, ("e8m0fnu",)), ("mxf4nvf4", 16, ("ue4m3", "e4m3fn"))):
    _declare(
        GroupDot(
            name=f"blackwell.{_name}",
            operands=("e2m1fn",),
            k=64,
            nan=CUDA_NAN["f32"],
            scales=Scales.GROUP,
            block=_block,
            scale_formats=_scale,
            source=f"{MMA_SIM}; 34 to 37 bits: DeepGEMM issue 176",
            evidence=Evidence.PUBLISHED,
            note="C = Inf gives Inf (assumed: MMA-Sim raises)",
        ),
        f"sm120.{_name}",
    )

# NVIDIA, FP16 and BF16.
for _name, _aliases, _k, _bits, _types in (
    ("volta.mma", (), 4, 23, "f16"),
    ("ampere.mma", ("ada.mma",), 8, 24, "f16 bf16"),
    ("hopper.mma", ("hopper.wgmma", "b200.mma", "blackwell.tcgen05"), 16, 25, "f16 bf16"),
):
    for _type in _types.split():
        _nvidia(
            f"{_name}.{_type}",
            (_type,),
            "f32 f16" if _type == "f16" else "f32",
            Fused(
                name="",
                k=_k,
                products=_k,
                fraction_bits=_bits,
                source=VECTORS,
                evidence=Evidence.MEASURED,
                note=f"{ZERO}; {CLAMP}",
            ),
            *(f"{alias}.{_type}" for alias in _aliases),
        )

# AMD.  NaN payloads are unknown: the quiet NaN stands for all.
_amd = "the NaN payload is not known: compare NaN-ness"
_declare(
    FusedLate(
        name="cdna3.mfma.fp8.f32",
        operands=FNUZ,
        k=16,
        products=16,
        groups=2,
        window=25,
        source=f"{MMA_SIM}; {KHATTAK}, model MI300",
        evidence=Evidence.PUBLISHED,
        note=_amd,
    ),
)
for _type in ("f16", "bf16"):
    _declare(
        FusedLate(
            name=f"cdna3.mfma.{_type}.f32",
            operands=(_type,),
            k=8,
            products=8,
            source=MMA_SIM,
            evidence=Evidence.PUBLISHED,
            note=_amd,
        )
    )
    for _arch in ("cdna2", "cdna1"):
        _declare(
            Tree(
                name=f"{_arch}.mfma.{_type}.f32",
                operands=(_type,),
                k=2 if (_arch, _type) == ("cdna1", "bf16") else 4,
                flush=_arch == "cdna2",
                source=MMA_SIM,
                evidence=Evidence.PUBLISHED,
                note=f"{_amd}; bf16 on CDNA2 is the _1k instruction",
            )
        )
_declare(replace(MODELS["cdna2.mfma.bf16.f32"], name="cdna2.mfma.bf16.k2.f32", k=2, note=f"{_amd}; without _1k"))


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
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from exact, {', '.join(MODELS)}"
        raise ValueError(f"unknown accumulator {name!r}: {hint}")
    for option in options:
        model = with_option(model, option, name)
    for suffix in suffixes:
        model = compose(model, suffix, name)
    return model


def models() -> tuple[Model, ...]:
    """Every catalogued model, in the catalogue's order; compositions are built on demand."""
    return tuple(MODELS.values())


def check_operands(model: Model, format_a: str, format_b: str) -> None:
    """Raise ValueError where a unit does not take operands of these formats."""
    for which, name in (("a", format_a), ("b", format_b)):
        if model.operands and get_format(name).name not in model.operands:
            raise ValueError(f"{model.name} takes {', '.join(model.operands)}; format_{which} is {name}")
