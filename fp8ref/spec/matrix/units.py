"""What an accumulator model declares: seven kinds of adding unit, and ways to compose them.

``accumulate.py`` says what the fields mean, ``models.py`` fills them in.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..catalog import get_format
from ..formats import Format, NaNs
from ..rounding import Rounding

BELOW_ALL = -400  # an exponent that no operand shows


class Evidence(enum.StrEnum):
    """How far a model is known to be what the hardware does."""

    DEFINITION = "definition"  # the arithmetic is what the name says
    MEASURED = "measured on hardware"  # equal to published hardware results, bit for bit
    PUBLISHED = "equals a published model"  # whose authors claim hardware equality
    REPORTED = "reported"  # described in an issue, a paper or a talk
    ASSUMED = "assumed"  # a choice where nothing public decides


class Scales(enum.StrEnum):
    """Where block scales enter a unit."""

    EPILOGUE = "epilogue"  # not in the unit: D = fma(sum, scale_a * scale_b, C), one scale for all of K
    PRODUCT = "product"  # added to the exponent of every product before alignment
    GROUP = "group"  # multiplied into every group's dot product
    CHUNK = "chunk"  # multiplied into every promoted partial sum


@dataclass(frozen=True, kw_only=True)
class Model:
    """What every accumulator model declares.

    ``operands``: formats that the unit takes (empty: any).  ``result``: the format of C and D.  ``k``: products of one
    instruction; K is padded with zeros to a multiple of it, and D of one instruction is C of the next.  ``nan``: the
    code of a NaN result.  ``scales``, ``block``, ``scale_formats``: where scales enter, how many elements share one
    (None: all of K), and the formats a scale may have (empty: any number).
    """

    name: str
    operands: tuple[str, ...] = ()
    result: str = "f32"
    k: int = 1
    nan: int = 0x7FC00000
    scales: Scales = Scales.EPILOGUE
    block: int | None = None
    scale_formats: tuple[str, ...] = ()
    source: str = ""
    evidence: Evidence = Evidence.ASSUMED
    note: str = ""

    @property
    def format(self) -> Format:
        return get_format(self.result)


@dataclass(frozen=True, kw_only=True)
class Fused(Model):
    """Align, cut, sum, round.

    ``products`` join in one step; ``lanes`` lists which places of an instruction each step takes, as residues modulo
    their total number (empty: consecutive runs).  Every addend is cut at 2**(E - ``fraction_bits``), E the largest
    exponent present, by rounding ``cut``; the exact sum is rounded to ``precision`` bits (0: the result format's) by
    ``rounding``.  A product's exponent is the sum of its operands' exponent fields, not normalised.  C is the first
    step's addend, or (``c_last``) is added to D of the instruction by one rounding, ``c_rounding``.

    Named choices where public evidence differs: ``zero_exponent``, the exponent that a zero operand shows (None: zero
    products do not take part in E); ``min_exponent``, the lower bound of E; ``underflow_sign``, whether a negative sum
    that rounds to zero gives -0.
    """

    products: int
    fraction_bits: int
    lanes: tuple[tuple[int, ...], ...] = ()
    cut: Rounding = Rounding.TOWARD_ZERO
    precision: int = 0
    rounding: Rounding = Rounding.TOWARD_ZERO
    c_last: bool = False
    c_rounding: Rounding = Rounding.TIES_TO_EVEN
    zero_exponent: int | None = None
    min_exponent: int | None = -133
    underflow_sign: bool = False

    @property
    def register(self) -> Format:
        """The format of D: the result format, with fewer significand bits where the unit keeps fewer."""
        f = self.format
        if self.precision in (0, f.p):
            return f
        return Format(
            f"e{f.w}m{self.precision - 1}", f.w + self.precision, self.precision, f.bias, True, True, NaNs.IEEE
        )

    @property
    def steps(self) -> tuple[tuple[int, ...], ...]:
        """The places 0 .. k-1 of an instruction that each step takes, in order."""
        if not self.lanes:
            return tuple(tuple(range(i, i + self.products)) for i in range(0, self.k, self.products))
        modulus = sum(map(len, self.lanes))
        return tuple(tuple(i for i in range(self.k) if i % modulus in step) for step in self.lanes)


@dataclass(frozen=True, kw_only=True)
class FusedLate(Model):
    """Products in ``groups`` interleaved groups, each aligned and truncated; sums and C joined through floors.

    The group sums are floored to the larger group's grid, their total S to 2**(M - ``sum_bits``), C to
    2**(M - ``fraction_bits``), M the larger of their exponents; C more than ``window`` below M vanishes (None: never).
    S + C is floored to ``keep_bits`` fraction bits of its own exponent (None: not), then rounded to nearest.  A zero
    operand shows ``zero_exponent``, by default one below all others; a zero C shows emin.  ``product_limit``: products
    of at least 2**product_limit count as infinite.
    """

    products: int
    groups: int = 1
    fraction_bits: int = 24
    sum_bits: int = 32
    keep_bits: int | None = 31
    window: int | None = None
    zero_exponent: int | None = BELOW_ALL
    product_limit: int | None = 128


@dataclass(frozen=True, kw_only=True)
class GroupDot(Model):
    """Exact dot products of ``group`` elements, times both scales' significands, aligned by the scales' exponents.

    ``min_exponent``: what a zero C shows, and the lower bound of the exponent aligned at.  A group of zero products or
    with a zero scale takes no part in the alignment, or (``zero_groups`` "scale") shows its scales' exponents, a zero
    scale -126.
    """

    group: int = 16
    fraction_bits: int = 35
    min_exponent: int = -139
    zero_groups: str = "absent"


@dataclass(frozen=True, kw_only=True)
class ExactStep(Model):
    """An instruction's ``k`` products and C added exactly, the sum rounded once to nearest (CDNA1, Arm, x86 ACE).

    ``lscale``: the products are scaled by 2**-lscale.  ``saturate``: what the rounding carries beyond the largest
    finite value becomes that value; infinite operands stay so.  ``zero``: an exact zero is +0 (plus), or has the sign
    that C and all products share (ieee).  ``c_last``: the products' sum is rounded, then C is added by a second
    rounding.  ``flush``: C and results below the normal range of their format are zeros of their sign.  ``plain``: the
    operands' formats have numbers where others have infinities and NaNs.
    """

    lscale: int = 0
    saturate: bool = False
    zero: str = "plus"
    c_last: bool = False
    flush: bool = False
    plain: bool = False


@dataclass(frozen=True, kw_only=True)
class Chain(Model):
    """acc = c; acc = fma(a, b, acc), or acc + round(a * b), k upward.

    ``order``: down; strideN: k = 0, N, 2N ...; or swapped: 1, 0, 3, 2 ...  ``flush``: numbers below the normal range of
    the result's format are zeros of their sign, as operands and as results.
    """

    fused: bool = True
    order: str = "up"
    flush: bool = False

    def places(self, n: int) -> Sequence[int]:
        """The places 0 .. n-1 in the order in which they are added."""
        if self.order == "down":
            return range(n - 1, -1, -1)
        if self.order == "swapped":
            return [i ^ 1 for i in range(n)]
        stride = 1 if self.order == "up" else int(self.order.removeprefix("stride"))
        return [i for first in range(stride) for i in range(first, n, stride)]


@dataclass(frozen=True, kw_only=True)
class TwoChains(Model):
    """Two registers begin at +0 and take products in turn; D = C + (register 0 + register 1), each rounded (x86 tiles).

    A register takes one product by a fused multiply-add, or (``pairs``) the sum of two rounded products, rounded.  An
    instruction has at most ``k`` products, and the last one as many as are left.  Numbers below the normal range of the
    result's format are zeros of their sign, as operands and as results; ``daz``: so are the subnormals of these
    operand formats.
    """

    pairs: bool = False
    daz: tuple[str, ...] = ()

    @property
    def turn(self) -> int:
        """Products that both registers take in one turn; missing ones are zeros."""
        return 4 if self.pairs else 2


@dataclass(frozen=True, kw_only=True)
class Tree(Model):
    """Rounded products added pairwise, the split at the largest power of two below the count; then C is added.

    ``k`` = 1 sums all of K in one tree; otherwise every instruction's k products make a tree that is added to C.
    ``flush``: subnormal operands become +0, or (``signed``) a zero of their sign, and subnormal sums a zero of theirs.
    """

    flush: bool = False
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Composed(Model):
    """A model around another."""

    inner: Model


class Join(enum.StrEnum):
    """How a promoted partial sum p joins the register acc; sa and sb are the scales of its chunk."""

    FADD = "fadd"  # acc + p: one rounding; scales enter in the epilogue
    FFMA = "ffma"  # fma(p, sa * sb, acc), as DeepGEMM computes
    FMUL = "fmul"  # p * (sa * sb) + acc: two roundings
    TRITON = "triton"  # fma(p * sa, sb, acc): Triton's (p * sa) * sb + acc, the last two operations contracted
    TRITON_FMUL = "triton-fmul"  # the same, not contracted


@dataclass(frozen=True, kw_only=True)
class Promote(Composed):
    """Every ``every`` products a partial sum that began at 0 joins a register in the result format, to nearest.

    The register begins at C.  ``join`` says by which operations; all but FADD take the chunk's block scales, their
    product, or each of them where they enter one by one, rounded to binary32.
    """

    every: int
    join: Join


@dataclass(frozen=True, kw_only=True)
class Split(Composed):
    """K cut into tiles of ``tile`` products, the tiles dealt to parts; the parts' sums are added to nearest, C last.

    Of ``parts`` parts, part s owns a run of ceil(tiles / parts) tiles, or (``interleaved``) every tile t with
    t mod parts = s, which it takes in order.  Stream-K instead (``run`` not 0): a part of ``first`` tiles, then parts
    of ``run`` tiles.  A part without a tile is +0; a tile beyond K is padded with zeros.

    The sums are added in order, or (``pairwise``) as cuBLASLt does: with h = ceil(parts / 2), from the last part on
    add, for i < h, part i plus part i + h where that is there and not the last.  ``sums``: the format in which they
    are added, where it is not the result's.
    """

    parts: int
    tile: int
    interleaved: bool = False
    pairwise: bool = False
    first: int = 0
    run: int = 0
    sums: str = ""

    @property
    def sum_format(self) -> Format:
        return get_format(self.sums or self.result)

    def pieces(self, k: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For every part the runs (start, stop) of the k products that it adds."""
        tiles, w = -(-k // self.tile), self.tile
        if self.interleaved:
            return tuple(
                tuple((t * w, min(t * w + w, k)) for t in range(s, tiles, self.parts)) for s in range(self.parts)
            )
        if self.run:
            edges = [0, *range(min(self.first, tiles), tiles, self.run), tiles]
            edges = edges[1:] if len(edges) > 2 and edges[1] == 0 else edges
        else:
            q = -(-tiles // self.parts)
            edges = [min(s * q, tiles) for s in range(self.parts + 1)]
        return tuple(((i * w, min(j * w, k)),) if j > i else () for i, j in pairwise(edges))

    def order(self, parts: int) -> tuple[tuple[int, ...], ...]:
        """Groups of parts: each group is added up, then the groups in this order."""
        if not self.pairwise:
            return tuple((s,) for s in range(parts))
        h = -(-parts // 2)
        slots = [(i, i + h) if i + h < parts - 1 else (i,) for i in range(h)]
        return ((parts - 1,), *slots) if parts > 1 else ((0,),)


@dataclass(frozen=True, kw_only=True)
class Converted(Composed):
    """Operands of any format are rounded into ``operand``, by ``rounding``, before the unit takes them.

    NaNs stay NaNs, subnormals stay; what is too large goes by the default of the rounding (TF32 units fed binary32).
    """

    operand: str
    rounding: Rounding

    @property
    def to(self) -> Format:
        return get_format(self.operand)


@dataclass(frozen=True, kw_only=True)
class Finished(Composed):
    """A model and what is done to its answer (see ``epilogue.py``): arithmetic steps, then the output's conversion.

    ``steps``: words of ``epilogue.STEPS`` in their order; none of scale and C among them: the default order.
    ``rounding``, ``overflow``: of the conversion to the output's format; None: as the caller says.
    """

    steps: tuple[str, ...] = ()
    rounding: str | None = None
    overflow: str | None = None


def read_by(model: Model | None, f: Format) -> Format:
    """The format by which a unit reads its operands' codes."""
    while isinstance(model, Composed):
        model = model.inner
    if not isinstance(model, ExactStep) or not model.plain or f.nans is NaNs.NONE:
        return f
    return replace(f, name=f"plain {f.name}", infinities=False, nans=NaNs.NONE, canonical=None)


def check_operands(model: Model, format_a: str, format_b: str) -> None:
    """Raise ValueError where a unit does not take operands of these formats."""
    for which, name in (("a", format_a), ("b", format_b)):
        if model.operands and get_format(name).name not in model.operands:
            raise ValueError(f"{model.name} takes {', '.join(model.operands)}; format_{which} is {name}")
