"""What a shell completes: names of formats, implementations, operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def among(names: Callable[[], Iterable[str]]) -> Completer:
    """Completes from names that are looked up when a shell asks."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        return [name for name in names() if name.startswith(begun)]

    return complete


def _formats() -> Iterable[str]:
    from ..spec import formats

    return (f.name for f in formats())


def _implementations() -> Iterable[str]:
    from ..adapters.connect import registered

    return (*sorted(registered()), "py:", "exec:", "cabi:", "replay:", "mini:")


def _operations() -> Iterable[str]:
    from ..cases.families import FAMILIES

    return (f"{name}/" for name in FAMILIES)


def _systems() -> Iterable[str]:
    from ..systems import SYSTEMS

    return SYSTEMS


formats, implementations, operations = among(_formats), among(_implementations), among(_operations)
systems = among(_systems)
