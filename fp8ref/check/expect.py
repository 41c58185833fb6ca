"""What the law answers, and when an answer counts as the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import INTEGERS, Operation
from ..fast.decode import decode_codes
from ..fast.encode import convert_codes, convert_integers
from ..fast.kernel import unpack_fields
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.overflow import Overflow, To, get_overflow
from ..spec.projection import Projection
from ..spec.rounding import DETERMINISTIC

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Expected:
    """Result codes and, where the operation asks for it, the status."""

    codes: Codes
    status: NDArray[np.uint8] | None = None


def _convert(op: Operation, operands: Sequence[Codes]) -> Expected:
    return Expected(*project_into_with_status(op.operands[0], operands[0], op.projection, op.result, op.flags))


def _decode(op: Operation, operands: Sequence[Codes]) -> Expected:
    return Expected(decode_codes(operands[0], get_format(op.operands[0]), op.result_format))


ANSWERS: dict[str, Callable[[Operation, Sequence[Codes]], Expected]] = {"convert": _convert, "decode": _decode}


def expect(op: Operation, operands: Sequence[Codes]) -> Expected:
    """What the law answers to an operation with a definite mode."""
    return ANSWERS[op.family](op, operands)


def project_into_with_status(
    source: str | Format, codes: Codes, rho: Projection, result: str | Format, flags: bool
) -> tuple[Codes, NDArray[np.uint8] | None]:
    """Operand codes of any type, integers included, projected onto a format."""
    f = get_format(result)
    if source in INTEGERS:
        return convert_integers(codes, f, rho, flags)
    return convert_codes(codes, get_format(source), f, rho, flags)


def project_into(source: str | Format, codes: Codes, rho: Projection, result: str | Format) -> Codes:
    return project_into_with_status(source, codes, rho, result, False)[0]


def is_nan(codes: Codes, type_name: str) -> Mask:
    """Which codes of a type are NaNs."""
    if type_name in INTEGERS:
        return np.zeros(codes.shape, bool)
    return unpack_fields(codes, get_format(type_name)).nan


def differs(op: Operation, got: Codes, want: Codes, nan: str = "class") -> Mask:
    """Which answers differ; under ``nan="class"`` all NaN codes are the same answer."""
    found: Mask = got != want
    if nan == "class" and found.any():
        where = np.flatnonzero(found)
        both = is_nan(got[where], op.result) & is_nan(want[where], op.result)
        found[where[both]] = False
    return found


def behaviours(f: Format) -> Iterator[str]:
    """Every deterministic mode ``rounding.overflow`` that a format can show, the named ones first."""
    overflows: dict[Overflow, str] = {}
    for name in ("sat", "nonsat", "satprop"):
        overflows.setdefault(get_overflow(name, f), name)
    for finite in To:
        for infinite in (To.MAX, To.INF, To.NAN):
            try:
                rule = get_overflow((finite, infinite), f)
            except ValueError:
                continue
            overflows.setdefault(rule, str(rule))
    for name in overflows.values():
        for rounding in DETERMINISTIC:
            yield f"{rounding.value}.{name}"
