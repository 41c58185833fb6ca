"""``fp8ref explain``: why a case has its answer, who is right about answers, and what gives them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..ask.explain import explain_answers, explain_case, operation_of, table_of
from ..cases.operation import Operation
from ..cases.pasted import Table, read_table
from .console import draws_unicode, print_json, print_page
from .errors import BadInput, OneLine
from .inputs import note
from .say import say

WRONG, UNDECIDED = 1, 5
STDIN = "-"


@click.command(cls=OneLine)
@click.argument("case", metavar="CASE")
@click.argument("more", metavar="[FILE|-]", nargs=-1)
@click.option("--got", multiple=True, metavar="CODE", help="An answer to CASE; several may follow: which are right?")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(case: str, more: tuple[str, ...], got: tuple[str, ...], as_json: bool) -> None:
    """Why a case has its answer: neighbours, clause, flags, and what every other mode would answer.

    CASE is an operation id and the operands' codes in hexadecimal, as findings print it; `*` leaves the mode open.  For
    a dot product, give the rows a.b.c and the scales; separated by ; they may be decimals.

    --got CODE asks about an answer: is it right, which rule, mode, model, recipe or library gives it, and which cases
    would decide between those?  An OPERATION and a file (- for standard input) ask the same about a table.  Each line
    has the inputs and, last, the answer, as codes or as numbers; ? stands for an unknown answer.

    \b
    fp8ref explain convert/f32/e4m3fn/rne.sat#43E80001
    fp8ref explain 'convert/f16/e5m2/*#7BFF'
    fp8ref explain 'dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32#1,0.001;1,1;0'
    fp8ref explain 'convert/f32/e4m3fn/rne.sat#3FA88000' --got 3A
    fp8ref explain 'convert/f32/e4m3fn/*' answers.csv

    Exit codes with answers: 0 all right, 1 some wrong, 5 undecided (more than one behaviour fits a free mode).
    """
    if got:
        _judged(*table_of(case, [*got, *more]), as_json)
    if more:
        if len(more) > 1:
            raise BadInput(f"one file, not {len(more)}: {' '.join(more)!r:.80}; answers are given with --got")
        op = operation_of(case)
        table = read_table(op, _text(more[0]), "standard input" if more[0] == STDIN else more[0])
        _judged(table.op, table, as_json)
    note(case.partition("#")[0])
    found = explain_case(case, draws_unicode())
    if as_json and found.document is None:
        raise BadInput(f"CASE {case!r:.80}: {case.partition('/')[0]} is explained as text only")
    print_json(found.document) if as_json else print_page(found.text)


def _text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: no UTF-8 text at byte {error.start}") from None
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror or error}") from None


def _judged(op: Operation, table: Table, as_json: bool) -> None:
    """Print what is to be said of answers, and end with the exit code that says it."""
    for line in table.notes:
        say(f"note: {line}", err=True)
    found = explain_answers(op, table)
    print_json(found.document) if as_json else print_page(found.text)
    sys.exit({"wrong": WRONG, "undecided": UNDECIDED, "right": 0}[found.verdict])
