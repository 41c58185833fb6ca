"""Exact sums times a scale of the output, some zero, negative or no number: each as the definition says."""

from __future__ import annotations

import numpy as np
import pytest

from fp8ref.cases.operation import Operation
from fp8ref.cases.products import exact
from fp8ref.spec.catalog import get_format
from fp8ref.spec.matrix.exact import exact_dot
from fp8ref.vectors.coverage.samplers import batch
from fp8ref.vectors.section import Section

OP = Section.of("dot/e4m3fn.e4m3fn/e5m2/exact;flags=1;k=2;scale=f32;scale_result=1").operation
F32, E4M3, E5M2 = map(get_format, ("f32", "e4m3fn", "e5m2"))
RULES = exact.exact_projection(OP)


def test_strange_scales_do_not_slow_down_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = batch(OP, 0, 1)
    r = drawn[-1].view(np.float32)
    strange = ~(np.isfinite(r) & (r > 0))
    rows = np.sort(np.concatenate([np.flatnonzero(strange)[:60], np.flatnonzero(~strange)[:60]]))
    slow: list[int] = []
    usual = exact._by_specification

    def counted(op: Operation, operands: list[np.ndarray], *rest: object) -> object:
        slow.append(len(operands[0]))
        return usual(op, operands, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(exact, "_by_specification", counted)
    operands = [x[rows] for x in drawn]
    codes, status = exact.flagged(OP, operands)
    assert slow == [60]
    for i, (a, b, c, sa, sb, scale) in enumerate(zip(*operands)):
        said = [[(int(x), E4M3), (int(y), E4M3), (int(sa[0]), F32), (int(sb[0]), F32), (int(scale), F32)]
                for x, y in zip(a, b)]  # fmt: skip
        want = exact_dot([*said, [(int(c), F32), (int(scale), F32)]], E5M2, RULES)
        assert (int(codes[i]), int(status[i])) == (want[0], int(want[1])), i
