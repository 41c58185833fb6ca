// NVIDIA's own header conversions, compiled for the host and offered over a plain C interface.
//
// Every entry of the table is one conversion, named by the operation it answers; which entries exist depends on the
// headers at hand (FP8REF_HAS_* are set by cuda_host.py, which looks for the functions in the headers' text).

#include <cstddef>
#include <cstring>

#include "cuda_fp8.h"
#ifdef FP8REF_HAS_FP6
#include "cuda_fp6.h"
#endif
#ifdef FP8REF_HAS_FP4
#include "cuda_fp4.h"
#endif

namespace {

using Code = unsigned char;
using Half = __half_raw;
using Bf16 = __nv_bfloat16_raw;

struct Entry {
    const char *id;
    void (*run)(const char *x, std::ptrdiff_t stride, char *z, std::size_t n);
};

// n codes, `stride` bytes apart and as unaligned as they please, to n codes side by side
template <class X, class Z, Z (*convert)(X)>
void each(const char *x, std::ptrdiff_t stride, char *z, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i, x += stride, z += sizeof(Z)) {
        X operand;
        std::memcpy(&operand, x, sizeof operand);
        const Z result = convert(operand);
        std::memcpy(z, &result, sizeof result);
    }
}

// one name for the functions that differ by the source type only
#define OVERLOADS_FP(kind, interpretation, argument)                                                                   \
    Code kind(float x, interpretation i, argument a) { return __nv_cvt_float_to_##kind(x, ORDER_##kind(i, a)); }        \
    Code kind(double x, interpretation i, argument a) { return __nv_cvt_double_to_##kind(x, ORDER_##kind(i, a)); }      \
    Code kind(Half x, interpretation i, argument a) { return __nv_cvt_halfraw_to_##kind(x, ORDER_##kind(i, a)); }       \
    Code kind(Bf16 x, interpretation i, argument a) { return __nv_cvt_bfloat16raw_to_##kind(x, ORDER_##kind(i, a)); }
#define ORDER_fp8(i, a) a, i
#define ORDER_fp6(i, a) i, a
#define ORDER_fp4(i, a) i, a

OVERLOADS_FP(fp8, __nv_fp8_interpretation_t, __nv_saturation_t)
template <class X, __nv_fp8_interpretation_t I, __nv_saturation_t S> Code to_fp8(X x) { return fp8(x, I, S); }
template <__nv_fp8_interpretation_t I> Half fp8_to_half(Code x) { return __nv_cvt_fp8_to_halfraw(x, I); }
#define FP8(source, X)                                                                                                 \
    {"convert/" source "/e4m3fn/rne.sat", each<X, Code, to_fp8<X, __NV_E4M3, __NV_SATFINITE>>},                        \
        {"convert/" source "/e4m3fn/rne.nonsat", each<X, Code, to_fp8<X, __NV_E4M3, __NV_NOSAT>>},                     \
        {"convert/" source "/e5m2/rne.sat", each<X, Code, to_fp8<X, __NV_E5M2, __NV_SATFINITE>>},                      \
        {"convert/" source "/e5m2/rne.nonsat", each<X, Code, to_fp8<X, __NV_E5M2, __NV_NOSAT>>},

#ifdef FP8REF_HAS_FP6
OVERLOADS_FP(fp6, __nv_fp6_interpretation_t, cudaRoundMode)
template <class X, __nv_fp6_interpretation_t I, cudaRoundMode R> Code to_fp6(X x) { return fp6(x, I, R); }
template <__nv_fp6_interpretation_t I> Half fp6_to_half(Code x) { return __nv_cvt_fp6_to_halfraw(x, I); }
#define FP6(source, X)                                                                                                 \
    {"convert/" source "/e3m2fn/rne.sat", each<X, Code, to_fp6<X, __NV_E3M2, cudaRoundNearest>>},                      \
        {"convert/" source "/e3m2fn/rtz.sat", each<X, Code, to_fp6<X, __NV_E3M2, cudaRoundZero>>},                     \
        {"convert/" source "/e2m3fn/rne.sat", each<X, Code, to_fp6<X, __NV_E2M3, cudaRoundNearest>>},                  \
        {"convert/" source "/e2m3fn/rtz.sat", each<X, Code, to_fp6<X, __NV_E2M3, cudaRoundZero>>},
#endif

#ifdef FP8REF_HAS_FP4
OVERLOADS_FP(fp4, __nv_fp4_interpretation_t, cudaRoundMode)
template <class X, __nv_fp4_interpretation_t I, cudaRoundMode R> Code to_fp4(X x) { return fp4(x, I, R); }
template <__nv_fp4_interpretation_t I> Half fp4_to_half(Code x) { return __nv_cvt_fp4_to_halfraw(x, I); }
#define FP4(source, X)                                                                                                 \
    {"convert/" source "/e2m1fn/rne.sat", each<X, Code, to_fp4<X, __NV_E2M1, cudaRoundNearest>>},                      \
        {"convert/" source "/e2m1fn/rtz.sat", each<X, Code, to_fp4<X, __NV_E2M1, cudaRoundZero>>},
#endif

#ifdef FP8REF_HAS_E8M0
Code e8m0(float x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_float_to_e8m0(x, s, r); }
Code e8m0(double x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_double_to_e8m0(x, s, r); }
Code e8m0(Bf16 x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_bfloat16raw_to_e8m0(x, s, r); }
template <class X, __nv_saturation_t S, cudaRoundMode R> Code to_e8m0(X x) { return e8m0(x, S, R); }
Bf16 e8m0_to_bf16(Code x) { return __nv_cvt_e8m0_to_bf16raw(x); }
#define E8M0(source, X)                                                                                                \
    {"convert/" source "/e8m0fnu/rtz.sat", each<X, Code, to_e8m0<X, __NV_SATFINITE, cudaRoundZero>>},                  \
        {"convert/" source "/e8m0fnu/rtz.nonsat", each<X, Code, to_e8m0<X, __NV_NOSAT, cudaRoundZero>>},               \
        {"convert/" source "/e8m0fnu/rtp.sat", each<X, Code, to_e8m0<X, __NV_SATFINITE, cudaRoundPosInf>>},            \
        {"convert/" source "/e8m0fnu/rtp.nonsat", each<X, Code, to_e8m0<X, __NV_NOSAT, cudaRoundPosInf>>},
#endif

#ifdef FP8REF_HAS_UE5M3
Code ue5m3(float x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_float_to_ue5m3(x, s, r); }
Code ue5m3(double x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_double_to_ue5m3(x, s, r); }
Code ue5m3(Half x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_halfraw_to_ue5m3(x, s, r); }
Code ue5m3(Bf16 x, __nv_saturation_t s, cudaRoundMode r) { return __nv_cvt_bfloat16raw_to_ue5m3(x, s, r); }
template <class X, __nv_saturation_t S, cudaRoundMode R> Code to_ue5m3(X x) { return ue5m3(x, S, R); }
Half ue5m3_to_half(Code x) { return __nv_cvt_ue5m3_to_halfraw(x); }
Bf16 ue5m3_to_bf16(Code x) { return __nv_cvt_ue5m3_to_bf16raw(x); }
#define UE5M3(source, X)                                                                                               \
    {"convert/" source "/ue5m3/rne.sat", each<X, Code, to_ue5m3<X, __NV_SATFINITE, cudaRoundNearest>>},                \
        {"convert/" source "/ue5m3/rne.nonsat", each<X, Code, to_ue5m3<X, __NV_NOSAT, cudaRoundNearest>>},             \
        {"convert/" source "/ue5m3/rtz.sat", each<X, Code, to_ue5m3<X, __NV_SATFINITE, cudaRoundZero>>},               \
        {"convert/" source "/ue5m3/rtz.nonsat", each<X, Code, to_ue5m3<X, __NV_NOSAT, cudaRoundZero>>},                \
        {"convert/" source "/ue5m3/rtp.sat", each<X, Code, to_ue5m3<X, __NV_SATFINITE, cudaRoundPosInf>>},             \
        {"convert/" source "/ue5m3/rtp.nonsat", each<X, Code, to_ue5m3<X, __NV_NOSAT, cudaRoundPosInf>>},
#endif

#ifdef FP8REF_HAS_FP8_TO_BF16
template <__nv_fp8_interpretation_t I> Bf16 fp8_to_bf16(Code x) { return __nv_cvt_fp8_to_bf16raw(x, I); }
#endif
#ifdef FP8REF_HAS_FP6_TO_BF16
template <__nv_fp6_interpretation_t I> Bf16 fp6_to_bf16(Code x) { return __nv_cvt_fp6_to_bf16raw(x, I); }
#endif
#ifdef FP8REF_HAS_FP4_TO_BF16
template <__nv_fp4_interpretation_t I> Bf16 fp4_to_bf16(Code x) { return __nv_cvt_fp4_to_bf16raw(x, I); }
#endif

#define EVERY_SOURCE(family) family("f16", Half) family("bf16", Bf16) family("f32", float) family("f64", double)

const Entry table[] = {
    EVERY_SOURCE(FP8)
    {"decode/e4m3fn/f16", each<Code, Half, fp8_to_half<__NV_E4M3>>},
    {"decode/e5m2/f16", each<Code, Half, fp8_to_half<__NV_E5M2>>},
#ifdef FP8REF_HAS_FP8_TO_BF16
    {"decode/e4m3fn/bf16", each<Code, Bf16, fp8_to_bf16<__NV_E4M3>>},
    {"decode/e5m2/bf16", each<Code, Bf16, fp8_to_bf16<__NV_E5M2>>},
#endif
#ifdef FP8REF_HAS_FP6
    EVERY_SOURCE(FP6)
    {"decode/e3m2fn/f16", each<Code, Half, fp6_to_half<__NV_E3M2>>},
    {"decode/e2m3fn/f16", each<Code, Half, fp6_to_half<__NV_E2M3>>},
#endif
#ifdef FP8REF_HAS_FP6_TO_BF16
    {"decode/e3m2fn/bf16", each<Code, Bf16, fp6_to_bf16<__NV_E3M2>>},
    {"decode/e2m3fn/bf16", each<Code, Bf16, fp6_to_bf16<__NV_E2M3>>},
#endif
#ifdef FP8REF_HAS_FP4
    EVERY_SOURCE(FP4)
    {"decode/e2m1fn/f16", each<Code, Half, fp4_to_half<__NV_E2M1>>},
#endif
#ifdef FP8REF_HAS_FP4_TO_BF16
    {"decode/e2m1fn/bf16", each<Code, Bf16, fp4_to_bf16<__NV_E2M1>>},
#endif
#ifdef FP8REF_HAS_E8M0
    E8M0("bf16", Bf16) E8M0("f32", float) E8M0("f64", double)
    {"decode/e8m0fnu/bf16", each<Code, Bf16, e8m0_to_bf16>},
#endif
#ifdef FP8REF_HAS_UE5M3
    EVERY_SOURCE(UE5M3)
    {"decode/ue5m3/f16", each<Code, Half, ue5m3_to_half>},
    {"decode/ue5m3/bf16", each<Code, Bf16, ue5m3_to_bf16>},
#endif
};

}  // namespace

extern "C" {

int fp8ref_cuda_count() { return sizeof table / sizeof *table; }

const char *fp8ref_cuda_id(int entry) { return table[entry].id; }

void fp8ref_cuda_run(int entry, const void *x, std::ptrdiff_t stride, void *z, std::size_t n) {
    table[entry].run(static_cast<const char *>(x), stride, static_cast<char *>(z), n);
}
}
