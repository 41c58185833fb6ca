"""The table of named profiles: what each answers to the questions on which they differ, every cell computed.

A cell is *ran* where an implementation answered here, *modelled* where the profile's rule did.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import md
import numpy as np

from fp8ref.adapters.base import Adapter, Unavailable, Unsupported
from fp8ref.adapters.connect import connect
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.report.findings.draw import drawn
from fp8ref.spec.profiles.catalog import PROFILES
from fp8ref.spec.profiles.rules import Profile

# profile -> the implementation that answers for it here, and the versions of which it speaks
RUNS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "ml_dtypes": ("ml_dtypes", lambda version: _release(version) >= (0, 7)),
    "ml_dtypes-until-0.6": ("ml_dtypes", lambda version: _release(version) < (0, 7)),
    "torch-since-2.13": ("torch", lambda version: _release(version) >= (2, 13)),
    "torch-until-2.12": ("torch", lambda version: _release(version) < (2, 13)),
    "cuda-satfinite": ("cuda_host", lambda version: True),
    "cuda-nosat": ("cuda_host", lambda version: True),
}
# questions that a profile's rule answers wrongly or without ground; its notes say so
SEE_NOTES = {
    ("torch-until-2.12", "1.25 2^-127"), ("onnx-saturate", "-1"),
    *(("ptx-cvt", f"{sign}{kind}NaN") for sign in ("", "-") for kind in "qs"),
    ("ptx-cvt", "NaN to e3m2fn"), ("ptx-cvt", "-NaN to e3m2fn"), ("ptx-cvt", "NaN to e2m3fn"),
    ("ptx-cvt", "-NaN to e2m3fn"), ("ptx-cvt", "NaN to e2m1fn"), ("ptx-cvt", "-NaN to e2m1fn"),
    *((name, x) for name in ("ocp-sat",) for x in (f"{s}NaN to {f}" for s in ("", "-")
      for f in ("e3m2fn", "e2m3fn", "e2m1fn"))),
}  # fmt: skip
INF = float("inf")
HALF_E4M3, HALF_E5M2 = 2.0**-10, 2.0**-17


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def f32(x: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", x))[0])


def f64(x: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", x))[0])


# heading -> columns: (question, source type, result type, operand code, rounding in place of the profile's own)
Question = tuple[str, str, str, int, str]
SECTIONS: dict[str, tuple[Question, ...]] = {
    "E4M3 from float32": (
        ("449", "f32", "e4m3fn", f32(449), ""), ("464", "f32", "e4m3fn", f32(464), ""),
        ("just above 464", "f32", "e4m3fn", f32(464) + 1, ""), ("480", "f32", "e4m3fn", f32(480), ""),
        ("+Inf", "f32", "e4m3fn", f32(INF), ""), ("-Inf", "f32", "e4m3fn", f32(-INF), ""),
        ("qNaN", "f32", "e4m3fn", 0x7FC00000, ""), ("-qNaN", "f32", "e4m3fn", 0xFFC00000, ""),
        ("sNaN", "f32", "e4m3fn", 0x7F800001, ""), ("-sNaN", "f32", "e4m3fn", 0xFF800001, ""),
        ("-0", "f32", "e4m3fn", 0x80000000, ""), ("2^-10", "f32", "e4m3fn", f32(HALF_E4M3), ""),
        ("-2^-10", "f32", "e4m3fn", f32(-HALF_E4M3), ""), ("below 2^-10", "f32", "e4m3fn", f32(HALF_E4M3) - 1, ""),
        ("above 2^-10", "f32", "e4m3fn", f32(HALF_E4M3) + 1, ""),
    ),
    "E5M2 from float32": (
        ("61439", "f32", "e5m2", f32(61439), ""), ("61440", "f32", "e5m2", f32(61440), ""),
        ("+Inf", "f32", "e5m2", f32(INF), ""), ("-Inf", "f32", "e5m2", f32(-INF), ""),
        ("qNaN", "f32", "e5m2", 0x7FC00000, ""), ("-qNaN", "f32", "e5m2", 0xFFC00000, ""),
        ("sNaN", "f32", "e5m2", 0x7F800001, ""), ("-sNaN", "f32", "e5m2", 0xFF800001, ""),
        ("2^-17", "f32", "e5m2", f32(HALF_E5M2), ""), ("above 2^-17", "f32", "e5m2", f32(HALF_E5M2) + 1, ""),
    ),
    "Double rounding": (
        ("1.0625 (1 + 2^-40), f64", "f64", "e4m3fn", f64(1.0625 * (1 + 2.0**-40)), ""),
        ("464 (1 + 2^-50), f64", "f64", "e4m3fn", f64(464 * (1 + 2.0**-50)), ""),
        ("1.0625 + 2^-12, f32", "f32", "e4m3fn", f32(1.0625 + 2.0**-12), ""),
    ),
    "Overflow in other rounding modes": tuple(
        (f"{x:g} to {name}, {mode}", "f32", result, f32(x), mode)
        for result, name, size in (("e4m3fn", "E4M3", 1000.0), ("e5m2", "E5M2", 1e6))
        for mode in ("rtz", "rtp", "rtn")
        for x in (size, -size)
    ),
    "E8M0": (
        ("0", "f32", "e8m0fnu", 0, ""), ("-1", "f32", "e8m0fnu", f32(-1), ""), ("3", "f32", "e8m0fnu", f32(3), ""),
        ("1.25 2^-127", "f32", "e8m0fnu", f32(1.25 * 2.0**-127), ""), ("+Inf", "f32", "e8m0fnu", f32(INF), ""),
        ("NaN", "f32", "e8m0fnu", 0x7FC00000, ""),
    ),
    "FP6, FP4, INT8": (
        *(
            (f"{name} to {result}", "f32", result, code, "")
            for result in ("e3m2fn", "e2m3fn", "e2m1fn")
            for name, code in (("NaN", 0x7FC00000), ("-NaN", 0xFFC00000), ("+Inf", f32(INF)))
        ),
        ("-2 to mxint8", "f32", "mxint8", f32(-2), ""),
    ),
    "P3109 binary8p4sf and binary8p4se": tuple(
        (f"{x:g} to {f}", "f32", f, f32(x), "") for f in ("binary8p4sf", "binary8p4se") for x in (1000.0, -1000.0, INF)
    ),
    "FNUZ": (
        ("Inf to e4m3fnuz", "f32", "e4m3fnuz", f32(INF), ""), ("249 to e4m3fnuz", "f32", "e4m3fnuz", f32(249), ""),
        ("-0 to e4m3fnuz", "f32", "e4m3fnuz", 0x80000000, ""), ("NaN to e4m3fnuz", "f32", "e4m3fnuz", 0x7FC00000, ""),
        ("0x80 of e4m3fnuz to e5m2", "e4m3fnuz", "e5m2", 0x80, ""),
    ),
}  # fmt: skip


def pages(docs: Path) -> dict[str, str]:
    """One table a section: a row a profile that speaks of any of its questions."""
    parts = []
    for title, questions in SECTIONS.items():
        rows = [[md.code(p.name), *cells] for p in PROFILES.values() if any(cells := [_cell(p, q) for q in questions])]
        parts.append(f"## {title}\n\n" + md.table(["profile", *(q[0] for q in questions)], rows))
    parts.append("## Sources\n\n" + "\n".join(_sources(p) for p in PROFILES.values()))
    return {"profiles.md": "\n".join(parts)}


def _target(p: Profile, sentence: str = "") -> str:
    """The label of a profile's source, or of one sentence of its documentation."""
    number = _sentences(p).index(sentence) + 1 if sentence else 0
    return "source-" + "".join(c if c.isalnum() else "-" for c in p.name) + (f"-{number}" if number else "")


