"""What an open question is made of: the cases asked, where it lies among them, the answers in use.

A variation excuses an answer only where no specification decides the question and the implementation's own claim does
not decide it either; and only one of the answers listed, which must hold throughout the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import is_nan, project_into
from ...cases.flags import exact_parts, operand_parts
from ...cases.operation import Operation
from ...cases.products.questions import block_of, exact_projection, has_addend, is_exact, is_fixed, operand_types
from ...cases.scaling.questions import is_recipe, is_scale, quantiser, scale_bytes, split, values
from ...cases.scaling.recipes import with_element
from ...fast import recipes
from ...fast.blocks import amax_bits
from ...fast.exact import is_zero
from ...fast.kernel import Fields, floor_log2_u64, unpack_fields
from ...spec.catalog import get_format
from ...spec.rounding import Rounding

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
NO_MINUS_ZERO = ("e2m1fn", "e2m3fn", "e3m2fn")  # formats in which some libraries have no -0


@dataclass(frozen=True)
class Asked:
    """Every case of an operation, with what was answered and what is expected so far.

    ``got``, ``want``: codes, one a case; of scalings rows of bytes, the scale's first.  Or status bits.
    """

    op: Operation
    operands: Sequence[Codes]
    got: Codes
    want: Codes

    @cached_property
    def parts(self) -> list[Fields]:
        """The operands taken apart."""
        return operand_parts(self.op, self.operands)

    @property
    def x(self) -> Fields:
        return self.parts[0]

    @cached_property
    def no_result(self) -> Mask:
        """Where the exact result is a NaN."""
        return exact_parts(self.op, self.operands).nan if self.op.asked.kind == "arithmetic" else self.x.nan

    @cached_property
    def rows(self) -> tuple[Codes, Codes | None]:
        """Of scalings: the elements (n, B) and the tensor's largest magnitudes, in binary32."""
        return values(self.op, self.operands)

    def filled(self, code: Any) -> Codes:
        """One code, or one a case, in place of everything expected."""
        return np.broadcast_to(np.asarray(code, self.want.dtype), self.want.shape)


@dataclass(frozen=True)
class Answer:
    """``who`` gives it; ``codes``: what everything expected becomes, read only where the variation lies.

    ``key``: the key of an operation, and its value, that promise this answer, where there is one.
    """

    name: str
    who: str
    codes: Callable[[Asked], Codes]
    key: tuple[str, str] | None = None


@dataclass(frozen=True)
class Variation:
    """``open_to``: whether an operation leaves the question open; ``covers``: which of its answers are the question.

    ``then``: what is expected of the rest of a row whose scale was answered so.  ``status``: codes are not asked about,
    but the status.
    """

    name: str
    text: str
    clause: str
    open_to: Callable[[Operation], bool]
    covers: Callable[[Asked], Mask]
    answers: tuple[Answer, ...]
    then: Callable[[Asked, Codes], Codes] = lambda d, codes: codes
    status: bool = False


# -- codes of a format ------------------------------------------------------------------------------------------------
def max_code(op: Operation) -> int:
    return op.result_format.max_code


def signed(d: Asked, code: int, negative: Mask) -> Codes:
    """A magnitude's code with a sign; in two's complement of that magnitude's negative."""
    f = d.op.result_format
    other = (1 << f.k) - code & (1 << f.k) - 1 if f.fixed_point else code | f.sign_bit
    return d.filled(np.where(negative, other, code))


def sign_of(d: Asked) -> Mask:
    """The sign of the NaN or infinity that a result comes from: of the first that is an operand, else negative.

    x86 gives the NaN of an invalid operation a minus sign.
    """
    found = ~np.logical_or.reduce([x.nan for x in d.parts]) if d.op.asked.kind == "arithmetic" else d.x.negative
    for x in reversed(d.parts):
        found = np.where(x.nan, x.negative, found)
    return np.asarray(found, bool)


