"""Which tensors of two files belong together: by their names, without what conventions add to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..files.stored import FLOATS, Stored
from ..run import Audit, Judged

Side = Judged | Stored
Renames = Sequence[tuple[str, str]]
# ends of names that belong to quantised tensors and are no tensors of their own
AIDS = ("_scale", "_scale_inv", "_scale_2", "_global_scale", "_scale_global", ".input_scale", ".output_scale",
        ".weight_shape", ".comfy_quant", "_zero_point", ".scale_weight", ".scale_input")  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """``name``: what both are called without their conventions' ends."""

    name: str
    a: Side
    b: Side

    @property
    def size(self) -> int:
        return max(bytes_of(self.a), bytes_of(self.b))


@dataclass
class Matched:
    """``pairs`` in the order of the first file; names that one file alone has."""

    pairs: list[Pair] = field(default_factory=list)
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)


def bytes_of(side: Side) -> int:
    return side.tensor.codes.bytes if isinstance(side, Judged) else side.bytes


def matched(a: Audit, b: Audit, renames: Renames = ()) -> Matched:
    """Quantised tensors, and the others of floating point that both files have."""
    left, right = sides(a, renames), sides(b, renames)
    return Matched(
        [Pair(name, left[name], right[name]) for name in left if name in right],
        [name for name in left if name not in right],
        [name for name in right if name not in left],
    )


def sides(audit: Audit, renames: Renames = ()) -> dict[str, Side]:
    """The tensors of a file by their plain names.  Of two with the same plain name the first one."""
    found: dict[str, Side] = {}
    for j in audit.judged:
        stem = j.tensor.stem or j.tensor.name
        found.setdefault(plain_name(stem.replace("._weight", ".weight"), renames), j)
    used = {t.name for j in audit.judged for t in (j.tensor.codes, j.tensor.scale, j.tensor.whole) if t is not None}
    for t in audit.files.tensors.values():
        if t.kind in FLOATS and t.name not in used and not t.name.endswith(AIDS):
            found.setdefault(plain_name(t.name, renames), t)
    return found


def plain_name(name: str, renames: Iterable[tuple[str, str]] = ()) -> str:
    """A name without ``.weight`` at its end, after the caller's renaming.

    >>> plain_name("model.mlp.experts.0.up_proj.weight", [(".experts.0", "")])
    'model.mlp.up_proj'
    """
    for old, new in renames:
        name = name.replace(old, new)
    return name.removesuffix(".weight")
