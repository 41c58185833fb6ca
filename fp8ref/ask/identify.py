"""``fp8ref.identify``: which accumulator is inside a matrix unit, or which recipe made a tensor's scales?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import display
from ..adapters.captures.files import read
from ..adapters.connect import Connectable
from ..adapters.function import Arrays, on_the_host
from ..arrays.dense import dense
from ..cases.operation import Operation
from ..cases.products.questions import is_product, with_length
from ..check.harness.capturing import captured_cases
from ..check.harness.transport import Crashed, Declined, Session, TimedOut
from ..check.identify.blackbox import BlackBox
from ..check.identify.identify import LIMIT, MANY, RANDOM, Identification, identify_captured
from ..check.identify.identify import identify as identify_unit
from ..check.identify.tensors import Found, identify_tensors
from ..check.run import NothingSelected
from ..check.run import select as chosen
from ..escapes import plain_data
from ..report.findings.identification import document, page
from ..report.findings.recipes import recipe_document, recipe_page
from .targets import opened

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Identified:
    """A page of text, which is also the ``repr``.

    ``names``: of each product the catalogued models that give every answer, or the recipes that give every bit.
    ``decided``: is each product one class of the catalogue, or does a recipe fit?  ``found``: all that was found out.
    ``document``: the same as data.  ``failures``: why a product was not answered.
    """

    text: str = field(repr=False)
    names: dict[str, list[str]]
    decided: bool
    found: tuple[Identification | Found, ...] = field(repr=False)
    document: Any = field(repr=False)
    failures: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str | None:
        return display.html("page", self)


def identify(
    target: Any = None,
    *select: str,
    quantized: Any = None,
    scales: Any = None,
    original: Any = None,
    element: str | None = None,
    scale_format: str | None = None,
    tensor_amax: float | None = None,
    seed: int = 0,
    random: int = RANDOM,
    limit: float = LIMIT,
    arrays: Arrays = "values",
    isolate: bool = False,
    timeout: float = 60.0,
) -> Identified:
    """Which accumulator is inside a matrix unit?  Which recipe made these scales?

    ``target`` and ``select``: as of :func:`fp8ref.judge`; of a function ids such as ``"dot/e4m3fn.e4m3fn/f32/*;k=32"``,
    of others ids, prefixes or globs among the products that they claim.  A name ``replay:FILE`` is searched on its
    captured cases alone.  ``random``: products asked beside the probes; ``limit``: seconds that fitting a unit takes.

    Without a target the recipe of block scaling is looked for: ``quantized``, codes or values of a narrow type,
    ``scales`` and the ``original`` tensor, arrays or tensors of two dimensions; ``element`` and ``scale_format`` where
    the dtypes do not say them; ``tensor_amax`` under two levels of scales.

    Raises ValueError for what is no product, target or tensor, RuntimeError where a target does not start.
    """
    tensors = (quantized, scales, original)
    if any(x is not None for x in tensors):
        if target is not None or any(x is None for x in tensors):
            raise ValueError("quantized, scales and original go together, without a target")
        given = [dense(on_the_host(x)) for x in tensors]
        found = identify_tensors(*given, element=element, scale_format=scale_format, tensor_amax=tensor_amax)
        names = {found.op.id: [found.match.text] if found.fits else []}
        return Identified(recipe_page(found), names, found.fits, (found,), recipe_document(found))
    if target is None:
        raise ValueError("give a target, or quantized, scales and original")
    session, name = opened(target, select, arrays, isolate, timeout)
    pages, failures, units = [], [], []
    with session, np.errstate(all="ignore"):
        who = dict(session.hello.identity)
        try:
            claims = products(session, select)
        except NothingSelected as error:
            raise ValueError(str(error)) from None
        for claim in claims:
            try:
                unit = identified(session, name, claim, seed, random, limit)
            except (Declined, Crashed, TimedOut) as error:
                failures.append(f"{claim.id}: {error}")
                continue
            units.append(unit)
            pages.append(page(unit, plain_data(who)))
            if unit.interrupted:
                break
    text = "\n\n".join([*pages, *plain_data(failures)])
    named = {unit.op.id: [h.name for group in unit.classes for h in group] for unit in units}
    decided = not failures and all(unit.decided for unit in units)
    return Identified(text, named, decided, tuple(units), [document(unit, who) for unit in units], tuple(failures))


def products(session: Session, wanted: Sequence[str]) -> list[Operation]:
    """The selected products, each once whatever mode is claimed for it.

    Raises NothingSelected, and ValueError for a claim that is no operation.
    """
    claims = [Operation.parse_claim(claim) for claim in session.hello.claims]
    claims = [with_length(claim) for claim in claims if is_product(claim)]
    if not claims:
        raise NothingSelected("it claims no dot or matrix products")
    return list({(c.family, c.operands, c.result, c.keys): c for c in chosen(claims, wanted)}.values())


def identified(
    session: Session,
    name: str,
    claim: Operation,
    seed: int = 0,
    random: int = RANDOM,
    limit: float = LIMIT,
    most: int = MANY,
    progress: Progress = lambda text: None,
) -> Identification:
    """One product.  Raises Declined, Crashed, TimedOut.  ``name``: the connectable; a replay has only its own cases."""
    connectable = Connectable.parse(name) if name else None
    if connectable is not None and connectable.kind == "replay":
        capture = read(connectable.id)
        cases = captured_cases(capture)
        result = identify_captured(capture.operation, cases, capture.answers, progress, limit, most)
    else:
        result = identify_unit(claim, BlackBox(session, claim), seed, random, progress, limit)
    progress("")
    return result
