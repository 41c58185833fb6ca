"""The one command for a device without a device: its stages and limits, what they ask, and how that is judged."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools" / "captures" / "hopper"), str(Path(__file__).parent)]

import ask_attention  # noqa: E402
import ask_functions  # noqa: E402
import ask_shapes  # noqa: E402
import ask_units  # noqa: E402
import functions  # noqa: E402
import judge_functions  # noqa: E402
import judge_units  # noqa: E402
import prepare  # noqa: E402
import questions  # noqa: E402
import session  # noqa: E402
from simulated import SimulatedFunctions, SimulatedHopper  # noqa: E402

from fp8ref.adapters.captures import blocks  # noqa: E402
from fp8ref.adapters.cuda.driver import Device, prepared_name  # noqa: E402
from fp8ref.cases.operation import Operation  # noqa: E402

FP8 = Operation.parse("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32")
BF16 = Operation.parse("dot/bf16.bf16/f32/hopper.wgmma.bf16.f32;k=16")
FOREVER = 1e18


# -- the session ------------------------------------------------------------------------------------------------------
def test_stages_are_in_order_of_worth_and_fit() -> None:
    every = session.stages({})
    assert [s.name for s in every] == ["probes", "sweep", "dots", "shapes", "functions", "attention"]
    assert [s.name for s in every if s.minimal] == ["probes", "functions"]
    assert every[0].seconds <= 60
    assert sum(s.seconds for s in every) <= session.TOTAL - 10
    assert sum(s.seconds for s in every if s.minimal) < session.MINIMAL - session.CLOSING < 240
    assert len(every) + 1 <= session.FILES  # an archive of each, and the log
    assert (len(every) * session.LIMIT) < 8 * (16 << 20)
    for stage in every:
        for command in stage.commands:
            script, *words = command.split()
            text = (session.HERE / script).read_text()
            assert all(f'"{word}"' in text for word in words if word.startswith("--")), command
    assert all("simulated" in c for c in session.stages({"UNDER_TEST": "py:simulated:X"})[0].commands)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stages of three scripts: one that never ends, one that fails, one that writes more than a file may have."""
    (tmp_path / "late.py").write_text(
        "import sys, pathlib, time\npathlib.Path(sys.argv[1], 'a.blocks').write_text('first')\ntime.sleep(600)\n"
    )
    (tmp_path / "fails.py").write_text("import sys\nprint('why it failed')\nsys.exit(6)\n")
    (tmp_path / "large.py").write_text(
        "import sys, pathlib\nfor name, n in (('a', 30000), ('b', 3)):\n"
        "    pathlib.Path(sys.argv[1], name + '.blocks').write_bytes(bytes(n))\n"
    )
    found = tuple(
        session.Stage(name, 3 if name == "late" else 60, (f"{tmp_path / name}.py {{}}",), name == "fails")
        for name in ("late", "fails", "large")
    )
    monkeypatch.setattr(session, "stages", lambda given: found)
    monkeypatch.setattr(session, "LEAST", 0)
    monkeypatch.setattr(session, "LIMIT", 20_000)
    monkeypatch.setattr(session.Session, "machine", lambda self: None)
    monkeypatch.setenv("WORK", str(tmp_path / "work"))
    return tmp_path


def test_a_stage_that_is_late_is_ended_and_what_it_has_is_kept(scripts: Path) -> None:
    out = scripts / "out"
    assert session.main([str(out)]) == 2
    assert sorted(p.name for p in out.iterdir()) == ["fails.tar", "large.tar", "late.tar", "log.txt"]
    with tarfile.open(out / "late.tar") as archive:
        assert archive.getnames() == ["late/a.blocks"]
    with tarfile.open(out / "large.tar") as archive:
        assert archive.getnames() == ["large/b.blocks"]
    log = (out / "log.txt").read_text()
    assert "large: did not fit into 20,000 bytes: a.blocks" in log
    assert "exit codes -9" in log
    assert "why it failed" in log
    assert "not whole: late, fails; the same command goes on" in log


def test_a_stage_may_fill_a_second_file_where_one_is_to_spare(scripts: Path) -> None:
    (scripts / "large.py").write_text(
        "import sys, pathlib\nfor name in 'abc':\n    pathlib.Path(sys.argv[1], name).write_bytes(bytes(4000))\n"
    )
    out = scripts / "out"
    assert session.main([str(out), "--only", "large"]) == 0
    assert session.main([str(out), "--only", "large"]) == 0
    for end, names in (("", ["large/a"]), ("-2", ["large/b"])):
        with tarfile.open(out / f"large{end}.tar") as archive:
            assert archive.getnames() == names
    assert "did not fit into 20,000 bytes: c" in (out / "log.txt").read_text()


