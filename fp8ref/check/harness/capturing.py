"""Captures of an implementation: making one, without judging, and the cases of one that is replayed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ...adapters.captures.blocks import Appending
from ...adapters.captures.files import Capture, read, sha256
from ...adapters.connect import Connectable
from ...cases.operation import Operation, carrier_dtype, default_mode
from ...cases.products.beside import second_of
from ...cases.products.cases import Cases, dot_cases
from ...cases.products.exact import is_delivered
from ...cases.products.questions import has_addend, is_product, length, operand_types, shapes, with_length
from ...cases.scaling.questions import is_scale
from ...cases.selection import cases
from ...vectors.coverage.dot_samplers import sum_cases
from .transport import USUAL, Declined, Session

REPLAY = "replay"


def capture(
    session: Session,
    claim: Operation,
    level: int,
    seed: int,
    part: Path,
    advance: Callable[[int], None] = lambda n: None,
) -> Capture:
    """Ask what a check at this level asks first, for products the named probes before all else.

    ``part``: a file of blocks in which answers are kept on the way; the same call goes on with it.  Raises Declined for
    what a capture cannot hold and for what the implementation declines, Crashed and TimedOut, and ValueError where
    ``part`` is of something else.
    """
    op = with_length(claim) if is_product(claim) else claim
    if op.family == "matmul":
        raise Declined("a capture holds single cases: claim the dot product")
    if is_product(op):
        asked = sum_cases(op, level, seed)[0] if is_delivered(op) else dot_cases(op, level, seed).operands
    else:
        asked = cases(default_mode(op), level, seed)
    count = len(asked[0])
    step = max(1, USUAL // 4 // (length(op) if is_product(op) else _elements(op)))
    carried = [codes.astype(carrier_dtype(name), copy=False) for codes, name in zip(asked, operand_types(op))]
    source = provenance(session.hello.identity, op, level, seed)
    dtype, second = carrier_dtype(op.result).newbyteorder("<"), second_of(op)
    more = None if second is None else carrier_dtype(second[1]).newbyteorder("<")
    file = Appending(part, {"source": source, "operands": sha256(carried), "step": step})
    shape = shapes(op, 1)[-1][1:]
    size = dtype.itemsize * math.prod(shape)
    answers, besides = [], []
    for content in file.contents:
        n = len(content) // (size + (0 if more is None else more.itemsize))
        answers.append(np.frombuffer(content[: n * size], dtype).reshape(-1, *shape))
        besides += [] if more is None else [np.frombuffer(content[n * size :], more)]
    try:
        for start in range(step * len(answers), count, step):
            here = [codes[start : start + step] for codes in asked]
            ((got, beside),) = session.ask(op, [(here, "plain")])
            kept = b"" if beside is None or more is None else beside.astype(more).tobytes()
            file.append({"first": start}, got.astype(dtype).tobytes() + kept)
            answers.append(got.copy())
            besides += [] if beside is None else [beside.copy()]
            advance(len(here[0]))
    finally:
        file.close()
    found = np.concatenate(answers).astype(carrier_dtype(op.result))
    beside = None if second is None else np.concatenate(besides).astype(carrier_dtype(second[1]))
    return Capture(op, tuple(carried), found, source, beside=beside)


def provenance(identity: Mapping[str, str], op: Operation, level: int, seed: int) -> dict[str, str]:
    """Who answered what: the implementation's own words, and how the cases were chosen."""
    return {**identity, "operation": op.id, "level": str(level), "seed": str(seed)}


def _elements(op: Operation) -> int:
    """Of the longest row of a case."""
    return max(int(np.prod(shape[1:])) for shape in shapes(op, 1)) if is_scale(op) else 1


def captured(connectable: str) -> Capture | None:
    """The capture behind a replay; None for any other implementation.  Raises ValueError where it is no capture."""
    found = Connectable.parse(connectable)
    return read(found.id) if found.kind == REPLAY else None


def captured_cases(capture: Capture) -> Cases:
    """The cases of captured dot products."""
    a, b, *rest = capture.operands
    if has_addend(capture.operation):
        c, *rest = rest
    else:
        c = np.zeros(capture.count, carrier_dtype("f32"))  # is not handed over
    return Cases(a, b, c, ("captured",) * capture.count, tuple(rest))
