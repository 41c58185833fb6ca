"""Which accumulator is inside: a matrix unit, asked as a black box until the answers name one function or none.

First probes and random products; then the tree of additions; then the parameters of a fused unit are fitted; then every
pair of hypotheses that still agree is separated by a case found in simulation, if there is one.  A catalogued model is
named only where it agrees on every answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.cases import KINDS, Cases, probes, random_cases, special_cases
from ...cases.products.questions import blocks, length, scale_type, under
from ...display import Shown
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Fused
from ...spec.matrix.units import Finished
from .accumulators import (
    CHOICES,
    PARAMETERS,
    Hypothesis,
    Order,
    agrees,
    answers,
    catalogue,
    order_of,
    orders,
    telling,
    unfinished,
    wrong,
)
from .blackbox import with_scales
from .compositions import FORMS, finished, splits
from .fitting import SPECIAL, Ask, Fit, Fitter, Observed, undecided
from .nearest import Disagreement, Near, nearest
from .readings import Reading, product_exponent, readings
from .sums import LARGEST_K, NoTree, Summation, Tree, order_from

Codes = NDArray[Any]
RANDOM = 20_000  # products asked at the end
REFITS = 4
LONG_K = 256  # beyond it catalogue and compositions are searched first, and a unit is fitted only if they fail
LIMIT = 120.0  # seconds that fitting a unit may take
PRODUCTS = 1 << 22  # multiplications of the random cases of a long product
COARSE, FEW = (
    24,
    64,
)  # bits of results, and answers of a capture other than 0, below which several compositions may well answer alike
MANY = 40  # compositions that give every answer: enough to say that nothing is decided
POOL, LEAST_POOL = 1 << 18, 128  # multiplications, and cases, that are simulated to distinguish two hypotheses


@dataclass
class Identification(Shown, kind="identification"):
    """What was found out about one operation of an implementation.

    ``classes``: catalogued models that agree on every answer, gathered into those that are one function as far as the
    simulation can see; one class, if the answers decide.  ``fit``: the fused unit that predicts the answers best, with
    ``exact_fit`` where it predicts all.  ``open``: for each parameter the other values that no answer excludes.
    """

    op: Operation
    asked: int
    captured: bool
    classes: list[list[Hypothesis]] = field(default_factory=list)
    nearest: Near | None = None
    tree: Tree | None = None
    no_tree: str = ""
    order: Order | None = None
    fit: Fit | None = None
    plain_fit: Fit | None = None  # the best fit on finite numbers alone, where the whole is not fitted
    open: dict[str, list[Any]] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    random: int = 0
    remarks: list[str] = field(default_factory=list)
    interrupted: bool = False
    empty: bool = False  # every answer is zero

    @property
    def unit(self) -> Fused | None:
        """The fused unit that predicts every answer, or every finite one."""
        for fit in (self.fit, self.plain_fit):
            if fit is not None and not fit.misses:
                return fit.model
        return None

    @property
    def decided(self) -> bool:
        """Is exactly one class named, but for compositions of its members that a capture cannot distinguish?"""
        if not self.classes:
            return False
        names = [h.name for h in self.classes[0]]
        others = [h.name for members in self.classes[1:] for h in members]
        return all("+" in other and other.partition("+")[0] in names for other in others)


def identify(
    op: Operation,
    ask: Ask,
    seed: int = 0,
    random: int = RANDOM,
    progress: Callable[[str], None] = lambda text: None,
    limit: float = LIMIT,
) -> Identification:
    """Find out what answers an operation with the free mode ``*``, asking as needed.

    ``limit``: seconds that fitting a unit may take.  An interrupt ends the search: the result says so, and holds what
    was found until then.
    """
    op = under(op, "*")
    rng = np.random.default_rng([seed, length(op)])
    seen = Observed(op)
    result = Identification(op, 0, captured=False, random=random)

    def record(cases: Cases) -> Codes:
        cases = with_scales(op, cases)
        got = ask(cases)
        seen.add(cases, got)
        return got

    with _until_interrupted(result):
        _ask_all(op, seen, result, record, rng, progress, limit)
        result.asked = seen.got.size
        if not result.classes:
            result.nearest = nearest(op, seen, lambda cases: ask(with_scales(op, cases)))
    result.asked = sum(got.size for _, got in seen.parts)
    return result


def _ask_all(
    op: Operation,
    seen: Observed,
    result: Identification,
    record: Ask,
    rng: np.random.Generator,
    progress: Callable[[str], None],
    limit: float,
) -> None:
    random = result.random
    if length(op) > LONG_K:
        random = result.random = int(np.clip(PRODUCTS // length(op), 256, random))
    progress("probes")
    n = int(np.clip((1 << 16) // length(op), 280, 1800))
    for cases in (probes(op), random_cases(op, n, rng), special_cases(op, n // 2, rng)):
        record(cases)
    progress("the order of additions")
    summation = Summation(op, record)
    _find_tree(op, summation, result)
    bits = summation.bits(result.order) if result.order else None
    progress("random products")
    record(random_cases(op, random // 2, rng, ("normal",)))
    record(random_cases(op, random // 2, rng))
    pool = _pool(op, rng)
    if length(op) > LONG_K:
        _name_all(op, seen, result, pool, record, progress)
    if (result.tree is None or result.order is not None) and _to_fit(op, result):
        progress("parameters")
        _fit(op, seen, result, bits, pool, record, limit)
    if length(op) <= LONG_K:
        _name_all(op, seen, result, pool, record, progress)
    result.readings = _readings(op, seen, result, record)


def identify_captured(
    op: Operation,
    cases: Cases,
    got: Codes,
    progress: Callable[[str], None] = lambda text: None,
    limit: float = LIMIT,
    most: int = MANY,
) -> Identification:
    """Find out what answered the cases of a capture; nothing can be asked.

    ``limit``: as in :func:`identify`.  ``most``: compositions that give every answer, after which the search ends: few
    rows, or short results, fit many.
    """
    op = under(op, "*")
    seen = Observed(op)
    seen.add(cases, got)
    result = Identification(op, got.size, captured=True)
    result.no_tree = "a capture cannot be asked for it"
    if got.size and not (got & got.dtype.type(get_format(op.result).magnitude_mask)).any():
        result.remarks.append("every answer is zero: the capture decides nothing")
        result.empty = True
        return result
    with _until_interrupted(result):
        pool = _pool(op, np.random.default_rng([0, length(op)]), POOL // 8, 48)  # nothing is asked of it
        _name_all(op, seen, result, pool, None, progress, most)
        if _to_fit(op, result):
            progress("parameters")
            _fit(op, seen, result, None, pool, None, limit)
        result.readings = readings(op, seen, None)
        if not result.classes:
            progress("the nearest model")
            result.nearest = nearest(op, seen, None)
    return result


@contextmanager
def _until_interrupted(result: Identification) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        result.interrupted = True
        result.remarks.append("interrupted: what was found until then")


def _to_fit(op: Operation, result: Identification) -> bool:
    """Are a unit's parameters to be fitted?  Not to a long product that has a name, nor where blocks have scales."""
    if scale_type(op) and blocks(op) > 1:
        result.remarks.append("the unit's parameters were not fitted: blocks have scales of their own")
        return False
    if length(op) > LONG_K and result.classes:
        result.remarks.append(f"the unit's parameters were not fitted: K is {length(op)}, and the answers have a name")
        return False
    return True


