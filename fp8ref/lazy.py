"""Names that a package shows and imports only when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package.

    ``homes``: for each name the module that has it, relative to the package; a submodule's home is itself (``"spec"``
    is in ``".spec"``).  Assign the pair in the ``else`` of ``if TYPE_CHECKING:``, under which the same names are
    imported plainly: a type checker that sees a ``__getattr__`` takes every misspelt name for one of the package's.
    """
    module = sys.modules[package]

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(homes[name], package)
        value = home if homes[name] == f".{name}" else getattr(home, name)
        setattr(module, name, value)  # the next time it is found at once
        return value

    def names() -> list[str]:
        return sorted({*vars(module), *homes})

    return get, names
