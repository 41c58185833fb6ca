"""Identification: the right class for every catalogued model, never a wrong one, and parameters of unknown units."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import warm
from short import some

from fp8ref.adapters.captures import files as captures
from fp8ref.adapters.mutants.dots import DOT_FAULTY, DOT_MUTANTS, right
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, dot_cases, random_cases, special_cases
from fp8ref.check.harness.transport import Session
from fp8ref.check.identify.accumulators import CUTS, Hypothesis, Order, answers, unfinished, unit, wrong
from fp8ref.check.identify.blackbox import BlackBox
from fp8ref.check.identify.fitting import parameters
from fp8ref.check.identify.identify import Identification, _classes, identify, identify_captured
from fp8ref.report.findings.identification import document, page
from fp8ref.spec.matrix.models import MODELS, get_model
from fp8ref.spec.rounding import Rounding

SHARED = Path(os.environ.get("FP8REF_SHARED") or Path(__file__).resolve().parents[4] / "shared") / "data" / "hardware"
RANDOM = 1200
E4M3 = "dot/e4m3fn.e4m3fn/f32/*;k=32"
F16 = "dot/e4m3fn.e4m3fn/f16/*;k=32"


def inside(accumulator: str, claim: str) -> Identification:
    """Identify a catalogued model behind a function that says nothing else."""
    op = Operation.parse(claim)
    hidden = Hypothesis(accumulator, None if accumulator == "exact" else get_model(accumulator))
    return identify(op, lambda cases: answers(op, hidden, cases), random=RANDOM)


CATALOGUE = {  # model -> operation, and the class that it belongs to
    "exact": (E4M3, {"exact"}),
    # products of FP8 numbers are exact in f32
    "f32.fma": (E4M3, {"f32.fma", "f32.mul-add", "arm.fmlall.fp8.f32"}),
    "f32.pairwise": (E4M3, {"f32.pairwise"}),
    "ada.mma.fp8.f32": (E4M3, {"ada.mma.fp8.f32"}),
    "ada.mma.fp8.f16": ("dot/e5m2.e5m2/f16/*;k=32", {"ada.mma.fp8.f16"}),
    "hopper.wgmma.fp8.f32": (E4M3, {"hopper.wgmma.fp8.f32"}),
    "hopper.wgmma.fp8.f16": ("dot/e4m3fn.e5m2/f16/*;k=32", {"hopper.wgmma.fp8.f16"}),
    "hopper.mma.fp8.f32": (E4M3, {"hopper.mma.fp8.f32"}),
    "hopper.mma.fp8.f16": ("dot/e5m2.e5m2/f16/*;k=32", {"hopper.mma.fp8.f16"}),
    "blackwell.tcgen05.fp8.f32": (E4M3, {"blackwell.tcgen05.fp8.f32", "sm120.mma.fp8.f32", "blackwell.mxf8f6f4"}),
    "sm120.mma.fp8.f16": ("dot/e4m3fn.e4m3fn/f16/*;k=32", {"blackwell.tcgen05.fp8.f16", "sm120.mma.fp8.f16"}),
    "arm.fmlal.fp8.f16": (F16, {"arm.fmlal.fp8.f16", "f16.fma"}),
    **{name: (F16, {name}) for name in ("arm.fdot2.fp8.f16", "arm.fmmla.fp8.f16")},
    **{name: (E4M3, {name}) for name in ("arm.fvdot.fp8.f32", "arm.fdot4.fp8.f32", "arm.fmmla.fp8.f32")},
    **{name: (E4M3, {name}) for name in (f"riscv.bulknorm{n}.fp8.f32" for n in (4, 8, 16, 32, 64))},
    **{name: (E4M3, {name}) for name in ("x86.amx.fp8.f32", "x86.ace.mxfp8.f32")},
    "cdna3.mfma.fp8.f32": ("dot/e4m3fnuz.e4m3fnuz/f32/*;k=32", {"cdna3.mfma.fp8.f32"}),
    "hopper.wgmma.fp8.f32+promote128.fadd": (E4M3, {"hopper.wgmma.fp8.f32+promote128.fadd"}),
}


def test_every_fp8_model_of_the_catalogue_is_here() -> None:
    fp8 = {name for name in MODELS if ".fp8." in name}
    same = {name for _, members in CATALOGUE.values() for name in members}
    assert fp8 <= same


LONG = {
    "exact",
    "f32.fma",
    "f32.pairwise",
    "ada.mma.fp8.f16",
    "hopper.wgmma.fp8.f16",
    "hopper.mma.fp8.f16",
    "hopper.mma.fp8.f32",
    "hopper.wgmma.fp8.f32",
    "blackwell.tcgen05.fp8.f32",
    "sm120.mma.fp8.f16",
    "cdna3.mfma.fp8.f32",
    *(name for name in CATALOGUE if name.startswith(("arm.", "riscv.", "x86."))),
} - {"arm.fdot4.fp8.f32"}


@pytest.mark.parametrize("model", [pytest.param(m, marks=[pytest.mark.full] if m in LONG else []) for m in CATALOGUE])
def test_a_catalogued_model_is_named_with_its_class(model: str) -> None:
    claim, members = CATALOGUE[model]
    found = inside(model, claim)
    assert [{h.name for h in c} for c in found.classes] == [members]
    assert found.decided


def random_unit(op: Operation, seed: int) -> tuple[object, Order]:
    """A fused unit with everything drawn at random."""
    rng = np.random.default_rng([4, seed])
    k = int(rng.choice([4, 8, 16, 32]))
    size = int(rng.choice([n for n in (2, 4, 8, 16, 32) if n <= k]))
    places = np.arange(k) if rng.random() < 0.5 else rng.permutation(k)
    steps = tuple(tuple(sorted(map(int, places[i : i + size]))) for i in range(0, k, size))
    order = Order(k, steps, bool(rng.random() < 0.4))
    roundings = (*CUTS, Rounding.TIES_TO_AWAY, Rounding.TO_ODD)
    model = unit(
        op, order, int(rng.integers(9, 31)), int(rng.integers(10, 25)),
        cut=CUTS[rng.integers(4)], rounding=roundings[rng.integers(6)],
    )  # fmt: skip
    return model, order


@pytest.mark.parametrize("seed", [pytest.param(s, marks=[pytest.mark.full] if s else []) for s in range(50)])
def test_parameters_of_a_unit_outside_the_catalogue(seed: int) -> None:
    """Each parameter is recovered, or said to be open, and then the other value truly shows nowhere."""
    op = Operation.parse(E4M3)
    hidden, _ = random_unit(op, seed)
    found = identify(op, lambda cases: answers(op, hidden, cases), random=RANDOM)  # type: ignore[arg-type]
    assert not found.classes
    assert found.unit is not None
    rng = np.random.default_rng([99, seed])
    fresh = Cases.joined([random_cases(op, 12_000, rng), special_cases(op, 600, rng)])
    assert not wrong(op, answers(op, hidden, fresh), answers(op, found.unit, fresh)).any()  # type: ignore[arg-type]
    fitted, truth = parameters(found.unit), parameters(hidden)  # type: ignore[arg-type]
    for name in ("fraction_bits", "cut", "precision", "rounding", "c_last"):
        assert fitted[name] == truth[name] or truth[name] in found.open.get(name, []) or _same_sums(found, name), name
    assert {frozenset(step) for step in fitted["order"].steps} == {frozenset(s) for s in truth["order"].steps} or (
        fitted["order"].k < truth["order"].k  # a shorter instruction that repeats
    )


def _same_sums(found: Identification, name: str) -> bool:
    """Precision and rounding of sums depend on each other: where neither matters alone, both may be open together."""
    return name in ("precision", "rounding") and bool(found.open.get("precision") and found.open.get("rounding"))


@pytest.mark.parametrize(
    "name",
    some(DOT_FAULTY, ("dot-halves-swapped", "dot-wide-truncates")),
)
def test_a_faulty_unit_is_never_called_what_it_is_not(name: str) -> None:
    mutant = DOT_MUTANTS[name]
    op = Operation.parse(mutant.claims[0])
    if int(op.key("k")) > 32:
        pytest.skip("asked by check; its tree of 129 addends takes long")
    if op.key("scale"):
        pytest.skip("asked by check; identification hands over no scales")

    def ask(cases: Cases) -> np.ndarray:
        return mutant.run(op, *cases.operands)

    found = identify(op, ask, random=RANDOM)
    rng = np.random.default_rng(7)
    fresh = Cases.joined([random_cases(op, 6_000, rng), special_cases(op, 4_000, rng)])
    got = mutant.run(op, *fresh.operands)
    for members in found.classes:
        for h in members:
            assert not wrong(op, got, answers(op, h, fresh)).any(), h.name
    if not found.classes:
        assert found.nearest is not None
        assert found.nearest.misses
        d = found.nearest.smallest
        assert int(mutant.run(op, *d.case.operands)[0]) == d.got != d.want
        assert "none:" in page(found, {"name": "x"})


def test_through_a_process_a_page_and_json() -> None:
    with Session("mini:dot-half-steps") as session:
        claim = Operation.parse(session.hello.claims[0])
        box = BlackBox(session, claim)
        found = identify(claim, box, random=RANDOM)
    assert [h.name for h in found.classes[0]] == ["ada.mma.fp8.f32"]  # two steps of 16 are Ada's unit
    text = page(found, {"name": "mini", "version": "1"})
    assert "products fused per step" in text
    assert "16" in text
    assert text.endswith("identified: ada.mma.fp8.f32")
    assert max(map(len, text.splitlines())) <= 100
    assert json.loads(json.dumps(document(found, {})))["classes"] == [["ada.mma.fp8.f32"]]


def test_a_matrix_product_is_identified_by_its_diagonal() -> None:
    op = Operation.parse("matmul/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32")
    with Session("mini:dot-correct") as session:
        box = BlackBox(session, op)
        cases = dot_cases(Operation.parse(E4M3), 1, 0).taken(np.arange(37))
        got = box(cases)
    dot = Operation.parse("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32")
    assert np.array_equal(got, right(dot, *cases.operands))


def test_a_capture_with_c_zero_cannot_show_where_c_joins() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32")
    cases = random_cases(op, 600, np.random.default_rng(1), ("normal",))
    cases.c[:] = 0
    found = identify_captured(op, cases, right(op, *cases.operands))
    assert found.classes[0][0].name == "hopper.wgmma.fp8.f32"
    assert "c_last" in found.open
    assert "elsewhere: the capture cannot decide" in " ".join(page(found, {"name": "x"}).split())


SETS = {
    "Ada.mma.m16n8k32.f16.e5m2.e5m2.f16": "ada.mma.fp8.f16",
    "Ada.mma.m16n8k32.f32.e4m3.e4m3.f32": "ada.mma.fp8.f32",
    "B200.mma_emul.m16n8k32.f32.e5m2.e5m2.f32": "hopper.mma.fp8.f32",
    "H100.mma_emul.m16n8k32.f16.e5m2.e5m2.f16": "hopper.mma.fp8.f16",
    "H100.mma_emul.m16n8k32.f32.e4m3.e4m3.f32": "hopper.mma.fp8.f32",
    "H100.wgmma.k32.f32.e4m3.e4m3": "hopper.wgmma.fp8.f32",
    "H100.wgmma.k32.f32.e5m2.e5m2": "hopper.wgmma.fp8.f32",
}
# the products of these sets are so alike in size that 25 bits lose nothing: the exact sum gives the same answers
UNDECIDED = {"B200.mma_emul.m16n8k32.f32.e5m2.e5m2.f32", "H100.mma_emul.m16n8k32.f32.e4m3.e4m3.f32"}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not SHARED.exists():
        pytest.skip(f"no hardware data at {SHARED}: set FP8REF_SHARED")
    tool = Path(__file__).resolve().parents[3] / "tools" / "captures" / "convert_matlab_sets.py"
    output = tmp_path_factory.mktemp("captures")
    subprocess.run([sys.executable, str(tool), str(SHARED), str(output)], check=True, capture_output=True)
    return output


@pytest.mark.parametrize("name", some(SETS, list(SETS)[3:4]))
def test_hardware_results_are_identified_and_conform(name: str, converted: Path) -> None:
    path = converted / f"{name}.capture.jsonl"
    capture = captures.read(path)
    found = identify_captured(
        capture.operation, Cases(*capture.operands, ("captured",) * capture.count), capture.answers
    )
    named = [[h.name for h in members] for members in found.classes]
    assert [SETS[name]] in named
    if name not in UNDECIDED:
        assert found.decided
        assert named[0] == [SETS[name]]
    else:
        assert ["exact"] in named
        assert not found.decided
    run = warm.fp8ref("check", "dot/*", "--jobs", "1", "--impl", f"replay:{path}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "conforms: 1000 cases" in run.stdout


def captured(mode: str, k: int, rows: int, result: str = "f32", keys: str = "") -> Identification:
    op = Operation.parse(f"dot/e4m3fn.e4m3fn/{result}/{mode};k={k}{keys}")
    cases = random_cases(op, rows, np.random.default_rng(5), ("wide",))
    return identify_captured(op, cases, expect(op, cases.operands).codes)


@pytest.mark.parametrize(
    ("mode", "k", "keys"),
    [
        ("ada.mma.fp8.f32+split3.t64.interleaved", 320, ""),
        pytest.param("hopper.wgmma.fp8.f32+promote128.fadd+split2.t128", 768, "", marks=pytest.mark.full),
        pytest.param("ada.mma.fp8.f32+out.sa.sb.bias", 272, ";scale=f32", marks=pytest.mark.full),
        pytest.param("ada.mma.fp8.f32+split5.t64.interleaved.pairwise", 4096, "", marks=pytest.mark.full),
    ],
)
def test_compositions_are_named_from_a_hundred_rows(mode: str, k: int, keys: str) -> None:
    found = captured(mode, k, 100, keys=keys)
    assert mode in [h.name for members in found.classes for h in members]
    assert any("were not fitted" in remark for remark in found.remarks)


def test_answers_of_zero_are_no_evidence() -> None:
    """A hundred rows of which four are not zero: shipped compositions fit, and so do those that few kernels have."""
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32+split3.t64.interleaved.pairwise;k=320")
    cases = random_cases(op, 100, np.random.default_rng(5), ("normal",))
    cases.a[4:], cases.c[4:] = 0, 0
    cases.a[:, 3:] = 0  # three products: any order gives their sum
    found = identify_captured(op, cases, expect(op, cases.operands).codes)
    named = [h.name for members in found.classes for h in members]
    assert str(op.mode) in named or any("the search ended at" in remark for remark in found.remarks)
    assert not found.decided


@pytest.mark.full
def test_a_coarse_output_is_not_taken_for_a_decision() -> None:
    """Eight bits of output fit a chain and splits alike: no single name is given."""
    found = captured("ada.mma.fp8.f32+split2.t64+out.scale.bias.sat", 128, 70, "e4m3fn", ";scale=f32")
    assert not found.decided


def test_a_capture_of_zeros_says_that_it_decides_nothing() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32;k=32")
    zeros = np.zeros((70, 32), np.uint8)
    cases = Cases(zeros, zeros, np.zeros(70, np.uint32), ("captured",) * 70)
    found = identify_captured(op, cases, np.zeros(70, np.uint32), limit=1.0)
    assert not found.decided
    assert found.classes == []
    assert "decides nothing" in found.remarks[0]
    shown = document(found, {"name": "x"})
    assert shown["sentence"] == "nothing: every answer is zero"
    assert shown["remarks"] == found.remarks


@pytest.mark.parametrize("result", [pytest.param("bf16", marks=pytest.mark.full), "f16"])
def test_c_keeps_its_type_where_the_output_is_shorter(result: str) -> None:
    """C is binary32 under binary16 and bfloat16 outputs of a binary32 unit; the mode that is found says so, too."""
    found = captured("ada.mma.fp8.f32+out.scale.bias", 32, 200, result, ";scale=f32")
    assert found.op.key("bias") == "f32"
    assert "ada.mma.fp8.f32" in [h.name for members in found.classes for h in members]


def test_a_binary16_c_is_read_as_such_before_the_output_s_conversion() -> None:
    """What shows the sums behind a short result took C's binary16 codes for half as many of binary32."""
    op = Operation.parse("dot/f16.f16/f16/*;k=8")
    pool = random_cases(op, 60, np.random.default_rng(3), ("normal",))
    c = pool.c.view(np.float16).astype(float)
    a, b = (x.view(np.float16).astype(float) for x in (pool.a, pool.b))
    assert np.abs(c).max() > 1
    wide = unfinished(op, Hypothesis("exact", None), pool).view(np.float32)
    assert np.allclose(wide, (a * b).sum(axis=1) + c, rtol=1e-6)
    model = Hypothesis("ampere.mma.f16.f32", get_model("ampere.mma.f16.f32"))
    assert np.allclose(unfinished(op, model, pool).view(np.float32), (a * b).sum(axis=1) + c, rtol=1e-5, atol=1e-5)


