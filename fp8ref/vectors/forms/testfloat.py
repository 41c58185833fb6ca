"""TestFloat's lines under ``@`` headers: operands, result and flags in hexadecimal, a case a line.

    @ f32_to_e4m3fn rm=RNE tininess=after ovf=sat inf=sat nan=any snan=ieee subnormal=keep flags=NV,DZ,OF,UF,NX ...
    43E80001 7E 01
    @ end count=1

Lines that begin with ``@`` or ``#`` taken away, plain TestFloat lines remain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import IO

import numpy as np

from ...cases.operation import Operation
from ...cases.products.questions import addend_type, has_addend, length, with_length
from ...spec.catalog import get_format
from ...spec.overflow import get_overflow
from ..coverage.bins import coverpoints_of
from ..demanded import Demanded
from ..section import VERSION, Block, Section, tags
from ..source import Details, Found, Source, Unreadable, lines_that_begin
from .caselines import constant
from .digits import Text, from_digits, squeezed, table, to_digits
from .jsonl import STATUS
from .registry import Sections

MODES = {"RNE": "rne", "RNA": "rna", "RTZ": "rtz", "RTP": "rtp", "RTN": "rtn", "RTO": "rto"}
MODES |= {
    "near_even": "rne", "near_maxMag": "rna", "minMag": "rtz", "max": "rtp", "min": "rtn", "odd": "rto",
}  # fmt: skip
FINITE = {"max": "sat", "ieee": "ieee", "inf": "inf", "nan": "nan"}
INFINITE = {"max": "sat", "inf": "propagate", "nan": "nan"}
FLAGS = {"NX": 1, "UF": 2, "OF": 4, "DZ": 8, "NV": 16}
MARK = b"@"
BINS = "# bins "


# -- names ------------------------------------------------------------------------------------------------------------
def function(op: Operation) -> str:
    """TestFloat's name of an operation, and its like for mixed formats and dot products; the id where there is none."""
    if op.family == "dot":
        a, b = op.operands
        return f"{a if a == b else f'{a}.{b}'}_dot{length(op)}_{op.result}"
    a, *rest = op.operands
    if op.family == "fma" and rest[0] == a and rest[1] == op.result != a:
        return f"{a}_mulAdd_{op.result}"
    if op.family == "rintx":
        op = replace(op, family="rint")  # TestFloat's -exact: the header says it
    return op.testfloat.partition(";")[0]


# -- headers ----------------------------------------------------------------------------------------------------------
def header(section: Section) -> str:
    """The ``@`` line of a section."""
    op = section.operation
    words = [function(op)]
    if op.asked.kind == "dot":
        words.append(f"accumulator={op.mode} acc={addend_type(op) if has_addend(op) else 'none'}")
        words += [f"{name}={op.key(name)}" for name in ("tininess", "snan", "zero") if op.key(name)]
    elif op.asked.kind == "scale":
        words.append(f"rule={op.mode}")
    elif op.asked.kind == "int":
        rounding, rule = op.integer_mode
        words.append(f"rm={rounding.value.upper()} range={rule.value} exact={op.key('exact', '1')}")
    elif op.mode is not None:
        rho = op.projection
        infinite = INFINITE.get(rho.overflow.infinite.value, rho.overflow.infinite.value)
        nan = "any" if rho.nan.value in ("canonical", "keep-sign", "quiet", "default") else rho.nan.value
        words += [
            f"rm={rho.rounding.value.upper()} tininess={rho.tininess.value}",
            f"ovf={FINITE[rho.overflow.finite.value]} inf={infinite} nan={nan}",
            f"snan={rho.snan.value} subnormal={rho.subnormal.value}",
            *(f"exact={int(op.family == 'rintx')}" for _ in range(op.family in ("rint", "rintx"))),
        ]
    words.append("flags=NV,DZ,OF,UF,NX" if section.has_status else "flags=none")
    words.append(f"op={op.id}")
    if section.coverpoints:
        words.append(f"bins={','.join(point.name for point in section.coverpoints)}")
    if section.selection:
        words.append(f"select={section.selection.replace(' ', ',')} seed={section.seed}")
    return f"@ {' '.join(words)} fp8ref={VERSION}"


@dataclass(frozen=True)
class Header:
    """What a header line says: the section, which flags count, whether an end is to come, which cases are demanded."""

    section: Section
    mask: int
    ends: bool
    demanded: Demanded | None = None


