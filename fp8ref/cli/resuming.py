"""Going on with what a file says was begun: its words are its sender's, held to their types, and they start nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..cases.flags import FLAGS
from ..check.verdict import Severity
from ..engines import Journal
from ..escapes import shell
from .errors import BadInput

Holds = Callable[[Any], bool]
DEFAULT = {"check": "ml_dtypes", "prove": ""}  # the implementation of a command without --impl


def _text(x: Any) -> bool:
    return isinstance(x, str)


def _texts(x: Any) -> bool:
    return isinstance(x, list) and all(map(_text, x))


def _truth(x: Any) -> bool:
    return isinstance(x, bool)


def _seconds(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x) and 0.1 <= x <= 1e6


def _one_of(*allowed: Any) -> Holds:
    return lambda x: any(x is one or (isinstance(x, type(one)) and x == one) for one in allowed)


def _table(x: Any) -> bool:
    return isinstance(x, dict)


OPTIONS: Mapping[str, Holds] = {
    "level": _one_of(1, 2, 3),
    "seed": lambda x: isinstance(x, int) and not isinstance(x, bool) and x >= 0,
    "nan": _one_of("class", "bits"),
    "flag": _one_of("", *FLAGS),
    "cases": _truth,
}
HEADS: Mapping[str, Mapping[str, Holds]] = {
    "check": {
        "connectable": _text, "select": _texts, "skip": _texts, "timeout": _seconds, "fail_fast": _truth,
        "strict": _truth, "expect": lambda x: x is None or _text(x),
        "declared": lambda x: x is None or _texts(x),  # absent before declarations were
        "fail_on": _one_of("", None, *(one.value for one in Severity)),
        "options": lambda x: _table(x) and x.keys() | {"cases"} == OPTIONS.keys() and all(OPTIONS[n](x[n]) for n in x),
    },
    "prove": {"claims": _texts, "impl": _text, "identity": lambda x: _table(x) and all(map(_text, x.values()))},
}  # fmt: skip


def begun(journal: Journal, kind: str) -> dict[str, Any]:
    """What the run of a journal was asked.  BadInput where its head does not say that."""
    asked = journal.head.get("asked") if kind == "check" else journal.head
    if kind == "check" and not (_table(asked) and _table(journal.head.get("header"))):
        raise BadInput(f"{journal.path}:1: the head of a journal has objects asked and header")
    assert isinstance(asked, dict)
    for name, holds in HEADS[kind].items():
        if not holds(asked.get(name)):
            raise BadInput(f"{journal.path}:1: {name} of the head of a journal cannot be {asked.get(name)!r:.80}")
    return asked


def command(kind: str, option: str, path: Path, impl: str, expect: str | None = None) -> str:
    """What to type to go on with a file: an implementation and a file of expectations are named anew."""
    words = [f"fp8ref {kind} --{option} {shell(str(path))}"]
    words += [f"--impl {shell(impl)}"] if impl != DEFAULT[kind] else []
    return " ".join([*words, *([f"--expect {shell(expect)}"] if expect else [])])


def require_named(kind: str, option: str, path: Path, impl: str, given: str) -> None:
    """A file starts no program: BadInput where the command line does not name the one that the file is of."""
    if impl != given:
        named = impl or "fp8ref"
        raise BadInput(
            f"{path} is of {named}, and a file starts no program; where you trust that one, type: "
            f"{command(kind, option, path, impl)}"
        )


def require_expected(path: Path, asked: Mapping[str, Any], given: str | None) -> None:
    """Nor does it open other files: BadInput where the command line names other expected failures."""
    if asked["expect"] != given:
        again = command("check", "resume", path, asked["connectable"], asked["expect"])
        began = "--expect " + shell(asked["expect"]) if asked["expect"] else "no expected failures"
        raise BadInput(f"the run of {path} began with {began}; type: {again}")
