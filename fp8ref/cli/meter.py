"""How far a long command is: one line that renews itself in a terminal, a line a minute in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..engines import pulse
from ..report.terminal import columns
from .say import say, status

PATIENCE = 2.0  # seconds before the first word in a terminal
EVERY = 0.5  # seconds between two looks
MINUTE = 60.0  # seconds between two lines of a log

Tick = Callable[[int, int], None]


class Meter:
    """``what`` is done, ``unit`` by unit: its line says how many, the cases and their rate, the time left, and what
    is being asked now."""

    def __init__(self, what: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.what, self.unit, self.clock = what, unit, clock
        self.start = clock()
        self.done, self.of = 0, 0

    def tick(self, done: int, of: int) -> None:
        """So many pieces are done, of so many."""
        self.done, self.of = done, of

    def line(self) -> str:
        """The line as of now."""
        beats, spent = pulse.beats(), self.clock() - self.start
        cases = sum(beat.total for beat in beats)
        now = [beat for beat in beats if beat.what]
        within = sum(beat.done / beat.of for beat in now if beat.of)
        parts = [f"{self.done} of {self.of} {self.unit}s" if self.of else f"the first {self.unit}"]
        if cases:
            parts.append(f"{cases:,} cases, {cases / max(spent, 0.001):,.0f} a second")
        parts.append(_time(spent))
        if self.of and (share := (self.done + within) / self.of) > 0.02:
            parts.append(f"about {_time(spent / share - spent)} left")
        said = f"{self.what}: {', '.join(parts)}"
        if now:
            beat = max(now, key=lambda beat: beat.done)
            said += f"; now {beat.what}" + (f", {beat.done:,} of {beat.of:,} cases" if beat.of else "")
        return said


def _time(seconds: float) -> str:
    """A span in the units that people use.

    >>> _time(7.4), _time(83), _time(7300)
    ('7 s', '1 min 23 s', '2 h 2 min')
    """
    s = round(max(seconds, 0))
    minutes = round(s / 60)
    return f"{s} s" if s < 60 else f"{s // 60} min {s % 60} s" if s < 3600 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def metered(what: str, unit: str, total: int) -> Iterator[Tick]:
    """Show how far a command is, on stderr; a function that takes how many pieces are done, and of how many."""
    pulse.clear()
    meter, over = Meter(what, unit), threading.Event()
    meter.of = total
    watch = threading.Thread(target=_watch, args=(meter, over), daemon=True)
    watch.start()
    try:
        yield meter.tick
    finally:
        over.set()
        watch.join()
        status()


def _watch(meter: Meter, over: threading.Event) -> None:
    if sys.stderr.isatty():
        while not over.wait(EVERY):
            if meter.clock() - meter.start > PATIENCE:
                width = (columns() or 80) - 1
                status(meter.line()[:width])
    else:
        while not over.wait(MINUTE):
            say(meter.line(), err=True)