def parse_header(line: str, where: str) -> Header:
    """The section of a header line, ours or another's with the same keys."""
    name, *pairs = line[1:].split()
    keys = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in keys:
            raise Unreadable(f"{where}: {pair[:40]!r} is not key=value, or is said twice")
        keys[key] = value
    version = keys.get("fp8ref", VERSION)
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise Unreadable(f"{where}: version {version[:20]!r}; this version reads {VERSION.partition('.')[0]}.x")
    try:
        op = Operation.parse(keys["op"]) if "op" in keys else _from_keys(Operation.parse(name), keys)
        if "op" in keys and name not in (function(op), function(op).replace("ui", "u")):
            raise ValueError(f"op={op.id} is {function(op)}, and the header begins with {name[:40]}")
        section = Section.of(op, selection=keys.get("select", "").replace(",", " "), seed=int(keys.get("seed", "0")))
        if "op" in keys and op.family == "dot":
            section = replace(section, operation=with_length(op))  # it means what it says, and no more
    except ValueError as error:
        raise Unreadable(f"{where}: {error}") from None
    section = _with_bins(section, keys.get("bins", ""), version, where)
    flags = keys.get("flags", "NV,DZ,OF,UF,NX")
    unknown = [f for f in flags.split(",") if f not in FLAGS and flags != "none"]
    if unknown:
        raise Unreadable(f"{where}: unknown flag {unknown[0][:20]!r}; flags is none or a list of {', '.join(FLAGS)}")
    mask = 0 if flags == "none" else sum(FLAGS[f] for f in set(flags.split(",")))
    ours = keys.get("fp8ref") == VERSION
    ends = "fp8ref" in keys and "forever" not in section.selection
    return Header(section, mask, ends, Demanded.of(section) if ours else None)


def _with_bins(section: Section, said: str, version: str, where: str) -> Section:
    """The section with the coverpoints that a header names; those of other versions are others, and not compared."""
    if not said or version != VERSION:
        return section
    points = coverpoints_of(section.operation)
    if said.split(",") != [point.name for point in points]:
        raise Unreadable(f"{where}: bins of {section.operation.family} are {','.join(p.name for p in points)}")
    return replace(section, coverpoints=points)


def _from_keys(op: Operation, keys: dict[str, str]) -> Operation:
    """The operation with the mode that a header's keys give."""
    if op.asked.kind == "dot":
        return op.with_mode(keys.get("accumulator", op.mode or "exact"))
    exact = keys.get("exact", "0")
    if exact not in ("0", "1"):
        raise ValueError(f"exact is 0 or 1, not {exact[:20]!r}")
    if op.family == "rint" and exact == "1":
        op = replace(op, family="rintx")
    if op.asked.kind == "scale":
        return op.with_mode(keys.get("rule", op.mode or ""))
    if op.mode is None:
        return op
    rounding = MODES.get(keys.get("rm", "RNE").removeprefix("r" if keys.get("rm", "").startswith("rn") else ""))
    if rounding is None:
        raise ValueError(f"unknown rm {keys['rm'][:20]!r}; choose from {', '.join(list(MODES)[:6])}")
    if op.asked.kind == "int":
        raised = tuple((key, value) for key, value in op.keys if key != "exact" or exact == "0")
        return replace(op, mode=f"{rounding}.{keys.get('range', 'riscv')}", keys=raised)
    f = get_format(op.result)
    unsaid = FINITE[get_overflow(None, f).finite.value]
    finite = {v: k for k, v in FINITE.items()}.get(keys.get("ovf", unsaid))
    infinite = {v: k for k, v in INFINITE.items()}.get(keys.get("inf", "sat" if finite == "max" else "propagate"))
    if finite is None or infinite is None:
        raise ValueError("ovf is ieee, sat, inf or nan, and inf is sat, propagate or nan")
    if infinite == "inf" and not f.infinities:
        infinite = "nan" if f.has_nan else "max"
    said: list[tuple[str, str]] = [(key, keys[key]) for key in ("tininess", "snan", "subnormal") if key in keys]
    if keys.get("nan", "any") not in ("any", "canonical"):
        said.append(("nan", {"propagate": "payload"}.get(keys["nan"], keys["nan"])))
    return Operation.parse(replace(op, mode=f"{rounding}.{finite}-{infinite}", keys=tuple(sorted(said))).id)


