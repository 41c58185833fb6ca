"""Wrong rules of NaNs: what a NaN operand of a conversion becomes, and what the bits of a NaN result are.

Rules of the bits change nothing where all NaNs are one answer, and come to nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...cases.operation import INTEGERS
from ...fast.kernel import Fields
from ...spec.catalog import get_format
from ...spec.codec import pack
from ...spec.formats import Format, NaNs
from ...spec.overflow import resolve
from ...spec.projection import NaN
from .rule import Asked, Codes, Rule, where

SENTENCES = {
    NaN.CANONICAL: "a NaN becomes the canonical one",
    NaN.KEEP_SIGN: "the sign of a NaN is kept",
    NaN.QUIET: "of a NaN the sign is kept and the quiet bit alone is set",
    NaN.PAYLOAD: "the sign and the payload of a NaN are kept",
    NaN.DEFAULT: "a NaN becomes one of the quiet bit alone, without a sign",
}


def nan_rules(a: Asked, source: str) -> Iterator[Rule]:
    """What NaNs become in a conversion."""
    f, rho, right, fields, sign = a.f, a.rho, a.right, a.parts, a.sign
    if not fields.nan.any():
        return
    t = get_format(source).t
    payload = fields.sig & np.uint64((1 << t) - 1)
    # each class of NaN that an implementation may single out, and each thing it may become
    classes = [
        ("", "NaN", fields.nan),
        ("", "a signalling NaN", fields.nan & (payload >> np.uint64(max(t - 1, 0)) == 0)),
        ("", "a NaN with only low payload bits", fields.nan & (payload >> np.uint64(max(t - f.t, 0)) == 0)),
        *(
            (
                f"leading-{bits}-zero-",
                f"a NaN whose leading {bits} payload bits are zero",
                fields.nan & (payload >> np.uint64(t - bits) == 0),
            )
            for bits in (7, 10, 23)
            if f.t < bits < t
        ),
        ("", "a negative NaN", fields.nan & fields.negative),
        ("", "a positive NaN", fields.nan & ~fields.negative),
    ]
    lowest = right.dtype.type(f.max_code | f.sign_bit)
    becomes: list[tuple[str, str, Codes]] = [
        ("max", "the largest finite value", np.full_like(right, f.max_code)),
        ("signed-max", "the largest finite value of its sign", right.dtype.type(f.max_code) | sign),
        ("lowest", "the lowest finite value, as fmin(fmax(x, lowest), max) has it", np.full_like(right, lowest)),
        ("zero", "zero", np.zeros_like(right)),
        ("signed-zero", "a zero of its sign", sign.copy()),
    ]
    if f.infinities:
        becomes.append(("infinity", "an infinity", right.dtype.type(f.infinity_code) | sign))
    infinite = np.array(
        [pack(resolve(rho.overflow, f, rho.rounding, s, infinite=True), f) for s in (False, True)], right.dtype
    )
    if not any((codes == infinite[fields.negative.astype(int)]).all() for _, _, codes in becomes):
        becomes.append(("like-infinity", "what an infinity becomes", infinite[fields.negative.astype(int)]))
    for kind, text, there in classes:
        for name, what, codes in becomes:
            yield Rule(f"nan-{kind}{name}", f"{text} becomes {what}", where(there, codes, right))
    if f.has_nan and source not in INTEGERS:
        yield from nan_bits(right, fields, get_format(source), f, True)


def nan_choices(a: Asked) -> Iterator[Rule]:
    """The other choices of a NaN's bits."""
    for choice, sentence in SENTENCES.items():
        if choice is not a.rho.nan:
            yield Rule(f"nan-{choice.value}", sentence, a.instead(nan=choice))


def nan_bits(right: Codes, x: Fields, source: Format, f: Format, asked: bool = False) -> Iterator[Rule]:
    """What the bits of the NaN are that a NaN of another format becomes."""
    if f.nans is not NaNs.IEEE or f.t < 1:
        yield from _signs(right, x, f, "", right & right.dtype.type(f.magnitude_mask), asked)
        return
    payload = x.sig & np.uint64((1 << source.t) - 1)
    leading = payload << np.uint64(f.t - source.t) if f.t >= source.t else payload >> np.uint64(source.t - f.t)
    ones, quiet, infinity = (1 << f.t) - 1, 1 << (f.t - 1), np.uint64(f.infinity_code)
    canonical = np.full(right.shape, f.nan_canonical, np.uint64)
    for sentence, bits in (
        ("", canonical),
        ("every payload bit is set", infinity | np.full_like(payload, ones)),
        ("the payload is kept and made quiet", infinity | leading | np.uint64(quiet)),
        ("the payload is kept, so that a signalling NaN stays signalling", infinity | leading),
        ("the NaN is signalling", infinity | np.uint64(1)),
        ("the NaN is signalling", infinity | np.uint64(max(quiet >> 1, 1))),
        ("the payload is shifted: its low bits are kept as they are", infinity | payload & np.uint64(ones)),
        (
            "the payload is shifted: its low bits are kept below the quiet bit",
            infinity | payload & np.uint64(ones) | np.uint64(quiet),
        ),
    ):
        if sentence and (bits == canonical)[x.nan].all():
            continue
        still_nan = (bits & np.uint64(ones)) != 0
        magnitude = np.where(still_nan, bits, canonical).astype(right.dtype)
        yield from _signs(right, x, f, sentence, magnitude, asked)


def _signs(right: Codes, x: Fields, f: Format, sentence: str, magnitude: Codes, asked: bool) -> Iterator[Rule]:
    """A NaN of these magnitude bits with each sign."""
    sign = right.dtype.type(f.sign_bit)
    usual = magnitude == right & right.dtype.type(f.magnitude_mask)
    plain = sentence or ("the NaN is the canonical one" if not usual[x.nan].all() else "")
    if f.nans is NaNs.NEGATIVE_ZERO or not f.signed:
        return
    for name, text, bits in (
        ("kept", "the sign bit of the code is kept", np.where(x.negative, sign, 0)),
        ("dropped", "the sign bit of the code is dropped", np.zeros_like(right)),
        ("flipped", "the sign bit of the code is flipped", np.where(x.negative, 0, sign)),
        ("set", "the NaN is negative whatever the sign of the code", np.full_like(right, sign)),
    ):
        codes = (magnitude | bits).astype(right.dtype)
        if name == "kept" and not sentence and asked:
            continue  # said by nan_choices
        own = (bits == right & sign)[x.nan].all()  # the sign that is asked for needs no word
        said = "; ".join(part for part in (plain, "" if own and plain else text) if part)
        yield Rule(f"nan-bits-sign-{name}", f"of a NaN: {said}", where(x.nan, codes, right))
