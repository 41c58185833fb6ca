"""A hypothesis is asked for few codes: the answer is that of asking for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from audit.checkpoints import BF16, CHECKPOINTS

from fp8ref.audit.against.compare import compare
from fp8ref.audit.against.giving import Part, close_of
from fp8ref.audit.against.hypotheses import Hypothesis, element_variants
from fp8ref.audit.against.original import find_original
from fp8ref.audit.run import begin
from fp8ref.audit.scan import scan

pytest.importorskip("safetensors")


def parts(name: str, folder: Path) -> Iterator[tuple[Part, list[Hypothesis]]]:
    """Tensors of a checkpoint whose originals have ties, zeros of both signs and numbers that become zeros."""
    made = CHECKPOINTS[name][0]()
    for x in made.original.values():
        wide = x.astype(np.float32)
        step = np.float32(2.0 ** np.floor(np.log2(np.abs(wide).max())) / 64)
        grid = (np.trunc(wide / step) * step).astype(BF16)
        grid[4, ::7], grid[4, 1::7], grid[5, ::2] = 0.0, -0.0, BF16(2.0**-120)
        groups = np.abs(wide).reshape(len(x), -1, 16)
        largest = (groups == groups.max(axis=2, keepdims=True)).reshape(x.shape)  # these stay, and so do the scales
        x[3:6] = np.where(largest, x, grid)[3:6]
    found = begin(*made.write(folder))
    assert found.original is not None
    for t in found.seen.tensors[:1]:
        source = find_original(t, found.original)
        assert source is not None
        a = compare(t, scan(t), source, [])
        some = dict.fromkeys([*a.scales[:3], *(h for scale in a.scales[:2] for h in element_variants(scale))])
        x, s = source.part(0, 0, t.rows), t.spread(t.factors(0), 0, t.rows)
        yield Part(t, a.groups, 0, 0, t.rows, x, t.elements(0, 0, t.rows), s), list(some)


FULL = [pytest.param(name, marks=pytest.mark.full) for name in ("ct-channel", "block-fp8")]


@pytest.mark.parametrize("name", ["modelopt-nvfp4", "ct-mxfp4", *FULL])
def test_few_codes_decide_as_all_do(name: str, tmp_path: Path) -> None:
    """The codes are those of each hypothesis in turn, with and without one that another rule gives."""
    asked: Counter[bool] = Counter()
    for part, some in parts(name, tmp_path / "m"):
        assert some, "the scales are those of a recipe"
        kinds = [h for h in some if close_of(h, part.groups) is not None][:: max(1, len(some) // 6)]
        for own in kinds:
            part.codes = _codes(part, own)
            part._near.clear()
            for h in kinds:
                answer = part.gives(h, close_of(h, part.groups))
                assert answer == part.gives(h), (own, h)
                asked[answer] += 1
            for place in (part.near(2.0**-20), np.arange(part.codes.size)):
                flat = part.codes.copy()
                k = int(place[len(place) // 2]) if place is not None and len(place) else 0
                flat.reshape(-1)[k] ^= 1
                wrong = Part(part.t, part.groups, 0, 0, part.j, part.x, flat, part.s)
                assert not wrong.gives(own, close_of(own, part.groups))
    assert asked[True]


def _codes(part: Part, h: Hypothesis) -> np.ndarray:
    from fp8ref.audit.against.hypotheses import codes_of, scaled

    return codes_of(h, part.t, scaled(h, part.groups.a), 0, part.j, part.x)
