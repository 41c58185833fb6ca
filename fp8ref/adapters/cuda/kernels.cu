// Conversions and matrix products of one instruction each, on arrays of codes.
//
// Compiled at run time by NVRTC, or by nvcc; FP8REF_HEADERS adds the functions of cuda_fp8.h.  Instructions that the
// target lacks are left out: a kernel that is not in the module is not claimed.
#include "layout.h"
#ifdef FP8REF_HEADERS
#include <cuda_fp8.h>
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned long long u64;

#define KERNEL extern "C" __global__ void
#define THREAD (blockIdx.x * (u64)blockDim.x + threadIdx.x)

#if defined(__CUDA_ARCH__)
#define FP8 (__CUDA_ARCH__ >= 890)
// FP6, FP4 and UE8M0: conversions of 10.0, 10.3 and 12.0
#define FP6 (defined(__CUDA_ARCH_FEAT_SM100_ALL) || defined(__CUDA_ARCH_FEAT_SM103_ALL) || defined(__CUDA_ARCH_FEAT_SM120_ALL))
#define MX defined(__CUDA_ARCH_FEAT_SM120_ALL) // block scales of mma.sync
#define WGMMA defined(__CUDA_ARCH_FEAT_SM90_ALL)
#else // the host's pass only names the kernels
#define FP8 1
#define FP6 1
#define MX 1
#define WGMMA 1
#endif

// -- conversions: two elements a thread, the first operand of cvt into the upper half ---------------------------------
#define CVT_F32(name, instruction)                                                                                     \
  KERNEL name(const float *x, u8 *z, u64 n) {                                                                          \
    u64 i = THREAD * 2;                                                                                                \
    if (i >= n) return;                                                                                                \
    u16 d;                                                                                                             \
    asm volatile(instruction " %0, %1, %2;" : "=h"(d) : "f"(i + 1 < n ? x[i + 1] : 0.0f), "f"(x[i]));                  \
    z[i] = (u8)d;                                                                                                      \
    if (i + 1 < n) z[i + 1] = d >> 8;                                                                                  \
  }
#define CVT_F16(name, instruction)                                                                                     \
  KERNEL name(const u16 *x, u8 *z, u64 n) {                                                                            \
    u64 i = THREAD * 2;                                                                                                \
    if (i >= n) return;                                                                                                \
    u16 d;                                                                                                             \
    asm volatile(instruction " %0, %1;" : "=h"(d) : "r"((u32)x[i] | (i + 1 < n ? (u32)x[i + 1] << 16 : 0u)));          \
    z[i] = (u8)d;                                                                                                      \
    if (i + 1 < n) z[i + 1] = d >> 8;                                                                                  \
  }
#define DECODE(name, instruction)                                                                                      \
  KERNEL name(const u8 *x, u16 *z, u64 n) {                                                                            \
    u64 i = THREAD * 2;                                                                                                \
    if (i >= n) return;                                                                                                \
    u32 d;                                                                                                             \
    asm volatile(instruction " %0, %1;" : "=r"(d) : "h"((u16)(x[i] | (i + 1 < n ? x[i + 1] << 8 : 0))));               \
    z[i] = (u16)d;                                                                                                     \
    if (i + 1 < n) z[i + 1] = d >> 16;                                                                                 \
  }
#define CVT_F32_E2M1(name, instruction)                                                                                \
  KERNEL name(const float *x, u8 *z, u64 n) {                                                                          \
    u64 i = THREAD * 2;                                                                                                \
    if (i >= n) return;                                                                                                \
    u32 d;                                                                                                             \
    asm volatile("{ .reg .b8 t; " instruction " t, %1, %2; cvt.u32.u8 %0, t; }"                                        \
                 : "=r"(d)                                                                                             \
                 : "f"(i + 1 < n ? x[i + 1] : 0.0f), "f"(x[i]));                                                       \
    z[i] = d & 15;                                                                                                     \
    if (i + 1 < n) z[i + 1] = d >> 4 & 15;                                                                             \
  }

