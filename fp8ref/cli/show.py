"""``fp8ref show``: a format, a code, a conversion."""

from __future__ import annotations

import re
from dataclasses import replace

import click

from ..cases.keys import check_keys
from ..cases.operation import Operation
from ..cases.written import read_code, read_value
from ..errors import Unreadable
from ..report.findings.documents import code_document, conversion_document, format_document
from ..report.findings.explain import Conversion, conversion_block
from ..report.formats.code_page import code_page
from ..report.formats.format_page import format_page
from ..spec.formats import Format
from ..spec.overflow import default_overflow
from ..spec.rounding import RandomBits
from . import complete
from .console import draws_unicode, page_width, print_json, print_page
from .errors import BadInput, OneLine
from .inputs import read_format, read_typed_code
from .listing import list_
from .plot import plot


@click.command(cls=OneLine)
@click.argument("format", shell_complete=complete.formats)
@click.argument("code", required=False)
@click.option("--from", "value", metavar="VALUE", help="Convert a value, or a code of another type, to FORMAT.")
@click.option("--rounding", metavar="MODE", help="rne rna rtz rtp rtn rto, or the long names.  [default: rne]")
@click.option(
    "--overflow",
    metavar="RULE",
    help="sat satprop nonsat, or finite-infinite like max-inf.  [default: sat to 8 bits, else nonsat]",
)
@click.option(
    "--nan", metavar="RULE", help="What a NaN becomes: canonical keep-sign quiet payload default max signed-max zero."
)
@click.option("--negative", metavar="RULE", help="What a negative value becomes: lowest magnitude zero.")
@click.option("--subnormal", metavar="RULE", help="keep, daz (of inputs), ftz (of results) or both.")
@click.option("--via", metavar="FORMAT", help="Round to this format first, to nearest even.")
@click.option(
    "--random-bits",
    metavar="BITS",
    help="The random bits of stochastic rounding (sr-a ...): 0b0110 is four, 0x6A eight.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(
    format: str, code: str | None, value: str | None, rounding: str | None, overflow: str | None, nan: str | None,
    negative: str | None, subnormal: str | None, via: str | None, random_bits: str | None, as_json: bool,
) -> None:  # fmt: skip
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
        if any((rounding, overflow, nan, negative, subnormal, via, random_bits)):
            raise BadInput("--rounding, --overflow and the like say how a value is converted: give it with --from")
        if code is None:
            print_json(format_document(f)) if as_json else print_page(format_page(f, draws_unicode(), page_width()))
        else:
            number = _code(code, f)
            print_json(code_document(number, f)) if as_json else print_page(code_page(number, f, draws_unicode()))
        return
    if code is not None:
        raise BadInput(f"give a CODE ({code}) or a value (--from {value}), not both")
    keys = tuple((key, said) for key, said in (("nan", nan), ("negative", negative), ("subnormal", subnormal)) if said)
    mode = f"{rounding or 'rne'}.{overflow or default_overflow(f)}"
    conversion = _conversion(value, f.name, mode, keys, via, random_bits)
    print_json(conversion_document(conversion)) if as_json else print_page(
        conversion_block(conversion, draws_unicode())
    )


def _code(text: str, f: Format) -> int:
    try:
        return read_code(text, f.k, f.name)
    except Unreadable as error:
        if re.fullmatch(r"\d{1,30}(\.\d{1,30})?", text):
            raise BadInput(f"{error}; the value {text}: fp8ref show {f.name} --from {text}") from None
        raise


def _conversion(
    value: str, result: str, mode: str, keys: tuple[tuple[str, str], ...], via: str | None, bits: str | None
) -> Conversion:
    random = None if bits is None else _random_bits(bits)
    try:
        if ":" in value:
            type_, code = read_typed_code(value, "--from")
            op = Operation.convert(type_, result, mode, **dict(keys))
            check_keys("convert", "convert", keys, op.id)
            found = Conversion.of_case(op, code)
        else:
            op = Operation("convert", ("value",), result, mode, keys)
            check_keys("convert", "convert", keys, op.id)
            found = Conversion(op, read_value(value, "--from"), value)
            if found.rho.subnormal.of_operands:
                raise ValueError("subnormal=daz is of inputs of a type: give a code, like f32:00000001")
        if random is not None and not found.rho.rounding.is_stochastic:
            raise ValueError(f"--random-bits are of stochastic rounding, like sr-a, not {found.rho.rounding.value}")
        found = replace(found.through(read_format(via).name) if via else found, random=random)
        found.answer()
    except ValueError as error:
        raise BadInput(re.sub(r"operation '[^']*': ", "", str(error), count=1)) from None
    return found


def _random_bits(text: str) -> RandomBits:
    """``0b0110``: four bits; ``0x6A``: eight."""
    match = re.fullmatch(r"0b([01]{1,64})|0x([0-9a-f]{1,16})", text, re.I | re.ASCII)
    if match is None:
        raise BadInput(f"--random-bits {text!r:.80}: 0b and 1 to 64 binary digits, or 0x and 1 to 16 hexadecimal ones")
    return RandomBits(int(match[1], 2), len(match[1])) if match[1] else RandomBits(int(match[2], 16), 4 * len(match[2]))


COMMANDS = [show, list_, plot]
