"""Block operations of P3109: elements that share a scale.  [P3109 Interim Report v4.0, an unapproved draft]

A block is a scale and a list of elements, each a code of its own format; its values are the exact products.  Going
back, every value is divided by the exact scale and projected once.  Unlike in OCP MX 6.3, a scale made of the largest
magnitude is not divided by the largest element value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..codec import pack, unpack
from ..datum import ZERO, Datum
from ..formats import Format
from ..operations.arithmetic import product, require_defined, total
from ..operations.definition import Context, Definition, Semantics
from ..projection import Projection, project

NAN = Datum.nan()


@dataclass(frozen=True)
class Block:
    """A scale and elements that share it."""

    scale: int
    elements: tuple[int, ...]
    scale_format: Format
    format: Format

    @property
    def values(self) -> list[Datum]:
        """The exact values: scale times element, NaN where the one or the other is, or where 0 meets infinity."""
        s = _p3109(unpack(self.scale, self.scale_format))
        return [_times(s, _p3109(unpack(x, self.format))) for x in self.elements]


def _p3109(x: Datum) -> Datum:
    """One zero, one NaN."""
    return NAN if x.is_nan else x.with_sign(0) if x.is_zero else x


def _times(a: Datum, b: Datum) -> Datum:
    if a.is_nan or b.is_nan:
        return NAN
    return _p3109(product(a, b)[0])


def project_element(x: Datum, scale: Datum, f: Format, rho: Projection) -> int:
    """The element code of a value under a scale: NaN for NaN, 0 under a scale of 0, the sign under an infinite one."""
    if scale.is_nan or x.is_nan:
        quotient = NAN
    elif scale.is_zero or x.is_zero:
        quotient = Datum.finite(ZERO)
    elif scale.is_infinite:
        quotient = Datum.finite(-1 if x.sign ^ scale.sign else 1)
    elif x.is_infinite:
        quotient = Datum.infinity(x.sign ^ scale.sign)
    else:
        quotient = Datum.finite(x.value / scale.value)
    return pack(_p3109(project(quotient, f, rho)[0]), f)


def to_block(values: Sequence[Datum], scale: int, scale_format: Format, f: Format, rho: Projection) -> Block:
    """ConvertToBlock: values under a given scale."""
    s = _p3109(unpack(scale, scale_format))
    return Block(scale, tuple(project_element(_p3109(x), s, f, rho) for x in values), scale_format, f)


def to_block_max_abs_finite(
    values: Sequence[Datum], scale_format: Format, scale_rho: Projection, f: Format, rho: Projection
) -> Block:
    """ConvertToBlockMaxAbsFinite: the scale is the largest finite magnitude, projected; 0 where no value is finite."""
    largest = max((x.magnitude for x in values if x.is_finite), default=ZERO)
    scale = pack(_p3109(project(Datum.finite(largest), scale_format, scale_rho)[0]), scale_format)
    return to_block(values, scale, scale_format, f, rho)


def from_block(block: Block, f: Format, rho: Projection) -> tuple[int, ...]:
    """ConvertFromBlock: the values, each projected."""
    return tuple(_code(x, f, rho) for x in block.values)


def _code(x: Datum, f: Format, rho: Projection) -> int:
    return pack(_p3109(project(_p3109(x), f, rho)[0]), f)


def _sum(values: Sequence[Datum], rho: Projection) -> Datum:
    if any(x.is_nan for x in values):
        return NAN
    return total(values, rho.rounding)[0] if values else Datum.finite(ZERO)


def reduce_add(block: Block, f: Format, rho: Projection) -> int:
    """BlockReduceAdd: the exact sum, projected once."""
    return _code(_sum(block.values, rho), f, rho)


def reduce_multiply(block: Block, f: Format, rho: Projection) -> int:
    """BlockReduceMultiply: the exact product, projected once."""
    result = Datum.finite(1)
    for x in block.values:
        result = _times(result, x)
    return _code(result, f, rho)


def dot_product(a: Block, b: Block, f: Format, rho: Projection) -> int:
    """BlockDotProduct: the exact sum of exact products, projected once.

    Raises ValueError for blocks of different lengths.
    """
    _same_length([a, b])
    return _code(_sum([_times(x, y) for x, y in zip(a.values, b.values)], rho), f, rho)


def elementwise(
    op: str, blocks: Sequence[Block], scale: int, scale_format: Format, f: Format, rho: Projection
) -> Block:
    """Block<Op>: an operation of ``spec.arithmetic.DEFINITIONS`` on every element, into a block of a given scale.

    Scaled<Op> is this with one element and a scale of 1.  Raises ValueError for unknown operations, wrong numbers of
    blocks and blocks of different lengths.
    """
    definition = require_defined(op, f)
    if len(blocks) != definition.arity:
        raise ValueError(f"{op} takes {definition.arity} block(s), not {len(blocks)}")
    _same_length(blocks)
    context = Context(f, rho.rounding, Semantics.P3109, scale=scale_format)
    rows = zip(*(block.values for block in blocks))
    return to_block([_exact(definition, row, context) for row in rows], scale, scale_format, f, rho)


def _exact(definition: Definition, operands: Sequence[Datum], context: Context) -> Datum:
    numbers = [x for x in operands if not x.is_nan]
    if len(numbers) == len(operands):
        return _p3109(definition.exact(*operands, context)[0])
    return numbers[0] if definition.drops_nan(context.semantics) and numbers else NAN


def _same_length(blocks: Sequence[Block]) -> None:
    lengths = [len(block.elements) for block in blocks]
    if len(set(lengths)) > 1:
        raise ValueError(f"the blocks have {', '.join(map(str, lengths))} elements; they must have equally many")
