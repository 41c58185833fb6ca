"""Scale factors: the recipes that turn the largest magnitude of a block into a scale, and elements into codes.

Everything happens in binary32, one rounding for every operation, as the sources compute; results are exact statements
about bits.  The sources: OCP MX 1.0 6.3; torchao ``mx_formats``; TransformerEngine ``recipe`` and ``core_nvfp4``.
The rules of NVFP4 and FP8 are recipes (``named.py``).  The rules of MX are stated here: OCP's scale of exact numbers,
for MXINT8 too, which is no element of recipes, and NaN for an infinite block.

What a recipe does at the edges is part of it:

=================  =====================  ==================  ======================  ==============================
rule               largest magnitude 0    infinite            NaN                     subnormal
=================  =====================  ==================  ======================  ==============================
floor, ceil, even  scale 2**-127          NaN scale           NaN scale               2**-127, the smallest scale
rceil              scale 2**-127          NaN scale           NaN scale               rounded up like every other
te (MX)            scale 2**-127          scale 2**127        NaN scale               rounded up like every other
te (FP8)           scale 1                scale 1             scale 1                 largest finite multiplier
torchao (FP8)      max / 1e-12            multiplier 0        NaN                     max / 1e-12
te (NVFP4)         scale 0                scale 448           NaN scale (a choice)    like every other
torchao (NVFP4)    NaN where the tensor's is 0, else 2**-6    NaN scale               like every other, at least 2**-6
=================  =====================  ==================  ======================  ==============================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from ..catalog import get_format
from ..datum import ZERO, Datum, floor_log2, power_of_two
from ..formats import Format
from ..matrix.accumulate import F32, product
from ..projection import encode
from .binary32 import FLT_MAX, ONE, at_most, over, times
from .exact import Exact, element_code, quantize_group
from .named import get_recipe
from .recipe import Recipe
from .steps import scale_of, scaled_element, tensor_stored

E8M0_NAN = 255


@dataclass(frozen=True)
class Scheme:
    """Which elements share a scale, in which formats.

    ``block``: elements along the axis that share a scale (0: all of them); ``across``: as many rows share it too (0:
    the whole tensor).  ``scale``: the format of the stored scale; f32 scales are decode multipliers.  ``recipe``: the
    arithmetic, ``mx``, ``nvfp4`` or ``fp8``.
    """

    name: str
    element: Format
    block: int
    scale: Format
    rules: tuple[str, ...]
    recipe: str
    across: int = 1

    @property
    def tensor(self) -> bool:
        """Does the largest magnitude of the whole tensor enter?"""
        return self.recipe == "nvfp4"


E8M0_RULES = ("floor", "ceil", "even", "rceil", "te")
FP8_RULES = ("te", "te-pow2", "torchao")
_MX = {
    "mxfp8_e4m3": "e4m3fn",
    "mxfp8_e5m2": "e5m2",
    "mxfp6_e3m2": "e3m2fn",
    "mxfp6_e2m3": "e2m3fn",
    "mxfp4": "e2m1fn",
    "mxint8": "mxint8",
}
_FP8 = re.compile(r"(tensor|row|block(\d+)(?:x(\d+))?)_(\w+)")


SOURCES = {  # where a rule of a recipe is written
    "mx": {
        "floor": "OCP MX 1.0 6.3: the scale is 2^(floor(log2 amax) - emax)",
        "ceil": "torchao mx_formats, ScaleCalculationMode.CEIL",
        "even": "torchao mx_formats, ScaleCalculationMode.EVEN",
        "rceil": "torchao mx_formats, ScaleCalculationMode.RCEIL",
        "te": "TransformerEngine: float_to_e8m0(amax * (1/max)), rounded up, saturating",
    },
    "nvfp4": {"te": "TransformerEngine core_nvfp4", "torchao": "torchao nvfp4_tensor"},
    "fp8": {
        "te": "TransformerEngine compute_scale_from_amax",
        "te-pow2": "TransformerEngine compute_scale_from_amax, the scale's significand dropped",
        "torchao": "torchao float8 amax_to_scale",
    },
}


@lru_cache(maxsize=256)
def get_scheme(name: str) -> Scheme:
    """The scheme of a name.

    ``mxfp8_e4m3 mxfp8_e5m2 mxfp6_e3m2 mxfp6_e2m3 mxfp4 mxint8 nvfp4``, or ``tensor_F``, ``row_F``, ``block128_F``,
    ``block128x128_F`` with a format F of at most 8 bits, for scales in binary32.

    Raises ValueError, with the choices, for any other.
    """
    if name in _MX:
        return Scheme(name, get_format(_MX[name]), 32, get_format("e8m0fnu"), E8M0_RULES, "mx")
    if name == "nvfp4":
        return Scheme(name, get_format("e2m1fn"), 16, get_format("e4m3fn"), ("te", "torchao"), "nvfp4")
    match = _FP8.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(
            f"unknown scheme {name!r:.80}; choose from {', '.join(_MX)}, nvfp4, tensor_F, row_F, block<n>_F, "
            "block<n>x<n>_F with a format F"
        )
    element = get_format(match[4])
    if element.k > 8 or not element.signed or element.fixed_point:
        raise ValueError(f"scheme {name!r}: elements are signed floating-point formats of at most 8 bits")
    if match[3] is not None and match[2] != match[3]:
        raise ValueError(f"scheme {name!r}: blocks are rows (block128) or squares (block128x128)")
    block = int(match[2] or 0)
    if match[2] is not None and block < 1:
        raise ValueError(f"scheme {name!r}: a block has at least one element")
    across = 0 if match[1] == "tensor" else block if match[3] else 1
    return Scheme(name, element, block, F32, FP8_RULES, "fp8", across)


def get_rule(scheme: Scheme, rule: str | None) -> str:
    """The rule, or the scheme's default.  Raises ValueError, with the choices, for one that the scheme lacks."""
    rule = scheme.rules[0] if rule is None else rule
    if rule not in scheme.rules:
        raise ValueError(f"{scheme.name} has the rules {', '.join(scheme.rules)}, not {rule!r}")
    return rule


