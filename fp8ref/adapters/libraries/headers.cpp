// Half and bfloat16 of C++ header libraries, behind the C ABI of fp8ref.h.  One of EIGEN, FP16, IMATH is defined.

#include "fp8ref.h"

#include <cstring>
#include <string>

typedef float f32;
typedef double f64;

#if defined(EIGEN)
#include <Eigen/Core>
#define VERSION_TEXT                                                                                                   \
  (std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +                             \
   std::to_string(EIGEN_MINOR_VERSION))
typedef Eigen::half f16;
typedef Eigen::bfloat16 bf16;
#define EACH(F) F(f32, f16) F(f64, f16) F(f32, bf16) F(f64, bf16) F(f16, bf16) F(bf16, f16)
#define BACK(F) F(f16, f32) F(f16, f64) F(bf16, f32) F(bf16, f64)
template <class FROM, class TO> static TO cast(FROM x) { return static_cast<TO>(x); }
#elif defined(FP16)
#include <fp16.h>
#define VERSION_TEXT std::string("git")
struct f16 {
  uint16_t bits;
};
#define EACH(F) F(f32, f16)
#define BACK(F) F(f16, f32)
template <class FROM, class TO> TO cast(FROM x);
template <> f16 cast<f32, f16>(f32 x) { return {fp16_ieee_from_fp32_value(x)}; }
template <> f32 cast<f16, f32>(f16 x) { return fp16_ieee_to_fp32_value(x.bits); }
#elif defined(IMATH)
#define IMATH_HALF_NO_LOOKUP_TABLE
#include <ImathConfig.h>
#include <half.h>
#define VERSION_TEXT std::string(IMATH_VERSION_STRING)
typedef IMATH_NAMESPACE::half f16;
#define EACH(F) F(f32, f16)
#define BACK(F) F(f16, f32)
template <class FROM, class TO> static TO cast(FROM x) { return TO(x); }
#endif

#define RUN(FROM, TO)                                                                                                  \
  static void FROM##_to_##TO(const void *x, void *z, size_t n) {                                                       \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      FROM one;                                                                                                        \
      std::memcpy((void *)&one, (const char *)x + i * sizeof one, sizeof one);                                         \
      TO made = cast<FROM, TO>(one);                                                                                   \
      std::memcpy((char *)z + i * sizeof made, (const void *)&made, sizeof made);                                      \
    }                                                                                                                  \
  }
EACH(RUN)
BACK(RUN)

struct row {
  const char *id;
  void (*run)(const void *, void *, size_t);
};
#define CONVERT(FROM, TO) {"convert/" #FROM "/" #TO "/", FROM##_to_##TO},
#define DECODE(FROM, TO) {"decode/" #FROM "/" #TO, FROM##_to_##TO},
static const row rows[] = {EACH(CONVERT) BACK(DECODE)};

extern "C" {
int fp8ref_abi(void) { return FP8REF_ABI; }

const char *fp8ref_identity(void) {
  static const std::string said = "headers\n" + VERSION_TEXT;
  return said.c_str();
}

#define CLAIM(FROM, TO) "convert/" #FROM "/" #TO "/*\n"
#define CLAIM_BACK(FROM, TO) "decode/" #FROM "/" #TO "\n"
const char *fp8ref_capabilities(void) { return EACH(CLAIM) BACK(CLAIM_BACK); }

int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags) {
  for (const row &one : rows)
    if (flags == nullptr && std::strncmp(op, one.id, std::strlen(one.id)) == 0) {
      one.run(operands[0], result, n);
      return 0;
    }
  return 1;
}
}
