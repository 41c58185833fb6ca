"""Files that were there stay: links are not followed, companions are not replaced, no device becomes a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import fp8ref
from fp8ref.adapters.captures.blocks import Appending
from fp8ref.cli.main import main
from fp8ref.engines.journal import Journal
from fp8ref.outputs import Outputs, atomically, new_file, open_own, require_free, together

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
MINE = "mine\n"
ROOT = Path(fp8ref.__file__).parent
CHECK = ["check", "decode/e4m3fn/f32", "--impl", "mini:truncates", "--jobs", "1"]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text(MINE)
    return path


def run(*args: str | Path) -> tuple[int, str]:
    found = CliRunner().invoke(main, [str(a) for a in args])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


def test_the_name_until_then_cannot_be_foreseen_and_nothing_is_left(tmp_path: Path, victim: Path) -> None:
    names = set()
    for _ in range(3):
        with new_file(tmp_path / "x") as (_, part):
            names.add(part.name)
            assert re.fullmatch(r"\.[0-9a-f]{24}\.part", part.name)
            part.unlink()
    assert len(names) == 3
    with pytest.raises(ZeroDivisionError), together() as files, files.file(tmp_path / "x") as file:
        file.write(bytes([1 // 0]))
    assert os.listdir(tmp_path) == ["victim"]


@pytest.mark.parametrize("name", ["x.part", ".x.part", "part-x", "x.tmp"])
def test_a_foreseen_name_that_is_a_link_is_left_alone(name: str, tmp_path: Path, victim: Path) -> None:
    (tmp_path / name).symlink_to(victim)
    with atomically(tmp_path / "x") as file:
        file.write(b"new")
    assert victim.read_text() == MINE
    assert (tmp_path / name).is_symlink()


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path, victim: Path) -> None:
    link = tmp_path / "x"
    for target in (victim, tmp_path / "nowhere"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        with pytest.raises(FileExistsError, match="--force replaces it"), atomically(link):
            pass
        with atomically(link, force=True) as file:  # the name gets another file
            file.write(b"new")
        assert not link.is_symlink()
        assert victim.read_text() == MINE
        assert not (tmp_path / "nowhere").exists()


def test_a_device_a_pipe_and_a_folder_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to(os.devnull)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("null", "pipe", "folder"):
        with pytest.raises(FileExistsError, match="no plain file"), atomically(tmp_path / name, force=True):
            pass
        with pytest.raises(OSError, match=r"link|no plain file|directory|No such device"):
            open_own(tmp_path / name)


def test_one_who_was_here_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    files = Outputs(False)
    for name in ("a", "b"):
        with files.file(tmp_path / name) as file:
            file.write(b"ours")
    (tmp_path / "b").write_text(MINE)
    with pytest.raises(FileExistsError):
        files.appear()
    files.vanish()
    assert os.listdir(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == MINE


def test_between_the_look_and_the_name_nobody_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, files = tmp_path / "a", Outputs(False)
    with files.file(path) as file:
        file.write(b"ours")
    path.write_text(MINE)
    monkeypatch.setattr("fp8ref.outputs.require_free", lambda *_: None)
    with pytest.raises(FileExistsError):
        files.appear()
    files.vanish()
    assert path.read_text() == MINE


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="twice"):
        require_free([tmp_path / "a", tmp_path / "b", tmp_path / "a"], force=True)
    code, said = run(*CHECK, "-o", tmp_path / "a.jsonl", "--md", tmp_path / "a.meta.json")
    assert (code, "twice" in said) == (4, True)


def test_a_companion_is_looked_for_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "run.meta.json").write_text(MINE)
    code, said = run(*CHECK, "-o", tmp_path / "run.jsonl")
    assert (code, "run.meta.json exists; --force replaces it" in said) == (4, True)
    assert os.listdir(tmp_path) == ["run.meta.json"]
    assert (tmp_path / "run.meta.json").read_text() == MINE


VECTORS = ["vectors", "generate", "neg/e4m3fn/e4m3fn"]


@pytest.mark.parametrize(
    ("args", "output", "companion"),
    [
        ([*VECTORS, "--as", "memh", "-o"], "v.memh", "v.memh.json"),
        ([*VECTORS, "--as", "memh", "-o"], "v.memh", "v_pkg.sv"),
        ([*VECTORS, VECTORS[-1].replace("neg", "abs"), "--as", "npz", "-o"], "v.npz", "v-2.npz"),
        (["vectors", "c-model", "e4m3fn", "-o"], "", "fp8ref_model_pkg.sv"),
        (["new", "adapter"], "", "README.md"),
        (["plot", "number-line", "-o"], "p.svg", "p.svg"),
    ],
)
def test_all_of_several_files_or_none(args: list[str], output: str, companion: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for stands in (Path.write_text, lambda path, _: path.symlink_to(tmp_path / "nowhere")):
        stands(place / companion, MINE)
        code, said = run(*args, place / output)
        assert code == 4, said
        assert os.listdir(place) == [companion]
        (place / companion).unlink()
    assert os.listdir(tmp_path) == ["place"]


def start_journal(path: Path) -> object:
    return Journal(path, {"kind": "check"}, force=True)


def start_capture(path: Path) -> object:
    return Appending(path, {"source": "x"})


@pytest.mark.parametrize("start", [start_journal, start_capture])
def test_what_grows_under_its_name_follows_no_link(start: Callable[[Path], object], tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"no line ends here")
    for target in (victim, tmp_path / "nowhere"):
        (tmp_path / "x").unlink(missing_ok=True)
        (tmp_path / "x").symlink_to(target)
        with pytest.raises(OSError, match="link"):
            start(tmp_path / "x")
        assert victim.read_bytes() == b"no line ends here"
        assert not (tmp_path / "nowhere").exists()


def test_a_journal_in_the_way_goes_by_force_alone_and_never_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x"
    first = Journal(path, {"n": 1})
    with pytest.raises(FileExistsError):
        Journal(path, {"n": 2})
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="link"):
        Journal(tmp_path / "link")
    first.close()
    again = Journal(path, {"n": 2}, force=True)
    again.close()
    assert Journal(path).head == {"n": 2}


WRITING = re.compile(
    r"\.write_(text|bytes)\(|mkstemp|NamedTemporaryFile|os\.(open|truncate|rename|replace|link|symlink)\("
    r"|open\(([^()]|\([^()]*\))*\"[rb+]*[wax][rb+]*\""
)
ELSEWHERE = {  # what is no output of a command, and why it may
    "adapters/compiled.py": "moves what a compiler wrote into the user's cache",
    "check/harness/worker.py": "/proc/self/oom_score_adj",
    "check/harness/guard.py": "the null device",
    "adapters/mutants/unruly.py": "the tally that a test names",
    "starters/rtl/run.py": "a file for users",
    "cli/surroundings.py": "the null device",
    "arrays/recipe_files.py": "opens for reading, and waits for no pipe",
    "cli/vectors.py": "the null device",
    "cli/vector_files.py": "the null device",
}


def test_nothing_else_in_the_package_writes_files() -> None:
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
    assert {name for name, text in texts.items() if WRITING.search(text)} - {"outputs.py"} == set(ELSEWHERE)
