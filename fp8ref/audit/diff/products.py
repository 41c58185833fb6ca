"""Outputs of a product: which accumulator and which epilogue give them, from the operands of the same file.

Y = X W^T, with X (M, K), W (N, K) and Y (M, N): what a linear layer computes.  Some outputs, spread over all, are held
against the catalogue of :mod:`fp8ref.check.identify`; `fp8ref identify` fits units that are in no catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.cases import Cases
from ...check.identify.accumulators import agrees, catalogue
from ...check.identify.compositions import finished
from ..files.stored import Stored
from ..run import Judged
from .match import Side, plain_name
from .steps import BOTH, EQUAL, UNEXPLAINED, Step

Array = NDArray[Any]
OUTPUTS = 256  # that are asked about
LARGEST_K = 1 << 16
RESULTS = {"f32": np.uint32, "bf16": np.uint16, "f16": np.uint16}


class Unfit(ValueError):
    """A product cannot be asked about; the message says why."""


@dataclass
class Product:
    """One product in both files."""

    name: str
    verdict: str
    steps: list[Step] = field(default_factory=list)
    a: list[str] = field(default_factory=list)
    b: list[str] = field(default_factory=list)

    @property
    def explained(self) -> bool:
        return self.verdict in (EQUAL, BOTH)

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "verdict": self.verdict, "explained": self.explained,
                "a": {"accumulators": self.a}, "b": {"accumulators": self.b},
                "steps": [step.document() for step in self.steps]}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A file's product: the operation, some of its outputs, where they stand, and their operands."""

    op: Operation
    cases: Cases
    got: Array
    outputs: Array
    operands: tuple[Array, ...]


def product(names: tuple[str, str, str], a: dict[str, Side], b: dict[str, Side]) -> Product:
    """Compare the outputs ``names[2]`` of two files, products of ``names[0]`` and ``names[1]``.

    Raises Unfit where a tensor is missing, or no product of these can be asked about.
    """
    sides = [asked(names, held, side) for held, side in ((a, "A"), (b, "B"))]
    title = f"{names[2]} = {names[0]} x {names[1]}"
    left, right = sides
    same = all(x.shape == y.shape and np.array_equal(x, y) for x, y in zip(left.operands, right.operands))
    steps = [Step("same operands?", same, "codes and scales are equal" if same else "codes or scales differ")]
    if left.outputs.shape != right.outputs.shape:
        raise Unfit(f"{names[2]} has the shape {left.outputs.shape} in A and {right.outputs.shape} in B")
    differ = left.outputs != right.outputs
    n = int(differ.sum())
    first = None
    if n:
        i, j = map(int, np.argwhere(differ)[0])
        x, y = float(left.outputs[i, j]), float(right.outputs[i, j])
        first = {"at": [i, j], "a": x, "b": y, "text": f"[{i}, {j}]: {x:.9g} in A, {y:.9g} in B"}
    text = f"{n} of {differ.size} differ" if n else f"all {differ.size} are"
    steps.append(Step("same outputs?", not n, text, n, differ.size, first))
    found = [named(one) for one in sides]
    for side, one, accumulators in zip(("A", "B"), sides, found):
        decided = None if not one.got.any() else bool(accumulators)
        steps.append(Step(f"unit of {side}?", decided, _said(accumulators, one)))
    if left.op == right.op and n:
        common = [name for name in found[0] if name in found[1]]
        steps.append(_unit_step(found, common, same))
    verdict = EQUAL if not n and same else BOTH if all(found) else UNEXPLAINED
    return Product(title, verdict, steps, found[0], found[1])


def _unit_step(found: list[list[str]], common: list[str], same: bool) -> Step:
    question = "same unit?"
    if not all(found):
        return Step(question, None, "a side is not explained")
    if common:
        text = f"{common[0]} gives both" + ("" if same else ": outputs differ by their operands alone")
        return Step(question, True, text)
    return Step(question, False, f"no accumulator gives both: {found[0][0]} in A, {found[1][0]} in B")


