/* Casts of _Float16 and __bf16 as a C compiler makes them, behind the C ABI of fp8ref.h. */

#include "fp8ref.h"

#include <string.h>

typedef float f32;
typedef double f64;
typedef _Float16 f16;
#ifdef FP8REF_HAS_BF16
typedef __bf16 bf16;
#endif

#define CAST(FROM, TO)                                                                                                 \
  static void FROM##_to_##TO(const FROM *x, TO *z, size_t n) {                                                         \
    for (size_t i = 0; i < n; i++)                                                                                     \
      z[i] = (TO)x[i];                                                                                                 \
  }

#ifdef FP8REF_HAS_BF16
#define EACH(F) F(f32, f16) F(f64, f16) F(f32, bf16) F(f64, bf16) F(f16, bf16) F(bf16, f16)
#else
#define EACH(F) F(f32, f16) F(f64, f16)
#endif

EACH(CAST)

struct cast {
  const char *id;
  void (*run)(const void *, void *, size_t);
};

#define ROW(FROM, TO) {"convert/" #FROM "/" #TO "/rne.nonsat", (void (*)(const void *, void *, size_t))FROM##_to_##TO},
static const struct cast casts[] = {EACH(ROW)};

int fp8ref_abi(void) { return FP8REF_ABI; }

const char *fp8ref_identity(void) { return "c\n" __VERSION__; }

#define LINE(FROM, TO) "convert/" #FROM "/" #TO "/rne.nonsat\n"
const char *fp8ref_capabilities(void) { return EACH(LINE); }

int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags) {
  for (size_t i = 0; flags == NULL && i < sizeof casts / sizeof *casts; i++)
    if (strcmp(op, casts[i].id) == 0) {
      casts[i].run(operands[0], result, n);
      return 0;
    }
  return 1;
}
