/* -- blocks ------------------------------------------------------------------------------------------------------ */

static int floor_log2_of(const number *x) { return floor_log2(x->sig) + x->exp; }

static int is_power_of_two(const number *x) { return (x->sig & (x->sig - 1)) == 0; }

/* The E8M0 code of a block's scale; 255 for none.  amax is a magnitude of binary32. */
static int block_scale(number amax, const fp8ref_format *f, const fp8ref_format *f32, int rule) {
    int e;
    if (amax.kind == NOT_A_NUMBER || (amax.kind == INFINITE && rule != FP8REF_SCALE_TE))
        return 255;
    if (amax.kind == ZERO)
        return 0;
    if (rule == FP8REF_SCALE_RCEIL || rule == FP8REF_SCALE_TE) {
        fp8ref_rules nearest = {FP8REF_RNE, FP8REF_NONSAT, 0, 0, 0, 0, 0, 0, 0};
        number one = finite(0, 1, 0), most = unpack(f->max_code, f), ratio;
        uint64_t code;
        int flags = 0;
        project(quotient(one, most, &flags), f32, &nearest, &code);
        project(product(amax, unpack(code, f32), &flags), f32, &nearest, &code);
        ratio = unpack(code, f32);
        if (ratio.kind != FINITE)
            return ratio.kind == INFINITE ? 254 : 0;
        e = floor_log2_of(&ratio) + !is_power_of_two(&ratio) + 127;
        return e < 0 ? 0 : e > 254 ? 254 : e;
    }
    e = floor_log2_of(&amax);
    if (rule == FP8REF_SCALE_CEIL)
        e += !is_power_of_two(&amax);
    if (rule == FP8REF_SCALE_EVEN) { /* half an ulp of the element's precision more */
        int flags = 0;
        fp8ref_rules r = {0, 0, 0, 0, 0, 0, 0, 0, 0};
        number more = finite(0, 1, (e < f32->emin ? f32->emin : e) - f->t - 1), s = sum(amax, more, &r, &flags);
        e = floor_log2_of(&s);
        if (e == 128)
            return 255;
    }
    e -= f->emax;
    return (e < -127 ? -127 : e > 128 ? 128 : e) + 127;
}

int fp8ref_quantise(const fp8ref_format *element, const fp8ref_format *f32, int rule, int n, const uint32_t *x,
                    uint8_t *scale, uint64_t *codes) {
    fp8ref_rules r = {FP8REF_RNE, FP8REF_SAT, 0, 0, 0, 0, 0, 0, 0};
    number amax = made(ZERO, 0);
    int i, code;
    if (n < 1 || rule < FP8REF_SCALE_FLOOR || rule > FP8REF_SCALE_TE)
        return -1;
    for (i = 0; i < n; i++) {
        number v = unpack(x[i], f32);
        v.negative = 0;
        if (v.kind > amax.kind || (v.kind == FINITE && amax.kind == FINITE &&
                                   (floor_log2_of(&v) > floor_log2_of(&amax) ||
                                    (floor_log2_of(&v) == floor_log2_of(&amax) && aligned(v).sig > aligned(amax).sig))))
            amax = v;
    }
    code = block_scale(amax, element, f32, rule);
    *scale = (uint8_t)code;
    for (i = 0; i < n; i++) {
        number v = code == 255 ? made(NOT_A_NUMBER, 0) : unpack(x[i], f32);
        v.exp += 127 - code;
        project(v, element, &r, &codes[i]);
        if (element->fixed_point && codes[i] == sign_bit(element))
            codes[i]++;
    }
    return 0;
}