def _name_all(
    op: Operation,
    seen: Observed,
    result: Identification,
    pool: Cases,
    ask: Ask | None,
    progress: Callable[[str], None],
    most: int = MANY,
) -> None:
    """The catalogue; where it has no name, splits over K; then other epilogues.

    Short results and few rows fit many compositions: of these captures more is searched, until many are found.
    """
    progress("catalogued models")
    known, near = catalogue(op), list[Hypothesis]()
    left = _agreeing(op, seen, known)
    if ask is not None:
        _name(op, seen, result, pool, ask, left)
        left = [h for members in result.classes for h in members]
    searches: list[tuple[str, Callable[[], Iterable[Hypothesis]]]] = [
        *((f"splits over K, {what}", lambda names=names: splits(op, names)) for what, names in FORMS.items()),
        ("epilogues", lambda: finished(op, known)),
        ("epilogues of splits", lambda: finished(op, near)),
    ]
    f = get_format(op.result)
    coarse = ask is None and (f.p < COARSE or np.count_nonzero((seen.got != 0) & (seen.got != f.sign_bit)) < FEW)
    for i, (what, hypotheses) in enumerate(searches):
        if ask is None:
            result.classes = [[h] for h in left]  # what an interrupt leaves
        if left and (not coarse or what == "epilogues of splits"):
            break
        if i and len(left) > most:  # after what is shipped: it is named in any case
            result.remarks.append(f"the search ended at {len(left)} compositions that give every answer")
            break
        progress(what)
        names = {h.name for h in left}
        left += _agreeing(op, seen, (h for h in hypotheses() if h.name not in names), near)
        if ask is not None:
            _name(op, seen, result, pool, ask, left)
    if ask is None:
        progress("what is one function")
        result.classes = _classes(op, left, pool) if len(left) <= max(most, MANY) else [[h] for h in left]


