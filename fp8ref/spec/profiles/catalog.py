"""Named behaviours: what specifications ask of a conversion, and what known implementations do.

A profile is a list of rules; the first rule whose source and result match decides.  Names in a rule are separated by
spaces and may be globs; a format answers to the names of all formats of the catalogue that equal it, so that e4m3fnuz
is also P3109's binary8p4sf.  Only specification profiles can be met; the others describe one implementation each.
"""

from __future__ import annotations

import difflib

from ..catalog import CUDA, MX, OFP8, P3109, get_format
from ..datum import Datum
from ..formats import Format
from ..overflow import Overflow, get_overflow, resolve
from ..projection import NaN, Projection, Subnormal
from ..rounding import Rounding
from .hardware import HARDWARE
from .rules import Profile, Rule

MX_NARROW = "e3m2fn e2m3fn e2m1fn"


_OCP_SOURCES = "f32 f16 bf16"  # the conversions that OFP8 1.0 section 4 covers
_P3109_SOURCES = "binary* f16 bf16 f32 f64"
_P3109_BUT_ODD = "rne rna rtz rtp rtn sr-a sr-b sr-c"
_CUDA_MX = Rule(MX_NARROW, "sat", "rne rtz", nan="max", promised="cuda_fp6.h, cuda_fp4.h: MAXNORM; NaN to +MAXNORM")
_CUDA_DIRECT = "f16 bf16 f32"
_TORCH_NOTES = (
    "f64 and integers go through f32, so they are rounded twice",
    "what a negative value becomes in E8M0 is not documented; its magnitude is observed",
    "values between 2^-127 and 1.5 * 2^-127 become 2^-126 in E8M0, against the header's round to nearest",
)
_TORCH_OTHERS = (
    Rule("e5m2", "nonsat", nan="keep-sign"),
    Rule("e4m3fnuz e5m2fnuz", "nonsat"),
    Rule(
        "e8m0fnu",
        "nonsat",
        "rna",
        sources="f16 bf16 f32",
        negative="magnitude",
        promised="Float8_e8m0fnu.h: nearest, the implied bit deciding ties (so up); infinity and NaN to NaN",
    ),
    Rule("e8m0fnu", "nonsat", "rna", negative="magnitude"),
)
_ML_DTYPES = (
    Rule("e5m2", "nonsat", nan="quiet"),
    Rule("e4m3fn e4m3 e3m4", "nonsat", nan="keep-sign"),
    Rule("*fnuz", "nonsat"),
    Rule(MX_NARROW, "sat"),
    Rule("e8m0fnu", "nonsat", "rna"),
)
_ML_DTYPES_NOTES = (
    "a NaN becomes a zero of the other sign in FP6 and FP4",
    "a zero becomes NaN in E8M0",
    "the NaN of a FNUZ format counts as negative",
)