def not_positive_invalid(d: Asked) -> Mask:
    """The same where the NaN of an invalid operation is positive, as on Arm and RISC-V."""
    return np.asarray(sign_of(d) & np.logical_or.reduce([x.nan | x.infinite for x in d.parts]))


def zero_of_either_sign(d: Asked) -> Codes:
    """The zero that was answered where an invalid operation makes the NaN, whose sign no standard gives."""
    made = ~np.logical_or.reduce([x.nan for x in d.parts])
    return np.where(
        made & (signed(d, 0, np.ones(len(d.want), bool)) == d.got), d.got, signed(d, 0, ~made & ~sign_of(d))
    )


WITHOUT = (
    Answer("max", "this reference", lambda d: d.filled(max_code(d.op))),
    Answer("sign·max", "casts that saturate the magnitude", lambda d: signed(d, max_code(d.op), sign_of(d))),
    Answer("+0", "casts by way of an integer", lambda d: d.filled(0)),
    Answer("-0", "ml_dtypes where the NaN is positive", lambda d: signed(d, 0, np.ones(len(d.want), bool))),
    Answer("sign·0", "sign kept, magnitude lost", lambda d: signed(d, 0, sign_of(d))),
    Answer("-sign·0", "ml_dtypes: +NaN to -0, -NaN to +0", lambda d: signed(d, 0, ~sign_of(d))),
    Answer("sign·0, invalid +", "the same where an invalid operation's NaN is positive",
           lambda d: signed(d, 0, not_positive_invalid(d))),
    Answer("-sign·0, invalid +", "ml_dtypes there", lambda d: signed(d, 0, ~not_positive_invalid(d))),
    Answer("-sign·0, invalid ±0", "jax: the sign of a NaN that an operation makes is open", zero_of_either_sign),
)  # fmt: skip


def magnitude(d: Asked) -> Codes:
    """What the magnitude of the operand becomes, by the operation's own mode."""
    source, (x,) = d.op.operands[0], d.operands
    if x.dtype.kind == "i":
        of_x = np.where(x == np.iinfo(x.dtype).min, np.iinfo(x.dtype).max, np.abs(x)).astype(x.dtype)
    else:
        f = get_format(source)
        of_x = x & x.dtype.type(~f.sign_bit & (1 << f.k) - 1)
    via = d.op.key("via")
    return through(d.op, of_x, via) if via else project_into(source, of_x, d.op.projection, d.op.result)


def through(op: Operation, x: Codes, between: str) -> Codes:
    """The results of a detour through another format."""
    first = Operation.convert(op.operands[0], between, "rne.nonsat", nan="keep-sign").projection
    return project_into(between, project_into(op.operands[0], x, first, between), op.projection, op.result)


def nan_code(d: Asked) -> Codes:
    canonical = d.op.result_format.nan_canonical
    return d.filled(max_code(d.op) if canonical is None else canonical)


def largest(d: Asked) -> Codes:
    return d.filled(max_code(d.op))


def nan_unless_zero(d: Asked) -> Codes:
    return np.where(magnitude(d) == 0, 0, nan_code(d))


def unsigned(op: Operation) -> bool:
    return op.family == "convert" and not op.result_format.signed and not op.key("negative")


def no_zero(op: Operation) -> bool:
    return op.family == "convert" and not op.result_format.zero


def of_scales(op: Operation) -> bool:
    """Arithmetic into a format of scales."""
    return op.asked.kind == "arithmetic" and not op.result_format.zero and op.key("semantics") == "scales"


def exact_zero(d: Asked) -> Mask:
    return is_zero(exact_parts(d.op, d.operands))


def under_binary32(d: Asked) -> Mask:
    """Where binary32 rounds a positive result to zero: up to half its least subnormal, 2**-150."""
    x = exact_parts(d.op, d.operands)
    top = floor_log2_u64(np.maximum(x.sig, np.uint64(1))) + x.exp
    power = x.sig & (x.sig - np.uint64(1)) == 0
    small = (top < -150) | ((top == -150) & power)
    return np.asarray(small & (x.sig != 0) & ~(x.nan | x.infinite | x.negative))


