"""The generated C model: it compiles without a warning, and answers as the reference and the naive tables do."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from second_oracles.exact import OVERFLOWS as NAMED_OVERFLOWS
from second_oracles.exact import TABLES
from second_oracles.naive_arithmetic import NV, deliver, exact, signals
from short import every as every_nth
from short import some
from vectors.c_model.model_calls import ROUNDINGS, RULES, STRICT, TININESS, Model, needs_gcc

from fp8ref import get_format
from fp8ref.cases.answers import Expected, behaviours, expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.cases.tuples import every, random_tuples
from fp8ref.spec.rounding import DETERMINISTIC
from fp8ref.vectors.c_model.generate import c_model

pytestmark = needs_gcc
SEED = 20
BYTES = ("e4m3fn", "e5m2", "e4m3", "e4m3fnuz", "e8m0fnu", "mxint8", "ue5m3")
SMALL = ("e3m2fn", "e2m1fn", "binary8p1uf", "binary8p1se", "binary6p4ue", "e5m0", "e0m4fn", "e5m2b40fnuz")
WIDE = ("f16", "bf16", "f32", "f64")
BINARY = ("add", "sub", "mul", "div")
MODELLED = [r for r in DETERMINISTIC if r in ROUNDINGS]  # as RISC-V's frm has them, and round to odd
MODES = [
    f"{r}.{o};tininess={TININESS[(i + j) % 3]}" for i, r in enumerate(MODELLED) for j, o in enumerate(NAMED_OVERFLOWS)
]
EVERY_MODE = [f"{r}.{o};tininess={t}" for r in MODELLED for o in NAMED_OVERFLOWS for t in TININESS]
SOME = [f"{r}.{NAMED_OVERFLOWS[i % 3]};tininess={TININESS[i // 2]}" for i, r in enumerate(MODELLED)]
OCP = ("e4m3fn", "e5m2")


def modes(name: str) -> Sequence[str]:
    """Every rounding and overflow rule for the OCP formats, every rounding for the others; tininess in turn."""
    return MODES if name in OCP else SOME


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("model"), (*BYTES, *SMALL))


def agree(op: Operation, operands: Sequence[np.ndarray], got: tuple[np.ndarray, np.ndarray]) -> int:
    """How many cases were compared, all of them alike."""
    want = expect(op, operands)
    for what, mine, theirs in (("result", got[0], want.codes), ("flags", got[1], want.status)):
        wrong = np.flatnonzero(mine != theirs)
        if wrong.size:
            i = wrong[0]
            codes = ".".join(f"{int(x[i]):X}" for x in operands)
            raise AssertionError(f"{op.id}#{codes}: {what} {mine[i]:#x}, not {theirs[i]:#x}; {wrong.size} differ")
    return operands[0].size


def ask(text: str) -> Operation:
    return Operation.parse(f"{text};flags=1")


# -- the text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiler", [("gcc", *STRICT), ("gcc", "-x", "c++", "-Wall", "-Wextra", "-Werror")])
def test_it_compiles_without_a_warning(tmp_path: Path, compiler: tuple[str, ...]) -> None:
    for name, text in c_model(["e5m2", "f16"]).items():
        (tmp_path / name).write_text(text)
    source = str(tmp_path / "fp8ref_model.c")
    done = subprocess.run([*compiler, "-O2", "-c", source, "-o", os.devnull], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_needs_no_library(tmp_path: Path) -> None:
    for name, text in c_model(["e4m3fn"]).items():
        (tmp_path / name).write_text(text)
    output = str(tmp_path / "model.o")
    subprocess.run(["gcc", "-O2", "-ffreestanding", "-c", str(tmp_path / "fp8ref_model.c"), "-o", output], check=True)
    undefined = subprocess.run(["nm", "-u", output], capture_output=True, text=True, check=True).stdout.split()
    own = ("memcpy", "memmove", "memset", "memcmp")  # which gcc asks of every environment, freestanding ones too
    assert [name for name in undefined if name not in ("U", "_GLOBAL_OFFSET_TABLE_", *own)] == []


def test_the_same_bytes_every_time() -> None:
    assert c_model(["e4m3fn", "float8_e5m2", "e5m2"]) == c_model(["ocp.e4m3", "e5m2"])


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ([], "needs a format"),
        (["f64"], "at most 32 bits; f64 has 64"),
        (["e4m3ffn"], "unknown format 'e4m3ffn'; did you mean"),
        (["e4m3b5000fn"], "cannot hold"),
    ],
)
def test_what_it_cannot_do_is_refused(formats: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        c_model(formats)


def test_a_mode_that_is_none_returns_minus_one(model: Model) -> None:
    function = model.library.fp8ref_f16_to_e4m3fn
    out = np.array([0x5A], np.uint8)
    pointer = out.ctypes.data_as(ctypes.c_void_p)
    inf_without_infinity, max_max = 2 << 2 | 2, 0
    for rm, ovf, tininess in ((6, 0, 0), (-1, 0, 0), (0, 18, 0), (0, -1, 0), (0, inf_without_infinity, 0), (0, 0, 3)):
        assert function(0x3C00, rm, ovf, tininess, pointer) == -1
        assert out[0] == 0x5A
    assert function(0x3C00, 0, max_max, 0, pointer) == 0
    assert out[0] == 0x38


# -- against the reference ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*BYTES, *SMALL])
def test_every_code_decodes(model: Model, name: str) -> None:
    f = get_format(name)
    codes = np.arange(1 << f.k, dtype=np.uint8)
    want = expect(Operation.parse(f"decode/{name}/f32"), [codes]).codes
    np.testing.assert_array_equal(model.table(name, f.k), want)
    for wide in WIDE:
        op = ask(f"convert/{name}/{wide}/rtn.nonsat")
        agree(op, [codes], model.wrapped(op, [codes]))


@pytest.mark.parametrize("source", WIDE)
@pytest.mark.parametrize("name", [*OCP, "e8m0fnu", "mxint8", "ue5m3", "e2m1fn", "binary8p1uf", "e5m0"])
def test_wide_formats_convert(model: Model, source: str, name: str) -> None:
    """Every code of 16 bits; thresholds and random codes of the wider sources."""
    op = ask(f"convert/{source}/{name}/rne.sat")
    codes = every(op) if source in ("f16", "bf16") else cases(op, 1, SEED)
    for mode in modes(name):
        op = ask(f"convert/{source}/{name}/{mode}")
        agree(op, codes, model.wrapped(op, codes))


@pytest.mark.parametrize("name", OCP)
def test_hundreds_of_thousands_of_f32_convert(model: Model, name: str) -> None:
    codes = np.random.default_rng(SEED).integers(0, 1 << 32, 1 << 19, dtype=np.uint32)
    for tininess in TININESS:
        op = ask(f"convert/f32/{name}/rne.nonsat;tininess={tininess}")
        agree(op, [codes], model.wrapped(op, [codes]))


@pytest.mark.parametrize(("source", "result"), [("e4m3fn", "e5m2"), ("e5m2", "mxint8"), ("e8m0fnu", "e4m3fnuz")])
def test_narrow_formats_convert_to_one_another(model: Model, source: str, result: str) -> None:
    for mode in MODES:
        op = ask(f"convert/{source}/{result}/{mode}")
        agree(op, every(op), model.wrapped(op, every(op)))


def arithmetic(name: str, families: Sequence[str], mode: str) -> Iterator[Operation]:
    """The operations among some that are defined for the format."""
    for family in families:
        operands = ".".join([name] * {"sqrt": 1, "fma": 3}.get(family, 2))
        try:
            yield ask(f"{family}/{operands}/{name}/{mode}")
        except ValueError:
            continue


def check_pairs(model: Model, name: str, which: Sequence[str]) -> None:
    compared = 0
    for mode in which:
        for op in arithmetic(name, (*BINARY, "sqrt"), mode):
            compared += agree(op, every(op), model.wrapped(op, every(op)))
    assert compared == 0 if name == "e8m0fnu" else compared >= len(which) * 4 << 2 * get_format(name).k


@pytest.mark.parametrize(
    "name",
    some(
        [*OCP, "e8m0fnu", "mxint8", "ue5m3", "binary8p1se", "e5m2b40fnuz", "e2m1fn"],
        ["e4m3fn", "mxint8", "ue5m3", "e5m2b40fnuz", "e2m1fn"],
    ),
)
def test_every_pair_is_calculated(model: Model, name: str) -> None:
    check_pairs(model, name, SOME)


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e3m2fn", "mxint8", "binary8p1se"])
def test_fma(model: Model, name: str) -> None:
    for number, mode in enumerate(MODES):
        for op in arithmetic(name, ["fma"], mode):
            codes = random_tuples(op, 1 << 12, np.random.default_rng(number)) if number else cases(op, 1, SEED)
            agree(op, codes, model.wrapped(op, codes))


@pytest.mark.parametrize(
    "text",
    [
        *("fma/e4m3fn.e5m2.f32/f32", "fma/e5m2.e5m2.f16/f16", "fma/f32.f32.f32/f32", "fma/f32.f32.f32/e4m3fn"),
        *("add/f32.f32/f32", "mul/f32.f32/f32", "div/f32.f32/f32", "sqrt/f32/f32", "mul/e4m3fn.e4m3fn/bf16"),
        *("add/e5m2.f32/e4m3fn", "div/e4m3fn.e5m2/f32", "sqrt/e5m2/f16"),
    ],
)
def test_mixed_and_wide_formats(model: Model, text: str) -> None:
    for mode in ("rne.nonsat", "rtp.sat", "rto.nonsat"):
        op = ask(f"{text}/{mode}")
        codes = thinned(cases(op, 1, SEED), 3000)
        agree(op, codes, model.general(op, codes))


def thinned(codes: Sequence[np.ndarray], n: int) -> list[np.ndarray]:
    return [np.ascontiguousarray(x[:: max(1, x.size // n)]) for x in codes]


def _options() -> Iterator[str]:
    for key, choices in RULES:
        yield from (f";{key}={choice}" for choice in choices)
    yield from (f";subnormal=both;nan={n};snan=quiet;tininess=before" for n in RULES[0][1][:4])


@pytest.mark.parametrize(("source", "result"), [("f16", "e5m2"), ("e5m2", "f16"), ("f16", "ue5m3"), ("f32", "e3m2fn")])
def test_every_rule(model: Model, source: str, result: str) -> None:
    operations = (ask(f"convert/{source}/{result}"), *arithmetic(result, ("mul", "fma"), "rne.sat"))
    for op in operations:
        codes, asked = thinned(cases(op, 1, SEED), 3000), op.id.partition("/rne")[0]
        for mode, options in product(("rne.nonsat", "rtn.satprop"), _options()):
            op = ask(f"{asked}/{mode}{options}")
            agree(op, codes, model.general(op, codes))


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "ue5m3", "binary6p4ue", "e2m1fn"])
def test_every_pair_of_overflow_rules(model: Model, name: str) -> None:
    codes = [np.arange(0, 1 << 16, 5, dtype=np.uint16)]
    for mode in behaviours(get_format(name)):
        op = ask(f"convert/bf16/{name}/{mode}")
        agree(op, codes, model.general(op, codes))


# -- against the naive tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e4m3", "e4m3fnuz", "e2m1fn"])
@pytest.mark.parametrize("family", [*BINARY, "fma", "sqrt"])
def test_against_the_naive_tables(model: Model, name: str, family: str) -> None:
    table = TABLES[name]
    operation = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}.get(family, family)
    (op,) = arithmetic(name, [family], "rne.sat")
    codes = random_tuples(op, 80, np.random.default_rng([SEED, *family.encode()]))
    for mode in (f"{r}.{o}" for r in MODELLED for o in NAMED_OVERFLOWS):
        rounding, _, overflow = mode.partition(".")
        answers, status = model.wrapped(op.with_mode(mode), codes)
        for *case, z, flags in zip(*(x.tolist() for x in codes), answers.tolist(), status.tolist()):
            meanings = [table.meaning(code) for code in case]
            nan = any(kind == "nan" for kind, _, _ in meanings)
            want, raised = deliver(table, ("nan", False) if nan else exact(operation, meanings), rounding, overflow)
            if any(signals(table, code) for code in case):
                raised |= NV
            if family == "fma" and meanings[2][0] == "nan" and exact("multiply", meanings[:2])[:2] == ("nan", True):
                raised |= NV
            assert (z, flags) == (want, raised), (op.with_mode(mode).id, case)


# -- faults ---------------------------------------------------------------------------------------------------------

FAULTS = {
    "ties go away": ("rest == ABOVE_HALF || (rest == TIE && odd)", "rest >= TIE", "convert"),
    "sticky bits are lost": ("sig >> shift | ((sig & ((ONE << shift) - 1)) != 0)", "sig >> shift", "fma"),
    "a quotient without a sticky bit": ("a.sig / b.sig | (a.sig % b.sig != 0)", "a.sig / b.sig >> 55 << 55", "div"),
    "a root without a sticky bit": ("found << 1 | (rest != 0)", "found >> 28 << 29", "sqrt"),
    "an odd exponent under a root": ("if (x.exp % 2) {", "if (0) {", "sqrt"),
    "rtz overflows to infinity": ("int stays = r->rounding == FP8REF_RTZ ||", "int stays =", "convert"),
    "to odd overflows to infinity": ("|| r->rounding == FP8REF_RTO ||", "||", "convert"),
    "overflow starts one code late": (": f->max_code)) {", ": f->max_code) + 1) {", "convert"),
    "inf - inf raises nothing": ("a.kind == b.kind && a.negative != b.negative", "0", "add"),
    "tininess is always before": ("r->tininess == FP8REF_BEFORE ||", "1 ||", "mul"),
    "an exact zero is always positive": ("(ZERO, r->rounding == FP8REF_RTN);\n    return finite",
                                         "(ZERO, 0);\n    return finite", "add"),
    "x / 0 raises nothing": ("*flags |= FP8REF_DZ;", "*flags |= 0;", "div"),
    "0 times infinity is a zero": ("? invalid(flags) : made(INFINITE, negative)",
                                   "? made(ZERO, *flags & 0) : made(INFINITE, negative)", "mul"),
}  # fmt: skip


@cache
def asked() -> list[tuple[Operation, list[np.ndarray], Expected]]:
    """What every faulty model is asked, and the reference's answers."""
    found = []
    for mode in ("rne.nonsat", "rtz.nonsat", "rtn.nonsat", "rto.nonsat"):
        conversion, sum_ = ask(f"convert/bf16/e5m2/{mode}"), ask(f"fma/e5m2.e5m2.f32/f32/{mode}")
        for op in (*arithmetic("e5m2", (*BINARY, "sqrt"), mode), conversion, sum_):
            codes = thinned(cases(op, 1, SEED), 1 << 15 if op.family == "fma" else 1 << 16)
            found.append((op, codes, expect(op, codes)))
    return found


