"""Answers that a person has, in words: who is right, what gives all of them, and which cases would decide."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...cases.operation import INTEGERS, UNITS, Operation
from ...cases.products.questions import is_product
from ...cases.scaling.questions import is_scale, quantiser, split
from ...check.pasted.answers import Decider, Judged, Line
from ...check.pasted.candidates import Candidate
from ...spec.catalog import get_format
from .draw import datum_of, value_text
from .products import product_rows

SHOWN, LISTED, WHO, ROWS = 24, 10, 4, 8
HEADINGS = {
    "mode": "modes", "model": "models", "recipe": "recipes", "rule": "rules", "composed rule": "rules of several steps",
    "library": "libraries",
}  # fmt: skip


def code_digits(code: int, type_: str) -> str:
    """A code with all its digits; a truth value or class as it is."""
    if type_ in UNITS:
        return str(code)
    k = int(type_[1:]) if type_ in INTEGERS else get_format(type_).k
    return f"{int(code) & ((1 << k) - 1):0{-(-k // 4)}X}"


def answer_text(op: Operation, code: Any) -> str:
    """An answer as a code with its value; of a block its scale and elements."""
    if is_scale(op):
        return answer_digits(op, code)
    if op.result in UNITS:
        return str(int(code))
    value = value_text(datum_of(int(code), op.result)).lstrip("+")
    return f"{code_digits(int(code), op.result)} = {value}"


def answer_digits(op: Operation, code: Any) -> str:
    """An answer as it is written in a line of a table."""
    if not is_scale(op):
        return code_digits(int(code), op.result)
    q = quantiser(op)
    scale, codes = split(op, np.asarray(code, np.uint8)[None])
    digits = [code_digits(int(scale[0]), q.scale), *(code_digits(int(c), q.element) for c in codes[0])]
    return " ".join(digits)


def inputs_digits(op: Operation, operands: Sequence[Any], i: int = 0) -> str:
    """The inputs of a case as they are written in a line of a table."""
    if is_product(op):
        return product_rows(op, [int(code) for codes in operands for code in np.atleast_1d(codes[i])])
    if is_scale(op):
        x = " ".join(code_digits(int(code), op.operands[0]) for code in operands[0][i])
        return x + (f" {code_digits(int(operands[1][i]), 'f32')}" if len(operands) > 1 else "") + " ->"
    return " ".join(code_digits(int(codes[i]), type_) for codes, type_ in zip(operands, op.operands))


def page(judged: Judged, operands: Sequence[Any], numbers: Sequence[int], texts: Sequence[str]) -> str:
    """The whole page.  ``numbers``, ``texts``: of each answered line its number and its inputs as they were given."""
    return "\n\n".join(filter(None, [_lines(judged, numbers, texts), _behaviours(judged), _deciding(judged, operands)]))


def _counts(lines: Sequence[Line]) -> str:
    found = [f"{n} {verdict}" for verdict in ("right", "allowed", "wrong")
             if (n := sum(line.verdict == verdict for line in lines))]  # fmt: skip
    return ", ".join(found)


def _lines(judged: Judged, numbers: Sequence[int], texts: Sequence[str]) -> str:
    op, lines = judged.op, judged.lines
    by = "by the mode that fits, " if judged.free and judged.op.mode and judged.behaviours else ""
    by = "by the nearest mode, " if judged.free and judged.op.mode and not judged.behaviours else by
    title = f"{judged.claim.id}  {len(lines)} answer{'s' * (len(lines) != 1)}: {by}{by and op.mode}{': ' * bool(by)}"
    title = title.rstrip() + f" {_counts(lines)}"
    order = list(range(len(lines)))
    if len(lines) > SHOWN:
        order = [i for i in order if lines[i].verdict != "right"][:SHOWN]
    rows = [("line", "input", "got", "", "right")]
    for i in order:
        line = lines[i]
        verdict = f"allowed: {line.allowed}" if line.allowed else line.verdict
        want = answer_text(op, line.want) if line.verdict == "wrong" else ""
        rows.append((str(numbers[i]), _short(texts[i]), _short(answer_text(op, line.got)), verdict, _short(want)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    drawn = ["  " + "   ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
    if len(order) < len(lines):
        drawn.append(f"  and {len(lines) - len(order)} more")
    return "\n".join([title, "", *drawn])


def _short(text: str, most: int = 48) -> str:
    return text if len(text) <= most else f"{text[: most - 12]} ... {text[-7:]}"


def who(c: Candidate) -> str:
    """A candidate in words."""
    if c.kind == "library":
        return f"{c.name} ({c.text})"
    return f"{c.name} ({c.text})" if c.kind in ("rule", "composed rule") else c.name


def _behaviours(judged: Judged) -> str:
    if not judged.behaviours:
        return "  Nothing known here gives every one of these answers."
    everyone = [c for group in judged.behaviours for c in group]
    lines = ["  what gives every answer"]
    for kind, heading in HEADINGS.items():
        names = list(dict.fromkeys(who(c) for c in everyone if c.kind == kind))
        if names:
            more = f"; and {len(names) - LISTED} more" if len(names) > LISTED else ""
            lines.append(f"    {heading:<10} {'; '.join(names[:LISTED])}{more}")
    if judged.profiles:
        lines.append(f"    {'profiles':<10} {', '.join(judged.profiles)}")
    if not judged.open:
        lines.append("  They answer alike on every case compared: one behaviour.")
    return "\n".join(lines)


def _deciding(judged: Judged, operands: Sequence[Any]) -> str:
    if not judged.open:
        return ""
    op, n = judged.claim, len(judged.deciders)
    whole = f"{len(judged.behaviours)} behaviours fit; "
    if not n:
        return f"  open: {whole}no case of the plan distinguishes them"
    lines = [f"  open: {whole}{n} more case{'s' * (n != 1)} decide{'s' * (n == 1)} between them"]
    for decider in judged.deciders:
        kind = f" ({decider.kind})" if decider.kind else ""
        lines.append(f"    {_short(inputs_digits(op, decider.operands))}{kind}")
        for code, names in decider.answers[:ROWS]:
            more = f" and {len(names) - WHO} more" if len(names) > WHO else ""
            lines.append(f"      {_short(_decided(op, code, judged)):<24} by {', '.join(names[:WHO])}{more}")
        if len(decider.answers) > ROWS:
            lines.append(f"      and {len(decider.answers) - ROWS} other answers")
    lines += ["", "  Ask them, write the answers for ?, and run", "", command(judged, operands)]
    return "\n".join(lines)


def _decided(op: Operation, code: Any, judged: Judged) -> str:
    if is_scale(op):
        return answer_digits(op, code)
    if int(code) == -1 and op.result not in (*INTEGERS, *UNITS):
        return "NaN"
    return answer_text(op, code)


def command(judged: Judged, operands: Sequence[Any]) -> str:
    """The lines that ask again with the deciding cases, as a shell takes them."""
    op = judged.claim
    known = [f"{inputs_digits(op, operands, i)} {answer_digits(op, line.got)}" for i, line in enumerate(judged.lines)]
    some = known if len(known) <= ROWS else []
    asked = [f"{inputs_digits(op, decider.operands)} ?" for decider in judged.deciders]
    lines = [f"fp8ref explain {shlex.quote(op.id)} - <<'END'", *some, *asked, "END"]
    note = [] if some else ["# beside the lines of the table"]
    return "\n".join([*note, *lines])


def document(judged: Judged, operands: Sequence[Any], numbers: Sequence[int], texts: Sequence[str]) -> dict[str, Any]:
    """The same as plain data."""
    op = judged.op
    return {
        "claim": judged.claim.id,
        "op": op.id,
        "verdict": "wrong" if judged.wrong else "undecided" if judged.undecided else "right",
        "lines": [
            {
                "line": number, "input": text, "got": answer_digits(op, line.got), "want": answer_digits(op, line.want),
                "verdict": line.verdict, **({"allowed": line.allowed} if line.allowed else {}),
            }
            for number, text, line in zip(numbers, texts, judged.lines)
        ],
        "behaviours": [
            [{"kind": c.kind, "name": c.name, "text": c.text} for c in group] for group in judged.behaviours
        ],
        "profiles": list(judged.profiles),
        "open": judged.open,
        "deciders": [_decider(judged, decider) for decider in judged.deciders],
        **({"command": command(judged, operands)} if judged.deciders else {}),
    }  # fmt: skip


def _decider(judged: Judged, decider: Decider) -> dict[str, Any]:
    op = judged.claim
    return {
        "input": inputs_digits(op, decider.operands),
        "kind": decider.kind,
        "answers": [{"answer": _decided(op, code, judged), "by": list(names)} for code, names in decider.answers],
    }
