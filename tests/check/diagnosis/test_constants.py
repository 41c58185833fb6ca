"""Constants of formats: the reference against tables of the standards, and the checker on planted faults.

The values are those of OCP OFP8 1.0 table 2, OCP MX 1.0 5.3 and 5.4, and arXiv 2206.02915 for FNUZ; those of the wide
formats are NumPy's own, of its C library.
"""

from fractions import Fraction

import numpy as np
import pytest

from fp8ref.adapters.mutants.constants import CONSTANT_FAULTY, CONSTANT_MUTANTS
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation, constant_type
from fp8ref.cases.selection import cases
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.spec import get_format
from fp8ref.spec.profiles.constants import CONSTANTS, constant

TWO = Fraction(2)
# max, smallest normal, smallest subnormal, eps, epsneg
PUBLISHED = {
    "e4m3fn": (448, TWO**-6, TWO**-9, TWO**-3, TWO**-4),
    "e5m2": (57344, TWO**-14, TWO**-16, TWO**-2, TWO**-3),
    "e4m3fnuz": (240, TWO**-7, TWO**-10, TWO**-3, TWO**-4),
    "e5m2fnuz": (57344, TWO**-15, TWO**-17, TWO**-2, TWO**-3),
    "e3m2fn": (28, TWO**-2, TWO**-4, TWO**-2, TWO**-3),
    "e2m3fn": (Fraction(15, 2), 1, TWO**-3, TWO**-3, TWO**-3),  # below 1 its values are subnormal: 7/8, then 1
    "e2m1fn": (6, 1, TWO**-1, TWO**-1, TWO**-1),
}
COUNTS = {  # bits, nmant, nexp, minexp, maxexp
    "e4m3fn": (8, 3, 4, -6, 9), "e5m2": (8, 2, 5, -14, 16), "e4m3fnuz": (8, 3, 4, -7, 8),
    "e5m2fnuz": (8, 2, 5, -15, 16), "e3m2fn": (6, 2, 3, -2, 5), "e2m3fn": (6, 3, 2, 0, 3), "e2m1fn": (4, 1, 2, 0, 3),
    "e8m0fnu": (8, 0, 8, -127, 128),
}  # fmt: skip


def reports(name: str) -> list[Report]:
    with Run(Request(f"mini:{name}")) as run:
        return list(run.reports())


@pytest.mark.parametrize("name", PUBLISHED)
def test_values_are_those_of_the_tables(name: str) -> None:
    f = get_format(name)
    found = [constant(c, f) for c in ("max", "smallest_normal", "smallest_subnormal", "eps", "epsneg")]
    assert tuple(found) == PUBLISHED[name]
    assert constant("min", f) == -PUBLISHED[name][0]
    assert constant("tiny", f) == constant("smallest_normal", f)
    for value, exponent in (("eps", "machep"), ("epsneg", "negep")):
        assert TWO ** int(constant(exponent, f)) == constant(value, f)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_exponents(name: str) -> None:
    f = get_format(name)
    assert tuple(constant(c, f) for c in ("bits", "nmant", "nexp", "minexp", "maxexp")) == COUNTS[name]
    assert constant("iexp", f) == constant("nexp", f)


def test_a_format_of_scales_has_no_zero_no_sign_and_no_subnormals() -> None:
    f = get_format("e8m0fnu")
    assert constant("max", f) == TWO**127
    assert constant("min", f) == constant("tiny", f) == TWO**-127
    assert constant("eps", f) == 1
    assert constant("epsneg", f) == Fraction(1, 2)
    with pytest.raises(ValueError, match="e8m0fnu has no smallest_subnormal"):
        constant("smallest_subnormal", f)


@pytest.mark.parametrize(("name", "dtype"), [("f16", np.float16), ("f32", np.float32), ("f64", np.float64)])
@pytest.mark.parametrize("asked", CONSTANTS)
def test_wide_formats_have_numpys_own(name: str, dtype: type, asked: str) -> None:
    assert constant(asked, get_format(name)) == Fraction(float(getattr(np.finfo(dtype), asked)))


ABOUT_ONE = ["e4m0b0", "e8m0b0fnu", "e8m0b255fnu", "e8m0b254fnu"]  # 1 is no value, the least, too large, the largest


@pytest.mark.parametrize(
    "name", ["e4m3fn", "e5m2fnuz", "e2m3fn", "e3m4", "binary8p4se", "e2m1b0fn", "e8m0fnu", *ABOUT_ONE]
)
def test_eps_is_the_distance_to_the_neighbours_of_1(name: str) -> None:
    f = get_format(name)
    values = f.values()
    at = values.index(Fraction(1)) if 1 in values else None
    above = None if at is None or at + 1 == len(values) else values[at + 1] - 1
    below = None if at is None or at == 0 else 1 - values[at - 1]
    for asked, want in (("eps", above), ("epsneg", below)):
        if want is not None:
            assert constant(asked, f) == want
        else:
            with pytest.raises(ValueError, match=f"{name} has no {asked}"):
                constant(asked, f)


def test_the_question_is_one_case_and_its_answer_a_float64_or_an_integer() -> None:
    op = Operation.parse("finfo/e5m2/f64/smallest_subnormal")
    assert [codes.tolist() for codes in cases(op, 3, 0)] == [[0]]
    assert expect(op, cases(op, 1, 0)).codes.view(np.float64).tolist() == [2.0**-16]
    assert expect(Operation.parse("finfo/e5m2/i64/minexp"), [np.arange(3, dtype=np.uint8)]).codes.tolist() == [-14] * 3
    counts = {name for name in CONSTANTS if constant_type(name) == "i64"}
    assert counts == {"bits", "nmant", "nexp", "iexp", "minexp", "maxexp", "machep", "negep"}
    assert {constant_type(name) for name in CONSTANTS.keys() - counts} == {"f64"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("finfo/e4m3fn/f64", "choose from max, min"),
        ("finfo/e4m3fn/f64/maxi", "did you mean max?"),
        ("finfo/e4m3fn/f64/*", "unknown constant"),
        ("finfo/e4m3fn/f64/bits", "the result of bits is i64, not f64"),
        ("finfo/e4m3fn/e4m3fn/max", "the result of max is f64, not e4m3fn"),
        ("finfo/mxint8/f64/eps", "mxint8 has no eps"),
        ("finfo/e4m0b0/f64/eps", "e4m0b0 has no eps"),  # 0, 2, 4, 8, ...: all its steps are larger than 1
        ("finfo/i8/i64/bits", "takes codes of formats"),
    ],
)
def test_what_is_no_question_says_why(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="operation") as error:
        Operation.parse(text)
    assert said in str(error.value)


def test_correct_constants_of_every_format_pass() -> None:
    found = reports("constants-correct")
    assert len(found) > 500
    assert {report.verdict for report in found} == {Verdict.PASS}


def test_the_width_of_storage_is_allowed() -> None:
    assert [(r.verdict, r.allowed) for r in reports("constants-storage")] == [
        (Verdict.ALLOWED, {"storage-width": 1})
    ] * 2  # fmt: skip


@pytest.mark.parametrize("name", CONSTANT_FAULTY)
def test_a_wrong_constant_is_caught_and_named(name: str) -> None:
    ((finding,),) = [report.findings for report in reports(name)]
    assert finding.diagnosis.rule == CONSTANT_MUTANTS[name].diagnosis
    assert (finding.count, finding.of, finding.flags) == (1, 1, ())
