"""One comparison: two files opened and audited, their tensors paired and asked, and one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...escapes import one_line, plain_data
from ...version import __version__
from ..files.stored import FLOATS, Stored
from ..run import Audit, Judged, audit
from .counting import Part, count, count_values, rounded_to, values_part
from .match import Matched, Pair, Renames, matched, plain_name, sides
from .products import Product, product
from .steps import (
    CAST,
    DECODED,
    DIFFER,
    EQUAL,
    FAULTY,
    KEPT,
    OPEN,
    VERDICTS,
    Answered,
    Step,
    answer,
    described,
    values_step,
)  # fmt: skip

SCHEMA = "fp8ref/diff/1"
Progress = Callable[[str, int, int], None]


@dataclass
class Difference:
    """What a comparison found.  ``products``: outputs, where products were asked for."""

    a: Audit
    b: Audit
    matched: Matched
    answered: list[Answered] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    original: str | None = None

    @property
    def explained(self) -> bool:
        """Every difference is explained."""
        return all(p.explained for p in self.answered) and all(p.explained for p in self.products)

    @property
    def nothing(self) -> bool:
        """No tensor is in both files."""
        return not self.answered and not self.products

    def document(self) -> dict[str, Any]:
        """The document ``fp8ref/diff/1``; every text in it is plain."""
        counts = Counter(p.verdict for p in self.answered)
        return dict(
            plain_data(
                {
                    "schema": SCHEMA,
                    "fp8ref": __version__,
                    "a": one_line(str(self.a.files.path)),
                    "b": one_line(str(self.b.files.path)),
                    "original": self.original and one_line(self.original),
                    "conventions": {"a": _usual(self.a), "b": _usual(self.b)},
                    "verdicts": {name: counts[name] for name in VERDICTS if counts[name]},
                    "tensors": [p.document() for p in self.answered],
                    "products": [p.document() for p in self.products],
                    "only_a": self.matched.only_a,
                    "only_b": self.matched.only_b,
                    "explained": self.explained,
                }
            )
        )


def _usual(found: Audit) -> str | None:
    names = [j.tensor.convention.name for j in found.judged]
    return max(dict.fromkeys(names), key=names.count, default=None)


def diff(
    a: str | Path,
    b: str | Path,
    original: str | Path | None = None,
    renames: Renames = (),
    products: Sequence[tuple[str, str, str]] = (),
    progress: Progress | None = None,
) -> Difference:
    """Compare two files or folders of the same tensors, with their original weights where they are given.

    ``renames``: texts of names and what stands in their place, in both files.  ``products``: names (X, W, Y) of
    outputs Y = X W^T and their operands, of which the accumulators are asked.  ``progress(text, bytes, of)`` is called
    as tensors are read.  Raises :class:`fp8ref.audit.files.stored.BadFile` where a file cannot be read, and
    :class:`fp8ref.audit.diff.products.Unfit` where a product cannot be asked about.
    """
    left, right = (audit(path, original, progress) for path in (a, b))
    found = Difference(left, right, matched(left, right, renames), original=None if original is None else str(original))
    total = sum(pair.size for pair in found.matched.pairs)
    done = 0
    for pair in found.matched.pairs:
        if progress is not None:
            progress(pair.name, done, total)
        found.answered.append(_asked(pair))
        done += pair.size
    for names in products:
        if progress is not None:
            progress(f"the accumulators of {names[2]}", total, total)
        found.products.append(product(names, sides(left, renames), sides(right, renames)))
    outputs = {plain_name(names[2], renames) for names in products}
    found.answered = [p for p in found.answered if p.name not in outputs]
    return found


def _asked(pair: Pair) -> Answered:
    a, b = pair.a, pair.b
    if isinstance(a, Judged) and isinstance(b, Judged):
        s, t = a.tensor, b.tensor
        if (s.grid.matrices, s.rows, s.columns) != (t.grid.matrices, t.rows, t.columns):
            return _shapes(pair.name, s.shape, t.shape, described(a), described(b))
        judged = a.against is not None and b.against is not None
        return answer(pair.name, a, b, count(a, b), judged)
    return _mixed(pair.name, a, b)


def _shapes(name: str, a: Sequence[int], b: Sequence[int], said_a: dict[str, Any], said_b: dict[str, Any]) -> Answered:
    step = Step("same form?", False, f"the shape is {tuple(a)} in A and {tuple(b)} in B")
    return Answered(name, DIFFER, [step], said_a, said_b)


def _mixed(name: str, a: Judged | Stored, b: Judged | Stored) -> Answered:
    """Values of which at most one side is quantised."""
    said = [described(x) if isinstance(x, Judged) else {"tensor": x.name, "format": x.kind} for x in (a, b)]
    shapes = [tuple(x.tensor.shape if isinstance(x, Judged) else x.shape) for x in (a, b)]
    if [n for n in shapes[0] if n != 1] != [n for n in shapes[1] if n != 1]:
        return _shapes(name, shapes[0], shapes[1], said[0], said[1])
    shape = max(shapes, key=len)
    columns = shape[-1] if shape else 1
    size = int(np.prod(shape, dtype=object)) if shape else 1
    judged = next((x for x in (a, b) if isinstance(x, Judged)), None)
    matrices, rows = (judged.tensor.grid.matrices, judged.tensor.rows) if judged else (1, size // max(columns, 1))
    parts = [values_part(x, rows, columns) for x in (a, b)]
    n = count_values(size, rows, columns, parts[0], parts[1], matrices)
    if not n.values:
        verdict = EQUAL if judged is None else DECODED
    elif judged is None:
        verdict = _cast(a, b, size, rows, columns)
    else:
        verdict = _decoded(judged, a, b, size, rows, columns)
    return Answered(name, verdict, [values_step(n, matrices)], said[0], said[1])


def _cast(a: Judged | Stored, b: Judged | Stored, size: int, rows: int, columns: int) -> str:
    """Is one of two tensors the other one rounded to its type?"""
    for x, y in ((a, b), (b, a)):
        assert isinstance(x, Stored)
        if x.kind in FLOATS and _same(values_part(x, rows, columns), _rounded(x.kind, values_part(y, rows, columns)),
                                      size, rows, columns):  # fmt: skip
            return CAST
    return DIFFER


def _rounded(kind: str, part: Part) -> Part:
    return lambda e, i, j: rounded_to(kind, part(e, i, j))


def _same(a: Part, b: Part, size: int, rows: int, columns: int, matrices: int = 1) -> bool:
    return not count_values(size, rows, columns, a, b, matrices).values


def _decoded(j: Judged, a: Judged | Stored, b: Judged | Stored, size: int, rows: int, columns: int) -> str:
    """Does the plain side hold the decoded values, or the original of the codes?"""
    plain = b if a is j else a
    assert isinstance(plain, Stored)
    decoded, kept = values_part(j, rows, columns), values_part(plain, rows, columns)
    matrices = j.tensor.grid.matrices
    if any(f.severity == "fault" for f in j.tensor.findings):
        return FAULTY
    if _same(kept, _rounded(plain.kind, decoded), size, rows, columns, matrices):
        return DECODED
    original = getattr(j.against, "original", None)
    if original is not None and _same(kept, original.part, size, rows, columns, matrices):
        return KEPT
    return OPEN if original is None else DIFFER
