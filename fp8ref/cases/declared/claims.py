"""What a declaration claims, as operations: each with where it stands, and what is said but cannot be asked.

An operation is claimed where an entry of Constraints names it, or names all others of its form (``Other``), or where a
configuration has no constraints at all.  What the files do not speak of is not claimed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ...fast.tables import exactly_holds
from ...spec.codec import unpack
from ...spec.datum import Datum
from ...spec.formats import Format
from ...spec.operations.arithmetic import order
from ..families import FAMILIES
from ..kappa import MOST as MOST_RANGES
from ..kappa import Kappa
from ..operation import Operation
from . import names
from .documents import Declaration, Malformed, leaves, merged
from .expressions import Expression, Infinite, evaluate, inside, require_format
from .intervals import Interval, interval
from .signatures import Rounding, Signature, listed, placed, rounding, saturation
from .signatures import pairs as pairs_of

MOST = 20_000  # operations of a declaration


@dataclass
class Claimed:
    """``operations``: ids, each with the file, configuration and entry that claims it; ``left``: what is not asked,
    and why."""

    operations: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def add(self, op: Operation, where: str) -> None:
        self.operations.setdefault(op.id, where)
        if len(self.operations) > MOST:
            raise Malformed(f"{where}: the declaration claims more than {MOST} operations")


@dataclass(frozen=True)
class Configuration:
    """One named configuration: its formats, external ones, and projections."""

    name: str
    formats: tuple[Format, ...]
    external: tuple[Format, ...]
    roundings: tuple[Rounding, ...]
    saturations: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[Rounding, str]]:
        return list(itertools.product(self.roundings, self.saturations))


def claims_of(declaration: Declaration, semantics: str = "p3109") -> Claimed:
    """Every operation that a declaration claims.  Raises Malformed, which names the file and the entry."""
    claimed = Claimed()
    for configuration in _configurations(declaration):
        if "Constraints" in declaration.asked:
            _constrained(declaration, configuration, claimed, semantics)
        if {"Profiles", "Configurations"} & {*declaration.asked}:
            _external(configuration, claimed)
        if "Kappas" in declaration.asked:
            _approximate(declaration, configuration, claimed, semantics)
    return claimed


# -- configurations --------------------------------------------------------------------------------------------------


def _configurations(declaration: Declaration) -> Iterator[Configuration]:
    said = declaration.files["Configurations"]
    for kind in ("Profiles", "Constraints", "Kappas"):
        for name in declaration.files.get(kind, {}):
            if name not in said:
                raise Malformed(f"{kind}.yaml: {name!r:.40} is no configuration of Configurations.yaml")
    for name, body in said.items():
        where = f"Configurations.yaml, {name}"
        if not isinstance(body, dict) or not isinstance(body.get("Projections"), dict):
            raise Malformed(f"{where}: Projections are missing")
        formats = merged(declaration.of("Profiles", name)).get("formats")
        if formats is None:
            raise Malformed(f"Profiles.yaml: {name!r:.40} has no formats")
        projections = body["Projections"]
        roundings, saturations = projections.get("Rounding"), projections.get("Saturation")
        if not roundings or not saturations:
            raise Malformed(f"{where}: Projections lack Rounding or Saturation")
        yield Configuration(
            name,
            tuple(dict.fromkeys(_formats(formats, f"Profiles.yaml, {name}"))),
            tuple(dict.fromkeys(_formats(body.get("IEEE754", []), where))),
            tuple(rounding(one, where) for one in listed(roundings)),
            tuple(saturation(one, where) for one in listed(saturations)),
        )


def _formats(said: Any, where: str) -> Iterator[Format]:
    for text in leaves(listed(said)):
        inner = inside(text)
        with placed(where):
            found = evaluate(inner) if inner is not None else [text]
            for one in found if isinstance(found, list) else [found]:
                yield one if isinstance(one, Format) else require_format(str(one))


# -- constraints -----------------------------------------------------------------------------------------------------


def _constrained(d: Declaration, c: Configuration, claimed: Claimed, semantics: str) -> None:
    entries = d.of("Constraints", c.name)
    if entries is None:
        if d.is_empty("Constraints"):
            for name, op in names.OPERATIONS.items():
                variables = ("fx", "fy", "fz")[: op.arity]
                signature = Signature(name, variables, "fr" if op.projects else variables[0], op.projects)
                _ask(claimed, c, signature, [], c.pairs, f"Constraints.yaml, {c.name}, unconstrained {name}", semantics)
        return
    where = f"Constraints.yaml, {c.name}"
    parsed: list[tuple[Signature, dict[str, Any]]] = []
    for entry in listed(entries):
        if not isinstance(entry, dict) or len(entry) != 1:
            raise Malformed(f"{where}: an entry is one signature with its constraints")
        ((text, body),) = entry.items()
        with placed(where):
            parsed.append((Signature.parse(text), merged(body)))
    said = {signature.name for signature, _ in parsed}
    for signature, body in parsed:
        place = f"{where}, {signature.name}"
        unknown = set(body) - {"Requires", "Projections"}
        if unknown:
            raise Malformed(f"{place}: {sorted(unknown)[0]!r:.40} is neither Requires nor Projections")
        requires = list(leaves(body.get("Requires", [])))
        pairs = pairs_of(body["Projections"], place, claimed.left) if "Projections" in body else c.pairs
        for name in _named(signature, said, place, claimed):
            one = Signature(name, signature.formats, signature.result, signature.projects)
            _ask(claimed, c, one, requires, pairs, place, semantics)


def _named(signature: Signature, said: set[str], where: str, claimed: Claimed) -> Iterator[str]:
    """The operations that a signature is of."""
    if signature.name == "Other":
        yield from (
            name
            for name, op in names.OPERATIONS.items()
            if (op.arity, op.projects) == (len(signature.formats), signature.projects) and name not in said
        )
        return
    op = names.operation(signature.name)
    if op is None:
        why = names.NOT_ASKED.get(signature.name)
        if why is None:
            raise Malformed(f"{where}: {signature.name!r:.40} is no operation of P3109")
        claimed.left[where] = why
        return
    if (op.arity, op.projects) != (len(signature.formats), signature.projects):
        raise Malformed(f"{where}: {signature.name} has {op.arity} operand(s){'' if op.projects else ', no rounding'}")
    yield names.OLDER_OPERATIONS.get(signature.name, signature.name)


def _ask(
    claimed: Claimed,
    c: Configuration,
    signature: Signature,
    requires: Sequence[str],
    pairs: Sequence[tuple[Rounding, str]],
    where: str,
    semantics: str,
    keys: Callable[[Format], dict[str, str]] = lambda f: {},
) -> None:
    """The operations of one signature, for every choice of formats that its conditions allow."""
    named = names.operation(signature.name)
    assert named is not None
    variables = list(dict.fromkeys([*signature.formats, signature.result]))
    for chosen in itertools.product(c.formats, repeat=len(variables)):
        formats = dict(zip(variables, chosen))
        if not all(_holds(text, formats, where) for text in requires):
            continue
        operands = [formats[v].name for v in signature.formats]
        if not named.projects:
            _add(claimed, Operation(named.family, tuple(operands), "bool"), where)
            continue
        for pair in pairs:
            _projected(claimed, named, operands, formats, signature, pair, where, semantics, keys)


def _projected(
    claimed: Claimed,
    named: names.Named,
    operands: list[str],
    formats: dict[str, Format],
    signature: Signature,
    pair: tuple[Rounding, str],
    where: str,
    semantics: str,
    keys: Callable[[Format], dict[str, str]],
) -> None:
    said, overflow = pair
    result = formats[signature.result].name
    mode = said if isinstance(said, str) else said[0]
    if isinstance(said, tuple):
        bits = said[1]
        if named.family != "convert":
            claimed.left[f"{where}, {mode}"] = "stochastic rounding is checked for conversions alone"
            return
        with placed(where):
            inner = inside(bits)
            width = evaluate(bits if inner is None else inner, formats)
            if not (isinstance(width, Fraction) and width.denominator == 1 and 1 <= width <= 32):
                raise Expression(f"{bits!r:.40}: 1 to 32 random bits, not {width}")
        operands = [*operands, f"rbits{width}"]
    mode = f"{mode}.{overflow}"
    if named.family == "convert":
        _add(claimed, Operation("convert", tuple(operands), result, mode), where)
        return
    more = {"semantics": semantics, **keys(formats[signature.formats[0]])}
    _add(claimed, Operation(named.family, tuple(operands), result, mode, tuple(more.items())), where)


def _add(claimed: Claimed, op: Operation, where: str) -> None:
    try:
        claimed.add(Operation.parse(op.id), where)
    except ValueError as error:
        if isinstance(error, Malformed):
            raise
        claimed.left[f"{where}: {op.id}"] = str(error).partition(": ")[2] or str(error)


def _holds(text: str, formats: dict[str, Format], where: str) -> bool:
    inner = inside(text)
    with placed(where):
        if inner is None:
            raise Expression(f"{text!r:.60} is no expression in round brackets")
        found = evaluate(inner, formats)
        if not isinstance(found, bool):
            raise Expression(f"{text!r:.60} is no condition")
    return found


# -- external formats ------------------------------------------------------------------------------------------------


def _external(c: Configuration, claimed: Claimed) -> None:
    """ConvertFromIEEE754 and ConvertToIEEE754 between the external formats and the profile's."""
    where = f"Configurations.yaml, {c.name}, IEEE754"
    convert = names.Named("convert", 1)
    for wide, narrow in itertools.product(c.external, c.formats):
        for source, result in ((wide, narrow), (narrow, wide)):
            if result is wide and exactly_holds(wide, narrow):
                _add(claimed, Operation.decode(source.name, result.name), where)
                continue
            signature = Signature("Convert", ("fx",), "fr", True)
            for pair in c.pairs:
                formats = {"fx": source, "fr": result}
                _projected(claimed, convert, [source.name], formats, signature, pair, where, "p3109", lambda f: {})


