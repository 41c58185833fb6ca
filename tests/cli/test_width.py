"""What a person reads is no wider than COLUMNS, in a pipe too; a command meant to be copied stays whole."""

import re

import pytest
import warm
from rich.text import Text

from fp8ref.check.outcome import Outcome
from fp8ref.report.runs.side_by_side import Judged, last, outcome_of
from fp8ref.report.terminal import counted, folded, rows

COMMANDS = [
    *(("list", what) for what in ("formats", "operations", "models", "profiles", "recipes")),
    *(("show", name) for name in ("e4m3fn", "e2m1fn", "mxint8", "e8m0fnu", "f64")),
    ("show", "f32", "0x1"),
    ("show", "e4m3fn", "--from", "f32:43E88000"),
    ("explain", "convert/f64/e4m3fn/rne.sat#3F50000010000000"),
    ("help",),
    ("system",),
    ("system", "scale-propagation"),
    *((name, "--help") for name in ("check", "identify", "prove", "show", "vectors")),
]


def printed(*command: str, columns: int) -> str:
    """What a command prints, held to a width."""
    done = warm.fp8ref(*command, env={"COLUMNS": f"{columns}"})
    lines = done.stdout.splitlines()
    assert lines
    assert done.returncode in (0, 1)
    assert not [line for line in lines if len(line) > columns and not re.match(r"\s*(repro|again) ", line)]
    assert not [line for line in lines if line != line.rstrip()]
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(command: tuple[str, ...]) -> None:
    printed(*command, columns=80)


def test_reasons_stand_below_the_verdicts_where_there_is_little_room() -> None:
    check = ("check", "--impl", "mini:truncates", "convert/f32/e4m3fn/rne.sat")
    narrow, wide = (printed(*check, columns=n) for n in (80, 110))
    assert re.search(r" fail\n    truncates", narrow)
    assert re.search(r" fail +truncates", wide)


def test_implementations_stand_side_by_side() -> None:
    ask = ("check", "--impl", "mini:correct", "--impl", "mini:truncates", "convert/f32/e4m3fn/rne.sat")
    wide, narrow = (printed(*ask, columns=n) for n in (80, 44))
    lines = wide.splitlines()
    assert lines[3].split() == ["operation", "mini:correct", "mini:truncates"]
    assert re.fullmatch(r"convert/f32/e4m3fn/rne\.sat +pass  rne\.sat +fail \d+  rne\.sat", lines[4])
    assert lines[-3].startswith("mini:correct: conforms: ")
    assert lines[-2].startswith("mini:truncates: does not conform: ")
    assert lines[-1] == "does not conform: 1 of 2 implementations"
    assert "convert/f32/e4m3fn/rne.sat\n    mini:correct    pass" in narrow


def test_one_that_does_not_start_leaves_the_others_judged() -> None:
    done = warm.fp8ref("check", "--impl", "exec:/bin/false", "--impl", "mini:correct", "convert/f32/e4m3fn/rne.sat")
    assert done.returncode == 6
    assert "would not start" in done.stderr
    assert "conforms: " in done.stdout
    assert done.stdout.endswith("did not start: 1 of 2 implementations\n")
    refused = warm.fp8ref("check", "--impl", "mini:correct", "--impl", "mini:truncates", "-o", "x.jsonl")
    assert refused.returncode == 4
    assert "-o is of one implementation" in refused.stderr


def test_what_several_come_to_is_the_worst() -> None:
    ends = [Outcome.CONFORMS, Outcome.OPEN, Outcome.FAILS, Outcome.ENDED, Outcome.INTERRUPTED]
    for i in range(len(ends)):
        runs = [Judged(f"{one}", None, (), one) for one in ends[: i + 1]]
        assert outcome_of(runs) is ends[i]
    assert last([Judged("a", None, (), Outcome.CONFORMS)] * 2) == "conforms: all 2 implementations"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--impl", "my_module:Kernel"), "did you mean py:my_module:Kernel?"),
        (("check", "--impl", "kernel.py"), "did you mean py:kernel:Class?"),
        (("check", "--impl", "mini:correct", "convert/f32/e4m3f"), "did you mean convert/f32/e4m3fn?"),
        (("check", "--impl", "mini:correct", "convert/f32/e4m3fn/rne.sat", "--skip", "a/*", "-q"), "note: --skip a/*"),
        (("show", "e4m3fn", "448"), "the value 448: fp8ref show e4m3fn --from 448"),
        (("show", "e4m3fn", "--from", "3", "--rounding", "rnee"), "did you mean rne?"),
    ],
)  # fmt: skip
def test_what_was_meant_is_said(arguments: tuple[str, ...], said: str) -> None:
    assert said in warm.fp8ref(*arguments).stderr


def test_colours_on_demand() -> None:
    ask = ("check", "--impl", "mini:correct", "convert/f32/e4m3fn/rne.sat", "-q", "--color")
    assert re.fullmatch("\x1b\\[1;32mconforms: .*\n", warm.fp8ref(*ask, "always").stdout)


def test_folding_breaks_where_a_reader_expects_it() -> None:
    assert folded("  why  one two three", 14) == "  why  one two\n       three"
    assert folded("  want  0x1   value", 18) == "  want  0x1\n        value"
    assert folded("a/b;c=1;d=22", 9) == "a/b;c=1;\n    d=22"
    assert folded("x" * 12, 8) == "xxxxxxxx\n    xxxx"
    long = "  repro  fp8ref explain " + "9" * 99
    assert folded(long, 40) == long
    assert folded(long, None) == long


def test_the_last_cell_of_a_row_goes_below_where_it_has_no_room() -> None:
    table = [["a", "12", "words and words"], ["bcd", "3", ""]]  # 15 letters beside 9 others
    beside = [str(line) for line in rows(("n", "x", "y"), table, 40, right=(1,))]
    assert beside == ["n     x  y", "a    12  words and words", "bcd   3"]
    below = [str(line) for line in rows(("n", "x", "y"), table, 20, right=(1,))]
    assert below == ["n     x", "a    12", "    words and words", "bcd   3"]
    assert all(isinstance(line, Text) for line in rows(("n",), [["a"]], 10))


def test_plurals() -> None:
    assert [counted(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]


def test_a_name_longer_than_a_line_ends() -> None:
    """It was printed for ever where the last column was to stand beside it."""
    lines = [line.plain for line in rows(("operation", ""), [("x" * 130, "why it " * 20)], 120, own_line=False)]
    assert len(lines) < 8
    assert "".join(lines).replace(" ", "").count("whyit") == 20
