"""Which of many alike are asked in the short run: those that differ in kind; all of them with --full."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
