/* The device: float32 to OCP E4M3, nearest even, saturating, as bit patterns. */
#include <stdint.h>

static inline uint8_t e4m3fn_of_f32(uint32_t x) {
    uint8_t sign = (uint8_t)(x >> 24 & 0x80);
    uint32_t magnitude = x & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return 0x7F;       /* NaN */
    if (magnitude >= 0x43E00000) return sign | 0x7E; /* 448 and beyond */
    if (magnitude < 0x3A800000) return sign;       /* below half of the least subnormal, 2^-9 */
    int exponent = (int)(magnitude >> 23) - 127;
    int cut = exponent < -6 ? 14 - exponent : 20;  /* bits to round away: more where the result is subnormal */
    uint32_t significand = (magnitude & 0x7FFFFF) | 0x800000;
    uint32_t kept = significand >> cut, rest = significand & ((1u << cut) - 1), half = 1u << (cut - 1);
    kept += rest > half || (rest == half && (kept & 1));
    return (uint8_t)(sign | (exponent < -6 ? kept : kept + (uint32_t)(exponent + 6) * 8));
}
