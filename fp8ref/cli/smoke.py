"""``fp8ref smoke``: does an adapter start and answer?"""

from __future__ import annotations

import sys

import click

from ..check.harness.smoke import smoke as try_out
from ..check.outcome import Outcome
from ..escapes import plain, plain_data
from ..fast.chunks import set_threads
from . import complete
from .errors import OneLine
from .inputs import Seconds
from .say import say
from .starting import open_session, selected


@click.command(cls=OneLine)
@click.argument("select", nargs=-1)
@click.option(
    "--impl", default="ml_dtypes", show_default=True, shell_complete=complete.implementations,
    help="The implementation: [kind:]id[,key=value...].",
)  # fmt: skip
@click.option("--timeout", type=Seconds(), default=30.0, show_default=True, help="Seconds for one call.")
def smoke(select: tuple[str, ...], impl: str, timeout: float) -> None:
    """Start an implementation and try each claimed operation on a handful of cases.

    Tests the adapter rather than the implementation: does it answer arrays of many, one and no
    elements, twice the same way, and plain cases right?  `fp8ref check` judges.
    """
    set_threads(1)
    with open_session(impl, timeout) as session:
        found = try_out(session, selected(session, select))
    identity = plain_data(dict(session.hello.identity))
    say(" ".join(identity[key] for key in ("name", "version") if key in identity) + " starts and answers")
    for family, tried in found.items():
        working = tried.claims - tried.declined - len(tried.broken) - len(tried.wrong)
        parts = [f"{working} answer"] if working else []
        parts += [f"{tried.declined} decline"] if tried.declined else []
        parts += [f"{len(tried.wrong)} answer wrongly"] if tried.wrong else []
        parts += [f"{len(tried.broken)} break"] if tried.broken else []
        say(f"{family:<12} {tried.claims:>5} claimed: {', '.join(parts)}")
        for claim, said in {**tried.broken, **tried.wrong}.items():
            say(f"{'':<12} {claim}: {plain(said)}")
    if any(tried.broken for tried in found.values()):
        sys.exit(Outcome.ENDED)
    if any(tried.wrong for tried in found.values()):
        sys.exit(Outcome.FAILS)
    sys.exit(0 if any(tried.claims > tried.declined for tried in found.values()) else Outcome.OPEN)
