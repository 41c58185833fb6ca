"""``fp8ref system``: the list, a table, its JSON, its picture, and what is typed wrongly."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner

from fp8ref.cli.main import main
from fp8ref.cli.system import number, system
from fp8ref.systems import CATALOGUE, SYSTEMS
from fp8ref.systems.own_tensors import RULES, quantised


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
        "bits of B": 31,
        "wrong codes": 0.0,
        "largest error of B / 2^C": document["rows"][-1]["largest error of B / 2^C"],
        "bound": 4.66e-10,
    }
    assert "<svg" in picture.read_text(encoding="utf-8")
    code, output = run("hawq-v3", "--plot", str(picture))
    assert (code, output.splitlines()[-1]) == (4, f"Error: {picture} exists; --force replaces it")


def test_columns_of_one_name_are_told_apart_in_json() -> None:
    """SQNR in dB stands beside each of three thresholds; what 8 bits reach on N(0,1) is the first of them."""
    row = json.loads(run("integer-gemm", "--json")[1])["rows"][0]
    assert len(row) == 8
    dB = [row[f"dB at {column}"] for column in ("T, N(0,1)", "T, t(8)", "T, U(-1,1)")]
    # 255 levels give the uniform distribution 20 log10(255); heavier tails lose more
    assert dB[2] == pytest.approx(20 * math.log10(255), abs=0.01)
    assert dB[1] < dB[0] < dB[2]


@pytest.mark.parametrize("name", RULES)
def test_a_tensor_of_one_s_own(name: str, tmp_path: Path) -> None:
    x = np.random.default_rng(5).normal(size=(6, 64)).astype(np.float32)
    x[0, 0] = 7.5
    file, out = tmp_path / "x.npy", tmp_path / "codes.npz"
    np.save(file, x)
    code, output = run(name, "--input", str(file), "-o", str(out), "--json")
    assert code == 0, output
    made = np.load(out)
    signal = float(np.square(x.astype(float)).sum())
    for n, row in enumerate(json.loads(output)["rows"]):
        codes, values = made[f"codes{n}"], made[f"values{n}"]
        assert codes.shape == values.shape == x.shape
        assert np.unique(codes).size > 40
        noise = float(np.square(x.astype(float) - values).sum())
        assert row["SQNR dB"] == pytest.approx(10 * math.log10(signal / noise), abs=1e-3)
        assert row["SQNR dB"] > 20
        assert row["scales"] == made[f"scales{n}"].size
    assert run(name, "--input", str(file), "-o", str(out))[0] == 4


def test_scales_and_codes_give_the_values() -> None:
    x = np.linspace(-3, 3, 256, dtype=np.float32).reshape(4, 64)
    for name in ("integer-gemm", "integer-fine-tuning"):
        (made,) = quantised(name, x)
        assert np.array_equal(made.values, made.codes * np.float64(made.scales[0]))
    (rows,) = quantised("llm-int8", x)
    assert np.array_equal(rows.values, rows.codes * (rows.scales.astype(np.float64) / 127))
    e4m3, _ = quantised("fp8-formats", x)
    assert np.array_equal(e4m3.values, e4m3.codes.view(ml_dtypes.float8_e4m3fn).astype(np.float64))


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.array([1.0, np.nan]), "infinities, NaNs"),
        (np.array([1e300]), "beyond binary32"),
        (np.zeros((0, 3), np.float32), "should have numbers in it"),
        (np.array([True]), "should have numbers in it"),
    ],
)
def test_a_tensor_that_no_rule_takes(x: np.ndarray, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x)
    code, output = run("adam8", "--input", str(tmp_path / "x.npy"))
    assert (code, said in output) == (4, True)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1,024", 1024), ("-3", -3), ("12.5%", 0.125), ("2.79e-03", 2.79e-3), ("-", None), ("", None), ("E4M3", "E4M3"),
     ("inf", "inf"), ("<1", "<1"), ("1.2.3", "1.2.3")],
)  # fmt: skip
def test_a_cell_is_a_number_where_it_is_one(cell: str, value: object) -> None:
    assert number(cell) == value
    assert type(number(cell)) is type(value)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--input", "x.npy"), "--input goes by the rules of one system: give its NAME"),
        (("i-bert", "--input", "pyproject.toml"), "pyproject.toml"),
        (("adam8", "-o", "x.npz"), "-o FILE.npz takes the codes of --input FILE"),
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