def open_overflow(op: Operation) -> bool:
    if op.family != "convert" or not (op.mode or "").endswith(".nonsat"):
        return False
    f = op.result_format
    return f.zero and not f.infinities and not f.has_nan


# -- blocks -----------------------------------------------------------------------------------------------------------
def is_scheme(op: Operation) -> bool:
    """Does it scale blocks by a standard's scheme?  A recipe says everything itself."""
    return is_scale(op) and not is_recipe(op)


def open_nan(op: Operation) -> bool:
    """Does nothing say what a NaN element becomes in E2M1?  A recipe may."""
    if not is_scale(op) or quantiser(op).element != "e2m1fn":
        return False
    return with_element(op.mode or "", op.result).nan == "nan" if is_recipe(op) else quantiser(op).tensor


def mx(op: Operation) -> bool:
    return is_scheme(op) and quantiser(op).scale == "e8m0fnu"


def of_scale(d: Asked, rows: Mask) -> Mask:
    """The scale's bytes of some rows."""
    found = np.zeros(d.want.shape, bool)
    found[rows, : scale_bytes(quantiser(d.op))] = True
    return found


def of_elements(d: Asked, elements: Mask) -> Mask:
    found = np.zeros(d.want.shape, bool)
    found[:, scale_bytes(quantiser(d.op)) :] = elements
    return found


def infinite(d: Asked) -> Mask:
    x, _ = d.rows
    return of_scale(d, np.asarray(np.isinf(x).any(axis=1) & ~np.isnan(x).any(axis=1)))


def rounded_up(d: Asked) -> Mask:
    return of_scale(d, np.isfinite(d.rows[0]).all(axis=1) & (d.want[:, 0] == 255))


def beyond(d: Asked) -> Codes:
    return d.filled(255 - get_format(quantiser(d.op).element).emax)


def under_new_scale(d: Asked, rows: Codes) -> Codes:
    """Elements of the blocks with another scale, as they are under that one."""
    found, changed = rows.copy(), rows[:, 0] != d.want[:, 0]
    if changed.any():
        up = np.ldexp(np.float32(1), 127 - rows[changed, 0].astype(np.int64)).astype(np.float32)
        up[rows[changed, 0] == 255] = np.nan
        found[changed, 1:] = quantiser(d.op).elements(d.rows[0][changed], up, Rounding.TIES_TO_EVEN)
    return found


def nan_scale(d: Asked) -> Mask:
    """The elements of blocks whose scale is, and should be, a NaN."""
    scale = quantiser(d.op).scale
    both = [is_nan(split(d.op, rows)[0], scale) for rows in (d.got, d.want)]
    return of_elements(d, (both[0] & both[1])[:, None])


def nan_elements(d: Asked) -> Mask:
    """Scaled elements that are NaN, 0 times infinity."""
    x, tensor = d.rows
    if is_recipe(d.op):
        r = with_element(d.op.mode or "", d.op.result)
        return of_elements(d, recipes.nan_elements(r, x, d.op.operands[0], tensor))
    with np.errstate(all="ignore"):
        up = quantiser(d.op).scales(amax_bits(x), d.op.mode or "", tensor)[1]
        return of_elements(d, np.isnan(x * up[:, None]))


def element_signs(d: Asked) -> Mask:
    return of_elements(d, np.signbit(d.rows[0]))


def minus_two(d: Asked) -> Mask:
    """MXINT8 elements that round to -2 or beyond."""
    x, _ = d.rows
    with np.errstate(all="ignore"):
        scaled = np.ldexp(x.astype(np.float64), 127 - d.want[:, :1].astype(np.int64) + 6)
    return of_elements(d, (d.want[:, 1:] == 0x81) & (np.rint(scaled) <= -128) & (d.want[:, :1] != 255))


def minus_zero(d: Asked) -> Mask:
    """Expected codes of -0."""
    if not is_scale(d.op):
        return np.asarray((d.want == d.op.result_format.sign_bit) & ~d.x.nan)
    return of_elements(d, split(d.op, d.want)[1] == get_format(quantiser(d.op).element).sign_bit)


