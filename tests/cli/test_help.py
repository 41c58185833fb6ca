"""``fp8ref help``: every topic is there, fits a terminal, and what it shows can be done."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

import fp8ref
from fp8ref.adapters.connect import Connectable
from fp8ref.cases.operation import Operation
from fp8ref.cli.help import TOPICS, topic_text
from fp8ref.cli.main import COMMANDS, main


def said(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, list(arguments))
    return done.exit_code, done.output


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_printed_and_fits(topic: str) -> None:
    code, text = said("help", topic)
    assert (code, text) == (0, topic_text(topic))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


@pytest.mark.parametrize("topic", TOPICS)
def test_the_commands_that_it_shows_exist_with_their_options(topic: str) -> None:
    context = click.Context(main)
    for line in re.findall(r"^    (fp8ref .*)", topic_text(topic), re.M):
        words = shlex.split(line.partition("  #")[0])
        command = main.get_command(context, words[1])  # type: ignore[attr-defined]
        assert command is not None, line
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_operations_that_it_shows_are_operations() -> None:
    shown = re.findall(r"^    (\w+/[\w./]+(?:;[\w=]+)?)", topic_text("operations"), re.M)
    assert len(shown) >= 7
    for name in shown:
        Operation.parse(name)


def test_the_connectables_that_it_shows_are_read() -> None:
    for name in ("torch,device=cuda", "py:my_module:MyKernel,device=1", "cabi:./lib.so,symbol=f,op=f32_to_e4m3fn"):
        assert name.partition(",")[0] in topic_text("connectables")
        assert Connectable.parse(name).text == name


def test_the_adapter_that_it_shows_conforms() -> None:
    text = topic_text("adapters")
    code = "\n".join(line[4:] for line in text[: text.index("    fp8ref smoke")].splitlines() if line[:4] == "    ")
    found: dict[str, type] = {}
    exec(code, found)
    assert fp8ref.judge(found["MyKernel"]).verdict == "conforms"


def test_without_a_topic_all_are_listed_and_commands_have_theirs() -> None:
    code, text = said("help")
    assert code == 0
    assert all(f"fp8ref help {name} " in text for name in TOPICS)
    assert said("help", "smoke")[1].startswith("Usage:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["help", "adaptors"], "Error: no help on 'adaptors'; did you mean adapters?\n"),
        (["help", "zzz"], f"Error: no help on 'zzz'; choose from {', '.join(TOPICS)}, or a command\n"),
        (["chekc", "--impl", "torch"], "Error: no command 'chekc'; did you mean check?\n"),
        (["vectors", "genrate"], "Error: no command 'genrate'; did you mean generate?\n"),
        (["zzz"], f"Error: no command 'zzz'; choose from {', '.join(COMMANDS)}\n"),
    ],
)
def test_what_is_misspelt_is_answered_with_what_is_meant(arguments: list[str], message: str) -> None:
    assert said(*arguments) == (4, message)


def test_no_summary_is_cut() -> None:
    code, text = said("--help")
    assert code == 0
    assert "..." not in text.partition("Commands:")[2]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
