"""Property suites as pytest classes: subclass one, name the operation, give the function.

    class TestMyKernel(ConversionSuite):
        operation = "convert/f32/e4m3fn/rne.sat"

        def answer(self, x):
            return my_kernel(x)

Hypothesis looks for cases and shrinks what it finds; the failure message is the counterexample drawn bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from ..adapters.base import Adapter, Unsupported
from ..adapters.function import FunctionAdapter
from ..cases.answers import differs, expect, is_nan
from ..cases.flags import parts_of
from ..cases.operation import ANY_MODE, INTEGERS, Operation, carrier_dtype
from ..cases.products.cases import Cases
from ..cases.products.questions import bound_of, shapes
from ..cases.selection import cases
from ..check.matrix.bounds import outside
from ..check.products import differing
from ..check.variations.settle import settle
from ..fast.decode import decode_codes
from ..fast.encode import convert_codes
from ..fast.tables import exactly_holds
from ..report.findings.draw import draw_rows, drawn
from ..report.findings.products import draw_product
from ..spec.catalog import get_format
from ..spec.projection import get_projection
from ..spec.rounding import Rounding
from ..strategies import arrays, dot_operands, near_thresholds, operands, scaled_blocks, specials
from .assertions import Codes, NotConforming, require_answer, require_conforming

F64 = get_format("f64")
QUIET = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, print_blob=False,
    suppress_health_check=list(HealthCheck), phases=[p for p in Phase if p is not Phase.explain],
)  # fmt: skip
ONE_SIDED = (Rounding.TOWARD_POSITIVE, Rounding.TOWARD_NEGATIVE)


class Suite:
    """What the suites share.

    ``operation``: an operation id with a definite mode.  ``answer``: the function under test, as in
    :func:`fp8ref.testing.assert_operation`.  ``level``, ``nan``: as in ``fp8ref check``.  ``settings``: Hypothesis
    settings; deterministic unless you say otherwise.
    """

    operation: ClassVar[str]
    level: ClassVar[int] = 1
    nan: ClassVar[str] = "class"
    settings: ClassVar[settings] = QUIET

    def answer(self, *operands: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no answer(self, ...)")

    @cached_property
    def op(self) -> Operation:
        found = Operation.parse(self.operation)
        if found.mode == ANY_MODE:
            raise ValueError(f"{type(self).__name__}.operation is {self.operation!r}: name the mode that you promise")
        return found

    def ask(self, *operands: Codes) -> Codes:
        """The answers of the function under test to arrays of operand codes, as codes."""
        found: Codes = FunctionAdapter(self.answer, (self.op,), "codes").run(self.op, *operands)
        rows = self.op.asked.kind in ("dot", "scale")
        shape = shapes(self.op, len(operands[0]))[-1] if rows else operands[0].shape
        if found.dtype != (wanted := carrier_dtype(self.op.result)):
            raise TypeError(f"{self.op.id}: answers have dtype {wanted}, not {found.dtype}")
        if found.shape != shape:
            asked = operands[0].shape
            raise ValueError(
                f"{self.op.id}: answers to operands of shape {asked} have shape {shape}, not {found.shape}"
            )
        return found

    def holds(self, strategy: SearchStrategy[Any], claim: Callable[[Any], None]) -> None:
        """Let Hypothesis look for a case that breaks a claim."""
        __tracebackhide__ = True

        @self.settings
        @given(strategy)
        def holds_for(case: Any) -> None:
            __tracebackhide__ = True
            claim(case)

        holds_for()

    def test_equals_the_reference(self) -> None:
        """Every case that ``fp8ref check`` asks; the smallest failing one is drawn, with the diagnosis."""
        __tracebackhide__ = True
        try:
            require_conforming(
                FunctionAdapter(self.answer, (self.op,), "codes"), self.op, level=self.level, nan=self.nan
            )
        except Unsupported as reason:
            pytest.skip(f"unsupported: {reason}")


class ConversionSuite(Suite):
    """A conversion: ``answer(x)`` takes an array of the source and returns codes of the result format."""

    @property
    def source(self) -> str:
        return self.op.operands[0]

    def inputs(self) -> SearchStrategy[Codes]:
        """Arrays of source codes, in any shape and layout."""
        elements = near_thresholds(self.op.result, source=self.source) | operands(self.op).map(lambda case: case[0])
        return arrays(elements, self.source)

    def holds(self, strategy: SearchStrategy[Any], claim: Callable[[Any], None]) -> None:
        """First what Hypothesis finds and shrinks, then all the cases that ``fp8ref check`` asks."""
        __tracebackhide__ = True
        super().holds(strategy, claim)
        claim(cases(self.op, self.level, 0)[0])

    def equals_the_reference(self, x: Codes) -> None:
        __tracebackhide__ = True
        require_answer(self.op, [x], self.ask(x))

    def requires(self, condition: bool, why: str) -> None:
        if not condition:
            pytest.skip(f"{self.op.id}: {why}")

    def fail(self, what: str, *rows: tuple[str, str, int]) -> None:
        """Fail with codes drawn: label, type and code of each."""
        __tracebackhide__ = True
        table = draw_rows([(label, drawn(int(code), type_)) for label, type_, code in rows])
        raise NotConforming(f"{self.op.id}: {what}\n{table}")

    def test_any_array_equals_the_reference(self) -> None:
        __tracebackhide__ = True
        self.holds(self.inputs(), self.equals_the_reference)

    def test_each_element_is_converted_alone(self) -> None:
        """Neither length, place nor layout changes an answer."""
        __tracebackhide__ = True

        def claim(x: Codes) -> None:
            __tracebackhide__ = True
            whole = self.ask(x).ravel()
            for i in {*range(0, x.size, max(1, x.size // 16)), x.size - 1} if x.size else ():
                alone = self.ask(np.array([x.ravel()[i]]))[0]
                if alone != whole[i]:
                    rows = ("input", self.source, x.ravel()[i]), ("alone", self.op.result, alone)
                    what = f"element {i} of shape {x.shape} has another answer than alone"
                    self.fail(what, *rows, ("there", self.op.result, whole[i]))

        self.holds(self.inputs(), claim)

    def test_monotone(self) -> None:
        """A larger value never becomes a smaller one."""
        __tracebackhide__ = True
        f = self.op.result_format

        def claim(x: Codes) -> None:
            __tracebackhide__ = True
            x = x.ravel()
            x = np.concatenate([x, x + x.dtype.type(1)])  # beside every input its neighbour
            got = self.ask(x)
            number = ~is_nan(x, self.source) & ~is_nan(got, f.name)
            if not number.any():
                return
            x, got = x[number], got[number]
            given = x if self.source in INTEGERS else decode_codes(x, get_format(self.source), F64).view(np.float64)
            out = decode_codes(got, f, F64).view(np.float64)
            order = np.argsort(given, kind="stable")
            fall = np.flatnonzero((np.diff(out[order]) < 0) & (given[order][1:] > given[order][:-1]))
            if fall.size:
                i, j = order[fall[0]], order[fall[0] + 1]
                rows = ("input", self.source, x[i]), ("got", f.name, got[i]), ("input", self.source, x[j])
                self.fail("not monotone: the larger input has the smaller answer", *rows, ("got", f.name, got[j]))

        self.holds(self.inputs(), claim)

    def test_round_trip(self) -> None:
        """A value that the result format has becomes its own code."""
        __tracebackhide__ = True
        f = self.op.result_format
        self.requires(f.k <= 16 and self.source not in INTEGERS, "not every code of the result is asked")
        source = get_format(self.source)
        self.requires(exactly_holds(source, f), f"{source.name} does not hold every {f.name}")
        own = np.arange(1 << f.k).astype(carrier_dtype(f.name))
        x = parts_of(own, f.name)
        own = own[~x.nan & ~x.infinite]
        wide = convert_codes(own, f, source, get_projection(source, "rne", "sat"), False)[0]
        got = self.ask(wide)
        off = np.flatnonzero(got != own)
        if off.size:
            i = off[0]
            rows = ("input", source.name, wide[i]), ("want", f.name, own[i]), ("got", f.name, got[i])
            self.fail("a value of the result format does not become its own code", *rows)

    def test_sign_symmetry(self) -> None:
        """-x becomes what x does, with the other sign."""
        __tracebackhide__ = True
        f = self.op.result_format
        self.requires(self.source not in INTEGERS and f.signed and not f.fixed_point, "not of signed codes")
        source = get_format(self.source)
        self.requires(source.has_negative_zero, f"{source.name} has no two codes for every magnitude")
        self.requires(self.op.projection.rounding not in ONE_SIDED, "a directed rounding is not symmetric")

        def claim(x: Codes) -> None:
            __tracebackhide__ = True
            there = x.ravel()
            back = there ^ there.dtype.type(source.sign_bit)
            got, other = self.ask(there), self.ask(back)
            same = f.magnitude_mask
            number = ~is_nan(got, f.name) & ~is_nan(other, f.name)
            unlike = (is_nan(got, f.name) != is_nan(other, f.name)) | (number & ((got ^ other) & same != 0))
            off = np.flatnonzero(unlike & ~is_nan(there, self.source))
            if off.size:
                i = off[0]
                rows = ("input", source.name, there[i]), ("got", f.name, got[i]), ("input", source.name, back[i])
                self.fail("not symmetric in the sign", *rows, ("got", f.name, other[i]))

        self.holds(self.inputs(), claim)

    def test_zeros_infinities_and_nans(self) -> None:
        __tracebackhide__ = True
        self.requires(self.source not in INTEGERS, "integers have no special values")
        self.holds(arrays(specials(self.source), self.source), self.equals_the_reference)

    def test_idempotent(self) -> None:
        """What has been converted is not changed by converting it again."""
        __tracebackhide__ = True
        f = self.op.result_format
        self.requires(self.source not in INTEGERS, "integers are not decoded to")
        source = get_format(self.source)
        self.requires(exactly_holds(source, f), f"{source.name} does not hold every {f.name}")

        def claim(x: Codes) -> None:
            __tracebackhide__ = True
            x = x.ravel()
            once = self.ask(x)
            back = convert_codes(once, f, source, get_projection(source, "rne", "nonsat"), False)[0]
            again = self.ask(back)
            finite = parts_of(once, f.name)
            off = np.flatnonzero((again != once) & ~finite.nan & ~finite.infinite)
            if off.size:
                i = off[0]
                rows = ("input", source.name, x[i]), ("once", f.name, once[i]), ("twice", f.name, again[i])
                self.fail("converting again changes the answer", *rows)

        self.holds(self.inputs(), claim)


class ArithmeticSuite(Suite):
    """An operation on codes: ``answer(a, b)``, with as many operands as the operation has."""

    commutes: ClassVar[tuple[str, ...]] = ("add", "mul", "min", "max", "minnum", "maxnum", "eq", "ne", "un", "ord")

    def test_any_case_equals_the_reference(self) -> None:
        __tracebackhide__ = True

        def claim(case: tuple[int, ...]) -> None:
            __tracebackhide__ = True
            arrays_ = [np.array([code]).astype(carrier_dtype(name)) for code, name in zip(case, self.op.operands)]
            require_answer(self.op, arrays_, self.ask(*arrays_))

        self.holds(operands(self.op), claim)

    def test_commutes(self) -> None:
        """a + b = b + a, and so on."""
        __tracebackhide__ = True
        op = self.op
        if op.family not in self.commutes or len(set(op.operands)) > 1:
            pytest.skip(f"{op.id} need not commute")

        def claim(case: tuple[int, ...]) -> None:
            __tracebackhide__ = True
            a, b = (np.array([code]).astype(carrier_dtype(op.operands[0])) for code in case)
            got, other = self.ask(a, b), self.ask(b, a)
            zeros = op.family.startswith(("min", "max")) and not (got | other) & op.result_format.magnitude_mask
            if got != other and not zeros and not (is_nan(got, op.result) & is_nan(other, op.result)).all():
                kinds = [("a", op.operands[0], a), ("b", op.operands[1], b), ("a, b", op.result, got)]
                rows = [(label, drawn(int(x[0]), t)) for label, t, x in [*kinds, ("b, a", op.result, other)]]
                raise NotConforming(f"{op.id}: does not commute\n{draw_rows(rows)}")

        self.holds(operands(op), claim)


class DotSuite(Suite):
    """Dot products: ``answer(a, b, c)`` takes codes (n, K), (n, K) and floats (n); the mode is a model or a bound."""

    def test_any_row_conforms(self) -> None:
        """Rows of few products, cancelling ones and infinities among them, one at a time."""
        __tracebackhide__ = True
        bound = bound_of(self.op)

        def claim(row: tuple[Codes, Codes, Codes]) -> None:
            __tracebackhide__ = True
            cases, got = Cases(*row, ("drawn",)), self.ask(*row)
            exact = self.op if bound is None else self.op.with_mode("exact")
            want = expect(exact, row).codes
            if bound is None:
                off = differing(self.op, cases, got, settle(self.op, row, got, want).want, self.nan)
            else:
                off = outside(self.op, bound, cases, got)
            if off.any():
                why = f"not the answer of {self.op.mode}" if bound is None else f"outside the bound: {bound.text}"
                inputs = [int(code) for x in row for code in x.ravel()]
                drawing = draw_product(self.op, inputs, int(want[0]), int(got[0]), why)
                raise NotConforming(f"{self.op.id}\n{drawing}")

        self.holds(dot_operands(self.op), claim)


class ScalingSuite(Suite):
    """Blocks and their scales: ``answer(x)``, or ``answer(x, amax)``, returns rows of bytes, the scale's first."""

    def test_any_block_equals_the_reference(self) -> None:
        __tracebackhide__ = True

        def claim(row: tuple[Codes, ...]) -> None:
            __tracebackhide__ = True
            got, want = self.ask(*row), expect(self.op, row).codes
            if differs(self.op, got, want).any():
                rows_seen = [f"{name} {' '.join(f'{byte:02X}' for byte in rows[0])}" for name, rows in
                        (("want", want), ("got ", got))]  # fmt: skip
                raise NotConforming("\n".join([f"{self.op.id}, block {row[0][0].tolist()}", *rows_seen]))

        self.holds(scaled_blocks(self.op), claim)


class AdapterSuite:
    """Every operation that an adapter claims, one test each: ``adapter = MyKernel()``."""

    adapter: ClassVar[Adapter]
    level: ClassVar[int] = 1

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "operation" in metafunc.fixturenames:
            metafunc.parametrize("operation", list(metafunc.cls.adapter.capabilities()))

    def test_conforms(self, operation: str) -> None:
        __tracebackhide__ = True
        try:
            require_conforming(self.adapter, operation, level=self.level)
        except Unsupported as reason:
            pytest.skip(f"unsupported: {reason}")
