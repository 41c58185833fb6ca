"""Readers of names and numbers: what a person types."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fp8ref.adapters.base import Unavailable
from fp8ref.adapters.connect import Connectable, connect
from fp8ref.adapters.programs.named_operations import named_operations
from fp8ref.arrays.products import dot
from fp8ref.cases import written as typed
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.products.questions import operand_types, shapes
from fp8ref.cases.scaling.quantisers import get_quantiser
from fp8ref.cli import main
from fp8ref.cli.errors import BadInput
from fp8ref.cli.prove import _part
from fp8ref.errors import Unreadable
from fp8ref.spec.catalog import get_format
from fp8ref.spec.matrix.models import get_model
from fp8ref.spec.operations import text as spelled
from fp8ref.spec.overflow import get_overflow
from fp8ref.spec.profiles.catalog import get_profile
from fp8ref.spec.projection import get_projection
from fp8ref.spec.rounding import get_rounding
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.section import Section

from .guard import Fault, check_line, folder

INPUT_ERRORS = (Unreadable,)
FEW = 1 << 12  # elements of a case that is asked here


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def same(found: object, wanted: object, what: str) -> None:
    """What was read must be read again from what is written of it."""
    if found != wanted:
        raise Fault(f"{what}: {found!r:.200} is not {wanted!r:.200}")


def formats(data: bytes) -> None:
    f = get_format(text_of(data))
    same(get_format(f.name), f, "a format by its name")
    if not f.name.isascii():
        raise Fault(f"a format named {f.name!a}")
    f.max, f.min_subnormal, f.emax, f.nan_canonical


def operations(data: bytes) -> None:
    op = Operation.parse(text_of(data))
    same(Operation.parse(op.id), op, "an operation by its id")
    if not op.id.isascii():
        raise Fault(f"an operation {op.id!a}")
    asked(op)
    Section.of(op).columns


def asked(op: Operation) -> None:
    """The reference answers one case of an operation that has a definite mode."""
    *given, answer = shapes(op, 1)
    if op.mode == "*" or (op.mode or "").startswith("within") or max(int(np.prod(s)) for s in given) > FEW:
        return
    codes = [np.full(shape, 1, carrier_dtype(name)) for shape, name in zip(given, operand_types(op))]
    got = expect(op, codes)
    same(got.codes.shape, answer, f"the shape of {op.id}'s answer")
    same(got.status is not None, op.flags, f"a status of {op.id}")


def accumulators(data: bytes) -> None:
    name = text_of(data)
    model = get_model(name)
    same(get_model(model.name), model, "a model by its name")
    operand = (model.operands or ("e4m3fn",))[0]
    x = np.full((1, 8), 3, np.uint8)
    scales = (
        {"scale_a": x[:, :1], "scale_b": x[:, :1], "scale_format": model.scale_formats[0]}
        if model.scale_formats
        else {}
    )
    dot(x, x, operand, accumulator=name, block=8 if scales else None, **scales)


def modes(data: bytes) -> None:
    """``kind name``, or a projection: ``format rounding overflow nan tininess``."""
    kind, _, rest = text_of(data).partition(" ")
    one = {
        "rounding": get_rounding, "profile": get_profile, "scheme": get_quantiser, "form": get_form,
        "overflow": lambda name: get_overflow(name, get_format("e5m2")), "part": _part,
    }  # fmt: skip
    try:
        if kind in one:
            one[kind](rest)
            return
        rounding, overflow, nan, tininess, *_ = [*rest.split(" "), "rne", "sat", "canonical", "after"]
        get_projection(get_format(kind), rounding, overflow, nan, tininess=tininess)
    except (Unreadable, BadInput) as error:
        raise ValueError(str(error)) from None


def numbers(data: bytes) -> None:
    text = text_of(data)
    x = spelled.parse(text)
    for name in ("e4m3fn", "e8m0fnu", "f64"):
        code, _ = spelled.from_text(text, name, rho=get_projection(get_format(name), "rne", "sat"))
        again, _ = spelled.from_text(spelled.shortest(code, name), name)
        if not get_format(name).is_nan_code(code):
            same(again, code, f"{name} by its shortest decimal")
    if x.is_finite and x.magnitude and not x.magnitude.denominator & (x.magnitude.denominator - 1):
        size = max(x.magnitude.numerator.bit_length(), x.magnitude.denominator.bit_length())
        if size < 1000:
            same(spelled.parse(spelled.to_hex(x)), x, "a number by its hexadecimal text")
            same(spelled.parse(spelled.to_decimal(x)), x, "a number by its decimal text")


def inputs(data: bytes) -> None:
    kind, _, text = text_of(data).partition(" ")
    if kind == "code":
        code = typed.read_code(text, 8, "e4m3fn")
        same(typed.read_code(f"0x{code:02X}", 8, "e4m3fn"), code, "a code in hexadecimal")
    elif kind == "hex":
        typed.read_hex(text, 32, "f32", "code")
    elif kind == "typed":
        name, code = typed.read_typed_code(text, "--from")
        same(typed.read_typed_code(f"{name}:{code:X}", "--from"), (name, code), "a code with its type")
    elif kind == "value":
        typed.read_value(text, "--from")
    else:
        op, codes = typed.read_case(text)
        same(typed.read_case(f"{op.id}#{'.'.join(f'{code:X}' for code in codes)}"), (op, codes), "a case by its id")


HARMLESS = ("show", "explain", "list", "report", "vectors")
FILES = {"x.jsonl": b'{"fp8ref":"vectors"}\n', "run.jsonl": b'{"kind":"run"}\n'}


def command_line(data: bytes) -> None:
    """Arguments, one a line, of commands that start no implementation and write no file.

    Whatever they are, the exit code is one of the documented ones but 3, and what is refused is refused in one line.
    """
    args = text_of(data.replace(b"\0", b"?")).split("\n")[:12]
    if any(arg.startswith("/") or ".." in arg for arg in args):
        return  # files of the person's own choice, which are opened
    if args[0] not in HARMLESS or {"-", "-o", "--output"} & set(args) or any(a.startswith("--ou") for a in args):
        return
    if args[0] == "vectors":
        if args[1:2] == ["generate"]:
            args = [a for a in args if not a.startswith("--f")] + ["-n", "3", "--each", "1"]
        elif args[1:2] not in (["list"], ["verify"]):
            return
    refused(args)


def refused(args: Sequence[str]) -> int:
    """The exit code of a command line; a Fault where it is not documented, or where a refusal is not one line."""
    place, before = folder() / "cli", (sys.argv, os.getcwd())
    place.mkdir(exist_ok=True)
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    out, err = _Captured(), _Captured()
    sys.argv = ["fp8ref", *args]
    os.environ["FP8REF_DEBUG"] = "1"
    os.chdir(place)
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main.run()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
        del os.environ["FP8REF_DEBUG"]
    said = err.text()
    if code not in (0, 1, 4, 5):
        raise Fault(f"exit {code}: {said[:300]}")
    if code == 4:
        check_line(said.removesuffix("\n"))
    return code


class _Captured(io.TextIOWrapper):
    """A stream as a terminal of UTF-8 is."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode()


STARTED = ("mini", "replay")  # kinds that are started here: they run nothing of another's


def specs(data: bytes) -> None:
    """``op names``, or an implementation by name."""
    text = text_of(data)
    if text.startswith("op "):
        found = named_operations(text[3:])
        same(named_operations("+".join(op.id for op in found[:20]))[:20], found[:20], "operations by their ids")
        return
    c = Connectable.parse(text)
    same(Connectable.parse(c.text), c, "an implementation by its name")
    if c.kind == "replay" and not (folder() / c.id).resolve().is_relative_to(folder()):
        return  # a file of the person's own choice
    if c.kind in STARTED:
        with contextlib.suppress(Unavailable):  # which shows the name of a file as it was typed
            adapter = connect(c)
            adapter.identify(), adapter.capabilities()


def write(name: str, data: bytes) -> Path:
    """A file of the one folder."""
    path = folder() / name
    path.write_bytes(data)
    return path