def from_zero(d: Asked) -> Mask:
    return is_zero(d.x) if not is_scale(d.op) else of_elements(d, d.rows[0] == 0)


def has_minus_zero(op: Operation) -> bool:
    if op.family == "convert":
        return op.result in NO_MINUS_ZERO
    if not is_scheme(op) or op.result in ("llm_int8", "tree8"):
        return False
    q = quantiser(op)
    signed_zero = q.element not in ("i8", "u8") and get_format(q.element).has_negative_zero
    return signed_zero and (q.element in NO_MINUS_ZERO or q.scale == "e8m0fnu")


# -- operations on codes ----------------------------------------------------------------------------------------------
def two_zeros(d: Asked) -> Mask:
    """Are the operands two zeros of unlike sign?"""
    a, b = d.parts
    return np.asarray(is_zero(a) & is_zero(b) & (a.negative != b.negative))


def signalling(d: Asked) -> Mask:
    """Is one operand a signalling NaN and the other a number?"""
    a, b = d.parts
    quiet = np.uint64(1 << (get_format(d.op.operands[0]).t - 1))
    signals = (a.nan & (a.sig & quiet == 0)) | (b.nan & (b.sig & quiet == 0))
    return np.asarray(signals & (a.nan != b.nan))


def undefined_plus_nan(d: Asked) -> Mask:
    a, b, c = d.parts
    return np.asarray(((is_zero(a) & b.infinite) | (a.infinite & is_zero(b))) & c.nan)


def minimum(op: Operation) -> bool:
    return op.family in ("min", "max", "minnum", "maxnum")


# -- products ---------------------------------------------------------------------------------------------------------
def exact_sum(op: Operation) -> bool:
    """Does a product claim the exact sum?  A model that it names adds step by step, and says itself what -0 becomes."""
    if op.asked.kind != "dot" or op.key("zero"):
        return False
    return is_exact(op.mode or "exact") and not is_fixed(op) and op.result_format.has_negative_zero


def downward_sum(op: Operation) -> bool:
    return exact_sum(op) and exact_projection(op).rounding is Rounding.TOWARD_NEGATIVE


def addend_signs(d: Asked) -> Codes:
    """Of sums of products: whether each product, and last C where there is one, is negative, (n, K + 1)."""
    a, b, *rest = (unpack_fields(codes, get_format(name)) for codes, name in zip(d.operands, operand_types(d.op)))
    c, scales = (rest[0], rest[1:]) if has_addend(d.op) else (None, rest)
    negative = a.negative ^ b.negative
    for scale in scales[:2]:
        negative = negative ^ np.repeat(scale.negative, block_of(d.op), axis=1)[:, : negative.shape[1]]
    return negative if c is None else np.concatenate([negative, c.negative[:, None]], axis=1)


def all_addends_zero(d: Asked) -> Mask:
    a, b, *rest = (unpack_fields(codes, get_format(name)) for codes, name in zip(d.operands, operand_types(d.op)))
    c, scales = (rest[0], rest[1:]) if has_addend(d.op) else (None, rest)
    zero = is_zero(a) | is_zero(b)
    for scale in scales[:2]:
        zero = zero | np.repeat(is_zero(scale), block_of(d.op), axis=1)[:, : zero.shape[1]]
    alone = np.asarray(zero.all(axis=1))
    return alone if c is None else np.asarray(alone & is_zero(c))


def minus_zeros_alone(d: Asked) -> Mask:
    """Where the sum is zero because every product, and C, is -0."""
    return np.asarray((d.want == 0) & all_addends_zero(d) & addend_signs(d).all(axis=1))


def zeros_of_both_signs(d: Asked) -> Mask:
    """Where the sum is exactly zero and its addends have both signs."""
    signs = addend_signs(d)
    return np.asarray((d.want == 0) & signs.any(axis=1) & ~signs.all(axis=1))
