"""Finding an implementation: ``[kind:]id[,key=value...]``.

``torch``, ``torch,device=cuda``, ``py:my_module:MyKernel``, ``mini:truncates``.  A backslash escapes ``,`` and ``:``.
Built-in and installed adapters register in the entry-point group ``fp8ref.adapters``.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..escapes import one_line
from .base import Adapter, Unavailable

GROUP = "fp8ref.adapters"
PYTHON = "py"


@dataclass(frozen=True)
class Connectable:
    """An implementation by name: where it is found, what it is called there, and its options."""

    kind: str
    id: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The text that :meth:`parse` reads as this."""
        head = f"{self.kind}:{_escaped(self.id)}" if self.id else self.kind
        return head + "".join(f",{key}={_escaped(value)}" for key, value in self.options)

    @classmethod
    def parse(cls, text: str) -> Connectable:
        """The connectable of a command-line text.  Raises ValueError that says which part is wrong."""
        head, *pairs = _split(text, ",")
        kind, *rest = _split(head, ":")
        options = []
        for pair in pairs:
            key, equals, value = _plain(pair).partition("=")
            if not equals or not key.isidentifier():
                raise ValueError(f"implementation {text!r:.120}: {pair!r:.80} is not key=value")
            options.append((key, value))
        kind = _plain(kind)
        if not kind:
            raise ValueError(f"implementation {text!r:.120} has no name; see `fp8ref list impls`")
        if kind not in registered() and kind != PYTHON:
            near = difflib.get_close_matches(kind, [*registered(), PYTHON], n=1, cutoff=0.5)
            if rest or kind.endswith(".py"):
                near = [one_line(f"py:{kind.removesuffix('.py')}:{rest[0] if rest and rest[0] else 'Class'}", 80)]
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join([*registered(), PYTHON + ':'])}"
            raise ValueError(f"unknown implementation {kind!r:.80}; {hint}")
        if kind == PYTHON and (len(rest) != 2 or not all(rest)):
            raise ValueError(f"implementation {text!r:.120}: a Python adapter is named py:module:Class")
        return cls(kind, ":".join(_plain(part) for part in rest), tuple(options))


def _split(text: str, separator: str) -> list[str]:
    """The parts between the separators that no backslash escapes."""
    parts = [""]
    for piece in re.findall(r"\\[,:\\]|.", text, re.S):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _plain(text: str) -> str:
    return re.sub(r"\\([,:\\])", r"\1", text)


def _escaped(text: str) -> str:
    return re.sub(r"([,\\])", r"\\\1", text)


@lru_cache(maxsize=1)
def _points() -> dict[str, EntryPoint]:
    """The registered adapters by name; found once, because looking reads every installed package."""
    return {point.name: point for point in entry_points(group=GROUP)}


def registered() -> list[str]:
    """The names under which adapters are registered here, built in or installed."""
    return sorted(_points())


def connect(connectable: Connectable | str) -> Adapter:
    """Start an implementation in this process.

    Raises ValueError for a name or option that does not exist, Unavailable where it cannot run here.
    """
    c = Connectable.parse(connectable) if isinstance(connectable, str) else connectable
    make = _python_class(c.id) if c.kind == PYTHON else _registered_class(c.kind)
    arguments = (c.id,) if c.id and c.kind != PYTHON else ()
    try:
        adapter = make(*arguments, **dict(c.options))
    except TypeError as error:
        if "argument" in str(error):
            raise ValueError(f"implementation {c.text!r:.120}: {error!s:.400}") from error
        raise
    missing = [name for name in ("identify", "capabilities", "run") if not callable(getattr(adapter, name, None))]
    if missing:
        raise ValueError(f"implementation {c.text!r:.120} is no adapter: it has no {', '.join(missing)}()")
    return adapter  # type: ignore[no-any-return]


def _registered_class(name: str) -> Callable[..., Any]:
    try:
        return _points()[name].load()  # type: ignore[no-any-return]
    except KeyError:
        raise ValueError(f"unknown implementation {name!r}") from None
    except ImportError as error:
        raise Unavailable(f"{name} cannot be imported here: {error}") from error


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody removed it
        return None


def _python_class(id_: str) -> Callable[..., Any]:
    module_name, _, class_name = id_.partition(":")
    here = _working_folder()
    if here is not None and here not in sys.path:
        sys.path.append(here)  # last: what is installed is not replaced by what lies here
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            raise ValueError(f"py:{id_}: no module {module_name!r} on sys.path or in the working directory") from error
        raise Unavailable(f"py:{id_} cannot be imported: {error}") from error
    found = getattr(module, class_name, None)
    if not callable(found):
        raise ValueError(f"py:{id_}: module {module_name} has no class {class_name!r}")
    return found  # type: ignore[no-any-return]
