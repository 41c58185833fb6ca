"""Wrong rules of constants: another constant's value, or a format's that looks alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from ...cases.answers import Codes, Expected, expect
from ...cases.operation import Operation, constant_type
from ...spec.catalog import formats, get_format
from ...spec.codec import pack, unpack
from ...spec.datum import Datum
from ...spec.formats import Format
from ...spec.profiles.constants import CONSTANTS, constant
from .rule import Rule


def constant_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes in constants; of two that give the same value the first is named."""
    f, name = get_format(op.operands[0]), op.mode or ""
    fields = (f.k, f.t, f.signed)
    same = [g for g in formats() if (g.k, g.t, g.signed) == fields and not g.name.startswith("binary")]
    alike = [g for g in same if g != f]
    if op.result == "f64":
        for g in alike:
            yield Rule(f"code-of-{g.name}", f"the code that {g.name} has for it, read as {f.name}",
                       partial(_misread, op, f, g, operands))  # fmt: skip
    for g in alike:
        yield Rule(f"format-{g.name}", f"gives the {name} of {g.name}",
                   partial(_asked, replace(op, operands=(g.name,)), operands))  # fmt: skip
    for other in CONSTANTS:
        if constant_type(other) == op.result and other != name:
            yield Rule(f"constant-{other}", f"gives {other}, {CONSTANTS[other].says}",
                       partial(_asked, op.with_mode(other), operands))  # fmt: skip
    right = expect(op, operands).codes
    if op.result == "f64":
        for factor, word in ((0.5, "half of"), (2.0, "twice")):
            yield Rule(word.split()[0], f"gives {word} it",
                       partial(lambda n: (right.view(np.float64) * n).view(np.uint64), factor))  # fmt: skip
    else:
        for more, word in ((1, "more"), (-1, "less")):
            yield Rule(f"one-{word}", f"gives one {word}", partial(lambda n: right + n, more))


def _asked(op: Operation, operands: Sequence[Codes]) -> Expected:
    """The answer to another question of constants.  Raises ValueError where there is none."""
    return expect(op, operands)


def _misread(op: Operation, f: Format, g: Format, operands: Sequence[Codes]) -> Codes:
    value = Fraction(constant(op.mode or "", g))
    read = unpack(pack(Datum.finite(value), g), f)
    if not read.is_finite:
        raise NotImplementedError
    return np.full(operands[0].shape, float(read.value)).view(np.uint64)
