/* Arrays through the functions of fp8ref_model.h, for ctypes. */
#include <stddef.h>

#include "fp8ref_model.h"

#define MODES int rm, int ovf, int tininess
#define ONE(A, Z)                                                                                                 \
    void one_##A##_##Z(int (*f)(uint##A##_t, int, int, int, uint##Z##_t *), const uint##A##_t *a, size_t n, MODES, \
                       uint##Z##_t *z, uint8_t *flags) {                                                          \
        size_t i;                                                                                                 \
        for (i = 0; i < n; i++)                                                                                   \
            flags[i] = (uint8_t)f(a[i], rm, ovf, tininess, &z[i]);                                                \
    }

ONE(8, 8)
ONE(16, 8)
ONE(32, 8)
ONE(64, 8)
ONE(8, 16)
ONE(8, 32)
ONE(8, 64)

void two(int (*f)(uint8_t, uint8_t, int, int, int, uint8_t *), const uint8_t *a, const uint8_t *b, size_t n, MODES,
         uint8_t *z, uint8_t *flags) {
    size_t i;
    for (i = 0; i < n; i++)
        flags[i] = (uint8_t)f(a[i], b[i], rm, ovf, tininess, &z[i]);
}

void three(int (*f)(uint8_t, uint8_t, uint8_t, int, int, int, uint8_t *), const uint8_t *a, const uint8_t *b,
           const uint8_t *c, size_t n, MODES, uint8_t *z, uint8_t *flags) {
    size_t i;
    for (i = 0; i < n; i++)
        flags[i] = (uint8_t)f(a[i], b[i], c[i], rm, ovf, tininess, &z[i]);
}

void convert_all(const fp8ref_format *from, const fp8ref_format *to, const uint64_t *a, size_t n,
                 const fp8ref_rules *rules, uint64_t *z, uint8_t *flags) {
    size_t i;
    for (i = 0; i < n; i++)
        flags[i] = (uint8_t)fp8ref_convert(from, a[i], to, rules, &z[i]);
}

void compute_all(int operation, const fp8ref_format *const *from, const uint64_t *abc, size_t arity,
                 const fp8ref_format *to, size_t n, const fp8ref_rules *rules, uint64_t *z, uint8_t *flags) {
    size_t i;
    for (i = 0; i < n; i++)
        flags[i] = (uint8_t)fp8ref_compute(operation, from, abc + arity * i, to, rules, &z[i]);
}

void convert_drawn(const fp8ref_format *from, const fp8ref_format *to, const uint64_t *a, const uint32_t *random,
                   size_t n, const fp8ref_rules *rules, uint64_t *z, uint8_t *flags) {
    size_t i;
    fp8ref_rules drawn = *rules;
    for (i = 0; i < n; i++) {
        drawn.random = random[i];
        flags[i] = (uint8_t)fp8ref_convert(from, a[i], to, &drawn, &z[i]);
    }
}
