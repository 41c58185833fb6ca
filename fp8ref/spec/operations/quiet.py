"""Operations on codes that round nothing: sign-bit operations and neighbours  [IEEE 754-2019 5.3.1, 5.5.1].

The sign-bit operations treat a NaN like any other code and raise nothing.  Where the NaN sits at the code of -0, and
where there is no -0, they leave NaN and zero alone.
"""

from __future__ import annotations

from ..codec import canonical_nan, pack, unpack
from ..datum import HALF, Datum
from ..formats import Format, NaNs
from ..projection import is_signalling
from ..status import Status
from .definition import Semantics


def with_sign(code: int, f: Format, sign: int) -> int:
    """The code with another sign.  The lowest two's-complement value becomes the largest.

    Raises ValueError for a negative sign in an unsigned format.
    """
    if not f.signed:
        if sign:
            raise ValueError(f"{f.name} is unsigned: its codes have no sign to set")
        return code
    x = unpack(code, f)
    if f.fixed_point:
        return pack(Datum.finite(min(x.magnitude, f.max) if not sign else -x.magnitude), f)
    if x.is_nan and f.nans is NaNs.NEGATIVE_ZERO:
        return code
    if x.is_zero and not f.has_negative_zero:
        return code
    return (code & ~f.sign_bit) | (f.sign_bit if sign else 0)


def absolute(code: int, f: Format) -> int:
    """abs: the sign bit cleared."""
    return with_sign(code, f, 0)


def negate(code: int, f: Format) -> int:
    """The sign bit inverted.  Raises ValueError for unsigned formats."""
    if not f.signed:
        raise ValueError(f"negate is undefined in {f.name}: an unsigned format has no negative of any value but 0")
    return with_sign(code, f, int(not code & f.sign_bit))


def copysign(code: int, of: int, f: Format) -> int:
    """The magnitude of one code with the sign of another (a NaN at the code of -0 has none and counts as +)."""
    return with_sign(code, f, unpack(of, f).sign if f.signed else 0)


def next_up(code: int, f: Format, semantics: Semantics = Semantics.IEEE) -> tuple[int, Status]:
    """The code of the least value above, and invalid for a signalling NaN  [IEEE 754-2019 5.3.1 nextUp].

    Beyond the largest finite value lies infinity; without one, NaN; without that, the value itself.  Infinity stays
    [IEEE 754] or becomes NaN [P3109 NextGreaterThan].
    """
    return _next(code, f, 1, semantics)


def next_down(code: int, f: Format, semantics: Semantics = Semantics.IEEE) -> tuple[int, Status]:
    """The code of the greatest value below; see :func:`next_up`."""
    return _next(code, f, -1, semantics)


def _next(code: int, f: Format, step: int, semantics: Semantics) -> tuple[int, Status]:
    x = unpack(code, f)
    if x.is_nan:
        if not is_signalling(x):
            return code, Status.NONE
        return pack(Datum.nan(x.sign, x.payload + HALF), f), Status.INVALID
    if f.fixed_point:
        signed = code - (1 << f.k if code & f.sign_bit else 0)
        return max(-f.sign_bit, min(signed + step, f.max_code)) & f.code_mask, Status.NONE
    rung = (code & f.magnitude_mask) * (-1 if x.sign else 1) + step
    lowest = -f.max_code if f.signed else 0
    if lowest <= rung <= f.max_code:
        sign = f.sign_bit if rung < 0 or (rung == 0 and x.sign and f.has_negative_zero) else 0
        return sign | abs(rung), Status.NONE
    bounded = f.infinities and (step > 0 or f.signed)
    if bounded and not x.is_infinite:
        return pack(Datum.infinity(int(step < 0)), f), Status.NONE
    if bounded and semantics is Semantics.IEEE:
        return code, Status.NONE
    return (pack(canonical_nan(f), f) if f.has_nan else code), Status.NONE
