"""What an implementation declined, beside what it answered: which calls, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .outcomes import Declined

MULTIPLES = (256, 128, 64, 32, 16, 8, 4, 2)


@dataclass(frozen=True)
class Asked:
    """One call: its number, elements (or rows) and layout."""

    number: int
    length: int
    layout: str


@dataclass
class Declines:
    """The calls of one operation, answered and declined.  ``unit``: what a call has several of."""

    unit: str = "elements"
    answered: list[Asked] = field(default_factory=list)
    declined: list[Asked] = field(default_factory=list)
    reason: str = ""  # of the first call that was declined, in the implementation's words

    def note(self, length: int, layout: str, declined: Declined | None) -> None:
        """Add the next call; ``declined``: what it raised where it was not answered."""
        asked = Asked(len(self.answered) + len(self.declined) + 1, length, layout)
        (self.answered if declined is None else self.declined).append(asked)
        if declined is not None and not self.reason:
            self.reason = str(declined)

    def require_an_answer(self) -> None:
        """Raise Declined where no call with a case in it was answered, and one was declined."""
        if self.declined and not any(call.length for call in self.answered):
            raise Declined(self.reason)

    def __str__(self) -> str:
        """``declines strided arrays: its words``; nothing where every call was answered."""
        if not self.declined:
            return ""
        what = next((text for rule in RULES for text in rule(self)), "")
        what = what or f"{len(self.declined)} of {len(self.declined) + len(self.answered)} calls"
        words = f": {self.reason}" if self.reason not in ("", "declined") else ""
        return f"declines {what}{words}"


def _layouts(d: Declines) -> Iterator[str]:
    layouts = list(dict.fromkeys(call.layout for call in d.declined))
    if not set(layouts) & {call.layout for call in d.answered if call.length}:
        yield f"{' and '.join(layouts)} arrays"


def _lengths(d: Declines) -> Iterator[str]:
    no, yes = {call.length for call in d.declined}, {call.length for call in d.answered} - {0}
    if no == {0}:
        yield "empty arrays"
    elif max(no) < min(yes):
        yield f"arrays of up to {max(no)} {d.unit}" if max(no) > 1 else "arrays of one element"
    elif min(no) > max(yes):
        yield f"arrays of {min(no)} {d.unit} and more"
    for m in MULTIPLES:
        if all(n % m for n in no) and not any(n % m for n in yes):
            yield f"arrays of another number of {d.unit} than a multiple of {m}"
            return


def _late(d: Declines) -> Iterator[str]:
    first = d.declined[0].number
    if first > 1 and all(call.number < first for call in d.answered):
        yield f"every call from number {first} on"


RULES: tuple[Callable[[Declines], Iterator[str]], ...] = (_layouts, _lengths, _late)