def disagreements(model: Model) -> set[str]:
    """The families of which some answer is wrong."""
    found = set()
    for op, codes, want in asked():
        got, flags = (model.general if op.family == "fma" else model.wrapped)(op, codes)
        if (got != want.codes).any() or (flags != want.status).any():
            found.add(op.family)
    return found


def test_no_fault_no_disagreement(tmp_path: Path) -> None:
    assert disagreements(Model(tmp_path, ["e5m2"], level="-O0")) == set()


@pytest.mark.parametrize("fault", every_nth(2, FAULTS))
def test_a_planted_fault_is_caught(tmp_path: Path, fault: str) -> None:
    old, new, family = FAULTS[fault]
    assert family in disagreements(Model(tmp_path, ["e5m2"], (old, new), level="-O0"))


# -- everything -----------------------------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_every_f32_converts(tmp_path: Path, name: str) -> None:
    model = Model(tmp_path, [name], level="-O2")
    for mode in ("rne.sat", "rtp.nonsat"):
        op = ask(f"convert/f32/{name}/{mode}")
        for start in range(0, 1 << 32, 1 << 24):
            codes = [np.arange(start, start + (1 << 24), dtype=np.uint64).astype(np.uint32)]
            agree(op, codes, model.wrapped(op, codes))


@pytest.mark.full
@pytest.mark.parametrize("name", [*BYTES, *SMALL])
def test_every_pair_in_every_mode(model: Model, name: str) -> None:
    check_pairs(model, name, EVERY_MODE)


@pytest.mark.full
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_every_triple_is_calculated(tmp_path: Path, name: str) -> None:
    model = Model(tmp_path, [name], level="-O2")
    (op,) = arithmetic(name, ["fma"], "rne.nonsat")
    for start in range(0, 1 << 24, 1 << 20):
        codes = every(op, start, start + (1 << 20))
        agree(op, codes, model.wrapped(op, codes))
