"""Texts of others: one printable line, cut in its middle, with no more than the length asked for of it."""

from __future__ import annotations

import pytest

from fp8ref.escapes import one_line


@pytest.mark.parametrize(
    ("said", "longest", "line"),
    [
        ("plain, with ünïcode", 40, "plain, with ünïcode"),
        ("a\nb\x00c\x1b[1m", 40, r"a\nb\x00c\x1b[1m"),
        ("a\u2028b", 40, r"a\u2028b"),  # a line break of Unicode
        ("01234567", 8, "01234567"),
        ("012345678", 8, "0123 ... 5678"),
        ("012345678", 7, "012 ... 678"),
        ("\n\n\n", 5, r"\n ... \n"),  # cut after escaping
    ],
)
def test_one_line(said: str, longest: int, line: str) -> None:
    assert one_line(said, longest) == line


def test_seven_hundred_characters_are_left_as_they_are() -> None:
    assert one_line("x" * 700) == "x" * 700
    assert one_line("x" * 701) == "x" * 350 + " ... " + "x" * 350
