"""Which recipe gives the stored scales?  Recipes in use first, then the nearest ones with factors changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...check.identify.recipes import UNSEEN, variants
from ...fast.recipes import Vectors, elements_of, quantize, tensor_scale
from ...spec.scaling.recipe import Recipe
from ...spec.scaling.steps import Given, Scaled, scale_of, tensor_factor
from ..allowed import of_types, preferred
from ..tensors import Quantised
from .original import F32s, Original, narrowed

Array = NDArray[Any]
SAMPLE = 1024  # groups that sort out recipes
DEEP = 6  # recipes of which two factors are changed
OF_ELEMENTS = ("elements", "elements_in", "nan", "overflow", "rounding", "zeros", "values")
CHUNK = 1 << 16


@dataclass(frozen=True)
class Hypothesis:
    """A recipe, the type its arithmetic follows (``source``), and the type the original was rounded to first.

    ``whole``: the largest magnitude of the tensor under two levels, one for all matrices; ``given``: in its place the
    tensor's scale, which comes from none that is known.  ``kept``: the type to which
    scales were rounded when they were stored, None: they are stored as they are.
    """

    recipe: Recipe
    source: str
    narrow: str | None
    whole: float | None = None
    given: float | None = None
    kept: str | None = None

    @property
    def unrounded(self) -> bool:
        """Does the recipe store a power of two, and make elements with what it was rounded from?"""
        r = self.recipe
        return r.power not in ("none", "q.drop", "q.log2") and r.elements in ("direct", "rdirect")


@dataclass(eq=False)
class Groups:
    """The groups of a tensor: largest magnitudes and stored scales, flat.

    ``a_of``, ``stored_of``, ``counts``: the pairs of them that occur, by magnitude, and how often.
    """

    t: Quantised
    a: F32s
    stored: F32s  # decoded, without the tensor's
    whole: float | None  # the tensor's scale as it stands
    tops: tuple[
        float, ...
    ]  # largest magnitudes the tensor's scale may come from: its own, and of what is fused with it

    def __post_init__(self) -> None:
        """Groups with the same magnitude and the same scale are asked once."""
        both = self.a.view(np.uint32).astype(np.uint64) << np.uint64(32) | self.stored.view(np.uint32)
        pairs, self.counts = np.unique(both, return_counts=True)
        self.a_of: F32s = (pairs >> np.uint64(32)).astype(np.uint32).view(np.float32)
        self.stored_of: F32s = pairs.astype(np.uint32).view(np.float32)
        self.zeros = bool((self.a_of == 0).any())

    def some(self, n: int = SAMPLE) -> NDArray[np.intp]:
        """Pairs that are spread over all of them in the order of magnitudes, the extreme ones among them."""
        size = self.a_of.size
        return np.arange(size) if size <= n else np.linspace(0, size - 1, n).astype(np.intp)


def sources(original: Original, exact: dict[str, bool]) -> list[tuple[str, str | None]]:
    """The type that arithmetic may follow, and the type to which the original may have been rounded first.

    ``exact``: types in which the original stands already.
    """
    found: list[tuple[str, str | None]] = [(original.kind, None)]
    for kind in ("bf16", "f16"):
        if original.kind == kind:
            found.append(("f32", None))
        elif exact[kind]:
            found.append((kind, None))
        else:
            found += [(kind, kind), ("f32", kind)]
    return list(dict.fromkeys(found))


def scaled(h: Hypothesis, a: F32s) -> Scaled:
    """Scales of groups under a hypothesis."""
    with np.errstate(all="ignore"):
        whole = None if h.whole is None else np.float32(h.whole)
        factor = None if h.given is None else Given(np.float32(h.given))
        return scale_of(h.recipe, Vectors(), narrowed(a, h.narrow), h.source, factor or whole)


def numbers(h: Hypothesis, s: Scaled) -> F32s:
    """The decoded scales that a recipe stores."""
    r = h.recipe
    with np.errstate(all="ignore"):
        found = np.asarray(s.stored, np.float32)
        if r.stored != "f32":
            return np.asarray(Vectors().decoded(found, r.stored), np.float32)
        found = np.float32(1) / found if r.keeps == "multiplier" else found
    return narrowed(found, h.kept)


def differing(h: Hypothesis, g: Groups, some: Any) -> NDArray[np.bool_]:
    """The pairs whose stored scale is another one."""
    want, got = numbers(h, scaled(h, g.a_of[some])), g.stored_of[some]
    found: NDArray[np.bool_] = ~((want == got) | (np.isnan(want) & np.isnan(got)))
    return found


def with_whole(r: Recipe, source: str, narrow: str | None, g: Groups) -> Iterator[Hypothesis]:
    """The recipe with the largest magnitudes of the tensor that give the tensor's scale as it stands."""
    if r.tensor == "none":
        yield Hypothesis(r, source, narrow)
        return
    if g.whole is None:
        return
    stands = np.float32(g.whole)
    divides = g.t.convention.divides
    told = (1 / g.whole if g.whole else 0.0) if divides else g.whole
    implied = np.float32(told * float(r.whole))
    near = [implied]
    for way in (np.float32(np.inf), np.float32(0)):
        x = implied
        for _ in range(3):
            x = np.nextafter(x, way)
            near.append(x)
    for top in (*(float(narrowed(np.array([a], np.float32), narrow)[0]) for a in g.tops), *(float(x) for x in near)):
        with np.errstate(all="ignore"):
            decode = tensor_scale(r, top)
            factor = np.float32(tensor_factor(r, Vectors(), np.float32(top)))
            want = (factor if r.tensor != "p" else np.float32(1) / factor) if divides else decode
        if want == stands:
            yield Hypothesis(r, source, narrow, top)
            return
    if r.choose == "none" and stands > 0:
        with np.errstate(all="ignore"):
            own = stands if divides == (r.tensor != "p") else np.float32(1) / stands
        yield Hypothesis(r, source, narrow, None, float(own))


