"""What comes through a pipe from a device that is dead, stuck, or silent about its flags is not certified."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fp8ref.cli.vectors import vectors

OP = "f32_to_e4m3fn"
LINES: list[str] = []


def lines() -> list[str]:
    """300 cases between a header and an end."""
    if not LINES:
        made = CliRunner().invoke(vectors, ["generate", OP, "--as", "testfloat", "-n", "300"])
        LINES.extend(made.output.splitlines(keepends=True))
    return list(LINES)


def verified(text: list[str], tmp_path: Path, *options: str) -> Result:
    (tmp_path / "sent").write_text("".join(text))
    return CliRunner().invoke(vectors, ["verify", str(tmp_path / "sent"), "--as", "testfloat", *options])


def without_flags(line: str) -> str:
    return line if line.startswith("@") else line.rsplit(" ", 1)[0] + "\n"


def test_a_device_that_answers_everything_conforms(tmp_path: Path) -> None:
    found = verified(lines(), tmp_path)
    assert found.exit_code == 0
    assert "conforms: 300 cases" in found.output
    assert "convert/f32/e4m3fn/rne.sat;flags=1" in found.output
    assert "unknown" not in found.output


@pytest.mark.parametrize(
    "broken",
    [
        lambda sent: [sent[0], *[sent[1]] * 300, sent[-1]],  # one case echoed
        lambda sent: [*sent[:11], "@ end count=10\n"],  # its own end
        lambda sent: [sent[0], *sent[2:-1], "@ end count=299\n"],  # a line lost
        lambda sent: [sent[0], sent[2], sent[1], *sent[3:]],  # two changed places
        lambda sent: [*sent[:-1], sent[1], "@ end count=301\n"],  # one more
        lambda sent: sent[:100],  # dead
    ],
)
def test_lines_that_are_not_the_recipes_are_refused(broken: object, tmp_path: Path) -> None:
    found = verified(broken(lines()), tmp_path)  # type: ignore[operator]
    assert found.exit_code == 4
    assert "conforms" not in found.output


def test_without_a_header_the_number_is_unknown_or_demanded(tmp_path: Path) -> None:
    bare = [line for line in lines() if not line.startswith("@")][:100]
    found = verified(bare, tmp_path, "--op", OP)
    assert found.exit_code == 0
    assert "the stream does not say: give --count" in found.output
    found = verified(bare, tmp_path, "--op", OP, "--count", "300")
    assert found.exit_code == 1
    assert "100 cases came, not 300" in found.output
    found = verified(bare, tmp_path, "--op", OP, "--count", "100")
    assert (found.exit_code, "unknown" in found.output) == (0, False)


def test_without_end_the_number_is_unknown(tmp_path: Path) -> None:
    sent = [lines()[0].replace("n=300", "n=300,forever"), *lines()[1:-1]]
    assert "the stream does not say: give --count" in verified(sent, tmp_path).output


@pytest.mark.parametrize("change", [without_flags, lambda line: line if line[0] == "@" else line[:-3] + "--\n"])
def test_flags_that_did_not_come_are_not_certified(change: object, tmp_path: Path) -> None:
    found = verified([change(line) for line in lines()], tmp_path)  # type: ignore[operator]
    assert found.exit_code == 0
    assert "convert/f32/e4m3fn/rne.sat (flags not compared)" in found.output
    assert ";flags=1" not in found.output
