"""One piece of work, which depends on nothing but its own words."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..version import __version__

Result = dict[str, Any]
HOME = "fp8ref."


def compact(data: Any) -> str:
    """JSON of one spelling: the same bytes for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Task:
    """A call of ``function``, as ``fp8ref.module:name``, with ``argument``; both it and the result are plain JSON."""

    function: str
    argument: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """What travels to a worker."""
        return compact({"function": self.function, "argument": self.argument, "fp8ref": __version__})

    @cached_property
    def address(self) -> str:
        """SHA-256 of the text: the same work has the same address, in every run and on every machine."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def work(text: str) -> str:
    """Do a task, given as its text; the result as JSON.

    Raises ValueError for a function from elsewhere or a task of another version of fp8ref.
    """
    data = json.loads(text)
    if data["fp8ref"] != __version__:
        raise ValueError(f"this worker has fp8ref {__version__}, the task is from {data['fp8ref']}")
    module, _, name = data["function"].partition(":")
    if not module.startswith(HOME):
        raise ValueError(f"{data['function']!r} is no function of fp8ref")
    function: Callable[[dict[str, Any]], Result] = getattr(importlib.import_module(module), name)
    return compact(function(data["argument"]))
