"""The floating-point environment of the calling thread: nothing here may depend on it.

``torch.set_flush_denormal(True)``, a library built with fast-math or ``fesetround`` change the control word of a thread
(MXCSR, FPCR), and with it what numpy's sums and products of floats give.  A function under :func:`exact_floats` looks
first (well under a microsecond); in a strange environment it runs in the default one and restores the caller's
afterwards.  Threads that it starts inherit the default.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ONE, LITTLE = 1.0, 2.0**-55  # far less than half an ulp: to nearest, neither neighbour of 1 is reached
# from its bits: where this module is compiled in a strange environment, the literal 5e-324 is 0
(SUBNORMAL,) = struct.unpack("<d", b"\1" + bytes(7))
LEAST_NORMAL, HALF = sys.float_info.min, 0.5
ROOM = 1 << 10  # bytes; no fenv_t is larger


def is_default() -> bool:
    """Does this thread round to nearest, and keep subnormal operands and results?"""
    return ONE + LITTLE == ONE and ONE - LITTLE == ONE and LEAST_NORMAL * HALF != 0.0 and SUBNORMAL + SUBNORMAL != 0.0


def strangeness() -> str:
    """What is strange about the environment of this thread."""
    found = []
    if ONE + LITTLE != ONE or ONE - LITTLE != ONE:
        found.append("does not round to nearest (fesetround)")
    if LEAST_NORMAL * HALF == 0.0 or SUBNORMAL + SUBNORMAL == 0.0:
        found.append("flushes subnormals (torch.set_flush_denormal, a library built with fast-math)")
    return " and ".join(found)


class Strange(RuntimeError):
    """The environment is strange and cannot be changed here."""


@functools.cache
def _library() -> tuple[Any, Any]:
    """The C library's functions for environments, and its default environment."""
    library = ctypes.CDLL(None)
    try:
        default: Any = ctypes.byref(ctypes.c_char.in_dll(library, "_FE_DFL_ENV"))  # macOS, BSD
    except ValueError:
        default = ctypes.c_void_p(-1)  # glibc and musl
    return library, default


def in_default(function: Callable[..., R], args: tuple[Any, ...], options: Mapping[str, Any]) -> R:
    """The answer of a call in the default environment; the caller's is restored.  Raises Strange where that fails."""
    kept = ctypes.create_string_buffer(ROOM)
    try:
        library, default = _library()
        changed = library.fegetenv(kept) == 0 and library.fesetenv(default) == 0
    except (OSError, AttributeError, TypeError):  # no such functions
        changed = False
    try:
        if not is_default():
            raise Strange(f"this thread {strangeness()}, in which fp8ref's answers would be wrong: undo that first")
        return function(*args, **options)
    finally:
        if changed:
            library.fesetenv(kept)


def exact_floats(function: Callable[P, R]) -> Callable[P, R]:
    """A function that gives the same answer in every floating-point environment of its caller."""
    usual, guarded = is_default, in_default

    def call(*args: Any, **options: Any) -> Any:
        return function(*args, **options) if usual() else guarded(function, args, options)

    # of the function's own module, where doctest looks for its examples
    assert isinstance(function, FunctionType)
    made = FunctionType(call.__code__, function.__globals__, function.__name__, None, call.__closure__)
    return functools.wraps(function)(made)