# -- the largest magnitude --------------------------------------------------------------------------------------------


def largest(x: Sequence[Datum]) -> Datum:
    """The largest magnitude; NaN if any is."""
    if any(v.is_nan for v in x):
        return Datum.nan()
    if any(v.is_infinite for v in x):
        return Datum.infinity()
    return Datum.finite(max((v.magnitude for v in x), default=ZERO))


# -- MX ---------------------------------------------------------------------------------------------------------------


def e8m0_scale(amax: Datum, element: Format, rule: str) -> int:
    """The E8M0 code of a block's scale from its largest magnitude, a binary32 datum.

    floor: 2**(floor(log2 amax) - emax) [OCP MX 1.0 6.3].  ceil: the exponent rounded up.  even: floor, of amax plus
    half an ulp of the element's precision.  rceil, te: amax times binary32's 1/max, rounded up to a power of two.
    """
    if amax.is_nan or (amax.is_infinite and rule != "te"):
        return E8M0_NAN
    if amax.is_zero:
        return 0
    if rule in ("rceil", "te"):
        ratio = times(amax, over(ONE, Datum.finite(element.max)))
        if ratio.is_infinite:
            return 254
        return 0 if ratio.is_zero else min(max(_ceil_log2(ratio.magnitude) + 127, 0), 254)
    if rule == "ceil":
        e = _ceil_log2(amax.magnitude)
    else:
        e = floor_log2(amax.magnitude)
        if rule == "even":
            e = floor_log2(amax.magnitude + power_of_two(max(e, F32.emin) - element.t - 1))
            if e == 128:
                return E8M0_NAN
    return min(max(e - element.emax, -127), 128) + 127


def _ceil_log2(x: Fraction) -> int:
    e = floor_log2(x)
    return e + (x != power_of_two(e))


