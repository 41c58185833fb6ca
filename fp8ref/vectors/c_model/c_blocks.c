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

/* Is a magnitude smaller?  A NaN is neither smaller nor larger. */
static int is_below(const number *a, const number *b) {
    int ea, eb;
    if (a->kind == NOT_A_NUMBER || b->kind == NOT_A_NUMBER || a->kind != b->kind || a->kind != FINITE)
        return a->kind < b->kind && b->kind != NOT_A_NUMBER;
    ea = floor_log2_of(a);
    eb = floor_log2_of(b);
    return ea != eb ? ea < eb : aligned(*a).sig < aligned(*b).sig;
}

/* The largest magnitude of some values of binary32, a NaN where one is there. */
static number largest_of(int n, const uint32_t *x, const fp8ref_format *f32) {
    number amax = made(ZERO, 0);
    int i;
    for (i = 0; i < n; i++) {
        number v = unpack(x[i], f32);
        v.negative = 0;
        if (v.kind == NOT_A_NUMBER || is_below(&amax, &v))
            amax = v;
        if (v.kind == NOT_A_NUMBER)
            break;
    }
    return amax;
}

int fp8ref_quantise(const fp8ref_format *element, const fp8ref_format *f32, int rule, int n, const uint32_t *x,
                    uint8_t *scale, uint64_t *codes) {
    fp8ref_rules r = {FP8REF_RNE, FP8REF_SAT, 0, 0, 0, 0, 0, 0, 0};
    int i, code;
    if (n < 1 || rule < FP8REF_SCALE_FLOOR || rule > FP8REF_SCALE_TE)
        return -1;
    code = block_scale(largest_of(n, x, f32), element, f32, rule);
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

/* An exact result as a number of binary32. */
static number as_f32(number x, const fp8ref_format *f32) {
    fp8ref_rules nearest = {FP8REF_RNE, FP8REF_NONSAT, 0, 0, 0, 0, 0, 0, 0};
    uint64_t code;
    project(x, f32, &nearest, &code);
    return unpack(code, f32);
}

static number times_f32(number a, number b, const fp8ref_format *f32) {
    int flags = 0;
    if (a.kind == NOT_A_NUMBER || b.kind == NOT_A_NUMBER)
        return made(NOT_A_NUMBER, 0);
    return as_f32(product(a, b, &flags), f32);
}

static number over_f32(number a, number b, const fp8ref_format *f32) {
    int flags = 0;
    if (a.kind == NOT_A_NUMBER || b.kind == NOT_A_NUMBER)
        return made(NOT_A_NUMBER, 0);
    return as_f32(quotient(a, b, &flags), f32);
}

int fp8ref_quantise_nvfp4(const fp8ref_format *element, const fp8ref_format *stored, const fp8ref_format *f32, int rule,
                          int n, uint32_t whole, const uint32_t *x, uint8_t *scale, uint64_t *codes) {
    fp8ref_rules r = {FP8REF_RNE, FP8REF_SAT, 0, 0, 0, 0, 0, 0, 0};
    number one = finite(0, 1, 0), most = unpack(element->max_code, element), top = unpack(f32->max_code, f32);
    number range, tensor, wish, d, factor, a, all = unpack(whole, f32);
    uint64_t code;
    int i, flags = 0;
    if (n < 1 || rule < FP8REF_NVFP4_TE || rule > FP8REF_NVFP4_TORCHAO)
        return -1;
    range = product(most, unpack(stored->max_code, stored), &flags);
    a = largest_of(n, x, f32);
    if (rule == FP8REF_NVFP4_TE) {
        tensor = over_f32(range, all, f32); /* what elements are multiplied by */
        if (is_below(&top, &tensor))
            tensor = top;
        if (tensor.kind == ZERO || all.kind == ZERO)
            tensor = one;
        wish = times_f32(a, times_f32(tensor, over_f32(one, most, f32), f32), f32);
    } else {
        number least = finite(0, 1, stored->emin);
        tensor = over_f32(all, range, f32);
        wish = over_f32(over_f32(a, most, f32), tensor, f32);
        if (is_below(&wish, &least))
            wish = least;
    }
    project(wish, stored, &r, &code);
    *scale = (uint8_t)code;
    d = unpack(code, stored);
    if (rule == FP8REF_NVFP4_TE) {
        factor = over_f32(one, times_f32(d, over_f32(one, tensor, f32), f32), f32);
        if (is_below(&top, &factor))
            factor = top;
    } else
        factor = over_f32(over_f32(one, tensor, f32), d, f32);
    for (i = 0; i < n; i++)
        project(times_f32(unpack(x[i], f32), factor, f32), element, &r, &codes[i]);
    return 0;
}

/* Codes of one byte, four to a word, the words of all FP8REF_LANES: zeros beyond. */
static inline int packed_lanes(int flags, int n, const uint64_t *codes, uint32_t *out) {
    int i;
    if (flags < 0)
        return flags;
    for (i = 0; i < FP8REF_LANES / 4; i++)
        out[i] = 0;
    for (i = 0; i < n; i++)
        out[i / 4] |= (uint32_t)codes[i] << (8 * (i % 4));
    return flags;
}
