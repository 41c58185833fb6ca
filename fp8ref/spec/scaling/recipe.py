"""What a recipe is: how a group of numbers becomes a scale and codes, as data.

Two recipes that look alike differ in what the largest magnitude is taken over, in a floor, in which of three quotients
the scale is, in how a power of two is made of it, in what the elements are multiplied by.  Each of these is one
*factor* of :class:`Recipe`, and each factor has named choices (:data:`CHOICES`).  ``steps.py`` says what the choices
mean, operation by operation; ``named.py`` holds the recipes that are in use.

As text a recipe is its element format, its group and the factors that are not the default::

    e4m3fn 1x128 amax=drop floor=a:1e-10 nan=-max

A name may stand for the first words: ``vllm-group floor=s:1e-12`` is vLLM's recipe with another floor.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields, replace
from fractions import Fraction

from ..catalog import get_format
from ..formats import Format
from .choices import CHOICES as CHOICES

GROUP = re.compile(r"tensor|row|column|(\d{1,6})x(\d{1,6})", re.ASCII)
FLOOR = re.compile(r"[as]:(\d+(\.\d+)?(e[+-]?\d{1,3})?T?|2\^-?\d{1,3}|step)", re.ASCII)
LONGEST = 400  # characters of a text


@dataclass(frozen=True)
class Recipe:
    """How a group of numbers becomes a scale and codes: one field a factor, in the order of the steps.

    ``element``: the format of the codes.  ``group``: ``RxC`` rows by columns that share a scale, or row, column,
    tensor.  ``floor``: ``a:V`` raises the largest magnitude to V, ``s:V`` the scale, ``a:V+s:W`` both; V is a decimal
    (rounded to binary32, with a T after it to the source's type), a power ``2^n``, or ``step`` = 1 / (512 max).
    ``aim``: the number that the largest magnitude becomes, ``max`` or, for two levels ``max.N``, N in place of the
    largest block scale.  The other factors have the choices of :data:`CHOICES`.
    """

    element: str
    group: str = "1x128"
    transform: str = "none"
    amax: str = "drop"
    floor: str = "none"
    tensor: str = "none"
    aim: str = "max"
    scale: str = "div"
    scale_in: str = "f32"
    cap: str = "none"
    zero: str = "none"
    power: str = "none"
    limits: str = "0-255"
    nan_scale: str = "nan"
    stored: str = "f32"
    keeps: str = "scale"
    top: str = "nan"
    small: str = "exact"
    choose: str = "none"
    elements: str = "div"
    elements_in: str = "f32"
    nan: str = "nan"
    overflow: str = "sat"
    rounding: str = "rne"
    zeros: str = "keep"
    values: str = "left"
    layout: str = "rows"

    def __post_init__(self) -> None:
        f = get_format(self.element)
        if f.k > 8 or not f.signed or f.fixed_point:
            raise ValueError(f"element={self.element}: elements are signed floating-point formats of at most 8 bits")
        object.__setattr__(self, "element", f.name)
        match = GROUP.fullmatch(self.group)
        if match is None or (match[1] and 0 in (int(match[1]), int(match[2]))):
            raise ValueError(f"group={self.group!r:.40}: a group is RxC, like 1x128, or row, column, tensor")
        if self.floor != "none" and not all(FLOOR.fullmatch(part) for part in self.floor.split("+")):
            raise ValueError(f"floor={self.floor!r:.40}: a floor is a:V, s:V or a:V+s:W, like a:1e-10 or s:2^-6")
        if self.aim != "max" and not re.fullmatch(r"(max\.)?\d{1,6}", self.aim, re.ASCII):
            raise ValueError(f"aim={self.aim!r:.40}: max, a number like 224, or max.256 for scales in E4M3")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if name != "aim" and value not in choices:
                near = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
                raise ValueError(
                    f"{name}={value!r:.40}: choose from {', '.join(choices)}"
                    + (f"; did you mean {near[0]}?" if near else "")
                )
        self._check_together()

    def _check_together(self) -> None:
        """Raise ValueError for factors that do not fit each other."""
        by_tensor = self.scale[:2] in ("g.", "p.")
        if by_tensor != (self.tensor != "none") or (by_tensor and (self.scale[0] == "p") != (self.tensor == "p")):
            raise ValueError(f"scale={self.scale} with tensor={self.tensor}: g. needs a multiplier, p. a scale")
        needs = {"g": "g", "p": "p"}.get(self.elements[0] if "." in self.elements else "", "")
        needs = "g" if self.elements == "pre" else needs
        if needs and (not by_tensor or (needs == "p") != (self.tensor == "p")):
            raise ValueError(f"elements={self.elements} with tensor={self.tensor}: it uses another scale of the tensor")
        if by_tensor and not needs:
            raise ValueError(
                f"elements={self.elements} with tensor={self.tensor}: elements need the tensor's scale too"
            )
        if by_tensor and not self.stores_float:
            raise ValueError(
                f"stored={self.stored} with tensor={self.tensor}: two levels have block scales in E4M3 or UE5M3"
            )
        if self.stored == "e8m0fnu" and self.power in ("none", "q.drop", "q.log2"):
            raise ValueError(f"stored=e8m0fnu with power={self.power}: an exponent byte needs a power of two")
        if self.stored == "e8m0fnu" and self.limits == "free":
            raise ValueError("stored=e8m0fnu with limits=free: an exponent byte has limits")
        if self.scale == "emax" and self.power in ("none", "q.drop", "q.log2", "rp"):
            raise ValueError(f"scale=emax with power={self.power}: an exponent needs a power of two")
        if self.elements in ("direct", "rdirect") and self.scale == "emax":
            raise ValueError(f"elements={self.elements} with scale=emax: there is no multiplier")
        if self.elements == "bits" and self.power in ("none", "q.drop", "q.log2"):
            raise ValueError(f"elements=bits with power={self.power}: there is no exponent byte")
        if self.scale == "wide" and self.floor != "none" and not re.fullmatch(r"a:[\d.e+-]+", self.floor, re.ASCII):
            raise ValueError(
                f"scale=wide with floor={self.floor}: binary64 takes a decimal floor of the largest magnitude"
            )
        if self.values in ("undo", "back") and (self.choose != "none" or self.elements == "pre"):
            raise ValueError(
                f"values={self.values} with several candidates, or elements=pre: there is no one multiplier"
            )
        if self.small == "product" and self.elements not in ("g.mul", "g.div"):
            raise ValueError(f"small=product with elements={self.elements}: there is no product of two scales")
        if self.choose != "none" and self.scale != "g.div":
            raise ValueError(f"choose={self.choose} with scale={self.scale}: four over six uses g.div")

    # -- what is asked of it ----------------------------------------------------------------------------------------
    @property
    def format(self) -> Format:
        """The format of the element codes."""
        return get_format(self.element)

    @property
    def maximum(self) -> Fraction:
        """What the largest magnitude of a group becomes under the scale."""
        return Fraction(int(self.aim)) if self.aim.isdigit() else self.format.max

    @property
    def whole(self) -> Fraction:
        """G, what the largest magnitude of the tensor becomes under both scales."""
        top = self.stored_format.max if self.stores_float else Fraction(448)
        return (Fraction(int(self.aim[4:])) if self.aim.startswith("max.") else top) * self.maximum

    @property
    def stores_float(self) -> bool:
        """Are scales stored in a format of 8 bits that has a significand?"""
        return self.stored not in ("f32", "e8m0fnu")

    @property
    def stored_format(self) -> Format:
        """The format in which scales are stored."""
        return get_format(self.stored.partition(".")[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that share a scale; 0 for all."""
        match = GROUP.fullmatch(self.group)
        assert match is not None
        return (int(match[1]), int(match[2])) if match[1] else {"row": (1, 0), "column": (0, 1)}.get(match[0], (0, 0))

    # -- text ---------------------------------------------------------------------------------------------------------
    def __str__(self) -> str:
        """The element, the group and the factors that are not the default."""
        words = [f"{f.name}={value}" for f in fields(self)[2:] if (value := getattr(self, f.name)) != f.default]
        return " ".join([self.element, self.group, *words])

    def but(self, **factors: str) -> Recipe:
        """The recipe with some factors changed.  Raises ValueError for factors and choices that do not exist."""
        unknown = [name for name in factors if name not in FACTORS]
        if unknown:
            near = difflib.get_close_matches(unknown[0], FACTORS, n=1, cutoff=0.4)
            raise ValueError(
                f"unknown factor {unknown[0]!r:.40}; " + (f"did you mean {near[0]}?" if near else ", ".join(FACTORS))
            )
        return replace(self, **factors)

    def differences(self, other: Recipe) -> dict[str, tuple[str, str]]:
        """The factors in which another recipe differs, with its choice and the other's."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in FACTORS}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


FACTORS = tuple(f.name for f in fields(Recipe))


def sentence(factor: str, choice: str) -> str:
    """What a choice of a factor means, as a clause.

    >>> sentence("floor", "s:1e-12")
    'the floor is 1e-12 on the scale'
    """
    if factor == "floor":
        if choice == "none":
            return "there is no floor"
        told = [f"{part[2:]} on the {'scale' if part[0] == 's' else 'largest magnitude'}" for part in choice.split("+")]
        return f"the floor is {' and '.join(told)}"
    if factor == "aim" and choice != "max":
        number = choice.removeprefix("max.")
        return f"{'scales aim' if choice == number else 'the global scale aims'} at {number}"
    if factor == "group":
        return f"a scale is shared by a {choice if not choice[0].isdigit() else f'group of {choice}'}"
    if factor == "element":
        return f"elements are {choice}"
    return CHOICES[factor][choice]


def parse(text: str, base: dict[str, Recipe]) -> Recipe:
    """The recipe of a text: a name of ``base`` or an element format and a group, then factors ``name=choice``.

    Words are parted by spaces or commas.  Raises ValueError that says which word is wrong, and what would be right.
    """
    if not isinstance(text, str) or len(text) > LONGEST or not (text.isascii() and text.isprintable()):
        raise ValueError(f"recipe {str(text)!r:.60}: a recipe is ASCII text of at most {LONGEST} characters")
    words = text.replace(",", " ").split()
    plain = [word for word in words if "=" not in word]
    if not plain or plain != words[: len(plain)]:
        raise ValueError(f"recipe {text!r:.60}: begin with a name or an element format, then factors name=choice")
    pairs: dict[str, str] = {}
    for word in words[len(plain) :]:
        name, _, choice = word.partition("=")
        if name in pairs:
            raise ValueError(f"recipe {text!r:.60}: {name} is given twice")
        pairs[name] = choice
    if plain[0] in base:
        start, plain = base[plain[0]], plain[1:]
    else:
        try:
            start = Recipe(plain[0])
        except ValueError:
            near = difflib.get_close_matches(plain[0], base, n=3, cutoff=0.4)
            raise ValueError(
                f"unknown recipe {plain[0]!r:.60}"
                + (f"; did you mean {' or '.join(near)}?" if near else "")
                + "; fp8ref list recipes shows all"
            ) from None
        plain = plain[1:]
    if len(plain) > 1:
        raise ValueError(f"recipe {text!r:.60}: {plain[1]!r:.40} is no factor; write name=choice")
    if plain:
        pairs.setdefault("group", plain[0])
    try:
        return start.but(**pairs)
    except ValueError as error:
        raise ValueError(f"recipe {text!r:.60}: {error}") from None
