"""Assertions: a function of the project under test against the reference, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..adapters.base import Adapter, Unsupported
from ..adapters.function import Function, FunctionAdapter, carried
from ..cases.answers import differs, expect
from ..cases.operation import Operation
from ..cases.products.questions import is_product
from ..cases.scaling.quantisers import get_quantiser
from ..check.compare import Options
from ..check.harness.here import Here
from ..check.judge import judge
from ..check.verdict import Report, Verdict
from ..report.findings.draw import case_id, draw_case, draw_rows, drawn
from ..report.runs.text import drawing
from ..spec.catalog import get_format

Codes = NDArray[Any]


class NotConforming(AssertionError):
    """An answer differs from the reference; the message is the drawn counterexample, ``report`` the whole verdict."""

    def __init__(self, message: str, report: Report | None = None) -> None:
        super().__init__(message)
        self.report = report


NotConforming.__module__ = "fp8ref.testing"  # where it is imported from, in messages


def assert_operation(
    fn: Function, operation: str | Operation, *, level: int = 1, seed: int = 0, nan: str = "class"
) -> None:
    """Assert that a function answers an operation as the reference does, on every case that ``fp8ref check`` asks.

    ``fn`` takes one array for each operand, of float16, bfloat16 (ml_dtypes), float32 or float64 where the operand is
    wide, else of codes (uint8 ...) or of the integer itself, in any layout and length.  It returns as many answers:
    codes or an array of an ml_dtypes type; with ``;flags=1`` a pair with the status.  ``operation`` is an operation id,
    such as ``add/e4m3fn.e4m3fn/e4m3fn/rne.sat``; ``*`` as its mode: any one behaviour.  ``nan``: class or bits.

    Raises NotConforming, whose message is the counterexample drawn bit by bit with the diagnosis; ValueError for what
    is no operation; TypeError where the answer has another dtype.
    """
    __tracebackhide__ = True
    op = Operation.parse(operation) if isinstance(operation, str) else operation
    require_conforming(FunctionAdapter(fn, (op,), "codes"), op, level=level, seed=seed, nan=nan)


def require_conforming(
    adapter: Adapter, operation: str | Operation, *, level: int = 1, seed: int = 0, nan: str = "class"
) -> Report:
    """Judge one operation of an adapter in this process.

    Returns the report on a conforming one.  Raises NotConforming for any other, fp8ref.Unsupported where it declines.
    """
    __tracebackhide__ = True  # the message says it all
    op = Operation.parse(operation) if isinstance(operation, str) else operation
    report = judge(Here(adapter), op, Options(level, seed, nan))
    if report.verdict is Verdict.UNSUPPORTED:
        raise Unsupported(report.reason)
    if report.verdict not in (Verdict.PASS, Verdict.ALLOWED):
        raise NotConforming(rendered(report), report)
    return report


def rendered(report: Report, connectable: str = "") -> str:
    """A failing report as the message of an assertion."""
    blocks = [drawing(finding, connectable) for finding in report.findings]
    return "\n" + "\n\n".join(blocks) if blocks else f"{report.op}: {report.verdict.value}: {report.reason}"


def assert_converts(
    fn: Function, source: str, result: str, mode: str = "", *, level: int = 1, seed: int = 0, nan: str = "class"
) -> None:
    """Assert that a function converts a source type to a format, as :func:`assert_operation` does.

    ``mode``: rounding.overflow; by default rne.sat for results of at most 8 bits, rne.nonsat for wider ones.
    """
    __tracebackhide__ = True
    assert_operation(fn, "/".join(filter(None, ("convert", source, result, mode))), level=level, seed=seed, nan=nan)


def assert_dot_within(
    fn: Function, format_a: str, format_b: str, *, bound: str = "f32", k: int = 32, result: str = "f32", level: int = 1
) -> None:
    """Assert that dot products lie within an error bound of the exact ones, and that infinities and NaNs are right.

    ``fn`` takes codes a (n, K), b (n, K) and c (n), a float array of ``result``, and returns d (n).  ``bound``: a name
    of ``fp8ref.cases.products.bounds``, such as f32 or aligned13.
    """
    __tracebackhide__ = True
    assert_operation(fn, f"dot/{format_a}.{format_b}/{result}/within.{bound};k={k}", level=level)


def assert_scales(fn: Function, scheme: str, rule: str, *, source: str = "f32", level: int = 1) -> None:
    """Assert that a function scales blocks as a recipe does.

    ``fn`` takes x (n, B), and the largest magnitude (n) where the scheme asks for it, and returns rows of bytes: the
    scale's, then one for each element.
    """
    __tracebackhide__ = True
    operands = f"{source}.f32" if get_quantiser(scheme).tensor else source
    assert_operation(fn, f"scale/{operands}/{scheme}/{rule}", level=level)


def assert_equal_codes(
    got: ArrayLike,
    want: ArrayLike,
    format: str,
    *,
    operation: str | Operation | None = None,
    operands: Sequence[ArrayLike] = (),
    nan: str = "class",
) -> None:
    """Assert that two arrays hold the same codes of a format; all NaNs are one with ``nan="class"``.

    With ``operation`` and the operands' codes the first difference is drawn as a case of it.  Raises NotConforming;
    ValueError where the shapes differ.
    """
    __tracebackhide__ = True
    f = get_format(format)
    a, b = carried(got, f.name), carried(want, f.name)
    if a.shape != b.shape:
        raise ValueError(f"got has shape {a.shape}, want {b.shape}")
    off = np.flatnonzero(differs(Operation.decode(f.name, f.name), a.ravel(), b.ravel(), nan))
    if not off.size:
        return
    first = int(off[0])
    place = np.unravel_index(first, a.shape)
    where = f"element {', '.join(map(str, place))}" if a.shape else "the answer"
    op = None if operation is None else Operation.parse(str(operation))
    head = f"{off.size} of {a.size} codes of {f.name} differ, first at {where}"
    g, w = int(a.ravel()[first]), int(b.ravel()[first])
    if op is None or not operands:
        raise NotConforming(f"{head}\n{draw_rows([('want', drawn(w, f.name)), ('got', drawn(g, f.name))])}")
    case = [int(carried(x, name).ravel()[first]) for x, name in zip(operands, op.operands)]
    raise NotConforming(f"{head}\n{case_id(op, case)}\n{draw_case(op, case, w, g)}")


def require_answer(op: Operation, operands: Sequence[Codes], got: Codes) -> None:
    """Assert that answers to cases of an operation are the reference's; the first wrong one is drawn."""
    __tracebackhide__ = True
    want = expect(op, operands).codes
    assert not is_product(op)
    assert_equal_codes(got, want, op.result, operation=op, operands=operands)