#define CVT_F16_E2M1(name, instruction)                                                                                \
  KERNEL name(const u16 *x, u8 *z, u64 n) {                                                                            \
    u64 i = THREAD * 2;                                                                                                \
    if (i >= n) return;                                                                                                \
    u32 d;                                                                                                             \
    asm volatile("{ .reg .b8 t; " instruction " t, %1; cvt.u32.u8 %0, t; }"                                            \
                 : "=r"(d)                                                                                             \
                 : "r"((u32)x[i] | (i + 1 < n ? (u32)x[i + 1] << 16 : 0u)));                                           \
    z[i] = d & 15;                                                                                                     \
    if (i + 1 < n) z[i + 1] = d >> 4 & 15;                                                                             \
  }
#define DECODE_E2M1(name, instruction)                                                                                 \
  KERNEL name(const u8 *x, u16 *z, u64 n) {                                                                            \
    u64 i = THREAD * 2;                                                                                                \
    if (i >= n) return;                                                                                                \
    u32 d;                                                                                                             \
    asm volatile("{ .reg .b8 t; cvt.u8.u32 t, %1; " instruction " %0, t; }"                                            \
                 : "=r"(d)                                                                                             \
                 : "r"((u32)(x[i] & 15 | (i + 1 < n ? (x[i + 1] & 15) << 4 : 0))));                                    \
    z[i] = (u16)d;                                                                                                     \
    if (i + 1 < n) z[i + 1] = d >> 16;                                                                                 \
  }

#if FP8
CVT_F32(cvt_e4m3_f32, "cvt.rn.satfinite.e4m3x2.f32")
CVT_F32(cvt_e5m2_f32, "cvt.rn.satfinite.e5m2x2.f32")
CVT_F32(cvt_e4m3_f32_relu, "cvt.rn.satfinite.relu.e4m3x2.f32")
CVT_F32(cvt_e5m2_f32_relu, "cvt.rn.satfinite.relu.e5m2x2.f32")
CVT_F16(cvt_e4m3_f16, "cvt.rn.satfinite.e4m3x2.f16x2")
CVT_F16(cvt_e5m2_f16, "cvt.rn.satfinite.e5m2x2.f16x2")
CVT_F16(cvt_e4m3_f16_relu, "cvt.rn.satfinite.relu.e4m3x2.f16x2")
CVT_F16(cvt_e5m2_f16_relu, "cvt.rn.satfinite.relu.e5m2x2.f16x2")
DECODE(cvt_f16_e4m3, "cvt.rn.f16x2.e4m3x2")
DECODE(cvt_f16_e5m2, "cvt.rn.f16x2.e5m2x2")
#endif
#if FP6
CVT_F32(cvt_e2m3_f32, "cvt.rn.satfinite.e2m3x2.f32")
CVT_F32(cvt_e3m2_f32, "cvt.rn.satfinite.e3m2x2.f32")
CVT_F32(cvt_ue8m0_f32_rz, "cvt.rz.satfinite.ue8m0x2.f32")
CVT_F32(cvt_ue8m0_f32_rp, "cvt.rp.satfinite.ue8m0x2.f32")
CVT_F32_E2M1(cvt_e2m1_f32, "cvt.rn.satfinite.e2m1x2.f32")
CVT_F32(cvt_e2m3_f32_relu, "cvt.rn.satfinite.relu.e2m3x2.f32")
CVT_F32(cvt_e3m2_f32_relu, "cvt.rn.satfinite.relu.e3m2x2.f32")
CVT_F32_E2M1(cvt_e2m1_f32_relu, "cvt.rn.satfinite.relu.e2m1x2.f32")
CVT_F16_E2M1(cvt_e2m1_f16, "cvt.rn.satfinite.e2m1x2.f16x2")
CVT_F16_E2M1(cvt_e2m1_f16_relu, "cvt.rn.satfinite.relu.e2m1x2.f16x2")
CVT_F16(cvt_ue8m0_bf16_rz, "cvt.rz.satfinite.ue8m0x2.bf16x2")
CVT_F16(cvt_ue8m0_bf16_rp, "cvt.rp.satfinite.ue8m0x2.bf16x2")
DECODE(cvt_f16_e2m3, "cvt.rn.f16x2.e2m3x2")
DECODE(cvt_f16_e3m2, "cvt.rn.f16x2.e3m2x2")
DECODE(cvt_bf16_ue8m0, "cvt.rn.bf16x2.ue8m0x2")
DECODE_E2M1(cvt_f16_e2m1, "cvt.rn.f16x2.e2m1x2")
#endif