def test_without_time_nothing_is_begun_and_it_is_said(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LEAST", 8)
    monkeypatch.setenv("SECONDS_LEFT", str(session.CLOSING + 5))
    out = scripts / "out"
    assert session.main([str(out), "--minimal"]) == 2
    assert "fails: no time left" in (out / "log.txt").read_text()
    assert "late" not in (out / "log.txt").read_text()
    with pytest.raises(SystemExit):
        session.main([str(out), "--only", "nothing"])
    (scripts / "file").write_text("")
    assert session.main([str(scripts / "file")]) == 4


def test_too_many_files_are_named(tmp_path: Path) -> None:
    for i in range(9):
        (tmp_path / str(i)).write_bytes(b"12")
    assert list(session.written(tmp_path)) == [
        "9 files, 18 bytes, the largest 2",
        "at most 8 files of 16 MiB come back: take some of them away first",
    ]


# -- prepared machine code --------------------------------------------------------------------------------------------
def test_prepared_code_is_loaded_where_it_is_of_this_source(tmp_path: Path) -> None:
    source = tmp_path / "kernels.cu"
    source.write_text("one")
    name = prepared_name(source, "sm_90a")
    device: Any = object.__new__(Device)
    device.capability, device.facts, device._call = (9, 0), {}, lambda function, *arguments: function
    (tmp_path / name).write_bytes(b"code")
    device._load(source, (), "", tmp_path)
    assert device.facts["compiled"] == "nvcc, before"
    (tmp_path / "layout.h").write_text("another header")
    assert prepared_name(source, "sm_90a") != name
    device._nvrtc = None
    with pytest.raises(AttributeError):  # it is compiled
        device._load(source, (), "", tmp_path)


def test_preparing_without_nvcc_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["prepare.py", "-o", str(tmp_path)])
    assert prepare.main() == 6
    assert "there is no nvcc here" in capsys.readouterr().err


# -- open questions ---------------------------------------------------------------------------------------------------
def question(title: str) -> questions.Question:
    return next(q for q in questions.QUESTIONS if title in q.title)


def test_cases_are_those_that_their_names_say() -> None:
    cases = questions.asked(FP8, question("zero operand"))
    assert cases is not None
    at = cases.names.index("-0 times a large b")
    assert (cases.a[at].max(), np.count_nonzero(cases.b[at])) == (0x80, 1)
    specials = questions.asked(FP8, question("NaN"))
    assert specials is not None
    assert not any("inf times" in name for name in specials.names)  # E4M3 has no infinity
    assert questions.asked(BF16, question("overflow")) is not None


def test_a_subnormal_c_keeps_13_bits_below_the_least_exponent() -> None:
    """0x00012345 becomes 0x00012000, as E8M13 units are known to do."""
    cases = questions.asked(FP8, question("lower bound"))
    assert cases is not None
    (row,) = np.flatnonzero((cases.c == 0x12345) & ~cases.a.any(axis=1))
    readings = questions.predicted(FP8, question("lower bound"), cases)
    (claimed,) = (codes for name, codes in readings.items() if "min_exponent=-126" in name)
    assert claimed[row] == 0x12000


@pytest.mark.parametrize(
    ("title", "mode"),
    [
        ("lower bound", "min_exponent=-133"),
        ("lower bound", "min_exponent=-126"),
        ("zero operand", "zero_exponent=-132"),
    ],
)
def test_a_reading_is_found_by_its_answers(title: str, mode: str) -> None:
    """The answers of a unit of that kind, by the reference."""
    from fp8ref.cases.answers import product
    from fp8ref.spec.matrix.models import get_model

    cases = questions.asked(BF16, question(title))
    assert cases is not None
    got = product(BF16, cases.operands, get_model(f"hopper.wgmma.bf16.f32@{mode}"))
    found = judge_units.answered(BF16, question(title), cases, got)
    assert found.readings > 2
    assert [name for name in found.agreeing if mode in name.split(" or ")]
    assert len(found.agreeing) == 1
    got[0] ^= 1
    found = judge_units.answered(BF16, question(title), cases, got)
    assert not found.agreeing
    assert (mode in found.nearest.split(" or "), found.misses) == (True, 1)
    assert f"{cases.names[0]}: " in found.shown


