// The approximate functions of PTX and CUDA, one element a thread: float in, the code of the result out.
//
// Their accuracy is documented as a bound; which number they give is not.  CUDA's log2f is compiled with the default
// flags: no fast math, subnormals kept.
typedef unsigned int u32;
typedef unsigned long long u64;

#define KERNEL extern "C" __global__ void
#define THREAD (blockIdx.x * (u64)blockDim.x + threadIdx.x)

#define UNARY(name, instruction)                                                                                       \
  KERNEL name(const float *x, u32 *z, u64 n) {                                                                         \
    if (THREAD >= n) return;                                                                                           \
    float d;                                                                                                           \
    asm volatile(instruction " %0, %1;" : "=f"(d) : "f"(x[THREAD]));                                                   \
    z[THREAD] = __float_as_uint(d);                                                                                    \
  }
#define BINARY(name, instruction)                                                                                      \
  KERNEL name(const float *x, const float *y, u32 *z, u64 n) {                                                         \
    if (THREAD >= n) return;                                                                                           \
    float d;                                                                                                           \
    asm volatile(instruction " %0, %1, %2;" : "=f"(d) : "f"(x[THREAD]), "f"(y[THREAD]));                               \
    z[THREAD] = __float_as_uint(d);                                                                                    \
  }

UNARY(rcp_approx_ftz_f32, "rcp.approx.ftz.f32")
UNARY(ex2_approx_f32, "ex2.approx.f32")
UNARY(lg2_approx_f32, "lg2.approx.f32")
KERNEL log2f_cuda(const float *x, u32 *z, u64 n) {
  if (THREAD < n) z[THREAD] = __float_as_uint(log2f(x[THREAD]));
}
BINARY(div_full_f32, "div.full.f32")
BINARY(div_approx_ftz_f32, "div.approx.ftz.f32")
BINARY(div_rn_f32, "div.rn.f32")