def mx_block(x: Sequence[Datum], scheme: Scheme, rule: str) -> tuple[int, list[int]]:
    """The scale code and the element codes of one block: x over the scale, to nearest, saturating.

    Under a NaN scale every element is the code of NaN (+max where there is none).  MXINT8 leaves -2 unused.
    """
    code = e8m0_scale(largest(x), scheme.element, rule)
    if code == E8M0_NAN:
        return code, [encode(Datum.nan(), scheme.element)[0]] * len(x)
    up = Datum.finite(power_of_two(127 - code))
    codes = [encode(product(v, up), scheme.element)[0] for v in x]
    if scheme.element.fixed_point:
        codes = [c + 1 if c == scheme.element.sign_bit else c for c in codes]
    return code, codes


# -- NVFP4 and FP8: recipes -------------------------------------------------------------------------------------------

_RECIPES = {  # NaNs make the largest magnitude NaN, scales are decode multipliers
    ("nvfp4", "te"): "te-nvfp4 amax=keep",
    ("nvfp4", "torchao"): "torchao-nvfp4",
    ("fp8", "te"): "te-current amax=keep",
    ("fp8", "te-pow2"): "te-current amax=keep power=q.drop",
    ("fp8", "torchao"): "torchao-tensor keeps=scale",
}


@lru_cache(maxsize=64)
def recipe_of(recipe: str, rule: str, element: str = "e2m1fn") -> Recipe:
    """The recipe that a rule of ``nvfp4`` or ``fp8`` stands for: the one definition of it."""
    return get_recipe(get_recipe(_RECIPES[recipe, rule]).but(element=element))


def nvfp4_tensor_scale(amax: Datum, rule: str) -> Datum:
    """The tensor's decode multiplier, from its largest magnitude.

    te: 1 / S with S = min(448 * 6 / amax, FLT_MAX), 1 where amax or S is 0.  torchao: amax / (448 * 6).
    """
    found: Datum = tensor_stored(recipe_of("nvfp4", rule), Exact(), amax)
    return found


def nvfp4_block(x: Sequence[Datum], tensor_amax: Datum, rule: str) -> tuple[int, list[int]]:
    """The E4M3 code of a block's scale and the E2M1 codes of its elements."""
    return quantize_group(recipe_of("nvfp4", rule), x, "f32", tensor_amax)


def fp8_multiplier(amax: Datum, element: Format, rule: str) -> Datum:
    """What elements are multiplied by before they are rounded; its reciprocal in binary32 is stored.

    te: max / amax; 1 where amax is 0, infinite or NaN; FLT_MAX where it overflows; te-pow2 then drops the significand.
    torchao: binary64's max / max(amax, 1e-12), rounded to binary32.
    """
    found: Datum = scale_of(recipe_of("fp8", rule, element.name), Exact(), amax, "f32").factor
    return found


def fp8_block(x: Sequence[Datum], element: Format, rule: str, amax: Datum | None = None) -> tuple[Datum, list[int]]:
    """The decode multiplier and the element codes of everything that shares one scale."""
    r, m = recipe_of("fp8", rule, element.name), Exact()
    s = scale_of(r, m, largest(x) if amax is None else amax, "f32")
    return s.stored, [element_code(scaled_element(r, m, v, s, "f32"), r, s.step) for v in x]


def delayed_scale(
    history: Sequence[Datum], previous: Datum, element: Format, margin: int = 0, *, most_recent: bool = False
) -> Datum:
    """TransformerEngine's delayed scaling: the multiplier from the amax history, newest first.

    (max * 2**-margin) / amax with amax the largest of the history (or the newest); the previous scale where amax is not
    finite or not above 0; FLT_MAX where the quotient overflows.
    """
    amax = (history[0] if most_recent else largest(history)) if history else Datum.finite(ZERO)
    if not amax.is_finite or amax.is_zero:
        return previous
    return at_most(over(times(Datum.finite(element.max), Datum.finite(power_of_two(-margin))), amax), FLT_MAX)
