"""Which of many alike are asked in the short run: those that differ in kind; all of them with --full."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest


def some(values: Iterable[Any], short: Collection[Any], ids: Any = None) -> list[Any]:
    """Parameters: those in ``short`` always, the rest with --full."""
    values = list(values)
    assert all(one in values for one in short), (
        f"of the short run, and not there: {[s for s in short if s not in values]}"
    )
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=[] if value in short else [pytest.mark.full],
            id=None if ids is None else ids(value),
        )
        for value in values
    ]


def every(n: int, values: Iterable[Any], always: Collection[Any] = (), ids: Any = None) -> list[Any]:
    """Parameters: every n-th and those in ``always``, the rest with --full."""
    values = list(values)
    return some(values, [v for i, v in enumerate(values) if i % n == 0 or v in always], ids)


def over(name: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of each value in a loop, where a test of its own for each would cost more than what it asks.

    A failure says at which value.  Values that are tuples fill as many names: ``over("alias, name", ...)``.
    """
    names = name.replace(" ", "").split(",")
    values = list(values)
    assert values

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def loop(**fixtures: Any) -> None:
            for value in values:
                try:
                    test(**fixtures, **dict(zip(names, value if len(names) > 1 else (value,), strict=True)))
                except BaseException as error:
                    error.add_note(f"with {name} = {value}")
                    raise

        kept = [p for p in inspect.signature(test).parameters.values() if p.name not in names]
        loop.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]  # what pytest fills in
        return loop

    return decorate