# -- cases ------------------------------------------------------------------------------------------------------------
def case_lines(section: Section, block: Block) -> bytes:
    """The lines of a block: operands a0 b0 a1 b1 ... of dot products; exact sum and bins as comments before it."""
    n = block.size
    digits = [to_digits(codes, c) for codes, c in zip((*block.operands, block.result), section.columns)]
    parts: list[Text] = []
    if section.has_exact:
        parts += [constant("# exact ", n), table([text.encode() for text in block.exact or ()]), constant("\n", n)]
    if section.coverpoints:
        assert block.bins is not None
        texts = tags(section.coverpoints, block.bins)
        parts += [constant(BINS, n), table([text.encode() for text in texts]), constant("\n", n)]
    for which, element in order(section):
        parts += [digits[which][:, element], constant(" ", n)]
    parts.append(constant("--", n) if block.status is None else to_digits(block.status, STATUS)[:, 0])
    parts.append(constant("\n", n))
    return squeezed(np.concatenate(parts, axis=1))


def order(section: Section) -> list[tuple[int, int]]:
    """(column, element) in the order of a line: scales sa0 sb0 ..., then a0 b0 ..., the others, the result."""
    columns = section.columns
    groups = [[], [], []]  # type: list[list[int]]
    for i, c in enumerate(columns):
        groups[0 if c.name in ("sa", "sb") else 1 if c.name in "ab" and section.has_exact else 2].append(i)
    found = [(i, k) for group in groups[:2] if group for k in range(columns[group[0]].elements) for i in group]
    return found + [(i, k) for i in groups[2] for k in range(columns[i].elements)]


def write(sections: Sections, out: IO[bytes]) -> None:
    """Sections one after the other, block by block."""
    for section, blocks in sections:
        out.write(header(section).encode() + b"\n")
        count = 0
        for block in blocks:
            out.write(case_lines(section, block))
            out.flush()
            count += block.size
        out.write(f"@ end count={count}\n".encode())
        out.flush()