def test_splits_that_only_a_long_result_shows_are_two_functions() -> None:
    """Eight bits of output hide what binary32 shows: the sums before the conversion decide what is one function."""
    op = Operation.parse("dot/e4m3fn.e4m3fn/e4m3fn/*;bias=f32;k=256")
    pool = random_cases(op, 60, np.random.default_rng(3), ("normal",))
    chain, split = (get_model(f"ada.mma.fp8.f32{x}") for x in ("", "+split2.t128"))
    both = [Hypothesis(m.name, m) for m in (chain, split)]
    assert len(_classes(op, both, pool)) == 2


def test_an_interrupt_leaves_what_was_found() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/*;k=8")
    asked = 0

    def ask(cases: Cases) -> np.ndarray:
        nonlocal asked
        asked += 1
        if asked > 3:
            raise KeyboardInterrupt
        return expect(op.with_mode("f32.fma"), cases.operands).codes

    found = identify(op, ask)
    assert found.interrupted
    assert found.asked > 0
    assert "interrupted" in found.remarks[-1]


def test_an_interrupt_leaves_what_a_capture_showed() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/bf16/ada.mma.fp8.f32;k=256")
    cases = random_cases(op, 20, np.random.default_rng(5), ("normal",))

    def progress(text: str) -> None:
        if text.startswith("splits"):
            raise KeyboardInterrupt

    found = identify_captured(op, cases, expect(op, cases.operands).codes, progress)
    assert found.interrupted
    assert "ada.mma.fp8.f32" in [h.name for members in found.classes for h in members]
    assert document(found, {"name": "x"})["interrupted"] is True


def test_a_chosen_bound_ends_the_search_of_a_capture_after_what_is_shipped() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/bf16/ada.mma.fp8.f32+split2.t64.interleaved;k=192")
    cases = random_cases(op, 2, np.random.default_rng(5), ("normal",))
    found = identify_captured(op, cases, expect(op, cases.operands).codes, most=0, limit=0.1)
    assert str(op.mode) in [h.name for members in found.classes for h in members]
    assert any(remark.startswith("the search ended at") for remark in found.remarks)