def test_probes_become_captures_that_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = (question("vanish"), question("overflow"))
    for module in (ask_units, judge_units):
        monkeypatch.setattr(module, "QUESTIONS", some)

    class Few(SimulatedHopper):
        def capabilities(self) -> list[str]:
            return [BF16.id, "decode/e4m3fn/f16"]

    assert ask_units.ask_probes(Few(), tmp_path, 0) == 2  # no time
    assert ask_units.ask_probes(Few(), tmp_path, FOREVER) == 0
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 2
    found = [a for path in paths for a in judge_units.questions_of(path)]
    assert [a.title for a in found] == [q.title for q in some]
    assert all(a.agreeing for a in found)
    assert "| overflow | bf16.bf16 → f32" in judge_units.questions_table(found)


# -- every input ------------------------------------------------------------------------------------------------------
class OneWrong(SimulatedHopper):
    """E4M3 of the float32 1CDEF, in the second shard of the test below, is a code too large."""

    def capabilities(self) -> list[str]:
        return ["convert/f32/e4m3fn/rne.sat", "convert/f16/e5m2/rne.sat"]

    def run(self, op: Operation, *operands: Any) -> Any:
        found = super().run(op, *operands).copy()
        if op.operands == ("f32",):
            found[operands[0] == 0x1CDEF] += 1
        return found


def test_one_wrong_answer_of_all_inputs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fp8ref.check.proof.proof.SHARD", 1 << 16)
    path = tmp_path / "cvt.blocks"
    assert ask_units.ask_sweep(OneWrong("cvt"), path, 0, 2.0**-15) == 3
    assert ask_units.ask_sweep(OneWrong("cvt"), path, FOREVER, 2.0**-15) == 0
    records = blocks.read(path).records
    assert [(r["operation"][:11], r["differ"], len(c)) for r, c in records] == [
        ("convert/f16", 0, 1 << 16),
        ("convert/f32", 0, 1 << 16),
        ("convert/f32", 1, 1 << 16),
    ]
    small, wide = map(judge_units.swept, judge_units.conversions_of(path))
    assert (small.asked, small.inputs, small.differ, small.complaints) == (1 << 16, 1 << 16, 0, [])
    assert (wide.asked, wide.inputs, wide.complaints) == (1 << 17, 1 << 32, [])
    assert wide.examples == [(0x1CDEF, 1, 0)]
    assert "1CDEF gives 1, not 0" in judge_units.sweep_table([small, wide])


def test_a_digest_that_contradicts_its_record_is_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "cvt.blocks"
    op = "convert/f16/e4m3fn/rne.sat"
    file = blocks.Appending(path, {"source": {}})
    file.append({"operation": op, "first": 0, "count": 1 << 16, "answers": "0" * 64, "differ": 0})
    file.append({"operation": op, "first": 5, "count": 7, "answers": "0" * 64, "differ": 0})
    file.close()
    (one,) = judge_units.conversions_of(path)
    assert [c.partition(": ")[2][:8] for c in judge_units.swept(one).complaints] == ["shard 0 ", "no shard"]


# -- functions --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "mpfr"), [("power", "exp2"), ("logarithm", "log2")])
def test_bases_are_the_nearest_numbers(name: str, mpfr: str) -> None:
    gmpy2 = pytest.importorskip("gmpy2")
    x = np.random.default_rng(3).integers(0, 1 << 23, 400).astype(np.uint32)
    x = np.concatenate([x, np.array([0, 1, 4095, 4096, (1 << 23) - 1], np.uint32)]) | np.uint32(functions.ONE)
    if name == "power":
        x = np.concatenate([x, x | np.uint32(functions.SIGN)])
    with gmpy2.context(precision=24):
        want = [float(getattr(gmpy2, mpfr)(gmpy2.mpfr(float(v)))) for v in x.view(np.float32)]
    assert np.array_equal(getattr(functions, name)(x), np.array(want, np.float32).view(np.uint32))


def test_arguments_are_what_they_should_be() -> None:
    rcp, ex2 = functions.BY_NAME["rcp.approx.ftz.f32"], functions.BY_NAME["ex2.approx.f32"]
    assert len(rcp.blocks) == 9
    assert (rcp.arguments("0")[0][0], rcp.arguments("7")[0][-1]) == (0x3F800000, 0x3FFFFFFF)
    assert (len(ex2.blocks), ex2.arguments("8")[0][0], ex2.arguments("15")[0][-1]) == (17, 0xBF800000, 0xBFFFFFFF)
    (spots,) = rcp.arguments("spots")
    assert np.array_equal(spots >> 16, np.arange(1 << 16))
    x, y = functions.BY_NAME["div.full.f32"].arguments("3")
    assert x.size * 4 >= 1_000_000
    assert all(((v >> 23 & 255) >= 111).all() and ((v >> 23 & 255) < 143).all() for v in (x, y))


