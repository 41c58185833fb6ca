"""What an adapter claims: one operation per conversion, with the mode that the documentation promises."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..cases.families import FAMILIES
from ..cases.operation import ANY_MODE, INTEGERS, WIDE, Operation, carrier_dtype, constant_type
from ..fast.tables import exactly_holds
from ..spec.catalog import get_format
from ..spec.profiles.rules import Profile
from .base import Codes, Unavailable, Unsupported


class Claims:
    """The operations of an adapter, found again by what is asked; ``*`` as a mode answers for every mode."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_head = {_head(op, op.mode): op for op in operations}

    @property
    def ids(self) -> list[str]:
        return [op.id for op in self._by_head.values()]

    def covering(self, op: Operation) -> Operation:
        """The claim under which an operation falls.  Raises Unsupported where there is none."""
        claim = self._by_head.get(_head(op, op.mode)) or self._by_head.get(_head(op, ANY_MODE))
        if claim is None:
            raise Unsupported(f"it has no {op.id}")
        if op.flags:
            raise Unsupported("it reports no status")
        return claim


def _head(op: Operation, mode: str | None) -> tuple[str, tuple[str, ...], str, str | None, bool]:
    """What a claim is found by; whether it rectifies is no detail of its mode but another operation."""
    return op.family, op.operands, op.result, mode, op.key("negative") == "zero"


def cast_claim(source: str, result: str, profile: Profile | None = None) -> Operation:
    """The operation of a library's one cast from a type to another.

    A wide result that holds every value of the source is a decoding.  Where the library's documentation promises a
    behaviour, that is the mode; else ``*``, "find out".  The observed choice of NaN code is claimed in either case,
    what becomes of negative values in an unsigned format is not.
    """
    if result in WIDE and source not in (*WIDE, *INTEGERS) and exactly_holds(get_format(result), get_format(source)):
        return Operation.decode(source, result)
    rule = profile.rule(source, result) if profile else None
    if rule is None:
        return Operation.convert(source, result, ANY_MODE)
    keys = {key: value for key, value in rule.keys.items() if key == "nan"}
    return Operation.convert(source, result, rule.mode if rule.promised else ANY_MODE, **keys)


def claims_of(families: Mapping[str, str | None], type_name: str) -> Iterator[Operation]:
    """The operations of some families on one narrow type, where the specification has them; a family and its mode."""
    for family, mode in families.items():
        asked = FAMILIES[family]
        op = Operation(family, (type_name,) * asked.arity, asked.result or type_name, mode)
        if op.is_defined:
            yield op


def constant_claims(constants: Iterable[str], types: Iterable[str]) -> Iterator[Operation]:
    """The questions of some constants of some formats, where the specification defines them."""
    for name in types:
        for constant in constants:
            op = Operation("finfo", (name,), constant_type(constant), constant)
            if op.is_defined:
                yield op


def published(op: Operation, x: Codes, info: Any) -> Codes:
    """The answer of an object with the constants as attributes, like ``numpy.finfo``, once for each operand code."""
    value = getattr(info, op.mode or "")
    codes = np.full(x.shape, int(value) if op.result == "i64" else float(value))
    return codes.view(carrier_dtype(op.result))


def require(module: str, mend: str) -> Any:
    """An optional module.  Raises Unavailable, saying what would mend it, where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unavailable(f"{module} cannot be imported ({error}): {mend}") from error
