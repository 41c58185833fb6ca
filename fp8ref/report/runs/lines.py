"""The lines of a run record as a stranger may have written them: read within bounds, and held against what they say.

A line that passes has every field of its kind, each of its type, so that whatever renders records need not ask again.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ...cases.operation import INTEGERS, UNITS, Operation, carrier_dtype
from ...cases.products.questions import is_product
from ...cases.scaling.questions import is_scale
from ...check.verdict import Severity, Verdict
from ...spec.catalog import get_format

LONGEST_LINE, MOST_BYTES = 1 << 24, 1 << 28  # of a record, unpacked
Check = Callable[[Any], bool]


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a record, unpacked where its name ends in ``.gz``.

    Raises ValueError with file and line for a damaged file, for one that is no UTF-8, and for one that is too large.
    """
    with _opened(path) as file:
        number = size = 0
        while line := _line(file, f"{path}:{number + 1}"):
            number, size = number + 1, size + len(line)
            if len(line) > LONGEST_LINE or size > MOST_BYTES:
                raise ValueError(f"{path}:{number}: a line of more than {LONGEST_LINE} bytes, or {MOST_BYTES} in all")
            try:
                yield number, line.decode()
            except UnicodeDecodeError:
                raise ValueError(f"{path}:{number}: not UTF-8") from None


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _line(file: IO[bytes], where: str) -> bytes:
    try:
        return file.readline(LONGEST_LINE + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{where}: the compressed file is damaged from here on: {error}") from None


# -- what a line says -------------------------------------------------------------------------------------------------
def _text(x: Any) -> bool:
    return isinstance(x, str) and not any("\ud800" <= c <= "\udfff" for c in x)


def _whole(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) and 0 <= x < 1 << 63


def _code(x: Any) -> bool:
    return isinstance(x, str) and 0 < len(x) <= 1 << 20 and set(x) <= set("0123456789ABCDEFabcdef")


def _status(x: Any) -> bool:
    return x is None or (_whole(x) and x < 256)


def _severity(x: Any) -> bool:
    return x in [one.value for one in Severity]


def _list(of: Check) -> Check:
    return lambda x: isinstance(x, list) and all(map(of, x))


def _table(of: Check) -> Check:
    return lambda x: isinstance(x, dict) and all(map(_text, x)) and all(map(of, x.values()))


def _is_operation(x: Any) -> bool:
    if not isinstance(x, str):
        return False
    try:
        Operation.parse(x)
    except ValueError:
        return False
    return True


FIELDS: Mapping[str, Mapping[str, Check]] = {
    "run": {
        "schema": _text, "fp8ref": _text, "implementation": _table(_text), "impl": _text, "level": _whole,
        "seed": _whole, "operations": _list(_text),
    },
    "operation": {
        "claim": _is_operation, "op": _is_operation, "verdict": lambda x: x in [v.value for v in Verdict],
        "cases": _whole, "failed": _whole, "allowed": _table(_whole), "profiles": _list(_text), "source": _text,
        "reason": _text,
    },
    "finding": {
        "op": _is_operation, "inputs": _list(_code), "want": _code, "got": _code, "count": _whole, "of": _whole,
        "flags": _list(_text), "rule": _text, "where": _text, "diagnosis": _text, "length": _whole, "position": _whole,
        "layout": _text, "want_status": _status, "got_status": _status,
    },
    "end": {"finished": lambda x: isinstance(x, bool)},
}  # fmt: skip
OPTIONAL: Mapping[str, Mapping[str, Check]] = {
    "run": {"expected": _whole, "cpu": _text},
    "operation": {
        "expected": _text,
        "declines": _text,
        "unasked": _text,
        "chosen": _table(_text),
        "asked": _text,
        "fits": _list(_text),
        "alike": _list(_text),
    },
    "finding": {
        "expected": _text,
        "clause": _text,
        "digest": _text,
        "severity": _severity,
        "decided": _text,
        "want_amax": _code,
        "got_amax": _code,
    },
    "end": {"stale": _list(_text)},
}


def bits_of(type_: str) -> int:
    """How long a code of a type can be."""
    return int(8 * carrier_dtype(type_).itemsize) if type_ in (*INTEGERS, *UNITS) else get_format(type_).k


def check_line(data: Any, where: str) -> str:
    """The kind of a line.  Raises ValueError where it is none, or where a field is missing or of another type."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in FIELDS:
        raise ValueError(f"{where}: not a line of a run record: its kind is {', '.join(FIELDS)}, not {kind!r:.40}")
    for name, holds in FIELDS[kind].items():
        if name not in data:
            raise ValueError(f"{where}: field {name} of this {kind} is missing")
        if not holds(data[name]):
            raise ValueError(f"{where}: field {name} of this {kind} cannot be {data[name]!r:.80}")
    for name, holds in OPTIONAL[kind].items():
        if name in data and not holds(data[name]):
            raise ValueError(f"{where}: field {name} of this {kind} cannot be {data[name]!r:.80}")
    if kind == "finding":
        op = Operation.parse(data["op"])
        if not (is_product(op) or is_scale(op)) and len(data["inputs"]) != len(op.operands):
            raise ValueError(f"{where}: {op.id} has {len(op.operands)} inputs, not {len(data['inputs'])}")
        if not (is_product(op) or is_scale(op)):
            for type_, code in ((op.result, data["want"]), (op.result, data["got"]), *zip(op.operands, data["inputs"])):
                if int(code, 16) >> bits_of(type_):
                    raise ValueError(f"{where}: {code!r:.40} is not a code of {type_}, which has {bits_of(type_)} bits")
    return kind
