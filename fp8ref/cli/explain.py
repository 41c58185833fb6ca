"""``fp8ref explain``: why a case has its answer, who is right about answers, and what gives them."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from ..cases.families import PROJECTION
from ..cases.operation import Operation, carrier_dtype
from ..cases.scaling.questions import is_scale
from ..check.pasted.answers import judge_answers
from ..report.findings import pasted as answers_report
from ..report.findings.alignment import explain_product, product_document
from ..report.findings.documents import conversion_document
from ..report.findings.draw import case_id
from ..report.findings.explain import Conversion, answer_block, explanation
from ..report.findings.scales import block_of, explain_scale
from .console import draws_unicode, print_json, print_page
from .errors import BadInput, OneLine
from .inputs import read_case
from .pasted import Table, product_operands, read_product, read_table, table_of_case
from .say import say

WRONG, UNDECIDED = 1, 5
STDIN = "-"


@click.command(cls=OneLine)
@click.argument("case", metavar="CASE")
@click.argument("more", metavar="[FILE|-]", nargs=-1)
@click.option("--got", multiple=True, metavar="CODE", help="An answer to CASE, or several: who is right?")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(case: str, more: tuple[str, ...], got: tuple[str, ...], as_json: bool) -> None:
    """Why a case has its answer: neighbours, clause, flags, and what every other mode would answer.

    CASE is an operation id and the operands' codes in hexadecimal, as findings print it; `*` leaves the mode open.  Of
    a dot product it is the rows a.b.c and scales; with ; between them they may be decimals.

    With --got CODE...: is that right, which rule, mode, model, recipe or library gives it, and which cases would decide
    between those?  With an OPERATION and a file (- for standard input) the same of a table, whose lines are the inputs
    and, last, the answer, as codes or as numbers; ? for one not known yet.

    \b
    fp8ref explain convert/f32/e4m3fn/rne.sat#43E80001
    fp8ref explain 'convert/f16/e5m2/*#7BFF'
    fp8ref explain 'dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32#1,0.001;1,1;0'
    fp8ref explain 'convert/f32/e4m3fn/rne.sat#3FA88000' --got 3A
    fp8ref explain 'convert/f32/e4m3fn/*' answers.csv

    Exit codes with answers: 0 all right, 1 some wrong, 5 undecided (more than one behaviour fits a free mode).
    """
    if got:
        _judge(*_answers_to(case, [*got, *more]), as_json)
    if more:
        if len(more) > 1:
            raise BadInput(f"one file, not {len(more)}: {' '.join(more)!r:.80}; answers are given with --got")
        op = _operation(case)
        table = read_table(op, _text(more[0]), "standard input" if more[0] == STDIN else more[0])
        _judge(table.op, table, as_json)
    _explain_case(case, as_json)


def _explain_case(case: str, as_json: bool) -> None:
    if "#" in case and _is_product(case):
        op, rows = _read_product(case)
        if as_json:
            print_json(product_document(op, rows))
        else:
            print_page(explain_product(op, rows))
        return
    op, codes = read_case(case)
    _refuse_unused(op)
    if is_scale(op):
        if as_json:
            raise BadInput(f"CASE {case!r}: the scaling of a block is explained as text only")
        print_page(explain_scale(op, codes))
        return
    name = case_id(op, codes)
    if op.asked.mode != PROJECTION and op.family != "decode":
        if as_json:
            raise BadInput(f"CASE {case!r}: {op.family} rounds nothing and is explained as text only")
        print_page(f"{name}\n\n{answer_block(op, codes)}")
        return
    try:
        conversion = Conversion.of_case(op, *codes)
        if not conversion.is_open:
            conversion.answer()
    except ValueError as error:
        raise BadInput(f"CASE: {error}") from None
    if as_json:
        print_json(conversion_document(conversion, name))
    else:
        print_page(f"{name}\n\n{explanation(conversion, draws_unicode())}")


def _operation(text: str) -> Operation:
    """The operation of an id; a mode that it does not say is open."""
    if "#" in text:
        raise BadInput(f"{text!r:.80} is a case: a table takes an operation id, without #; one answer is --got CODE")
    try:
        op = Operation.parse_claim(text)
    except ValueError as error:
        raise BadInput(f"OPERATION: {error}") from None
    _refuse_unused(op, answers=True)
    return op


def _is_product(case: str) -> bool:
    return case.strip().partition("/")[0] in ("dot", "matmul")


def _read_product(case: str) -> tuple[Operation, list[list[int]]]:
    name, _, rows = case.strip().partition("#")
    try:
        op = Operation.parse(name)
    except ValueError as error:
        raise BadInput(f"CASE: {error}") from None
    return read_product(op, rows, "CASE")


def _answers_to(case: str, answers: list[str]) -> tuple[Operation, Table]:
    """One case and the answers to it."""
    if "#" not in case:
        raise BadInput(f"--got answers a CASE, which has inputs after #: {case!r:.60} has none")
    if _is_product(case):
        op, rows = _read_product(case)
        operands = product_operands(op, [rows])
    else:
        op, codes = read_case(case)
        if is_scale(op):
            op, operands = block_of(op, codes)
        else:
            operands = [np.array([code], np.uint64).astype(_unsigned(type_)).view(carrier_dtype(type_))
                        for code, type_ in zip(codes, op.operands)]  # fmt: skip
    _refuse_unused(op, answers=True)
    return op, table_of_case(op, operands, answers, case.partition("#")[2])


def _unsigned(type_: str) -> str:
    return f"u{np.dtype(carrier_dtype(type_)).itemsize}"


def _refuse_unused(op: Operation, answers: bool = False) -> None:
    """BadInput for keys that would be passed over."""
    if answers and op.flags:
        raise BadInput(f"{op.id}: answers are judged without status flags; leave out flags=1")


def _text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: no UTF-8 text at byte {error.start}") from None
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror or error}") from None


def _judge(op: Operation, table: Table, as_json: bool) -> None:
    """Print what is to be said of answers, and end with the exit code that says it."""
    known = np.flatnonzero(table.answered)
    if not known.size:
        raise BadInput("no line has an answer yet: write codes or numbers for ?")
    operands = [codes[known] for codes in table.operands]
    numbers, texts = [table.lines[i] for i in known], [table.texts[i] for i in known]
    for note in table.notes:
        say(f"note: {note}", err=True)
    judged = judge_answers(op, operands, table.got[known])
    if as_json:
        print_json(answers_report.document(judged, operands, numbers, texts))
    else:
        print_page(answers_report.page(judged, operands, numbers, texts))
    sys.exit(WRONG if judged.wrong else UNDECIDED if judged.undecided else 0)
