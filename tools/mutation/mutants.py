"""Which mutants there are, which are left out and why, and the seeded sample of the rest.

The mutants themselves are cosmic-ray's.  What is left out is what no test could or should judge; each reason is a name
in the session (``output`` of a skipped work item) and a line of docs/mutation.md.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec, WorkItem

Region = tuple[tuple[int, int], tuple[int, int]]  # (line from 1, column from 0) of the start and of the end


def every(path: Path, source: str, operators: Iterable[str]) -> Iterator[WorkItem]:
    """The mutants of a module by these operators, as ``cosmic-ray init`` makes them; the same names each time."""
    nodes = list(ast_nodes(get_ast(source)))
    for name in operators:
        operator = get_operator(f"core/{name}")()
        places = ((node, place) for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (node, (start, end)) in enumerate(places):
            where = ASTQuery(node).get_definition_name()
            spec = MutationSpec(path, f"core/{name}", occurrence, start, end, definition_name=where)
            yield WorkItem.single(f"{path}:{name}:{occurrence}", spec)


def source_of(mutation: MutationSpec, source: str) -> str | None:
    """The text of a module after one mutation, made by cosmic-ray; None where there is none of that number."""
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    mutated: str | None = mutate_code(source, operator, mutation.occurrence)
    return mutated


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """What a mutant changes, as text: the lines that differ, without their indentation."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return "\n".join(line.strip() for line in old), "\n".join(line.strip() for line in new)


class LeftOut:
    """The regions of a module where mutants are left out, each with its reason."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines()
        self._regions = list(self._found(ast.parse(source)))

    def why(self, mutation: MutationSpec) -> str | None:
        """The reason to leave a mutant out; None for a mutant that tests are to kill."""
        where = (tuple(mutation.start_pos), tuple(mutation.end_pos))
        for reason, (start, end) in self._regions:
            if start <= where[0] and where[1] <= end:
                return reason
        if mutation.operator_name.startswith(("core/ReplaceBinaryOperator_Mul", "core/ReplaceBinaryOperator_Pow")):
            try:  # a star may be syntax: f(*, a), f(**a)
                ast.parse(source_of(mutation, self.source) or "")
            except SyntaxError:
                return "does not compile"
        return None

    def _found(self, tree: ast.Module) -> Iterator[tuple[str, Region]]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise):
                yield "error text", self._region(node)
            elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
                yield "annotation", self._region(node.annotation)
            elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                yield "type checking", self._region(node)
            if isinstance(node, ast.FunctionDef):
                if node.returns:
                    yield "annotation", self._region(node.returns)
                if node.name in ("__repr__", "__str__"):
                    yield "display", self._region(node)
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield from self._decorators(node.decorator_list)
        for number, line in enumerate(self._lines, 1):
            if "# pragma: no cover" in line:
                yield "pragma: no cover", ((number, 0), (number, len(line)))

    def _decorators(self, decorators: Iterable[ast.expr]) -> Iterator[tuple[str, Region]]:
        for node in decorators:
            name = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            if name.split(".")[-1] in ("lru_cache", "cache"):
                yield "cache", ((node.lineno, 0), (node.lineno + 1, 0))
            if isinstance(node, ast.Call) and name == "dataclass":
                for keyword in node.keywords:
                    if keyword.arg in ("frozen", "slots"):
                        yield "frozen, slots", self._region(keyword)

    def _region(self, node: ast.AST) -> Region:
        at: Any = node
        return self._at(at.lineno, at.col_offset), self._at(at.end_lineno, at.end_col_offset)

    def _at(self, line: int, offset: int) -> tuple[int, int]:
        """ast counts columns in bytes of UTF-8, cosmic-ray in characters."""
        return line, len(self._lines[line - 1].encode()[:offset].decode())


def shares(sizes: dict[str, int], count: int, least: int) -> dict[str, int]:
    """How many mutants of each module a sample of about ``count`` takes: by size, ``least`` or all at least."""
    total = sum(sizes.values())
    return {module: min(size, max(least, -(-count * size // total))) for module, size in sizes.items()}


def drawn(mutations: dict[str, MutationSpec], seed: int) -> list[tuple[str, MutationSpec]]:
    """Mutants by name in an order that the seed decides: a larger sample holds every smaller one."""
    return sorted(mutations.items(), key=lambda item: hashlib.sha256(f"{seed} {item[0]}".encode()).digest())
