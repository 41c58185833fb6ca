"""What the tab key completes."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from fp8ref.cli.main import main


def completed(*words: str) -> list[str]:
    *before, begun = words
    return [item.value for item in ShellComplete(main, {}, "fp8ref", "_FP8REF_COMPLETE").get_completions(before, begun)]


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["ch"], ["check"]),
        (["show", "e4m3"], ["e4m3", "e4m3fn", "e4m3fnuz"]),
        (["check", "--impl", "ml_"], ["ml_dtypes"]),
        (["check", "--impl", "py"], ["py:"]),
        (["check", "conv"], ["convert/"]),
        (["check", "--ju"], ["--junit"]),
        (["help", "double"], ["double-rounding"]),
        (["help", "conn"], ["connectables"]),
        (["system", "hawq"], ["hawq-v3"]),
    ],
)
def test_names_are_completed(words: list[str], some: list[str]) -> None:
    assert set(some) <= set(completed(*words))


def test_what_nothing_begins_with_completes_to_nothing() -> None:
    assert completed("show", "zzz") == []
