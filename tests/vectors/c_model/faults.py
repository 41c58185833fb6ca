# ruff: noqa: E501
"""Faults of a C unit, the generated model: each is edits of its source, text that occurs once and what takes its place."""

from __future__ import annotations

TWICE = """static number twice(number x, uint64_t c, const fp8ref_sum *s, const fp8ref_format *to, const fp8ref_rules *r,
                    int *flags) {
    uint64_t z;
    *flags |= project(x, to, r, &z);
    x = unpack(z, to);
    return s->c && x.kind != NOT_A_NUMBER && operand(c, s->c, r).kind != NOT_A_NUMBER
               ? sum(x, operand(c, s->c, r), r, flags) : s->c && x.kind != NOT_A_NUMBER ? operand(c, s->c, r) : x;
}

"""
DOT = "int fp8ref_dot(const fp8ref_sum *sum, const uint64_t *a,"
LANE = "        x[1] = operand(b[i], s->b, r);\n"

FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    # rounding
    "ties go away": (("rest == ABOVE_HALF || (rest == TIE && odd)", "rest >= TIE"),),
    "ties go to zero": (("rest == ABOVE_HALF || (rest == TIE && odd)", "rest == ABOVE_HALF"),),
    "ties away go to even": (("FP8REF_RNA: return rest >= TIE", "FP8REF_RNA: return rest > TIE || (rest == TIE && odd)"),),
    "up rounds away": (("FP8REF_RTP: return rest != EXACT && !negative", "FP8REF_RTP: return rest != EXACT"),),
    "up needs half": (("FP8REF_RTP: return rest != EXACT && !negative", "FP8REF_RTP: return rest >= TIE && !negative"),),
    "down truncates": (("FP8REF_RTN: return rest != EXACT && negative", "FP8REF_RTN: return 0"),),
    "to odd truncates": (("FP8REF_RTO: return rest != EXACT && !odd", "FP8REF_RTO: return 0"),),
    "truncation rounds to nearest": (("default: return 0;", "default: return rest == ABOVE_HALF;"),),
    "no sticky bit": (("rest < half ? BELOW_HALF : rest == half ? TIE : ABOVE_HALF", "rest < half ? BELOW_HALF : TIE"),),
    "sticky of sums lost": (("sig >> shift | ((sig & ((ONE << shift) - 1)) != 0)", "sig >> shift"),),
    "sticky far below lost": (("return sig != 0;", "return 0;"),),
    "sticky of quotients lost": (("a.sig / b.sig | (a.sig % b.sig != 0)", "a.sig / b.sig >> 50 << 50"),),
    "sticky of roots lost": (("found << 1 | (rest != 0)", "found >> 28 << 29"),),
    "odd exponents of roots": (("if (x.exp % 2) {", "if (0) {"),),
    # overflow
    "toward zero overflows": (("int stays = r->rounding == FP8REF_RTZ ||", "int stays ="),),
    "to odd overflows": (("|| r->rounding == FP8REF_RTO ||", "||"),),
    "directions exchanged at overflow": (("(negative ? FP8REF_RTP : FP8REF_RTN)", "(negative ? FP8REF_RTN : FP8REF_RTP)"),),
    "overflow one code late": ((": f->max_code)) {", ": f->max_code) + 1) {"),),
    "overflow a binade early": (("if (e > f->emax + 1) {", "if (e >= f->emax) {"),),
    "overflow raises no NX": (("        return FP8REF_OF | FP8REF_NX;\n    }\n    flags = rest", "        return FP8REF_OF;\n    }\n    flags = rest"),),
    # underflow and subnormals
    "no underflow": (("flags |= FP8REF_UF;", "flags |= 0;"),),
    "tiny before rounding": (("r->tininess == FP8REF_BEFORE || e", "1 || e"),),
    "before is after": (("if (r->tininess == FP8REF_BEFORE || e", "if (e"),),
    "delivered is after": (("r->tininess == FP8REF_DELIVERED", "0"),),
    "subnormal operands are zeros": (("finite(negative, trailing, f->emin - f->t)", "finite(negative, 0, f->emin - f->t)"),),
    "subnormals have a hidden bit": (("finite(negative, trailing, f->emin - f->t)", "finite(negative, trailing ? ONE << f->t | trailing : 0, f->emin - f->t)"),),
    "subnormal results are zeros": (("    *out = pack(x.negative, code, f);\n    return flags;", "    *out = pack(x.negative, code >> f->t || f->fixed_point ? code : 0, f);\n    return flags;"),),
    # zeros and specials
    "no minus zero": (("return sign_bit(f) | magnitude;", "return magnitude ? sign_bit(f) | magnitude : 0;"),),
    "exact zeros are positive": (("(ZERO, r->rounding == FP8REF_RTN);\n    return finite", "(ZERO, 0);\n    return finite"),),
    "inf - inf is quiet": (("a.kind == b.kind && a.negative != b.negative", "0"),),
    "0 times infinity is zero": (("? invalid(flags) : made(INFINITE, negative)", "? made(ZERO, *flags & 0) : made(INFINITE, negative)"),),
    "x / 0 is quiet": (("*flags |= FP8REF_DZ;", "*flags |= 0;"),),
    "signalling NaNs are quiet": (("!(x[i].payload & QUIET) && rules->snan == FP8REF_SNAN_IEEE", "0"),),
    "NaNs are infinities": (("magnitude > f->infinity_code)", "magnitude > f->infinity_code + 1)"),),
    # fused operations
    "the product is rounded before the sum": (("        exact = product(x[0], x[1], &flags);\n        if (exact.kind", "        exact = product(x[0], x[1], &flags);\n        if (exact.kind == FINITE) {\n            uint64_t m;\n            project(exact, to, rules, &m);\n            exact = unpack(m, to);\n        }\n        if (exact.kind"),),
    # lanes
    "a zero gates a NaN": (("    if (nan || (zero && infinite)) {", "    if ((nan && !zero) || (zero && infinite)) {"),),
    "a zero gates an infinity": (("    if (nan || (zero && infinite)) {", "    infinite &= !zero;\n    if (nan) {"),),
    "a zero in a gates NaNs of b": ((LANE, LANE + "        if (x[0].kind == ZERO && x[1].kind == NOT_A_NUMBER)\n            x[1] = made(ZERO, 0);\n"),),
    "the last lane is left out": (("i < s->k; i++", "i < s->k - 1; i++"),),
    "the last lane drops specials": ((LANE, LANE + "        if (i == s->k - 1 && x[0].kind >= INFINITE)\n            continue;\n"),),
    "lanes of b are exchanged": (("operand(b[i], s->b, r)", "operand(b[i ^ 1], s->b, r)"),),
    "lane 0 has b of lane 1": (("operand(b[i], s->b, r)", "operand(b[i ? i : 1], s->b, r)"),),
    "C is ignored": (("    if (s->c) {", "    if (0) {"),),
    "the sum is rounded before C": ((DOT, TWICE + DOT), ("    if (s->c) {", "    if (0) {"),
                                    ("    return flags | project(x, to, rules, out);", "    x = twice(x, c, sum, to, rules, &flags);\n    return flags | project(x, to, rules, out);")),
    "sticky of long sums lost": (("    x.sig |= (uint64_t)any_below(&t->sum, low);\n", "    x.sig = x.sig >> 30 << 30;\n"),),
    "a carry between words is lost": (("carry += (uint64_t)sum->word[i] +", "carry = (uint64_t)sum->word[i] +"),),
    "zero sums are +0": (("return made(ZERO, t->some_minus);", "return made(ZERO, 0);"),),
    "cancelled sums are +0 downward": (("return made(ZERO, r->rounding == FP8REF_RTN);\n    }\n    low", "return made(ZERO, 0);\n    }\n    low"),),
    "infinities of both signs are quiet": (("        t->invalid = 1;\n", "        t->nan = 1;\n"),),
    "every block has the first scale": (("operand(sa[i / s->block]", "operand(sa[0]"),),
    "NaN scales are ones": (("            x[3] = operand(sb[i / s->block], s->scale, r);\n", "            x[3] = operand(sb[i / s->block], s->scale, r);\n            if (x[2].kind == NOT_A_NUMBER)\n                x[2] = finite(0, 1, 0);\n"),),
    # blocks
    "scales one binade high": (("    e -= f->emax;\n", "    e -= f->emax - 1;\n"),),
    "infinite blocks have a scale": (("amax.kind == NOT_A_NUMBER || (amax.kind == INFINITE && rule != FP8REF_SCALE_TE)", "amax.kind == NOT_A_NUMBER"),),
}  # fmt: skip
QUICK = ("ties go away", "a zero gates a NaN", "the sum is rounded before C", "no underflow")