# -- approximations --------------------------------------------------------------------------------------------------


def _approximate(d: Declaration, c: Configuration, claimed: Claimed, semantics: str) -> None:
    said = merged(d.of("Kappas", c.name)) if d.of("Kappas", c.name) is not None else {}
    bodies = {name: merged(body) for name, body in said.items()}
    for name, body in bodies.items():
        where = f"Kappas.yaml, {c.name}, {name}"
        whole = {**bodies.get(name.partition(".")[0], {}), **body}
        if any(other.startswith(f"{name}.") for other in bodies):
            continue  # its variants say the rest
        for key in ("Approximates", "Kappas"):
            if key not in whole:
                raise Malformed(f"{where}: {key} is missing")
        with placed(where):
            signature = Signature.parse(str(whole["Approximates"]))
        if names.operation(signature.name) is None:
            raise Malformed(f"{where}: {signature.name!r:.40} is no operation of P3109")
        parts = _parts(whole["Kappas"], where)
        pairs = pairs_of(whole["Projections"], where, claimed.left) if "Projections" in whole else c.pairs

        def keys(f: Format, name: str = name, parts: Sequence[tuple[Interval, str]] = parts) -> dict[str, str]:
            return {"as": name, "kappa": str(kappa_of(parts, f))}

        _ask(claimed, c, signature, list(leaves(whole.get("Requires", []))), pairs, where, semantics, keys)