def candidates(g: Groups, pairs: Iterable[tuple[str, str | None]], powers: bool) -> list[Hypothesis]:
    """Every recipe in use, under every type its arithmetic may follow."""
    t = g.t
    recipes = preferred(t, of_types(t.element, t.scale_format, t.whole is not None, powers))
    if t.scale_format == "bf16":  # scales of any recipe, rounded before they are used
        recipes += [r.but(scale_in="bf16") for r in recipes if r.scale_in == "f32" and r.keeps == "scale"]
    found, seen = [], set()
    for source, narrow in pairs:
        for r in recipes:
            looks = "T" in (r.scale_in, r.elements_in, r.cap) or "T" in r.floor
            key = (r, source if looks else "", narrow)
            if key not in seen:
                seen.add(key)
                found += list(with_whole(r, source, narrow, g))
    return found


def varied(ranked: list[Hypothesis], g: Groups, some: Any) -> list[Hypothesis]:
    """Hypotheses with one or two factors of the scale changed that give every scale of a sample."""
    hidden = (*UNSEEN, *OF_ELEMENTS)
    once: dict[Recipe, tuple[int, Hypothesis]] = {}
    for h in ranked[:DEEP]:
        for r in variants(h.recipe, hidden):
            if r in once:
                continue
            for changed in with_whole(r, h.source, h.narrow, g):
                once[r] = (int(differing(changed, g, some).sum()), changed)
    fitting = [h for n, h in once.values() if n == 0]
    if fitting:
        return fitting
    nearest = sorted(once.values(), key=lambda pair: pair[0])[:DEEP]
    found: dict[Recipe, Hypothesis] = {}
    few = some[:: max(1, len(some) // 200)]
    for _, h in nearest:
        for r in variants(h.recipe, hidden):
            if r in once or r in found:
                continue
            for changed in with_whole(r, h.source, h.narrow, g):
                if not differing(changed, g, few).any() and not differing(changed, g, some).any():
                    found[r] = changed
    return list(found.values())


def element_variants(h: Hypothesis) -> Iterator[Hypothesis]:
    """A hypothesis with other ways to make elements."""
    r = h.recipe
    ways = {
        "none": ("div", "mul", "direct", "rdirect"),
        "p": ("p.mul", "p.div"),
    }.get(r.tensor, ("g.mul", "g.div"))
    for way in ways if r.elements != "pre" else ("pre",):
        for kind in ("f32", "T"):
            for zeros in ("keep", "plus", "none", "minus"):
                for rounding in ("rne", "down"):
                    factors = {"elements": way, "elements_in": kind, "zeros": zeros, "rounding": rounding}
                    try:
                        yield replace(h, recipe=r.but(**factors))
                    except ValueError:
                        continue


def codes_of(h: Hypothesis, t: Quantised, s: Scaled, i: int, j: int, x: F32s) -> NDArray[np.uint8]:
    """The codes of rows i to j of a matrix that a hypothesis gives.  ``s``: the scales of their groups, flat."""
    g, r = t.grid, h.recipe
    out = np.empty(x.shape, np.uint8)
    x = narrowed(x, h.narrow)

    def laid(v: Any) -> Any:
        return v if v is None or not np.ndim(v) else t.laid(np.asarray(v).reshape(-1, g.n), i, j)

    step = laid(s.step) if r.rounding == "first" else s.step
    here = Scaled(s.stored, laid(s.factor), s.divide, step, laid(s.first), laid(s.blank))
    with np.errstate(all="ignore"):
        elements_of(r, Vectors(), x, here, h.source, out)
    return out


def of_two(h: Hypothesis, x: F32s) -> tuple[Array, Array]:
    """Stored scales and codes of rows of groups of 16, for recipes that choose between two candidates."""
    return quantize(h.recipe, narrowed(x, h.narrow).reshape(-1, 16), h.source, np.float32(h.whole or 0))