def _parse(piece: bytes, first: int, now: Header, source: Source) -> Found | None:
    """The cases of a piece without headers; None where it holds comments only."""
    section = now.section
    flat = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(flat == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    kept = (flat[starts] != ord("#")) & (ends > starts)
    starts, ends, lines = starts[kept], ends[kept], (first + np.arange(kept.size))[kept]
    if not starts.size:
        return None
    places = order(section)
    widths = [section.columns[i].digits for i, _ in places]
    width = sum(widths) + len(widths) - 1
    long = ends - starts
    bare = bool(long[0] == width)  # a device without flags may leave them out
    if (long != width + (0 if bare else 3)).any():
        raise _no_case(section, piece, starts, ends, lines, source, int(np.argmax(long != width + (0 if bare else 3))))
    rows = flat[starts[:, None] + np.arange(int(long[0]))]
    bad = np.zeros(len(rows), bool)
    texts = [np.empty((len(rows), c.elements, c.digits), np.uint8) for c in section.columns]
    at = 0
    for (i, element), w in zip(places, widths):
        texts[i][:, element] = rows[:, at : at + w]
        at += w
        if at < rows.shape[1]:
            bad |= rows[:, at] != ord(" ")
        at += 1
    codes = []
    for text, column in zip(texts, section.columns):
        found, wrong = from_digits(text, column)
        bad |= wrong
        codes.append(found)
    status = None
    if not bare and not (rows[:, at:] == ord("-")).all():
        status, wrong = from_digits(rows[:, None, at:], STATUS)
        bad |= wrong
        status = status & np.uint8(now.mask) if section.has_status else None
    if bad.any():
        raise _no_case(section, piece, starts, ends, lines, source, int(np.argmax(bad)))
    return Found(section, Block(tuple(codes[:-1]), codes[-1], status), lines, now.mask)


def _no_case(
    section: Section, piece: bytes, starts: np.ndarray[tuple[int], np.dtype[np.intp]],
    ends: np.ndarray[tuple[int], np.dtype[np.intp]], lines: np.ndarray[tuple[int], np.dtype[np.int64]],
    source: Source, i: int,
) -> Unreadable:  # fmt: skip
    text = piece[int(starts[i]) : int(ends[i])].decode("ascii", "replace")
    words = [f"{c.name}{f'[{c.elements}]' if c.elements > 1 else ''} of {c.digits}" for c in section.columns]
    return Unreadable(
        f"{source.at(int(lines[i]))}: not a case of {function(section.operation)}, whose lines are {', '.join(words)} "
        f"hexadecimal digits and 2 of flags, one space apart: {text[:60]!r}"
    )


def read(source: Source) -> Iterator[Found]:
    """The cases of a file or pipe, a piece at a time.  Raises Unreadable with file and line for anything else."""
    now = None if source.asked is None else Header(source.asked, 31, False)
    seen, last, some, bins = 0, 1, False, _Bins()
    for first, piece in source.pieces():
        place, line = 0, first
        for mark in [*lines_that_begin(piece, MARK), None]:
            stop = mark[0] if mark else len(piece)
            if stop > place:
                found = _parse(piece[place:stop], line, _known(now, source, line), source)
                details = bins.of(piece[place:stop], found)
                if found is not None:
                    seen, some = seen + found.block.size, True
                    _require_demanded(now, found, source)
                    yield replace(found, complete=now is not None and now.ends, details=partial(_said, details))
                line += piece.count(b"\n", place, stop)
            if mark is not None:
                now, seen = _marked(piece[slice(*mark)].decode(), now, seen, source, line)
                some = True
                place, line = mark[1], line + 1
        last = line
    if last == 1 and source.name == "-":
        return  # nothing came through the pipe
    if not some and source.asked is None:
        raise Unreadable(f"{source.at(1)}: no header and no case")
    if now is not None and now.ends:
        raise Unreadable(f"{source.at(last)}: no '@ end' after {seen} cases: is the file torn?")


def _said(bins: tuple[str, ...] | None) -> Details:
    return None, bins


class _Bins:
    """The bins that comments say of the cases after them; a comment may end one piece and its case begin the next."""

    def __init__(self) -> None:
        self._ahead: str | None = None

    def of(self, piece: bytes, found: Found | None) -> tuple[str, ...] | None:
        """The bins of every case of a piece; None where the header names none, or a device left the comments out."""
        if found is not None and not found.section.coverpoints:
            return None
        said: list[str | None] = []
        for line in piece.decode("ascii", "replace").split("\n"):
            if line.startswith(BINS.rstrip()):
                self._ahead = line[len(BINS) :]
            elif line and not line.startswith("#"):
                said.append(self._ahead)
                self._ahead = None
        return tuple(text or "" for text in said) if any(text is not None for text in said) else None


def _require_demanded(now: Header | None, found: Found, source: Source) -> None:
    """Raise Unreadable at the first case that is not the one of the header's recipe."""
    if now is None or now.demanded is None:
        return
    i = now.demanded.first_other(found.block.operands)
    if i is not None:
        raise Unreadable(
            f"{source.at(int(found.lines[i]))}: not the case that the header's recipe ({now.section.selection}, seed "
            f"{now.section.seed}) has here: lines were lost, repeated or made up"
        )


def _known(now: Header | None, source: Source, line: int) -> Header:
    if now is None:
        raise Unreadable(f"{source.at(line)}: a case without an '@' header: say the operation with --op")
    return now


def _marked(line: str, now: Header | None, seen: int, source: Source, number: int) -> tuple[Header, int]:
    """A new section, or the end of one."""
    where = source.at(number)
    words = line[1:].split()
    if not words:
        raise Unreadable(f"{where}: an '@' line names a function, or is '@ end count=N'")
    if words[0] != "end":
        if now is not None and now.ends:
            raise Unreadable(f"{where}: no '@ end' after {seen} cases: is the file torn?")
        found = parse_header(line, where)
        asked = source.asked
        if asked is not None and asked.operation != found.section.operation:
            raise Unreadable(
                f"{where}: the cases are about {found.section.operation.id}, asked is {asked.operation.id}"
            )
        return found, 0
    if now is None or len(words) != 2 or not re.fullmatch(r"count=\d{1,18}", words[1]):
        raise Unreadable(f"{where}: an end is '@ end count=N' and closes a section")
    if int(words[1][6:]) != seen:
        raise Unreadable(f"{where}: {words[1][6:]} cases are announced, {seen} are there: lines were lost or repeated")
    if now.demanded is not None and not now.demanded.ended():
        raise Unreadable(f"{where}: {seen} cases are there, and the header's recipe makes more: lines were lost")
    return replace(now, ends=False, demanded=None), 0
