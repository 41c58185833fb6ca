"""Several operations in one stream for valid/ready benches: an opcode a word, idle cycles, stalls, bursts.

A text for ``$readmemh``, a cycle a word.  Its comments say the fields, the most significant first, with their
hexadecimal digits, and which operation an opcode is.  ``streams`` reads it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .forms.digits import to_digits
from .generate import Recipe, generate
from .section import Block, Column, Section, by_case

BEGINS = "// fp8ref stream 1"
LONGEST_GAP = 8  # cycles
MOST = 256  # operations: an opcode has two digits


@dataclass(frozen=True)
class Rhythm:
    """``idle``: percent of cases before which cycles are idle; ``stall``: percent of cycles in which the bench takes no
    answer; ``burst``: the most valid cycles one after another, 0 for any number."""

    idle: int = 0
    stall: int = 0
    burst: int = 0


def stream(recipes: Sequence[Recipe], rhythm: Rhythm, seed: int) -> Iterator[str]:
    """The lines: comments, then a word a cycle.

    Cases of one operation stay in their order; which operation comes next is drawn.  Raises ValueError for more
    operations than an opcode has.
    """
    if len(recipes) > MOST:
        raise ValueError(f"{len(recipes)} operations: an opcode has two digits, for at most {MOST}")
    sections = [recipe.section(False) for recipe in recipes]
    fields = fields_of(sections)
    widths = {"valid": 1, "ready": 1, "opcode": 2, **fields}
    yield f"{BEGINS}; a cycle a word; fields and their hexadecimal digits, the most significant first:"
    yield "// " + " ".join(f"{name} {digits}" for name, digits in widths.items())
    for i, recipe in enumerate(recipes):
        yield f"// opcode {i:02X} {recipe.operation.id} ({recipe.selection}, seed {recipe.seed})"
    yield f"// idle {rhythm.idle} stall {rhythm.stall} burst {rhythm.burst} seed {seed}"
    rng = np.random.default_rng([seed, rhythm.idle, rhythm.stall, rhythm.burst])
    rest = "_".join("0" * digits for digits in (2, *fields.values()))

    def ready() -> int:
        return int(rng.random() * 100 >= rhythm.stall)

    open_ = {i: _cases(recipe, section, fields) for i, (recipe, section) in enumerate(zip(recipes, sections))}
    run = 0
    while open_:
        i = int(rng.choice(list(open_)))
        case = next(open_[i], None)
        if case is None:
            del open_[i]
            continue
        gap = int(rng.integers(1, LONGEST_GAP + 1)) if rng.random() * 100 < rhythm.idle else 0
        if not gap and rhythm.burst and run >= rhythm.burst:
            gap = 1
        run = 1 if gap else run + 1
        for _ in range(gap):
            yield f"0_{ready()}_{rest}"
        yield f"1_{ready()}_{i:02X}_{case}"


def fields_of(sections: Sequence[Section]) -> dict[str, int]:
    """The fields of all operations together, each as wide as the widest."""
    found: dict[str, int] = {}
    for section in sections:
        for column in section.columns[:-1]:
            found[column.name] = max(found.get(column.name, 0), _digits(column))
    found["z"] = max(_digits(section.result_column) for section in sections)
    return found | {"flags": 2}


def _digits(column: Column) -> int:
    return column.elements * column.digits


def _cases(recipe: Recipe, section: Section, fields: dict[str, int]) -> Iterator[str]:
    for block in generate(recipe, False):
        columns = {c.name: _texts(c, x) for c, x in zip(section.columns, (*block.operands, block.result))}
        flags = _flags(block)
        for row in range(block.size):
            words = [columns[name][row] if name in columns else "" for name in fields if name != "flags"]
            texts = [word.rjust(digits, "0") for word, digits in zip([*words, flags[row]], fields.values())]
            yield "_".join(texts)


def _texts(column: Column, codes: np.ndarray) -> list[str]:
    digits = by_case(to_digits(codes, column))
    return [row.tobytes().decode("ascii") for row in digits]


def _flags(block: Block) -> list[str]:
    return ["00"] * block.size if block.status is None else [f"{int(x):02X}" for x in block.status]