def _sentences(p: Profile) -> list[str]:
    return list(dict.fromkeys(rule.promised for rule in p.rules if rule.promised))


def _sources(p: Profile) -> str:
    """A profile's sources with a label at each, so that every cell of the tables links to what is behind it."""
    lines = [f"({_target(p)})=\n### {md.code(p.name)}\n\n{p.title}: {p.source}.\n"]
    lines += [f"({_target(p, sentence)})=\n{sentence}.\n" for sentence in _sentences(p)]
    lines += [f"Not documented: {'; '.join(p.notes)}.\n"] if p.notes else []
    return "\n".join(lines)


def _cell(p: Profile, question: Question) -> str:
    """Code and value of the answer, with how it is known; empty where the profile does not speak of it."""
    _, source, result, code, rounding = question
    rule = p.rule(source, result)
    if rule is None or (rounding and rule.roundings != "*" and rounding not in rule.roundings.split()):
        return ""
    mode = f"{rounding}.{rule.overflow}" if rounding else rule.mode
    op = Operation.convert(source, result, mode, **rule.keys)
    if (p.name, question[0]) in SEE_NOTES:
        return f"[see notes](#{_target(p)})"
    operand = np.array([code]).astype(carrier_dtype(source))
    ran = _ran(p.name, op, operand)
    if ran is None and p.via and source == "f64":
        first = Operation.convert(source, p.via, "rne.nonsat", nan="keep-sign")
        op, operand = Operation.convert(p.via, result, mode, **rule.keys), expect(first, [operand]).codes
    answer = int((expect(op, [operand]).codes if ran is None else ran)[0])
    row = drawn(answer, result)
    how = "modelled" if ran is None else "*ran*"
    return f"`{row.code}` {row.value.partition(' = ')[0]} [{how}](#{_target(p, rule.promised)})"


def _ran(profile: str, op: Operation, operand: Any) -> Any:
    """What the implementation behind a profile answers; None where there is none here, or it has no such operation."""
    kind, speaks = RUNS.get(profile, ("", lambda version: False))
    adapter = _adapter(kind) if kind else None
    if adapter is None or not speaks(str(adapter.identify()["version"])):
        return None
    for asked in _forms(kind, op):
        try:
            return adapter.run(asked, operand)
        except Unsupported:
            continue
    return None


def _forms(kind: str, op: Operation) -> Sequence[Operation]:
    """The same question as the implementation claims it: with its own keys."""
    head = (op.family, op.operands, op.result)
    return [c for c in _conversions(kind) if (c.family, c.operands, c.result) == head and c.mode in (op.mode, "*")]


@cache
def _conversions(kind: str) -> Sequence[Operation]:
    """What an implementation claims to convert."""
    adapter = _adapter(kind)
    claims = adapter.capabilities() if adapter else ()
    return [Operation.parse(claim) for claim in claims if claim.startswith("convert/")]


@cache
def _adapter(kind: str) -> Adapter | None:
    try:
        return connect(kind)
    except (Unavailable, ValueError):
        return None
