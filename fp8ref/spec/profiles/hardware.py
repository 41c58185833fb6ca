"""Named behaviours of hardware and frameworks, from their documentation; none of them is met by others."""

from __future__ import annotations

from .rules import Profile, Rule

_RISCV = "rne rtz rtn rtp rna"
_RISCV_BACK = Rule("bf16", "nonsat", _RISCV, "e4m3fn e5m2", snan="quiet")
_RISCV_NOTES = (
    "f16 and integers go through f32 or bf16, exactly",
    "every NaN of E4M3 and E5M2 is quiet, 7D and FD too: to bf16 it becomes 7FC0 and raises nothing",
    "a second witness: riscv-software-src/riscv-isa-sim 55b4658d, equal at 5.2 million values, modes and flags",
)
_RISCV_FP4 = Rule("e4m3fn", "nonsat", sources="e2m1fn")  # exact
_RISCV_SOURCE = "RISC-V Zvfofp8min 0.2.1; FP4 to E4M3: Zvfofp4min 0.1"

_ARM = "Arm ARM DDI 0487 M.a.a, A1.5.5, C5.2 FPMR, J1.3.3 (read December 2026)"
_ARM_BACK = Rule("f16 bf16", "nonsat", sources="e4m3fn e5m2", nan="default")
_ARM_NOTES = (
    "with FPMR.NSCALE = 0 and LSCALE = 0, which multiply by 2^NSCALE before the one rounding and by 2^-LSCALE after "
    "decoding: others are sources with another bias, e8m23b120 is f32 with NSCALE = 7, e4m3b10fn is e4m3fn with "
    "LSCALE = 3 (spec.scaled_format); and FPCR.AH = 0, which clears the sign of a NaN operand's result",
    "to f16 and bf16 every NaN of E4M3 raises invalid, as a signalling one",
)
_ACE = "x86 AI Compute Extensions 1; bochs-emu/Bochs cpu/avx/fp8.cc and AndreasKoestler/ace-rs 3e71e8df"
_ACE_NOTES = (
    "the document itself was not seen, two restatements of it were",
    "NaN operands as in the conversions from f16",
    "the BIAS forms (sr-bias) have two open questions: bias-all-ones, bias-below-normal",
)
_ACE_NARROW = (
    Rule("e3m2fn", "sat", sources="e5m2", nan="signed-max"),
    Rule("e2m3fn", "sat", sources="e4m3fn", nan="signed-max"),
    Rule("e2m1fn", "sat", sources="e5m2 e4m3fn", nan="signed-max"),
    Rule("e4m3fn", "sat", sources="e3m2fn e2m3fn e2m1fn"),  # exact
)

