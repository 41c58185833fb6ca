"""``fp8ref show`` and ``fp8ref explain``: a format, a code, a conversion, a case."""

from __future__ import annotations

import click

from ..cases.families import PROJECTION
from ..cases.operation import Operation
from ..cases.products.questions import is_product
from ..cases.scaling.questions import is_scale
from ..report.findings.documents import code_document, conversion_document, format_document
from ..report.findings.draw import case_id
from ..report.findings.explain import Conversion, answer_block, conversion_block, explanation
from ..report.findings.scales import explain_scale
from ..report.formats.code_page import code_page
from ..report.formats.format_page import format_page
from ..spec.overflow import default_overflow
from .console import draws_unicode, print_json, print_page
from .errors import BadInput, OneLine
from .inputs import read_case, read_code, read_format, read_typed_code, read_value
from .listing import list_
from .plot import plot


@click.command(cls=OneLine)
@click.argument("format")
@click.argument("code", required=False)
@click.option("--from", "value", metavar="VALUE", help="Convert a value, or a code of another type, to FORMAT.")
@click.option("--rounding", metavar="MODE", help="rne rna rtz rtp rtn rto, or the long names.  [default: rne]")
@click.option(
    "--overflow",
    metavar="RULE",
    help="sat satprop nonsat, or finite-infinite like max-inf.  [default: sat to 8 bits, else nonsat]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(
    format: str, code: str | None, value: str | None, rounding: str | None, overflow: str | None, as_json: bool
) -> None:
    """A format, one of its codes, or what a value becomes in it.

    FORMAT is a name or alias of `fp8ref list formats`, or spells its widths: e3m4b2fn, binary8p3se.

    CODE is a bit pattern: hexadecimal (0x7E or 7E), binary (0b01111110), or decimal with a prefix (d:126).

    VALUE is an exact number (0.3, 5/16, 0x1.8p-3, -inf, nan) or a code with its type (f32:3F8CCCCD, i8:FD).

    \b
    fp8ref show e4m3fn
    fp8ref show e4m3fn 0x7E
    fp8ref show e4m3fn --from f32:3F8CCCCD --rounding rtz
    """
    f = read_format(format)
    if value is None:
        if rounding or overflow:
            raise BadInput("--rounding and --overflow say how a value is converted: give it with --from")
        if code is None:
            print_json(format_document(f)) if as_json else print_page(format_page(f, draws_unicode()))
        else:
            number = read_code(code, f.k, f.name)
            print_json(code_document(number, f)) if as_json else print_page(code_page(number, f, draws_unicode()))
        return
    if code is not None:
        raise BadInput(f"give a CODE ({code}) or a value (--from {value}), not both")
    conversion = _conversion(value, f.name, f"{rounding or 'rne'}.{overflow or default_overflow(f)}")
    print_json(conversion_document(conversion)) if as_json else print_page(
        conversion_block(conversion, draws_unicode())
    )


def _conversion(value: str, result: str, mode: str) -> Conversion:
    try:
        if ":" in value:
            type_, code = read_typed_code(value, "--from")
            found = Conversion.of_case(Operation.convert(type_, result, mode), code)
        else:
            found = Conversion(Operation("convert", ("value",), result, mode), read_value(value, "--from"), value)
        found.answer()
    except ValueError as error:
        raise BadInput(str(error).removeprefix(f"operation 'convert/value/{result}/{mode}': ")) from None
    return found


@click.command(cls=OneLine)
@click.argument("case")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(case: str, as_json: bool) -> None:
    """Why a case has its answer: neighbours, clause, flags, and what every other mode would answer.

    CASE is an operation id and the operands' codes in hexadecimal, as findings print it; `*` leaves the mode open.

    \b
    fp8ref explain convert/f32/e4m3fn/rne.sat#43E80001
    fp8ref explain 'convert/f16/e5m2/*#7BFF'
    fp8ref explain add/e4m3fn.e4m3fn/e4m3fn/rne.sat#38.01
    fp8ref explain scale/f32/mxfp4/floor#40400000.C0D00000
    """
    op, codes = read_case(case)
    if is_product(op):
        raise BadInput(f"CASE {case!r:.80}: {op.family} is drawn by `fp8ref check`; explained are single operations")
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


COMMANDS = [show, explain, list_, plot]
