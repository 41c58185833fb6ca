"""A retrieval set in which the right passage stands in a crowd: 400 passages, 100 questions, from ten own templates.

A question says in other words what one passage says.  Three more passages differ from that one in a number, in the
order of two names, or in a negation, so that an embedding must keep small differences to find the right one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("right", "number", "order", "negation")  # of the passages of a question, in this order


@dataclass(frozen=True)
class Template:
    """Sentences about two names ``{a}``, ``{b}`` and a number ``{n}``, and what may stand there."""

    says: str
    denies: str
    asks: str
    names: tuple[str, str, str, str, str]
    first: int  # the least number
    step: int  # between the numbers of two groups; the near duplicate's number is one more


TEMPLATES = (
    Template(
        "The morning train from {a} to {b} has {n} coaches.",
        "The morning train from {a} to {b} does not have {n} coaches.",
        "Early in the day {n} carriages leave {a} and arrive in {b}.",
        ("Leeds", "York", "Hull", "Derby", "Bath"), 4, 1,
    ),
    Template(
        "{a} beat {b} by {n} points in the final.",
        "{a} did not beat {b} by {n} points in the final.",
        "{a} defeated {b} in the last match, {n} points ahead.",
        ("Ghana", "Chile", "Norway", "Japan", "Egypt"), 3, 2,
    ),
    Template(
        "{a} lent {b} {n} euros last summer.",
        "{a} never lent {b} {n} euros last summer.",
        "{a} gave {b} a loan of {n} euros in the summer of last year.",
        ("Anna", "Peter", "Maria", "David", "Laura"), 20, 15,
    ),
    Template(
        "Melt the {a} first, then add the {b} and stir for {n} minutes.",
        "Melt the {a} first, then add the {b}, but do not stir for {n} minutes.",
        "Once the {a} has melted, the {b} goes in, and stirring takes {n} minutes.",
        ("butter", "sugar", "chocolate", "honey", "cheese"), 2, 1,
    ),
    Template(
        "The {a} eats up to {n} of the {b}'s eggs in a night.",
        "The {a} does not eat {n} of the {b}'s eggs in a night.",
        "In one night the {a} can rob the {b} of {n} eggs.",
        ("crow", "snake", "gull", "lizard", "turtle"), 5, 3,
    ),
    Template(
        "The museum of {a} sold {n} paintings to the museum of {b}.",
        "The museum of {a} refused to sell {n} paintings to the museum of {b}.",
        "{n} pictures went from the gallery in {a} to the one in {b} for money.",
        ("Madrid", "Vienna", "Prague", "Boston", "Berlin"), 6, 2,
    ),
    Template(
        "Take the {a} tablet {n} hours before the {b} tablet.",
        "Do not take the {a} tablet {n} hours before the {b} tablet.",
        "Swallow the {a} pill, wait {n} hours, and swallow the {b} pill.",
        ("red", "white", "blue", "yellow", "green"), 2, 1,
    ),
    Template(
        "The {a} sends {n} packets a second to the {b}.",
        "The {a} cannot send {n} packets a second to the {b}.",
        "The {a} transmits to the {b}, {n} packets each second.",
        ("server", "router", "phone", "printer", "camera"), 30, 12,
    ),
    Template(
        "{a}'s house is {n} metres higher than {b}'s house.",
        "{a}'s house is not {n} metres higher than {b}'s house.",
        "{a} lives {n} metres further up the hill than {b}.",
        ("Omar", "Ines", "Jonas", "Clara", "Felix"), 11, 7,
    ),
    Template(
        "Under the treaty {a} returns {n} islands to {b}.",
        "Under the treaty {a} does not return {n} islands to {b}.",
        "{a} agreed that {n} islands be given back to {b}.",
        ("Denmark", "Portugal", "Turkey", "Iceland", "Ireland"), 2, 1,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """A question and the passages it chooses among, by ``KINDS``."""

    question: str
    passages: tuple[str, ...]


def groups() -> Iterator[Group]:
    """Ten groups a template: each pair of its five names once, so that no two groups share a sentence."""
    for t in TEMPLATES:
        pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
        for turn, (i, j) in enumerate(pairs):
            a, b = (t.names[i], t.names[j])[:: 1 if turn % 2 else -1]
            n = t.first + turn * t.step
            right = {"a": a, "b": b, "n": n}
            sentences = (
                t.says.format(**right),
                t.says.format(a=a, b=b, n=n + 1),
                t.says.format(a=b, b=a, n=n),
                t.denies.format(**right),
            )
            yield Group(t.asks.format(**right), sentences)


GROUPS = tuple(groups())
QUESTIONS = tuple(g.question for g in GROUPS)
PASSAGES = tuple(g.passages[kind] for kind in range(len(KINDS)) for g in GROUPS)  # all right ones first