def asked(names: tuple[str, str, str], held: dict[str, Side], side: str) -> Asked:
    """A file's product as an operation with cases.  Raises Unfit."""
    missing = [name for name in names if plain_name(name) not in held]
    if missing:
        raise Unfit(f"{side} has no tensor {missing[0]!r:.80}")
    x, w, y = (held[plain_name(name)] for name in names)
    for one, name in ((x, names[0]), (w, names[1])):
        if not isinstance(one, Judged):
            raise Unfit(f"{name!r:.80} of {side} is not quantised")
        if one.tensor.grid.matrices != 1 or one.tensor.wholes.size or one.tensor.scale_format not in ("f32", "e8m0fnu"):
            raise Unfit(f"{name!r:.80} of {side}: a matrix with scales of binary32 or E8M0 of one level is asked about")
    assert isinstance(x, Judged)
    assert isinstance(w, Judged)
    if not isinstance(y, Stored) or y.kind not in RESULTS:
        raise Unfit(f"{names[2]!r:.80} of {side} is no tensor of f32, bf16 or f16")
    m, n, k = x.tensor.rows, w.tensor.rows, x.tensor.columns
    if w.tensor.columns != k or y.size != m * n or k > LARGEST_K:
        shapes = f"{x.tensor.shape}, {w.tensor.shape} and {tuple(y.shape)}"
        raise Unfit(f"{side}: shapes {shapes} are not (M, K), (N, K) and (M, N), K at most {LARGEST_K}")
    outputs = np.asarray(y.all()).reshape(m, n)
    chosen = np.unique(np.linspace(0, m * n - 1, min(OUTPUTS, m * n)).astype(np.int64))
    i, j = chosen // n, chosen % n
    codes = [t.elements(0, 0, t.rows) for t in (x.tensor, w.tensor)]
    scales, kind, block = _scales(x, w, side)
    words = f";k={k}" + (f";scale={kind}" if kind else "") + (f";block={block}" if block and block < k else "")
    op = Operation.parse(f"dot/{x.tensor.element}.{w.tensor.element}/{y.kind}/*{words}")
    got = np.ascontiguousarray(outputs[i, j]).view(RESULTS[y.kind])
    c = np.zeros(chosen.size, np.uint32 if y.kind == "f32" else np.uint16)
    cases = Cases(codes[0][i], codes[1][j], c, ("file",) * chosen.size,
                  (scales[0][i], scales[1][j]) if kind else ())  # fmt: skip
    return Asked(op, cases, got, outputs.astype(np.float64), (*codes, *scales))


def _scales(x: Judged, w: Judged, side: str) -> tuple[tuple[Array, ...], str, int]:
    """Scales along K of both operands, (rows, blocks), their format, elements of a block; none where all are 1."""
    s, t = x.tensor, w.tensor
    factors = [one.factors(0) for one in (s, t)]
    if all((f == 1).all() for f in factors):
        return (), "", 0
    blocks = {one.grid.c for one in (s, t) if one.grid.n > 1}
    if len(blocks) > 1:
        raise Unfit(f"{side}: blocks along K have {' and '.join(map(str, sorted(blocks)))} elements")
    block = blocks.pop() if blocks else s.columns
    kind = "e8m0fnu" if s.scale_format == t.scale_format == "e8m0fnu" else "f32"
    found = []
    for one, f in zip((s, t), factors):
        stored = one.stored_scales(0) if kind == "e8m0fnu" else f.astype(np.float32).view(np.uint32)
        wide = np.repeat(stored, one.grid.r, axis=0)[: one.rows]
        found.append(np.ascontiguousarray(np.broadcast_to(wide, (one.rows, -(-s.columns // block)))))
    return tuple(found), kind, block


def named(one: Asked) -> list[str]:
    """The accumulators, catalogued or promoted, and their epilogues that give every output that is asked about."""
    plain = catalogue(one.op)
    every = [*plain, *finished(one.op, plain)]
    return [h.name for h in every if agrees(one.op, one.got, h, one.cases)]


def _said(names: list[str], one: Asked) -> str:
    if not one.got.any():
        return "every output is zero: nothing is decided"
    if names:
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        return (
            f"{', '.join(names[:4])}{more} give{'s' if len(names) == 1 else ''} all {one.got.size} outputs asked about"
        )
    return f"none that is known gives all {one.got.size} outputs"
