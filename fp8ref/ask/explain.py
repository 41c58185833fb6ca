"""``fp8ref.explain``: why a case has its answer, who is right about answers, and what gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import display
from ..adapters.function import carried
from ..cases.families import PROJECTION
from ..cases.operation import Operation, carrier_dtype
from ..cases.pasted import Table, product_operands, read_product, table_of_case
from ..cases.products.questions import operand_types, shapes
from ..cases.scaling.questions import is_scale
from ..cases.written import read_case
from ..check.pasted.answers import Judged, judge_answers
from ..errors import Unreadable
from ..report.findings import pasted
from ..report.findings.alignment import explain_product, product_document
from ..report.findings.documents import conversion_document
from ..report.findings.draw import case_id
from ..report.findings.explain import Conversion, answer_block, explanation
from ..report.findings.scales import block_of, explain_scale

Codes = NDArray[Any]
MOST = 100_000  # answers that are judged at once


@dataclass(frozen=True)
class Explanation:
    """A page of text, which is also the ``repr``.

    ``document``: the same as data, where there is such a form.  ``verdict``: of answers that were given ``right``,
    ``wrong``, or ``undecided``: nothing is wrong, and several behaviours fit a free mode; else empty.
    """

    text: str = field(repr=False)
    document: dict[str, Any] | None = field(default=None, repr=False)
    verdict: str = ""

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str | None:
        return display.html("page", self)


def explain(case: str, *operands: Any, got: Any = None) -> Explanation:
    """Why a case has its answer: neighbours, clause, flags, and what every other mode would answer.

    ``case``: an operation id, ``#`` and the operands' codes in hexadecimal joined by points, as findings print it.  Of
    a dot product these are the rows a.b.c and scales; with ``;`` between rows they may be decimals.  ``*`` leaves the
    mode open.

    With ``got``, an answer or several as codes (or texts): is it right, which rule, mode, model, recipe or library
    gives it, and which cases would decide between those?

    With an operation id alone: ``operands`` and ``got`` are arrays, one case a row, of values (float32 ..., ml_dtypes'
    types) or of codes.

    Raises ValueError (fp8ref.errors.Unreadable) that says what of it cannot be read.

    >>> import fp8ref
    >>> fp8ref.explain("convert/f32/e4m3fn/rne.sat#3FA88000", got=0x3A).verdict
    'wrong'
    """
    if "#" in case:
        if operands:
            raise Unreadable(f"{case!r:.60} has its inputs after #: arrays go with an operation id alone")
        return explain_case(case) if got is None else explain_answers(*table_of(case, _texts(got)))
    op = operation_of(case)
    if got is None or not operands:
        raise Unreadable(
            f"{case!r:.60} is an operation: a case has # and its inputs, or give arrays of inputs and got="
        )
    found = [_array(x, op, i) for i, x in enumerate(operands)]
    return judged_answers(op, found, _array(got, op, len(operand_types(op))))


def explain_case(case: str, unicode: bool = True) -> Explanation:
    """One case, without answers."""
    if is_product_case(case):
        op, rows = read_product_case(case)
        return Explanation(explain_product(op, rows), product_document(op, rows))
    op, codes = read_case(case)
    if is_scale(op):
        return Explanation(explain_scale(op, codes))
    name = case_id(op, codes)
    if op.asked.mode != PROJECTION and op.family != "decode":
        return Explanation(f"{name}\n\n{answer_block(op, codes)}")
    try:
        conversion = Conversion.of_case(op, *codes)
        if not conversion.is_open:
            conversion.answer()
    except ValueError as error:
        raise Unreadable(f"CASE: {error}") from None
    return Explanation(f"{name}\n\n{explanation(conversion, unicode)}", conversion_document(conversion, name))


def explain_answers(op: Operation, table: Table) -> Explanation:
    """The answers of a table; lines without one are passed over."""
    known = np.flatnonzero(table.answered)
    if not known.size:
        raise Unreadable("no line has an answer yet: write codes or numbers for ?")
    operands = [codes[known] for codes in table.operands]
    return judged_answers(
        op, operands, table.got[known], [table.lines[i] for i in known], [table.texts[i] for i in known]
    )


def judged_answers(
    op: Operation, operands: Sequence[Codes], got: Codes, numbers: Sequence[int] = (), texts: Sequence[str] = ()
) -> Explanation:
    """Answers to cases, as codes; ``numbers`` and ``texts``: which line each was, and how its inputs were written."""
    numbers = numbers or range(1, len(got) + 1)
    texts = texts or [pasted.inputs_digits(op, operands, i) for i in range(len(got))]
    judged = judge_answers(op, operands, got)
    page = pasted.page(judged, operands, numbers, texts)
    return Explanation(page, pasted.document(judged, operands, numbers, texts), _verdict(judged))


def _verdict(judged: Judged) -> str:
    return "wrong" if judged.wrong else "undecided" if judged.undecided else "right"


def operation_of(text: str) -> Operation:
    """The operation of an id; a mode that it does not say is open."""
    if "#" in text:
        raise Unreadable(f"{text!r:.80} is a case: a table takes an operation id, without #; one answer is --got CODE")
    try:
        op = Operation.parse_claim(text)
    except ValueError as error:
        raise Unreadable(f"OPERATION: {error}") from None
    refuse_flags(op)
    return op


def is_product_case(case: str) -> bool:
    return case.strip().partition("/")[0] in ("dot", "matmul")


def read_product_case(case: str) -> tuple[Operation, list[list[int]]]:
    name, _, rows = case.strip().partition("#")
    try:
        op = Operation.parse(name)
    except ValueError as error:
        raise Unreadable(f"CASE: {error}") from None
    return read_product(op, rows, "CASE")


def table_of(case: str, answers: list[str]) -> tuple[Operation, Table]:
    """One case and the answers to it."""
    if "#" not in case:
        raise Unreadable(f"--got answers a CASE, which has inputs after #: {case!r:.60} has none")
    if is_product_case(case):
        op, rows = read_product_case(case)
        operands = product_operands(op, [rows])
    else:
        op, codes = read_case(case)
        if is_scale(op):
            op, operands = block_of(op, codes)
        else:
            operands = [np.array([code], np.uint64).astype(_unsigned(type_)).view(carrier_dtype(type_))
                        for code, type_ in zip(codes, op.operands)]  # fmt: skip
    refuse_flags(op)
    return op, table_of_case(op, operands, answers, case.partition("#")[2])


def refuse_flags(op: Operation) -> None:
    """Unreadable for keys that would be passed over."""
    if op.flags:
        raise Unreadable(f"{op.id}: answers are judged without status flags; leave out flags=1")
    if op.key("amax"):
        raise Unreadable(f"{op.id}: answers are judged without amax; leave out amax={op.key('amax')}")


def _unsigned(type_: str) -> str:
    return f"u{np.dtype(carrier_dtype(type_)).itemsize}"


def _texts(got: Any) -> list[str]:
    """Answers to one case as they are typed: integers are codes."""
    many = got if isinstance(got, (list, tuple, np.ndarray)) else [got]
    return [one if isinstance(one, str) else f"0x{int(one):X}" for one in many]


def _array(x: Any, op: Operation, place: int) -> Codes:
    """One array of operands, or after them the answers, as codes."""
    types = (*operand_types(op), op.result)
    if place >= len(types):
        raise Unreadable(f"{op.id} takes {len(types) - 1} operand(s)")
    codes = np.atleast_1d(carried(x, types[place]))
    what = "got" if place == len(types) - 1 else f"operand {place + 1}"
    if codes.dtype != carrier_dtype(types[place]):
        raise Unreadable(
            f"{what}: values or codes of {types[place]} ({carrier_dtype(types[place])}), not {codes.dtype}"
        )
    if len(codes) > MOST:
        raise Unreadable(f"{what}: {len(codes)} cases; at most {MOST} are judged at once")
    shape = shapes(op, len(codes))[place]
    if codes.shape != shape:
        raise Unreadable(f"{what} of {len(codes)} cases has shape {shape}, not {codes.shape}")
    return codes