def _pool(op: Operation, rng: np.random.Generator, size: int = POOL, least: int = LEAST_POOL) -> Cases:
    n = max(least, size // length(op))
    return Cases.joined([random_cases(op, n, rng), special_cases(op, n // 8, rng)])


def _find_tree(op: Operation, summation: Summation, result: Identification) -> None:
    if length(op) > LARGEST_K:
        result.no_tree = f"asked for up to {LARGEST_K} products only"
        return
    try:
        result.tree = summation.tree()
        result.order = order_from(result.tree, length(op))
    except NoTree as error:
        result.no_tree = str(error)


def _fit(
    op: Operation,
    seen: Observed,
    result: Identification,
    bits: int | None,
    pool: Cases,
    ask: Ask | None,
    limit: float,
) -> None:
    """Fit a unit to all answers, or failing that to the finite ones; then ask what its parameters leave open."""
    candidates = orders(length(op)) if result.order is None else []
    if bits is not None and bits >= 30:
        bits = None  # perhaps more than can be seen: let the fit decide
    given: list[Fused] = []
    until = time.monotonic() + limit
    for _ in range(REFITS):
        plain = seen.named(SPECIAL, inside=False)
        fit = Fitter(op, plain, candidates, result.order, bits, until).fit(given)
        everything = seen.wrong(fit.model)
        result.fit = Fit(fit.model, everything.size, seen.got.size)
        result.plain_fit = fit if everything.size else None
        if time.monotonic() > until:
            result.remarks.append(f"the search for a unit's parameters ended at its limit of {limit:g} s")
        if fit.misses or time.monotonic() > until:
            return
        known = seen if ask is not None and not everything.size else plain
        result.open = {}
        for parameter in (*PARAMETERS, *CHOICES):
            if result.order is not None and parameter in ("order", "c_last"):
                continue
            left = undecided(op, fit.model, known, parameter, candidates, pool, ask if known is seen else None)
            if left:
                result.open[parameter] = left
        if known is plain or not seen.wrong(fit.model).size:
            break
        given = [fit.model]  # what was asked last contradicts the unit, too
    misses = seen.wrong(result.fit.model).size if result.fit is not None else 0
    if result.fit is not None and known is seen:
        result.fit = Fit(result.fit.model, misses, seen.got.size)


def _name(
    op: Operation,
    seen: Observed,
    result: Identification,
    pool: Cases,
    ask: Ask | None,
    hypotheses: Iterable[Hypothesis],
) -> None:
    """The hypotheses that agree with every answer; those that can be distinguished are, by asking."""
    left = _agreeing(op, seen, hypotheses)
    for _ in range(8):
        classes = _classes(op, left, pool)
        if ask is None or len(classes) < 2:
            break
        first = classes[0][0]
        for other in classes[1:]:
            separating = np.flatnonzero(wrong(op, answers(op, first, pool), answers(op, other[0], pool)))
            ask(pool.taken(separating[:: max(1, separating.size // 6)][:6]))
        left = _agreeing(op, seen, left)
    result.classes = _classes(op, left, pool)


def _agreeing(
    op: Operation, seen: Observed, hypotheses: Iterable[Hypothesis], near: list[Hypothesis] | None = None
) -> list[Hypothesis]:
    """The hypotheses that give every answer; ``near`` collects others off by one unit at most on some of the cases."""
    cases, got, found = seen.cases, seen.got, list[Hypothesis]()
    first = telling(op, got, cases)
    some = cases.taken(first)
    for h in hypotheses:
        here = answers(op, h, some)
        if not wrong(op, got[first], here).any():
            found += [h] if agrees(op, got, h, cases) else []
        elif near is not None and (np.abs(here.astype(np.int64) - got[first].astype(np.int64)) <= 1).all():
            near.append(h)
    return found


def _classes(op: Operation, hypotheses: Sequence[Hypothesis], pool: Cases) -> list[list[Hypothesis]]:
    """Hypotheses gathered by their answers to the pool, before and after the output's conversion."""
    found: list[tuple[Codes, list[Hypothesis]]] = []
    for h in hypotheses:
        wide, own = unfinished(op, h, pool), replace(op, result="f32" if h.model is None else h.model.result)
        for known, members in found:
            if wide.dtype == known.dtype and not wrong(own, known, wide).any() and _ends_alike(op, h, members[0], pool):
                members.append(h)
                break
        else:
            found.append((wide, [h]))
    return [members for _, members in found]


def _ends_alike(op: Operation, h: Hypothesis, other: Hypothesis, pool: Cases) -> bool:
    """Do two hypotheses of the same sums convert them alike?"""
    if all(x.model is not None and not isinstance(x.model, Finished) for x in (h, other)):
        return True
    return not wrong(op, answers(op, h, pool), answers(op, other, pool)).any()


def _readings(op: Operation, seen: Observed, result: Identification, ask: Ask) -> list[Reading]:
    found = readings(op, seen, ask)
    unit = result.unit
    if unit is not None:
        exponent = product_exponent(op, unit, ask)
        found = [exponent, *found] if exponent is not None else found
    return found


__all__ = ["KINDS", "Disagreement", "Identification", "Near", "identify", "identify_captured", "order_of"]