def _parts(said: Any, where: str) -> list[tuple[Interval, str]]:
    found = []
    for part in listed(said):
        if not isinstance(part, dict) or set(part) != {"interval", "kappa"}:
            raise Malformed(f"{where}: Kappas are maps of an interval and a kappa")
        kappa = str(part["kappa"]).strip().lower()
        if not re.fullmatch(r"\d{1,5}|inf|nan", kappa):
            raise Malformed(f"{where}: kappa {part['kappa']!r:.40} is a count, Inf or NaN")
        with placed(where):
            found.append((interval(str(part["interval"])), kappa))
    if not 0 < len(found) <= MOST_RANGES:
        raise Malformed(f"{where}: {len(found)} intervals; 1 to {MOST_RANGES} are allowed")
    return found


def kappa_of(parts: Sequence[tuple[Interval, str]], f: Format) -> Kappa:
    """The ranges of a format's codes that intervals mean; of overlapping ones the later holds."""
    data = {code: x for code in range(1 << f.k) if not (x := unpack(code, f)).is_nan}
    ordered = sorted(data, key=lambda code: order(data[code]))
    found: list[tuple[int | None, int | None, float]] = []
    for part, kappa in parts:
        inside_it = [code for code in ordered if _bound_of(data[code]) in part]
        if len(inside_it) == len(ordered):
            found.append((None, None, float(kappa)))
        elif inside_it:
            found.append((inside_it[0], inside_it[-1], float(kappa)))
    if any(first is None for first, *_ in found):
        found = [one for one in found if one[0] is None][-1:]
    return Kappa(tuple(found) or ((None, None, 0.0),))


def _bound_of(x: Datum) -> Fraction | Infinite:
    return Infinite(-1 if x.sign else 1) if x.is_infinite else x.value


assert all(op.family in FAMILIES for op in names.OPERATIONS.values())
