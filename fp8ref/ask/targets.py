"""What may be judged: an adapter, a name of one, or a plain function of arrays; and how it is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..adapters.base import Unavailable
from ..adapters.connect import Connectable, connect
from ..adapters.function import ARRAYS, Arrays, FunctionAdapter, Importable
from ..cases.operation import Operation
from ..check.harness.here import Here
from ..check.harness.transport import NotStarted, Session

METHODS = ("identify", "capabilities", "run")


def opened(target: Any, select: Sequence[str], arrays: Arrays, isolate: bool, timeout: float) -> tuple[Session, str]:
    """A session with an implementation, and its connectable, empty where nothing names it.

    Raises ValueError for a target that is none, RuntimeError where it does not start.
    """
    if arrays not in ARRAYS:
        raise ValueError(f"arrays={arrays!r}: choose from {', '.join(ARRAYS)}")
    named = target if isinstance(target, str) else ""
    try:
        if isolate:
            connectable = named or _name_of(target, select, arrays)
            return Session(connectable, timeout), named
        if named:
            return Here(connect(named), raising=False, connectable=Connectable.parse(named).text), named
        return Here(adapter_of(target, select, arrays), raising=False), ""
    except Unavailable as error:
        raise RuntimeError(str(error)) from error
    except NotStarted as error:
        raise (ValueError if error.usage else RuntimeError)(str(error)) from error


def is_adapter(target: Any) -> bool:
    return all(callable(getattr(target, name, None)) for name in METHODS)


def adapter_of(target: Any, select: Sequence[str], arrays: Arrays) -> Any:
    """The adapter of a target in this process."""
    if isinstance(target, type) and is_adapter(target):
        return target()
    if is_adapter(target):
        return target
    if not callable(target):
        raise ValueError(
            f"{type(target).__name__} {str(target)[:80]!r} cannot be judged: give a name such as 'torch', a function "
            f"of arrays, or an object with {', '.join(METHODS)}"
        )
    return FunctionAdapter(target, operations_of(select), arrays)


def operations_of(select: Sequence[str]) -> tuple[Operation, ...]:
    """The operations that a plain function is asked.  Raises ValueError for none and for what is no operation id."""
    if not select:
        raise ValueError(
            "a function does not say what it computes: name the operation, as in judge(f, 'convert/f32/e4m3fn/rne.sat')"
        )
    return tuple(map(Operation.parse_claim, select))


def _name_of(target: Any, select: Sequence[str], arrays: Arrays) -> str:
    """The connectable under which another process finds a class or a function."""
    module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", "")
    if module in (None, "__main__") or not name.isidentifier():
        raise ValueError(
            "isolate=True starts another process, which finds a class or a function by its module and name: define "
            f"{name or type(target).__name__} at the top of a file and import it, or leave isolate=True out"
        )
    if isinstance(target, type):
        return Connectable("py", f"{module}:{name}").text
    operations = "|".join(op.id for op in operations_of(select))
    options = (("function", f"{module}:{name}"), ("operations", operations), ("arrays", arrays))
    return Connectable("py", f"{Importable.__module__}:{Importable.__name__}", options).text
