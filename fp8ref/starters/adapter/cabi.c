#include "fp8ref.h"

#include <string.h>

#include "e4m3fn.h"

int fp8ref_abi(void) { return FP8REF_ABI; }

const char *fp8ref_identity(void) { return "cabi.c\n1"; }

const char *fp8ref_capabilities(void) { return "convert/f32/e4m3fn/rne.sat"; }

int fp8ref_run(const char *op, const void *const *operands, size_t n, void *result, uint8_t *flags) {
    const uint32_t *x = operands[0];
    uint8_t *z = result;
    if (strcmp(op, "convert/f32/e4m3fn/rne.sat") != 0 || flags != NULL) return 1;
    for (size_t i = 0; i < n; i++) z[i] = e4m3fn_of_f32(x[i]);
    return 0;
}

/* plain functions are asked without the ABI: cabi:./cabi.so,symbol=one,op=f32_to_e4m3fn */
uint8_t one(uint32_t x) { return e4m3fn_of_f32(x); }

void many(const uint32_t *x, uint8_t *z, size_t n) {
    for (size_t i = 0; i < n; i++) z[i] = e4m3fn_of_f32(x[i]);
}