class Reciprocal(SimulatedFunctions):
    """Nearest, but for 1.5, which is a code too small, and 1.25, which is far off; subnormal results are zeros."""

    def has(self, f: Any) -> bool:
        return bool(f.name.startswith("rcp"))

    def run(self, f: Any, x: Any) -> Any:
        with np.errstate(all="ignore"):
            found = (np.float32(1) / x.view(np.float32)).view(np.uint32)
        fraction, small = x & np.uint32(0x7FFFFF), (found & np.uint32(0x7FFFFFFF)) < (1 << 23)
        found = found - (fraction == 0x400000) + np.uint32(1000) * (fraction == 0x200000)
        return np.where(small, found & np.uint32(0x80000000), found).astype(np.uint32)


def test_the_table_of_reciprocals_is_kept_and_judged(tmp_path: Path) -> None:
    path = tmp_path / "functions.blocks"
    assert ask_functions.ask(Reciprocal(), path, 0) == 9
    assert ask_functions.ask(Reciprocal(), path, FOREVER) == 0
    forms = [record["form"] for record, _ in blocks.read(path).records]
    assert forms == ["whole", "bytes", "bytes", "whole", *["bytes"] * 5]  # spots; 1.25 is in the third of eight
    (one,) = judge_functions.functions_of(path)
    found = judge_functions.computed(one)
    assert found.complaints == []
    assert (found.asked, found.off, found.far) == ((1 << 23) + (1 << 16), {0: (1 << 23) - 2, -1: 1}, 1)
    followed, _, rest = found.spots.partition(" of other exponents follow the table")
    done, _, of = followed.partition(" of ")
    assert int(done.replace(",", "")) >= int(of.replace(",", "")) - 2  # but where the planted errors stand
    assert "are zeros" in rest
    assert "-inf: 80000000" in rest
    assert "| -1: 1 | 1 |" in judge_functions.functions_table([found])


def test_results_that_are_not_those_of_the_digest_are_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "functions.blocks"
    file = blocks.Appending(path, {"seed": functions.SEED, "source": {}})
    f = functions.BY_NAME["div.rn.f32"]
    record, content = ask_functions.record_of(f, "0", SimulatedFunctions())
    file.append(record, content)
    file.append({**record, "block": "1"}, content)
    file.append({**record, "block": "77"}, content)
    file.close()
    (one,) = judge_functions.functions_of(path)
    found = judge_functions.computed(one)
    assert (found.off, len(found.complaints)) == ({0: 1 << 18}, 2)
    with pytest.raises(ValueError, match="results in the form 'bytes', 3 bytes"):
        functions.unpacked("bytes", b"abc", np.zeros(4, np.uint32))


# -- torch ------------------------------------------------------------------------------------------------------------
def test_what_cublaslt_launched_is_read_from_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})
    log = ask_shapes.Log()
    assert log.launched() == []
    line = (
        "[x][cublasLt][1][Trace][cublasLtMatmul] A=0x7 Adesc=[type=R_8F] algo=[algoId=66 tile=64x64 splitK=3] w=0x1\n"
    )
    log.path.write_text(line * 2 + "[x][cublasLt] something else\n")
    assert log.launched() == ["algo=[algoId=66 tile=64x64 splitK=3]"]
    assert log.launched() == []
    with log.path.open("a") as file:
        file.write(line.replace("=3", "=4"))
    assert log.launched() == ["algo=[algoId=66 tile=64x64 splitK=4]"]


class Attends:
    """Attention in float64, stored as float32; the wider tile changes one result; no E5M2."""

    def identify(self) -> dict[str, str]:
        return {"name": "simulated"}

    def attend(self, p: Any) -> tuple[str, Any]:
        if p.operands == "e5m2":
            raise ask_attention.Declined("no | E5M2")
        d = np.zeros((ask_attention.HEADS, p.length, ask_attention.WIDTH), np.float32)
        d[:, :: p.length // ask_attention.ROWS] = judge_functions.exact(p)
        d[0, 1, 0] = p.tile == 128 and p.length == 256
        return "float32", d.view(np.uint32)


def test_attention_shows_whether_the_tile_matters(tmp_path: Path) -> None:
    path = tmp_path / "attention.blocks"
    assert ask_attention.ask(Attends(), path, FOREVER) == 0
    rows = judge_functions.attention_of(path).rows
    assert len(rows) == 8
    assert [row.split(" | ")[-1] for row in rows[:4]] == [" |", "other bits |", " |", "the same bits |"]
    assert all(float(row.split(" | ")[4]) < 1e-6 for row in rows[:4])
    assert all("not offered: no / E5M2" in row for row in rows[4:])
