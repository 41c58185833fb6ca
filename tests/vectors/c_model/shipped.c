/* Sums of the shipped vectors through fp8ref_dot, for ctypes. */
#include <stddef.h>

#include "fp8ref_model.h"

void dot_all(const fp8ref_sum *sum, const fp8ref_format *to, const fp8ref_rules *rules, size_t n, size_t blocks,
             const uint64_t *a, const uint64_t *b, const uint64_t *c, const uint64_t *sa, const uint64_t *sb, uint64_t *z,
             uint8_t *flags) {
    size_t i, k = (size_t)sum->k;
    for (i = 0; i < n; i++)
        flags[i] = (uint8_t)fp8ref_dot(sum, a + k * i, b + k * i, c[i], sa + blocks * i, sb + blocks * i, to, rules, &z[i]);
}

void quantise_all(const fp8ref_format *element, const fp8ref_format *f32, int rule, size_t n, size_t block,
                  const uint32_t *x, uint8_t *scale, uint64_t *codes) {
    size_t i;
    for (i = 0; i < n; i++)
        fp8ref_quantise(element, f32, rule, (int)block, x + block * i, &scale[i], codes + block * i);
}
