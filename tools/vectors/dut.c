/* A device under test of one page: float32 to OCP E4M3, to nearest even, saturating, flags as RISC-V orders them.
 *
 *   cc -std=c99 -O2 -o dut tools/vectors/dut.c
 *   fp8ref vectors generate f32_to_e4m3fn --as testfloat | ./dut | fp8ref vectors verify - --op f32_to_e4m3fn
 *
 * It reads TestFloat lines, takes the operand of each, and writes operand, own result and own flags.  With -DBUG it
 * takes ties away from zero.
 */
#include <stdint.h>
#include <stdio.h>

enum { NX = 1, UF = 2, OF = 4, NV = 16 };

/* The significand in units of 2**shift, rounded; says whether anything was lost. */
static uint32_t rounded(uint32_t significand, int shift, int *lost)
{
    uint32_t kept = significand >> shift;
    uint32_t rest = significand & ((UINT32_C(1) << shift) - 1), half = UINT32_C(1) << (shift - 1);

    *lost = rest != 0;
#ifdef BUG
    return kept + (rest >= half);
#else
    return kept + (rest > half || (rest == half && (kept & 1)));
#endif
}

static uint32_t to_e4m3(uint32_t x, unsigned *flags)
{
    uint32_t sign = x >> 24 & 0x80, magnitude = x & 0x7FFFFFFF, significand, code;
    int e, lost, again;

    *flags = 0;
    if (magnitude > 0x7F800000) { /* NaN; signalling where the quiet bit is clear */
        *flags = magnitude & 0x400000 ? 0 : NV;
        return 0x7F;
    }
    if (magnitude == 0x7F800000)
        return sign | 0x7E;
    if (magnitude == 0)
        return sign;
    e = (int)(magnitude >> 23) - 127;
    if (e < -16) { /* far below half of the smallest subnormal, 2**-10 */
        *flags = NX | UF;
        return sign;
    }
    significand = (magnitude & 0x7FFFFF) | 0x800000;
    code = rounded(significand, e < -6 ? 20 - 6 - e : 20, &lost);
    if (e > -6)
        code += (uint32_t)(e + 6) << 3;
    if (code > 0x7E) {
        *flags = OF | NX;
        return sign | 0x7E;
    }
    if (lost)
        *flags = NX;
    /* tiny after rounding: to four bits in its own binade it stays below 2**-6 */
    if (lost && e < -6 && !(e == -7 && rounded(significand, 20, &again) == 16))
        *flags |= UF;
    return sign | code;
}

int main(void)
{
    char line[256];
    unsigned x, flags, result;

    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == '@' || line[0] == '#' || sscanf(line, "%8X", &x) != 1)
            continue;
        result = to_e4m3(x, &flags);
        if (printf("%08X %02X %02X\n", x, result, flags) < 0)
            return 1;
    }
    return 0;
}