def _cuda(policy: str, overflow: str) -> tuple[Rule, ...]:
    return (
        Rule("e4m3fn e5m2", overflow, sources=_CUDA_DIRECT, promised=f"cuda_fp8.h: nearest even, {policy}"),
        Rule("e4m3fn e5m2", overflow, sources="f64", nan="payload", promised=f"cuda_fp8.h: nearest even, {policy}"),
        _CUDA_MX,
        Rule(
            "e8m0fnu",
            overflow,
            "rtz rtp",
            sources="bf16 f32 f64",
            negative="magnitude",
            promised=f"cuda_fp8.h, __nv_cvt_bfloat16raw_to_e8m0: absolute value, given rounding, {policy}",
        ),
        Rule(
            "ue5m3",
            overflow,
            "rne rtz rtp",
            negative="magnitude",
            promised=f"cuda_fp8.h, __nv_cvt_float_to_ue5m3: absolute value, given rounding, {policy}",
        ),
    )


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "ocp-sat",
            "OCP OFP8 and MX, saturating",
            f"{OFP8} table 3; {MX} 5.3",
            (Rule("e4m3fn e5m2", "sat", sources=_OCP_SOURCES), Rule(f"{MX_NARROW} mxint8", "sat")),
            (
                "the code and the sign of a NaN result, and what a NaN becomes in FP6, FP4 and INT8, are left open",
                "rounding modes other than roundTiesToEven are allowed but not described",
                "conversion to E8M0 is not defined",
            ),
            specification=True,
        ),
        Profile(
            "ocp-nonsat",
            "OCP OFP8, non-saturating (MX calls it OVF)",
            f"{OFP8} table 3",
            (Rule("e4m3fn e5m2", "nonsat", sources=_OCP_SOURCES),),
            ("the code and the sign of a NaN result are left open",),
            specification=True,
        ),
        Profile(
            "p3109-satfinite",
            "IEEE P3109 SatFinite",
            P3109,
            (Rule("binary*", "sat", "*", _P3109_SOURCES),),
            specification=True,
        ),
        Profile(
            "p3109-satpropagate",
            "IEEE P3109 SatPropagate",
            P3109,
            (Rule("binary*", "satprop", "*", _P3109_SOURCES),),
            specification=True,
        ),
        Profile(
            "p3109-satnone-v4.0",
            "IEEE P3109 SatNone as the Interim Report prints it",
            P3109,
            (
                Rule("binary*se binary*ue", "nonsat", _P3109_BUT_ODD, _P3109_SOURCES),
                Rule("binary*se", "inf-inf", "rto", _P3109_SOURCES),
                Rule("binary*sf", "sat", "*", _P3109_SOURCES),
            ),
            (
                "ToOdd into unsigned extended formats gives the largest finite value above and NaN below, which no "
                "overflow rule here expresses",
                "unsigned finite formats clamp above and give NaN below, which no overflow rule here expresses",
            ),
            specification=True,
        ),
        Profile(
            "p3109-satnone",
            "IEEE P3109 SatNone as the working group's formal text has it since July 2026",
            "imandra-ai/ieee-p3109 (unapproved draft)",
            (
                Rule("binary*", "nonsat", _P3109_BUT_ODD, _P3109_SOURCES),
                Rule("binary*se binary*ue", "inf-inf", "rto", _P3109_SOURCES),
                Rule("binary*", "nan-nan", "rto", _P3109_SOURCES),
            ),
            ("ToOdd overflows like the modes to nearest; nonsat gives the largest finite value, so a pair says it",),
            specification=True,
        ),
        Profile(
            "cuda-satfinite",
            "CUDA host conversions, __NV_SATFINITE",
            CUDA,
            _cuda("__NV_SATFINITE", "sat"),
            ("the code of a NaN result: 7F from f16, bf16 and f32, sign and leading payload bits from f64",),
        ),
        Profile(
            "cuda-nosat",
            "CUDA host conversions, __NV_NOSAT",
            CUDA,
            _cuda("__NV_NOSAT", "nonsat"),
            (
                "the code of a NaN result: 7F from NaNs of f16, bf16 and f32, sign and leading payload bits from f64",
                "an overflow to NaN in E4M3 keeps the sign whatever the source",
                "FP6 and FP4 have no such policy and saturate",
            ),
        ),
        Profile(
            "ml_dtypes-until-0.6",
            "ml_dtypes array casts up to 0.6",
            "observed with ml_dtypes 0.6.0; its README specifies formats, not conversions",
            _ML_DTYPES,
            (
                "f64 and integers go through f32, so they are rounded twice",
                *_ML_DTYPES_NOTES,
                "values between 2^-127 and 1.5 * 2^-127 become 2^-126 in E8M0",
            ),
            via="f32",
        ),
        Profile(
            "ml_dtypes",
            "ml_dtypes array casts since 0.7",
            "observed with ml_dtypes 0.7.0; its README specifies formats, not conversions",
            (*_ML_DTYPES, Rule("ue5m3", "nonsat")),
            (*_ML_DTYPES_NOTES, "a negative value becomes NaN in UE5M3, -0 becomes 0"),
        ),
        Profile(
            "torch-until-2.12",
            "PyTorch casts up to 2.12",
            "observed with torch 2.12.0 on CPU",
            (Rule("e4m3fn", "nonsat", nan="keep-sign"), *_TORCH_OTHERS),
            _TORCH_NOTES,
            via="f32",
        ),
        Profile(
            "torch-since-2.13",
            "PyTorch casts since 2.13",
            "torch 2.13.0 headers; pytorch/pytorch pull request 178817",
            (
                Rule(
                    "e4m3fn",
                    "sat",
                    sources="f16 bf16 f32",
                    nan="keep-sign",
                    promised="Float8_e4m3fn.h since 2.13: finite overflow and infinity saturate (pull request 178817)",
                ),
                Rule("e4m3fn", "sat", nan="keep-sign"),
                *_TORCH_OTHERS,
            ),
            _TORCH_NOTES,
            via="f32",
        ),
        *HARDWARE,
    )
}


def get_profile(name: str) -> Profile:
    """The profile of a name.  Raises ValueError for any other, with the nearest names.

    >>> get_profile("ocp-sat").title
    'OCP OFP8 and MX, saturating'
    """
    if name in PROFILES:
        return PROFILES[name]
    near = difflib.get_close_matches(name, PROFILES, n=3, cutoff=0.4)
    raise ValueError(f"unknown profile {name!r:.80}; {'did you mean ' if near else ''}{' or '.join(near or PROFILES)}")


def profile_mode(profile: Profile | str, source: str, result: str) -> tuple[str, dict[str, str]]:
    """The mode and the keys of the operation id that a profile's behaviour has.

    >>> profile_mode("cuda-nosat", "f64", "e4m3fn")
    ('rne.nonsat', {'nan': 'payload'})

    Raises ValueError where the profile does not speak of this conversion.
    """
    p = get_profile(profile) if isinstance(profile, str) else profile
    rule = p.rule(source, result)
    if rule is None:
        raise ValueError(f"profile {p.name} does not say how {source} becomes {result}")
    return rule.mode, rule.keys


def profiles_meeting(source: str, result: str, projection: Projection) -> tuple[str, ...]:
    """The names of the specification profiles that a behaviour meets.

    Two overflow rules are the same behaviour if they deliver the same data under the rounding mode at hand.

    >>> from fp8ref.spec import get_projection
    >>> profiles_meeting("f32", "e4m3fn", get_projection(get_format("e4m3fn"), "rne", ("nan", "nan"), "keep-sign"))
    ('ocp-nonsat',)
    """
    f = get_format(result)
    rules = ((p.name, p.rule(source, result, projection.rounding)) for p in PROFILES.values() if p.specification)
    return tuple(name for name, rule in rules if rule is not None and _meets(rule, f, projection))


def _meets(rule: Rule, f: Format, rho: Projection) -> bool:
    if rho.subnormal is not Subnormal.KEEP:  # no specification of these formats flushes
        return False
    if f.has_nan and rho.nan in (
        NaN.MAX,
        NaN.SIGNED_MAX,
        NaN.ZERO,
        NaN.ERROR,
    ):  # nothing says which NaN code it becomes
        return False
    if not f.signed and rho.negative != rule.negative:
        return False
    return _outcomes(get_overflow(rule.overflow, f), f, rho.rounding) == _outcomes(rho.overflow, f, rho.rounding)


def _outcomes(overflow: Overflow, f: Format, rounding: Rounding) -> list[Datum]:
    return [
        resolve(overflow, f, rounding, sign, infinite=infinite) for sign in (False, True) for infinite in (False, True)
    ]