// -- the functions of cuda_fp8.h: one element a thread ------------------------------------------------------------------
#ifdef FP8REF_HEADERS
#define HEADER(name, source, expression)                                                                               \
  KERNEL name(const source *values, u8 *z, u64 n) {                                                                    \
    if (THREAD >= n) return;                                                                                           \
    source x = values[THREAD];                                                                                         \
    z[THREAD] = expression;                                                                                            \
  }
#define HEADERS(format, NAME, policy, SATURATION)                                                                      \
  HEADER(header_##format##_f32_##policy, float, __nv_cvt_float_to_fp8(x, SATURATION, NAME))                            \
  HEADER(header_##format##_f64_##policy, double, __nv_cvt_double_to_fp8(x, SATURATION, NAME))                          \
  HEADER(header_##format##_f16_##policy, __half_raw, __nv_cvt_halfraw_to_fp8(x, SATURATION, NAME))                     \
  HEADER(header_##format##_bf16_##policy, __nv_bfloat16_raw, __nv_cvt_bfloat16raw_to_fp8(x, SATURATION, NAME))
HEADERS(e4m3, __NV_E4M3, sat, __NV_SATFINITE)
HEADERS(e5m2, __NV_E5M2, sat, __NV_SATFINITE)
HEADERS(e4m3, __NV_E4M3, nosat, __NV_NOSAT)
HEADERS(e5m2, __NV_E5M2, nosat, __NV_NOSAT)
#define HEADER_DECODE(format, NAME)                                                                                    \
  KERNEL header_f16_##format(const u8 *x, u16 *z, u64 n) {                                                             \
    if (THREAD < n) z[THREAD] = __nv_cvt_fp8_to_halfraw(x[THREAD], NAME).x;                                            \
  }
HEADER_DECODE(e4m3, __NV_E4M3)
HEADER_DECODE(e5m2, __NV_E5M2)
#endif

// -- mma.sync: a warp a tile of 16 by 8; D = A B + C, the steps along K chained ------------------------------------------
// a: [tile][16][words], b: [tile][8][words] (B transposed), c and d: [tile][16][8] codes.
#define WARP_TILE                                                                                                      \
  u32 lane = threadIdx.x % 32;                                                                                         \
  u64 tile = THREAD / 32;                                                                                              \
  if (tile >= tiles) return;                                                                                           \
  a += tile * 16 * words, b += tile * 8 * words;
#define A_WORD(i) a[a_row(lane, i) * words + s + a_word(lane, i)]
#define B_WORD(i) b[b_row(lane) * words + s + b_word(lane, i)]
#define OPERANDS "r"(A_WORD(0)), "r"(A_WORD(1)), "r"(A_WORD(2)), "r"(A_WORD(3)), "r"(B_WORD(0)), "r"(B_WORD(1))
#define D_PAIR(rows, base, pair) ((tile * rows + base + d_row(lane, pair)) * 8 + d_column(lane)) // first of two codes

#define LOAD_F32(rows, base)                                                                                           \
  u64 at = D_PAIR(rows, base, 0), below = D_PAIR(rows, base, 1);                                                       \
  float d0 = __uint_as_float(c[at]), d1 = __uint_as_float(c[at + 1]);                                                  \
  float d2 = __uint_as_float(c[below]), d3 = __uint_as_float(c[below + 1]);
#define STORE_F32                                                                                                      \
  d[at] = __float_as_uint(d0), d[at + 1] = __float_as_uint(d1);                                                        \
  d[below] = __float_as_uint(d2), d[below + 1] = __float_as_uint(d3);
#define LOAD_F16(rows, base)                                                                                           \
  u64 at = D_PAIR(rows, base, 0) / 2, below = D_PAIR(rows, base, 1) / 2;                                               \
  u32 d0 = c[at], d1 = c[below];
#define STORE_F16 d[at] = d0, d[below] = d1;

#define MMA_F32(name, instruction)                                                                                     \
  KERNEL name(const u32 *a, const u32 *b, const u32 *c, u32 *d, u32 tiles, u32 words) {                                \
    WARP_TILE LOAD_F32(16, 0)                                                                                          \
    for (u32 s = 0; s < words; s += 8)                                                                                 \
      asm volatile("mma.sync.aligned." instruction " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"            \
                   : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)                                                            \
                   : OPERANDS);                                                                                        \
    STORE_F32                                                                                                          \
  }
#define MMA_F16(name, instruction)                                                                                     \
  KERNEL name(const u32 *a, const u32 *b, const u32 *c, u32 *d, u32 tiles, u32 words) {                                \
    WARP_TILE LOAD_F16(16, 0)                                                                                          \
    for (u32 s = 0; s < words; s += 8)                                                                                 \
      asm volatile("mma.sync.aligned." instruction " {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"                        \
                   : "+r"(d0), "+r"(d1)                                                                                \
                   : OPERANDS);                                                                                        \
    STORE_F16                                                                                                          \
  }
#define MMA_FP8(a, b)                                                                                                  \
  MMA_F32(mma_##a##_##b##_f32, "m16n8k32.row.col.f32." #a "." #b ".f32")                                               \
  MMA_F16(mma_##a##_##b##_f16, "m16n8k32.row.col.f16." #a "." #b ".f16")

#if FP8
MMA_FP8(e4m3, e4m3)
MMA_FP8(e4m3, e5m2)
MMA_FP8(e5m2, e4m3)
MMA_FP8(e5m2, e5m2)
MMA_F32(mma_f16_f16_f32, "m16n8k16.row.col.f32.f16.f16.f32")
MMA_F16(mma_f16_f16_f16, "m16n8k16.row.col.f16.f16.f16.f16")
MMA_F32(mma_bf16_bf16_f32, "m16n8k16.row.col.f32.bf16.bf16.f32")
#endif

// Block scales: sa: [tile][16][steps][n] and sb: [tile][8][steps][n] bytes, n of them in a step.
#if MX
static __device__ inline u32 scales_of(const u8 *s, u32 n) {
  u32 word = 0;
  for (u32 i = 0; i < n; i++) word |= (u32)s[i] << 8 * i;
  return word;
}
#define MMA_SCALED(name, instruction, n)                                                                               \
  KERNEL name(const u32 *a, const u32 *b, const u32 *c, const u8 *sa, const u8 *sb, u32 *d, u32 tiles, u32 words) {    \
    WARP_TILE LOAD_F32(16, 0)                                                                                          \
    u32 steps = words / 8;                                                                                             \
    for (u32 s = 0; s < words; s += 8)                                                                                 \
      asm volatile("mma.sync.aligned." instruction                                                                     \
                   " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3}, {%10}, {0, 0}, {%11}, {0, 0};"              \
                   : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)                                                            \
                   : OPERANDS, "r"(scales_of(sa + ((tile * 16 + scale_row(lane)) * steps + s / 8) * n, n)),            \
                     "r"(scales_of(sb + ((tile * 8 + scale_column(lane)) * steps + s / 8) * n, n)));                   \
    STORE_F32                                                                                                          \
  }
#define MMA_MX(a, b)                                                                                                   \
  MMA_SCALED(mma_##a##_##b##_f32_mx, "m16n8k32.row.col.kind::mxf8f6f4.block_scale.scale_vec::1X.f32." #a "." #b ".f32.ue8m0", 1)
MMA_MX(e4m3, e4m3)
MMA_MX(e4m3, e5m2)
MMA_MX(e5m2, e4m3)
MMA_MX(e5m2, e5m2)
MMA_SCALED(mma_e2m1_e2m1_f32_mx, "m16n8k64.row.col.kind::mxf4.block_scale.scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0", 2)
MMA_SCALED(mma_e2m1_e2m1_f32_nv, "m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3", 4)
#endif

// -- wgmma: a warpgroup of four warps a tile of 64 by 8, operands in shared memory, C in the registers of D ---------------
// a: [tile][64][words], b: [tile][8][words], c and d: [tile][64][8] codes.
#if WGMMA
static __device__ inline u64 descriptor(const u32 *operand) { // no swizzling, K-major
  u64 start = __cvta_generic_to_shared(operand);
  return (start & 0x3FFFF) >> 4 | (u64)(LEADING >> 4) << 16 | (u64)(STRIDE >> 4) << 32;
}
#define GROUP_TILE                                                                                                     \
  __shared__ __align__(128) u32 shared_a[64 * 8];                                                                      \
  __shared__ __align__(128) u32 shared_b[8 * 8];                                                                       \
  u32 lane = threadIdx.x % 32, base = threadIdx.x / 32 * 16;                                                           \
  u64 tile = blockIdx.x;                                                                                               \
  a += tile * 64 * words, b += tile * 8 * words;
#define STAGE                                                                                                          \
  __syncthreads();                                                                                                     \
  for (u32 i = threadIdx.x; i < 64 * 8; i += 128) shared_a[shared_word(i / 8, i % 8)] = a[i / 8 * words + s + i % 8];  \
  if (threadIdx.x < 8 * 8)                                                                                             \
    shared_b[shared_word(threadIdx.x / 8, threadIdx.x % 8)] = b[threadIdx.x / 8 * words + s + threadIdx.x % 8];        \
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");                                                         \
  __syncthreads();                                                                                                     \
  u64 describe_a = descriptor(shared_a), describe_b = descriptor(shared_b);                                            \
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#define WAIT                                                                                                           \
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");                                                       \
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#define SCALE_D "{ .reg .pred add; setp.ne.u32 add, 1, 0; "

#define WGMMA_F32(name, instruction, transposed)                                                                       \
  KERNEL name(const u32 *a, const u32 *b, const u32 *c, u32 *d, u32 tiles, u32 words) {                                \
    GROUP_TILE LOAD_F32(64, base)                                                                                      \
    for (u32 s = 0; s < words; s += 8) {                                                                               \
      STAGE asm volatile(SCALE_D "wgmma.mma_async.sync.aligned." instruction                                           \
                                 " {%0,%1,%2,%3}, %4, %5, add, 1, 1" transposed "; }"                                  \
                         : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)                                                      \
                         : "l"(describe_a), "l"(describe_b)                                                            \
                         : "memory");                                                                                  \
      WAIT                                                                                                             \
    }                                                                                                                  \
    STORE_F32                                                                                                          \
  }
#define WGMMA_F16(name, instruction, transposed)                                                                       \
  KERNEL name(const u32 *a, const u32 *b, const u32 *c, u32 *d, u32 tiles, u32 words) {                                \
    GROUP_TILE LOAD_F16(64, base)                                                                                      \
    for (u32 s = 0; s < words; s += 8) {                                                                               \
      STAGE asm volatile(SCALE_D "wgmma.mma_async.sync.aligned." instruction                                           \
                                 " {%0,%1}, %2, %3, add, 1, 1" transposed "; }"                                        \
                         : "+r"(d0), "+r"(d1)                                                                          \
                         : "l"(describe_a), "l"(describe_b)                                                            \
                         : "memory");                                                                                  \
      WAIT                                                                                                             \
    }                                                                                                                  \
    STORE_F16                                                                                                          \
  }
#define WGMMA_FP8(a, b)                                                                                                \
  WGMMA_F32(wgmma_##a##_##b##_f32, "m64n8k32.f32." #a "." #b, "")                                                      \
  WGMMA_F16(wgmma_##a##_##b##_f16, "m64n8k32.f16." #a "." #b, "")
WGMMA_FP8(e4m3, e4m3)
WGMMA_FP8(e4m3, e5m2)
WGMMA_FP8(e5m2, e4m3)
WGMMA_FP8(e5m2, e5m2)
WGMMA_F32(wgmma_f16_f16_f32, "m64n8k16.f32.f16.f16", ", 0, 0")
WGMMA_F16(wgmma_f16_f16_f16, "m64n8k16.f16.f16.f16", ", 0, 0")
WGMMA_F32(wgmma_bf16_bf16_f32, "m64n8k16.f32.bf16.bf16", ", 0, 0")
#endif
