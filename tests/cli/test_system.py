"""``fp8ref system``: the list, a table, its JSON, its picture, and what is typed wrongly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fp8ref.cli.main import main
from fp8ref.cli.system import system
from fp8ref.systems import CATALOGUE, SYSTEMS


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["system", *args])
    return result.exit_code, result.output


def test_the_list_has_every_system() -> None:
    code, output = run()
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()[1:] if not line.startswith(" ")] == list(SYSTEMS)
    assert [entry["system"] for entry in json.loads(run("--json")[1])] == list(SYSTEMS)


def test_every_system_has_its_module_its_paper_and_its_figure() -> None:
    from fp8ref.plots import PLOTS

    for found in CATALOGUE:
        assert found.paper.startswith("arXiv ")
        assert found.plot in PLOTS, f"{found.name} has no figure"


def test_a_table_is_printed_as_text_and_json(tmp_path: Path) -> None:
    code, text = run("hawq-v3")
    assert code == 0
    assert "bits of B  wrong codes" in text
    assert text.rstrip().endswith("exact quotient.")
    picture = tmp_path / "hawq.svg"
    code, output = run("hawq-v3", "--json", "--plot", str(picture))
    document = json.loads(output[: output.rindex("}") + 1])
    assert (code, document["system"], len(document["rows"])) == (0, "hawq-v3", 9)
    assert document["rows"][-1] == {
        "bits of B": "31",
        "wrong codes": "0.0000%",
        "largest error of B / 2^C": document["rows"][-1]["largest error of B / 2^C"],
        "bound": "4.66e-10",
    }
    assert "<svg" in picture.read_text(encoding="utf-8")
    code, output = run("hawq-v3", "--plot", str(picture))
    assert (code, output.splitlines()[-1]) == (4, f"Error: {picture} exists; --force replaces it")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("hawq",), "unknown system 'hawq'; choose from"),
        (("--plot", "x.svg"), "--plot draws the picture of one system: give its NAME"),
        (("hawq-v3", "--plot", "x.txt"), "x.txt: the file name should end in"),
    ],
)
def test_what_is_typed_wrongly(args: tuple[str, ...], said: str) -> None:
    code, output = run(*args)
    assert code == 4
    assert said in output


def test_help_names_the_command() -> None:
    assert system.name == "system"
    assert "system" in CliRunner().invoke(main, ["--help"]).output
