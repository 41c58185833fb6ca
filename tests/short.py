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


def of_each_kind(formats: Iterable[Any]) -> list[Any]:
    """The formats that differ in kind: widths apart, the first of each way to keep signs, zero, NaNs and infinities."""
    kinds: dict[Any, Any] = {}
    for f in formats:
        key = (f.signed, f.zero, f.nans, f.infinities, f.fixed_point, f.has_subnormals, f.k > 8, f.k > 16, f.t == 0)
        kinds.setdefault(key, f)
    return list(kinds.values())


def over(
    name: str, values: Iterable[Any], short: Iterable[Any] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of each value in a loop, where a test of its own for each would cost more than what it asks.

    ``short``: those of the short run, where the rest waits for --full.  A failure says at which
    value.  Values that are tuples fill as many names: ``over("alias, name", ...)``.
    """
    names = name.replace(" ", "").split(",")
    values = list(values)
    few = values if short is None else list(short)
    assert few

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        wanted = inspect.signature(test).parameters

        @functools.wraps(test)
        def loop(pytestconfig: pytest.Config, **fixtures: Any) -> None:
            if "pytestconfig" in wanted:
                fixtures["pytestconfig"] = pytestconfig
            for value in values if pytestconfig.getoption("--full") else few:
                try:
                    test(**fixtures, **dict(zip(names, value if len(names) > 1 else (value,), strict=True)))
                except BaseException as error:
                    error.add_note(f"with {name} = {value}")
                    raise

        kept = {p.name: p for p in inspect.signature(test).parameters.values() if p.name not in names}
        config = inspect.Parameter("pytestconfig", inspect.Parameter.KEYWORD_ONLY)
        loop.__signature__ = inspect.Signature([*{**kept, "pytestconfig": config}.values()])  # type: ignore[attr-defined]  # what pytest fills in
        return loop

    return decorate
