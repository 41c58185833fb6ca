"""Any bytes give a value or the documented error in one line: soon, in little memory, touching nothing outside."""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fp8ref.vectors.files import found_in, sections_of, write_file
from fp8ref.vectors.forms.registry import FORMS
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Block
from fp8ref.vectors.source import open_source

from . import guard
from .guard import Fault, attempt
from .mutations import mutated
from .readers import alike
from .seeds import IDS
from .targets import TARGETS, seeds_of, tried

REGRESSIONS = Path(__file__).parent / "regressions"
EVERYDAY, LONG = 12, 500  # damaged inputs for each target
HEALTHY = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


NO_PYARROW = pytest.mark.skipif(
    find_spec("pyarrow") is None, reason="pyarrow is not installed: pip install 'fp8ref[parquet]'"
)
READABLE = [pytest.param(name, marks=NO_PYARROW if name == "parquet" else []) for name in TARGETS]


def damaged(name: str) -> st.SearchStrategy[bytes]:
    """Valid inputs after some edits, and now and then bytes that never were any."""
    edited = st.builds(mutated, st.sampled_from(seeds_of(name)), st.randoms(use_true_random=False))
    return st.one_of(edited, edited, edited, edited, st.binary(max_size=200))


def search(name: str, examples: int, always_the_same: bool) -> None:
    @settings(
        max_examples=examples, derandomize=always_the_same, deadline=None, database=None, suppress_health_check=HEALTHY
    )
    @given(damaged(name))
    def holds(data: bytes) -> None:
        tried(name, data)

    holds()


@pytest.mark.parametrize("name", READABLE)
def test_damaged_input_is_refused_in_one_line(name: str) -> None:
    search(name, EVERYDAY, True)


@pytest.mark.full
@pytest.mark.parametrize("name", READABLE)
def test_much_damaged_input_is_refused_in_one_line(name: str) -> None:
    search(name, LONG, False)


@pytest.mark.parametrize("name", READABLE)
def test_valid_input_is_read(name: str) -> None:
    """The first seed of every target is accepted: a reader that refuses everything would pass all else."""
    assert tried(name, seeds_of(name)[0]) is None


# -- what was found once -----------------------------------------------------------------------------------------------
def content(path: Path) -> tuple[str, bytes]:
    """The target that a regression is for, and its input.

    It stands behind a line that says what it broke: as text, as hexadecimal (``.hex``), or packed first (``.zhex``).
    """
    target, _, _ = path.stem.partition("--")
    why, _, data = path.read_bytes().partition(b"\n")
    assert why.startswith(b"# "), f"{path.name} begins with a line that says what it broke"
    if path.suffix != ".txt":
        data = bytes.fromhex(data.decode())
    return target, zlib.decompress(data) if path.suffix == ".zhex" else data


@pytest.mark.parametrize("path", sorted(REGRESSIONS.iterdir()), ids=lambda path: path.name)
def test_what_broke_once_is_refused_or_read(path: Path) -> None:
    name, data = content(path)
    tried(name, data)


# -- the guard ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda data: open("/etc/hostname").close(), "opens '/etc/hostname'"),
        (lambda data: open("/work-of-others", "w").close(), "opens '/work-of-others'"),
        (lambda data: __import__("os").system("true"), "os.system"),
        (lambda data: __import__("pickle").loads(b"cos\nsystem\n."), "pickle.find_class"),
        (lambda data: (_ for _ in ()).throw(ValueError("two\nlines")), "not one printable line"),
        (lambda data: (_ for _ in ()).throw(ValueError("")), "without words"),
        (lambda data: (_ for _ in ()).throw(ValueError("long " * 1000)), "5000 characters"),
    ],
)
def test_the_guard_sees(read: object, said: str) -> None:
    with pytest.raises(Fault, match=said):
        attempt(read, (ValueError,), b"")  # type: ignore[arg-type]


def test_the_guard_bounds_memory_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemoryError):
        attempt(lambda data: bytearray(2 << 30), (), b"")
    monkeypatch.setattr(guard, "SECONDS", 0.2)
    with pytest.raises(Fault, match="still at work"):
        attempt(lambda data: all(True for _ in iter(int, 1)), (), b"")


# -- round trips -------------------------------------------------------------------------------------------------------
DEFINITE = [id_ for id_ in IDS if not any(word in id_ for word in ("within", "matmul", "sr-a", "remainder"))]


@settings(max_examples=12, deadline=None, database=None, suppress_health_check=HEALTHY)
@given(
    st.sampled_from(DEFINITE),
    st.sampled_from(["jsonl", "testfloat", "memh", "npz", *(["parquet"] if find_spec("pyarrow") else [])]),
    st.integers(0, 40),
    st.data(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, id_: str, form: str, n: int, data: st.DataObject
) -> None:
    recipe = Recipe.of(id_, n=n, seed=data.draw(st.integers(0, 2**64)))
    section = recipe.section(False)
    blocks = list(generate(recipe, False))
    path = tmp_path_factory.mktemp("round") / f"x{FORMS[form].suffix}"
    if FORMS[form].stream:
        packed = data.draw(st.booleans())
        path = path.with_name(path.name + ".gz") if packed else path
        write_file(path, FORMS[form], [(section, iter(blocks))])
    else:
        FORMS[form].exporter([(section, iter(blocks))], path, False)
    source = open_source(path)
    with source.file:
        found = [(s, Block.joined(list(b))) for s, b in sections_of(found_in(source))]
    if n == 0 and not found:
        return
    assert alike(found, [(section, Block.joined(blocks))] if blocks else [(section, found[0][1])])
    assert all(block.size == sum(b.size for b in blocks) for _, block in found)
