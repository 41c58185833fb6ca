"""Status flags: inexact, underflow under the three conventions of tininess, overflow, invalid."""

from __future__ import annotations

from fractions import Fraction

import pytest
from second_oracles.exact import EXACT, ROUNDINGS, TABLES, Table, goes_up

from fp8ref import spec
from fp8ref.spec import Status

TWO = Fraction(2)
NX, UF, OF = Status.INEXACT, Status.UNDERFLOW, Status.OVERFLOW
TININESS = ("after", "before", "delivered")

# the smallest normal, as the specifications print it
MIN_NORMAL = {
    "e4m3fn": TWO**-6,
    "e5m2": TWO**-14,
    "e3m4": TWO**-2,
    "e4m3fnuz": TWO**-7,
    "e5m2fnuz": TWO**-15,
    "e3m2fn": TWO**-2,
    "e2m3fn": Fraction(1),
    "e2m1fn": Fraction(1),
    "ue5m3": TWO**-14,
    "binary8p4se": TWO**-7,
    "binary6p2ue": TWO**-15,
}


def is_tiny(x: Fraction, negative: bool, delivered: Fraction, mode: str, tininess: str, table: Table) -> bool:
    """The three sentences; "rounded with an unbounded exponent": rounded after quadrupling until it is normal."""
    smallest = MIN_NORMAL[table.name]
    if tininess == "before":
        return x < smallest
    if tininess == "delivered":
        return delivered < smallest
    times = 1
    while x * times < smallest:
        times *= 4
    place = table.place(x * times)
    return table.ladder[place.rung + goes_up(place, mode, negative)] / times < smallest


def expected(x: Fraction, negative: bool, mode: str, tininess: str, table: Table) -> Status:
    place = table.place(x)
    rung = place.rung + goes_up(place, mode, negative)
    if rung > (table.bottom if negative else table.top):
        return OF | NX
    if place.part == EXACT:
        return Status.NONE
    delivered = table.ladder[rung]
    return NX | UF if is_tiny(x, negative, delivered, mode, tininess, table) else NX


def interesting(table: Table) -> list[Fraction]:
    """Every value, tie and quarter near zero, near the smallest normal and near the top, and points beside them."""
    smallest, ladder = MIN_NORMAL[table.name], table.ladder
    first = ladder.index(smallest)
    rungs = {0, 1, 2, first - 2, first - 1, first, first + 1, table.top - 1, table.top, table.top + 1}
    found: set[Fraction] = set()
    for rung in sorted(r for r in rungs if r >= 0):
        low, gap = ladder[rung], ladder[rung + 1] - ladder[rung]
        for quarters in range(5):
            point = low + gap * quarters / 4
            found |= {point, point + gap / 10**6, point - gap / 10**6}
    return sorted(x for x in found if x > 0)


@pytest.mark.parametrize("tininess", TININESS)
@pytest.mark.parametrize("name", MIN_NORMAL)
def test_status(name: str, tininess: str) -> None:
    table = TABLES[name]
    signs = (False, True) if table.signed else (False,)
    for x in interesting(table):
        for mode in ROUNDINGS:
            for negative in signs:
                got = spec.encode(-x if negative else x, name, mode, "nonsat", tininess=tininess)[1]
                assert got == expected(x, negative, mode, tininess, table), (x, mode, negative)


@pytest.mark.parametrize(
    ("below_the_smallest_normal", "after", "before", "delivered"),
    [
        # e5m2: 2**-14 less this; a quarter of the subnormal ulp is where rounding to 3 bits reaches 2**-14
        (TWO**-17 + TWO**-30, UF, UF, UF),
        (TWO**-17, UF, UF, Status.NONE),  # a tie to the even 2**-14
        (TWO**-18 + TWO**-30, UF, UF, Status.NONE),
        (TWO**-18, Status.NONE, UF, Status.NONE),
        (TWO**-30, Status.NONE, UF, Status.NONE),
        (Fraction(0), Status.NONE, Status.NONE, Status.NONE),
    ],
)
def test_the_three_conventions_part(
    below_the_smallest_normal: Fraction, after: Status, before: Status, delivered: Status
) -> None:
    x = TWO**-14 - below_the_smallest_normal
    for tininess, want in zip(TININESS, (after, before, delivered)):
        assert spec.encode(x, "e5m2", tininess=tininess)[1] & UF == want


@pytest.mark.parametrize("tininess", TININESS)
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e4m3fnuz", "e2m1fn"])
def test_flushed_results(name: str, tininess: str) -> None:
    """Under ftz the tiny results, exact ones too, become zeros of their sign and raise underflow and inexact."""
    table = TABLES[name]
    for x in interesting(table):
        for mode in ROUNDINGS:
            for negative in (False, True):
                place = table.place(x)
                rung = place.rung + goes_up(place, mode, negative)
                want = (table.encode(negative, place, mode, "nonsat"), expected(x, negative, mode, tininess, table))
                if rung <= table.top and is_tiny(x, negative, table.ladder[rung], mode, tininess, table):
                    want = (table.code(negative, 0), NX | UF)
                signed = -x if negative else x
                got = spec.encode(signed, name, mode, "nonsat", tininess=tininess, subnormal="ftz")
                assert got == want, (x, mode, negative)


def test_overflow_is_inexact_whatever_it_becomes() -> None:
    for rule in ("sat", "satprop", "nonsat", "inf-nan", "nan-max"):
        assert spec.encode(10**9, "e5m2", "rne", rule)[1] == OF | NX
    assert spec.encode(480, "e4m3fn", "rtz", "nonsat") == (0x7E, OF | NX)  # exact in the next binade
    assert spec.encode(479, "e4m3fn", "rtz", "nonsat") == (0x7E, NX)


def test_an_infinity_raises_nothing() -> None:
    for rule in ("sat", "satprop", "nonsat", "max-nan"):
        for x in (float("inf"), float("-inf")):
            assert spec.encode(x, "e5m2", "rne", rule)[1] == Status.NONE


def test_e8m0_below_its_range() -> None:
    for mode in ROUNDINGS:
        assert spec.encode(TWO**-128, "e8m0fnu", mode) == (0, UF | NX)
    assert spec.encode(TWO**-127, "e8m0fnu") == (0, Status.NONE)
    assert spec.encode(3, "e8m0fnu")[1] == NX
    assert spec.encode(-1, "e8m0fnu")[1] == Status.INVALID


def test_fixed_point_does_not_underflow() -> None:
    for mode in ROUNDINGS:
        assert spec.encode(Fraction(1, 1000), "mxint8", mode)[1] == NX
    assert spec.encode(3, "mxint8")[1] == OF | NX


def test_unknown_tininess() -> None:
    with pytest.raises(ValueError, match="unknown tininess 'never'; choose from after, before, delivered"):
        spec.encode(1, "e5m2", tininess="never")


def test_bits_and_letters() -> None:
    """The bits of RISC-V fflags and TestFloat."""
    assert [int(s) for s in Status] == [1, 2, 4, 8, 16]
    assert (OF | NX).letters == "OF NX"
    assert (Status.INVALID | Status.DIVIDE_BY_ZERO | UF).letters == "NV DZ UF"
    assert Status.NONE.letters == "-"