HARDWARE = (
    Profile(
        "riscv",
        "RISC-V Zvfofp8min, plain conversions",
        _RISCV_SOURCE,
        (Rule("e4m3fn e5m2", "nonsat", _RISCV, "f32 bf16"), _RISCV_BACK, _RISCV_FP4),
        _RISCV_NOTES,
    ),
    Profile(
        "riscv-sat",
        "RISC-V Zvfofp8min, .sat conversions",
        f"{_RISCV_SOURCE}: infinite results become the largest finite value of their sign",
        (Rule("e4m3fn e5m2", "sat", _RISCV, "f32 bf16"), _RISCV_BACK, _RISCV_FP4),
        _RISCV_NOTES,
    ),
    Profile(
        "ptx-cvt",
        "PTX cvt with .satfinite",
        "PTX ISA 9.0, cvt",
        (
            Rule("e4m3fn e5m2", "sat", sources="f32 f16"),
            Rule("e2m3fn e3m2fn e2m1fn", "sat", sources="f32", nan="max"),
            Rule("e8m0fnu", "sat", "rtz rtp", "f32 bf16", negative="magnitude"),
        ),
        (
            "the code of a NaN in E4M3 and E5M2 is not documented; that one becomes +max in FP6 and FP4 is "
            "quoted from the PTX ISA by others",
        ),
    ),
    Profile(
        "intel-avx10.2",
        "Intel AVX10.2 VCVTPH2BF8, VCVTPH2HF8",
        "bochs-emu/Bochs; Intel's own text was not seen",
        (
            Rule("e4m3fn", "nonsat", sources="f16", nan="keep-sign"),
            Rule("e5m2", "nonsat", sources="f16", nan="payload"),
        ),
        ("the BIAS forms add random bits and truncate: rounding sr-bias",),
    ),
    Profile(
        "intel-avx10.2-s",
        "Intel AVX10.2 VCVTPH2BF8S, VCVTPH2HF8S",
        "bochs-emu/Bochs; Intel's own text was not seen",
        (
            Rule("e4m3fn", "sat", sources="f16", nan="keep-sign"),
            Rule("e5m2", "sat", sources="f16", nan="payload"),
        ),
    ),
    Profile(
        "x86-ace",
        "x86 ACE VCVTPS2BF8, VCVTPS2HF8, VCVTROPS2HF8",
        _ACE,
        (
            Rule("e4m3fn", "nonsat", sources="f32", nan="keep-sign", subnormal="daz"),
            Rule("e4m3fn", "nan-nan", "rto", "f32", nan="keep-sign", subnormal="daz"),
            Rule("e5m2", "nonsat", sources="f32", nan="payload", subnormal="daz"),
        ),
        _ACE_NOTES,
    ),
    Profile(
        "x86-ace-s",
        "x86 ACE VCVTPS2BF8S, VCVTPS2HF8S, VCVTROPS2HF8S, FP8 to FP6 and FP4",
        _ACE,
        (
            Rule("e4m3fn", "sat", "rne rto", "f32", nan="keep-sign", subnormal="daz"),
            Rule("e5m2", "sat", sources="f32", nan="payload", subnormal="daz"),
            *_ACE_NARROW,
        ),
        _ACE_NOTES,
    ),
    Profile(
        "arm-fpmr-osc0",
        "Arm FP8 conversions with FPMR.OSC = 0",
        f"{_ARM}: overflow gives infinity, or in E4M3 a NaN with the sign of the value",
        (Rule("e4m3fn e5m2", "nonsat", sources="f32 f16 bf16", nan="default"), _ARM_BACK),
        _ARM_NOTES,
    ),
    Profile(
        "arm-fpmr-osc1",
        "Arm FP8 conversions with FPMR.OSC = 1",
        f"{_ARM}: overflow and infinity give the largest finite value",
        (Rule("e4m3fn e5m2", "sat", sources="f32 f16 bf16", nan="default"), _ARM_BACK),
        _ARM_NOTES,
    ),
    Profile(
        "amd-hip-fnuz",
        "HIP cast_to_f8, FNUZ formats, clipping",
        "amd_hip_fp8.h",
        (Rule("e4m3fnuz e5m2fnuz", "max-nan", sources="f32 f16"),),
        ("without clipping an overflow gives a finite code (+-128 in E4M3, +-32768 in E5M2): no rule expresses it",),
    ),
    Profile(
        "amd-hip-ocp",
        "HIP conversions to OCP's formats, saturating, as on gfx950",
        "amd_hip_ocp_host.hpp, in triton-lang/triton d2214407 (read December 2026): from_float",
        (
            Rule("e4m3fn", "nonsat", sources="f32 bf16", nan="keep-sign"),
            Rule("e5m2", "sat", sources="f32 bf16", nan="quiet"),
            Rule("e3m2fn e2m3fn e2m1fn", "sat", sources="f32 bf16", nan="signed-max"),
        ),
        (
            "E4M3 becomes NaN on overflow in the saturating template, too: the branch is shared with FNUZ",
            "with a scale, x is divided by 2^scale before the one rounding; scale -128 gives a NaN",
            "stochastic: rounding sr-hip-ocp",
        ),
    ),
    Profile(
        "gaudi2",
        "Intel Gaudi 2 E4M3 of largest value 240",
        "vllm-project/vllm-gaudi scales.py",
        (),
        ("rounding, overflow and NaN are not documented",),
    ),
    Profile(
        "onnx-saturate",
        "ONNX Cast, saturate = 1, opset 24 and later",
        "ONNX Operators.md, Cast; float8.md",
        (
            Rule("e4m3fn e5m2 e4m3fnuz e5m2fnuz", "sat", sources="f32 f16 bf16"),
            Rule("e8m0fnu", "sat", "rtp", "f32 f16 bf16"),
        ),
        (
            "opsets 19 to 23 turn an infinity into NaN in the FNUZ formats",
            "E8M0: negative values are not specified, and 0 is printed where no zero exists",
        ),
    ),
    Profile(
        "onnx-nonsaturate",
        "ONNX Cast, saturate = 0",
        "ONNX Operators.md, Cast; float8.md",
        (
            Rule("e4m3fn e5m2", "nonsat", sources="f32 f16 bf16", nan="keep-sign"),
            Rule("e4m3fnuz e5m2fnuz", "nonsat", sources="f32 f16 bf16"),
        ),
        ("E8M0: values outside its range become NaN, those below it too, which no rule expresses",),
    ),
    Profile(
        "transformer-engine",
        "TransformerEngine casts and MXFP8 scales",
        "NVIDIA/TransformerEngine common/recipe: cvt with .satfinite; float_to_e8m0",
        (
            Rule("e4m3fn e5m2", "sat", sources="f32 f16 bf16"),
            Rule("e8m0fnu", "sat", "rtp", "f32", negative="magnitude"),
        ),
    ),
)
