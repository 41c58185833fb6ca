"""Two files side by side, for a terminal: a line for tensors that are alike, then the first differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ...escapes import one_line
from .text import NUMBER, WIDTH, _wrapped

NAMES = 12  # of tensors in one file alone


def diff_page(document: dict[str, Any]) -> str:
    """The page of a document ``fp8ref/diff/1``."""
    lines = [f"{side.upper()}  {document[side]}" + (f"   {form}" if (form := document["conventions"][side]) else "")
             for side in ("a", "b")]  # fmt: skip
    tensors = document["tensors"]
    equal = [t for t in tensors if t["verdict"] == "equal"]
    if equal:
        lines += ["", f"{len(equal)} of {len(tensors)} tensors are equal"]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for t in tensors:
        if t["verdict"] != "equal":
            same = tuple((step["question"], step["same"]) for step in t["steps"])
            groups[NUMBER.sub("*", t["name"]), t["verdict"], same].append(t)
    for (name, verdict, _), group in groups.items():
        lines += ["", *_group(name, verdict, group)]
    for product in document["products"]:
        lines += ["", *_product(product)]
    for side in ("a", "b"):
        names = document[f"only_{side}"]
        if names:
            more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
            lines += ["", f"in {side.upper()} alone: {', '.join(names[:NAMES])}{more}"]
    lines += ["", _closing(document)]
    return "\n".join(lines)


def _group(name: str, verdict: str, group: list[dict[str, Any]]) -> Iterator[str]:
    """Tensors of one name but for its numbers, answered alike: the first one stands for all."""
    first = group[0]
    yield f"{one_line(name, 90)}{f'   {len(group)} tensors' if len(group) > 1 else ''}: {verdict}"
    for step in first["steps"]:
        sign = {True: "yes", False: "no", None: "open"}[step["same"]]
        yield from _hung(f"  {step['question']:15} {sign:5}", step["answer"])
        if step["first"]:
            yield from _hung(" " * 23, f"first: {step['first']['text']}")
    if len(group) > 1:
        yield from _hung("  ", f"shown: {first['name']}")


def _product(product: dict[str, Any]) -> Iterator[str]:
    yield f"product {product['name']}: {product['verdict']}"
    for step in product["steps"]:
        sign = {True: "yes", False: "no", None: "open"}[step["same"]]
        yield from _hung(f"  {step['question']:15} {sign:5}", step["answer"])
        if step["first"]:
            yield from _hung(" " * 23, f"first: {step['first']['text']}")


def _hung(head: str, text: str) -> Iterator[str]:
    """A text behind a head, its further lines below its first one."""
    for i, line in enumerate(_wrapped(one_line(text, 900), max(WIDTH - len(head), 40))):
        yield (head if not i else " " * len(head)) + line


def _closing(document: dict[str, Any]) -> str:
    verdicts = document["verdicts"]
    if not document["tensors"] and not document["products"]:
        return "no tensor is in both files"
    if set(verdicts) <= {"equal"} and not document["products"]:
        return "no difference"
    said = ", ".join(f"{n} {name}" for name, n in verdicts.items())
    return (
        f"{said}: {'every difference is explained' if document['explained'] else 'not every difference is explained'}"
    )
