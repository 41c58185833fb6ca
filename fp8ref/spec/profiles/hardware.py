"""Named behaviours of hardware and frameworks, from their documentation; none of them is met by others."""

from __future__ import annotations

from .rules import Profile, Rule

_RISCV = "rne rtz rtn rtp rna"
_RISCV_BACK = Rule("bf16", "nonsat", _RISCV, "e4m3fn e5m2", snan="quiet")
_RISCV_NOTES = (
    "f16 and integers go through f32 or bf16, exactly",
    "every NaN of E4M3 and E5M2 is quiet, 7D and FD too: to bf16 it becomes 7FC0 and raises nothing",
)

HARDWARE = (
    Profile(
        "riscv",
        "RISC-V Zvfofp8min, plain conversions",
        "RISC-V Zvfofp8min 0.2.1",
        (Rule("e4m3fn e5m2", "nonsat", _RISCV, "f32 bf16"), _RISCV_BACK),
        _RISCV_NOTES,
    ),
    Profile(
        "riscv-sat",
        "RISC-V Zvfofp8min, .sat conversions",
        "RISC-V Zvfofp8min 0.2.1: infinite results become the largest finite value of their sign",
        (Rule("e4m3fn e5m2", "sat", _RISCV, "f32 bf16"), _RISCV_BACK),
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
        ("the code of a NaN in E4M3 and E5M2, and what a NaN becomes in FP6 and FP4, are not documented",),
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
        "arm-fpmr-osc0",
        "Arm FP8 conversions with FPMR.OSC = 0",
        "Arm FPMR register page; ACLE, FP8 intrinsics: overflow gives infinity or NaN",
        (Rule("e4m3fn e5m2", "nonsat", sources="f32 f16"),),
        ("rounding, the code of a NaN and flushing are in pseudocode that was not found",),
    ),
    Profile(
        "arm-fpmr-osc1",
        "Arm FP8 conversions with FPMR.OSC = 1",
        "Arm FPMR register page; ACLE, FP8 intrinsics: overflow gives the largest normal",
        (Rule("e4m3fn e5m2", "sat", sources="f32 f16"),),
        ("what an infinity becomes, rounding, the code of a NaN and flushing were not found",),
    ),
    Profile(
        "amd-hip-fnuz",
        "HIP cast_to_f8, FNUZ formats, clipping",
        "amd_hip_fp8.h",
        (Rule("e4m3fnuz e5m2fnuz", "max-nan", sources="f32 f16"),),
        ("without clipping an overflow gives a finite code (+-128 in E4M3, +-32768 in E5M2): no rule expresses it",),
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
