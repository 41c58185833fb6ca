"""Dot products with their answers, taken apart: exponents of products, exact sums, what is a number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...cases.products.exact import Sum, exact_sums
from ...cases.products.questions import block_of, has_addend, has_output_scale, operand_formats, scale_type
from ...fast.kernel import Fields, floor_log2_u64, unpack_fields
from ...spec.catalog import get_format
from ...spec.formats import Format
from ..section import Codes
from .points import View

LOWEST = -(1 << 40)
Exponents = NDArray[np.int64]


class DotView(View):
    """Dot products with their answers, taken apart as far as somebody asks."""

    @cached_property
    def typed(self) -> list[tuple[Codes, Format]]:
        """Codes and types of a, b, C and the scales; zeros for a C that is not there."""
        found = list(zip(self.operands, operand_formats(self.op)))
        if not has_addend(self.op):
            found.insert(2, (np.zeros(self.n, np.uint32), get_format("f32")))
        return found[:5] if scale_type(self.op) else found[:3]

    @cached_property
    def parts(self) -> list[Fields]:
        return [unpack_fields(codes, f) for codes, f in self.typed]

    @cached_property
    def terms(self) -> Exponents:
        """Exponents (n, K) of the products, LOWEST where there is no number other than 0."""
        x, y = self.parts[:2]
        there = np.logical_and.reduce([~w.nan & ~w.infinite & (w.sig != 0) for w in (x, y)])
        found = np.where(there, floor_log2_u64(x.sig * y.sig) + x.exp + y.exp, LOWEST)
        for scale in self.parts[3:]:  # scales count by their powers of two
            power = np.where(scale.sig == 0, LOWEST, floor_log2_u64(scale.sig) + scale.exp)
            wide = np.repeat(power, block_of(self.op), axis=1)[:, : found.shape[1]]
            found = np.where((found == LOWEST) | (wide == LOWEST), LOWEST, found + wide)
        if self.output is not None:
            found = np.where(found == LOWEST, LOWEST, found + self.power[:, None])
        return found

    @cached_property
    def output(self) -> Fields | None:
        """The factor of everything, where the operation has it."""
        return unpack_fields(self.operands[-1], get_format("f32")) if has_output_scale(self.op) else None

    @cached_property
    def power(self) -> Exponents:
        """The exponent of the factor of everything."""
        r = self.output
        return np.zeros(self.n, np.int64) if r is None else floor_log2_u64(r.sig) + r.exp

    @cached_property
    def numbers(self) -> NDArray[np.bool_]:
        """Which cases hold finite operands only, and a product other than 0."""
        finite = ~np.logical_or.reduce([(w.nan | w.infinite).any(axis=1) for w in self.parts[:2]])
        finite &= ~(self.parts[2].nan | self.parts[2].infinite)
        for scale in self.parts[3:]:
            finite &= ~(scale.nan | scale.infinite).any(axis=1)
        if self.output is not None:
            finite &= ~(self.output.nan | self.output.infinite) & (self.output.sig != 0)
        numbers: NDArray[np.bool_] = finite & (self.terms > LOWEST).any(axis=1)
        return numbers

    @cached_property
    def top(self) -> Exponents:
        top: Exponents = self.terms.max(axis=1)
        return top

    @cached_property
    def addend(self) -> Exponents:
        z = self.parts[2]
        return np.where(z.sig == 0, LOWEST, floor_log2_u64(z.sig) + z.exp + self.power)

    @cached_property
    def sums(self) -> Sequence[Sum]:
        return self.given or exact_sums(self.op, self.operands)

    @cached_property
    def exact(self) -> Fields:
        """The exact sums to 62 bits, everything below in the last one."""
        sig, exp = np.zeros(self.n, np.uint64), np.zeros(self.n, np.int64)
        for i, total in enumerate(self.sums):
            units = abs(total.units)
            drop = max(0, units.bit_length() - 62)
            sig[i] = units >> drop | (units & ((1 << drop) - 1) != 0)
            exp[i] = total.exponent + drop
        special = np.array([total.special for total in self.sums])
        negative = np.array([total.units < 0 or total.special == "-inf" for total in self.sums], bool)
        return Fields(negative, sig, exp, (special == "inf") | (special == "-inf"), special == "nan")
