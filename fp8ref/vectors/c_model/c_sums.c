/* -- sums of products ------------------------------------------------------------------------------------------- */

/* An accumulator that loses nothing: two's complement in words of 32 bits, the lowest first, bit 0 being 2^LOWEST. */
enum { WORDS = 76, LOWEST = -1216 };
typedef struct {
    uint32_t word[WORDS];
} accumulator;

/* Add or subtract sig * 2^exp, sig of four words. */
static void accumulate(accumulator *sum, int negative, const uint32_t sig[4], int exp) {
    int place = exp - LOWEST, first = place / 32, shift = place % 32, i;
    uint64_t carry = negative ? 1 : 0;
    for (i = first; i < WORDS; i++) {
        int j = i - first;
        uint32_t low = j < 4 ? sig[j] : 0, below = j > 0 && j < 5 ? sig[j - 1] : 0;
        uint32_t part = shift ? (uint32_t)(low << shift | below >> (32 - shift)) : low;
        carry += (uint64_t)sum->word[i] + (negative ? (uint32_t)~part : part);
        sum->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void times(uint32_t product[4], uint64_t factor) {
    uint32_t half[2], found[4] = {0, 0, 0, 0};
    int i, j;
    half[0] = (uint32_t)factor;
    half[1] = (uint32_t)(factor >> 32);
    for (j = 0; j < 2; j++) {
        uint64_t carry = 0;
        for (i = 0; i + j < 4; i++) {
            carry += (uint64_t)product[i] * half[j] + found[i + j];
            found[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    for (i = 0; i < 4; i++)
        product[i] = found[i];
}

static int is_negative(const accumulator *x) { return (int)(x->word[WORDS - 1] >> 31); }

static void negate(accumulator *x) {
    uint64_t carry = 1;
    int i;
    for (i = 0; i < WORDS; i++) {
        carry += (uint32_t)~x->word[i];
        x->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* Bits from `from` upward, 64 of them. */
static uint64_t bits_at(const accumulator *x, int from) {
    uint64_t found = 0;
    int i;
    for (i = 0; i < 64; i++) {
        int place = from + i;
        if (place >= 0 && place < 32 * WORDS)
            found |= (uint64_t)(x->word[place / 32] >> (place % 32) & 1) << i;
    }
    return found;
}

static int any_below(const accumulator *x, int place) {
    int i;
    for (i = 0; i < WORDS && 32 * i < place; i++) {
        uint32_t kept = place - 32 * i >= 32 ? x->word[i] : x->word[i] & (((uint32_t)1 << (place - 32 * i)) - 1);
        if (kept)
            return 1;
    }
    return 0;
}

typedef struct {
    accumulator sum;
    int nan, up, down, invalid, all_zero, some_minus, some_plus, signalling;
} total;

static void add_term(total *t, const number *x, int count) {
    uint32_t sig[4] = {1, 0, 0, 0};
    int i, exp = 0, negative = 0, nan = 0, zero = 0, infinite = 0;
    for (i = 0; i < count; i++) {
        nan |= x[i].kind == NOT_A_NUMBER;
        t->signalling |= x[i].kind == NOT_A_NUMBER && !(x[i].payload & QUIET);
        zero |= x[i].kind == ZERO;
        infinite |= x[i].kind == INFINITE;
        negative ^= x[i].negative;
    }
    if (nan || (zero && infinite)) {
        t->nan |= nan;
        t->invalid |= !nan;
        return;
    }
    *(negative ? &t->some_minus : &t->some_plus) = 1;
    t->all_zero &= zero;
    if (infinite) {
        *(negative ? &t->down : &t->up) = 1;
        return;
    }
    if (zero)
        return;
    for (i = 0; i < count; i++) {
        times(sig, x[i].sig);
        exp += x[i].exp;
    }
    accumulate(&t->sum, negative, sig, exp);
}

static void sum_up(const fp8ref_sum *s, const uint64_t *a, const uint64_t *b, uint64_t c, const uint64_t *sa,
                   const uint64_t *sb, const fp8ref_rules *r, total *t) {
    number x[4];
    int i, count = s->scale ? 4 : 2;
    memset(t, 0, sizeof *t);
    t->all_zero = 1;
    for (i = 0; i < s->k; i++) {
        x[0] = operand(a[i], s->a, r);
        x[1] = operand(b[i], s->b, r);
        if (s->scale) {
            x[2] = operand(sa[i / s->block], s->scale, r);
            x[3] = operand(sb[i / s->block], s->scale, r);
        }
        add_term(t, x, count);
    }
    if (s->c) {
        x[0] = operand(c, s->c, r);
        add_term(t, x, 1);
    }
    if (t->up && t->down && !t->nan && !t->invalid)
        t->invalid = 1;
}

/* The exact sum as a number of 63 bits, everything below jammed into the last; and what is raised so far. */
static number of_total(total *t, const fp8ref_sum *s, const fp8ref_rules *r, int *flags) {
    int negative, top, low;
    number x;
    *flags = t->invalid || (t->signalling && r->snan == FP8REF_SNAN_IEEE) ? FP8REF_NV : 0;
    if (t->nan || t->invalid)
        return made(NOT_A_NUMBER, 0);
    if (t->up || t->down)
        return made(INFINITE, t->down);
    negative = is_negative(&t->sum);
    if (negative)
        negate(&t->sum);
    for (top = WORDS - 1; top >= 0 && !t->sum.word[top]; top--)
        ;
    if (top < 0) {
        if (s->plus_zero)
            return made(ZERO, 0);
        if (t->all_zero && t->some_minus != t->some_plus)
            return made(ZERO, t->some_minus);
        return made(ZERO, r->rounding == FP8REF_RTN);
    }
    low = 32 * top + floor_log2(t->sum.word[top]) - 62;
    x = finite(negative, bits_at(&t->sum, low) & ~(ONE << 63), low + LOWEST);
    x.sig |= (uint64_t)any_below(&t->sum, low);
    return x;
}

int fp8ref_dot(const fp8ref_sum *sum, const uint64_t *a, const uint64_t *b, uint64_t c, const uint64_t *sa,
               const uint64_t *sb, const fp8ref_format *to, const fp8ref_rules *rules, uint64_t *out) {
    total t;
    int flags;
    number x;
    if (refuses(to, rules) || sum->k < 1 || (sum->scale && sum->block < 1))
        return -1;
    sum_up(sum, a, b, c, sa, sb, rules, &t);
    x = of_total(&t, sum, rules, &flags);
    return flags | project(x, to, rules, out);
}

int fp8ref_dot_fixed(const fp8ref_sum *sum, const uint64_t *a, const uint64_t *b, uint64_t c, const uint64_t *sa,
                     const uint64_t *sb, int bits, int fraction, int wrap, const fp8ref_rules *rules, uint32_t *out) {
    total t;
    int i, flags, negative, words = (bits + 31) / 32, place = -fraction - LOWEST, beyond = 0, inexact;
    part rest;
    number x;
    if (rules->rounding < 0 || rules->rounding > FP8REF_RTO || sum->k < 1 || (sum->scale && sum->block < 1) ||
        bits < 2 || fraction < 0 || fraction >= bits || place < 1 || place + bits + 33 > 32 * WORDS)
        return -1;
    sum_up(sum, a, b, c, sa, sb, rules, &t);
    x = of_total(&t, sum, rules, &flags); /* the sum's magnitude is left in t */
    negative = x.negative;
    if (x.kind == NOT_A_NUMBER || x.kind == INFINITE) {
        if (x.kind == NOT_A_NUMBER)
            flags |= FP8REF_NV;
        beyond = 1;
        wrap = 0;
        inexact = 0;
    } else {
        int half = (int)(t.sum.word[(place - 1) / 32] >> ((place - 1) % 32) & 1), below = any_below(&t.sum, place - 1);
        rest = half ? (below ? ABOVE_HALF : TIE) : below ? BELOW_HALF : EXACT;
        inexact = rest != EXACT;
        if (goes_away(rules, rest, (int)(bits_at(&t.sum, place) & 1), negative, 0, 0, 0)) {
            uint32_t one[4] = {1, 0, 0, 0};
            accumulate(&t.sum, 0, one, -fraction);
        }
        for (i = place + bits - 1; i < 32 * WORDS; i++)
            beyond |= (int)(t.sum.word[i / 32] >> (i % 32) & 1);
        if (beyond && negative) { /* -2^(bits - 1) is inside */
            int other = 0;
            for (i = place + bits; i < 32 * WORDS; i++)
                other |= (int)(t.sum.word[i / 32] >> (i % 32) & 1);
            for (i = place; i < place + bits - 1; i++)
                other |= (int)(t.sum.word[i / 32] >> (i % 32) & 1);
            beyond = other;
        }
        flags |= beyond ? FP8REF_OF | FP8REF_NX : inexact ? FP8REF_NX : 0;
        if (negative) { /* what lies below the point is dropped first */
            for (i = 0; i < place; i++)
                t.sum.word[i / 32] &= ~((uint32_t)1 << (i % 32));
            negate(&t.sum);
        }
    }
    for (i = 0; i < words; i++) {
        uint32_t word = (uint32_t)bits_at(&t.sum, place + 32 * i);
        if (beyond && !wrap)
            word = negative ? 0 : 0xFFFFFFFFu;
        if (i == words - 1) {
            uint32_t kept = bits % 32 ? ((uint32_t)1 << (bits % 32)) - 1 : 0xFFFFFFFFu;
            uint32_t sign = (uint32_t)1 << ((bits - 1) % 32);
            if (beyond && !wrap)
                word = negative ? sign : word & ~sign;
            word &= kept;
        }
        out[i] = word;
    }
    return flags;
}

/* -- lanes of one byte in words of 32 bits, as DPI-C hands them over -------------------------------------------------- */

static void lanes(const uint32_t *packed, int n, uint64_t *codes) {
    int i;
    for (i = 0; i < n; i++)
        codes[i] = packed[i / 4] >> (8 * (i % 4)) & 0xFF;
}

static inline int dot_of(const fp8ref_format *fa, const fp8ref_format *fb, const fp8ref_format *to, int k, const uint32_t *a,
                  const uint32_t *b, uint64_t c, const fp8ref_format *scale, int block, const uint32_t *sa,
                  const uint32_t *sb, int rm, int ovf, int tininess, int how, uint64_t *z) {
    fp8ref_rules r = rules_of(rm, ovf, tininess);
    uint64_t x[FP8REF_LANES], y[FP8REF_LANES], p[FP8REF_LANES], q[FP8REF_LANES];
    fp8ref_sum s = {0, 0, 0, 0, 0, 0, 0};
    if (k < 1 || k > FP8REF_LANES || block < 1)
        return -1;
    if (scale) {
        lanes(sa, (k - 1) / block + 1, p);
        lanes(sb, (k - 1) / block + 1, q);
    }
    s.scale = scale;
    s.block = block;
    s.a = fa;
    s.b = fb;
    s.c = how & FP8REF_NO_C ? 0 : to;
    s.k = k;
    s.plus_zero = how & FP8REF_PLUS_ZERO;
    lanes(a, k, x);
    lanes(b, k, y);
    return fp8ref_dot(&s, x, y, c, scale ? p : 0, scale ? q : 0, to, &r, z);
}

