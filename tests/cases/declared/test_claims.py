"""What declarations claim, counted by hand; and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases.declared.texts import FILES, write

import fp8ref
from fp8ref.cases.declared.claims import claims_of
from fp8ref.cases.declared.documents import Malformed, read
from fp8ref.cases.kappa import Kappa, beyond, distance
from fp8ref.cases.operation import Operation
from fp8ref.spec import get_format

P3 = get_format("binary8p3se")


def test_every_claim_and_nothing_else(tmp_path: Path) -> None:
    claimed = claims_of(read(write(tmp_path / "d")))
    assert list(claimed.operations) == [
        "add/binary4p2se.binary4p2se/binary4p2se/rne.nonsat;semantics=p3109",
        "add/binary4p2se.binary4p2se/binary4p2se/rtp.sat;semantics=p3109",
        "isone/binary8p3se/bool",
        *(
            one
            for f in ("binary4p1se", "binary4p2se", "binary8p3se")
            for one in (f"convert/f32/{f}/rne.nonsat", f"convert/f32/{f}/rtz.nonsat", f"decode/{f}/f32")
        ),
        # -11 is no code of three bits: -12 = CE is the last below it, -10 = CD the first above
        "exp/binary8p3se/binary8p3se/rne.nonsat;semantics=p3109;as=ExpFast;kappa=FF..CE:1,CD..7F:0",
    ]
    assert not claimed.left


def test_one_file_claims_its_own(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    for name, first, count in (("Kappas", "exp", 1), ("Constraints", "add", 3), ("Profiles", "convert", 9)):
        claimed = claims_of(read(folder / f"{name}.yaml"))
        assert len(claimed.operations) == count
        assert next(iter(claimed.operations)).startswith(first)


def test_without_constraints_everything_is_claimed(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", Constraints="Empty: true\n", Kappas="Empty: true\n",
                   Profiles="Inference: {formats: [Binary4p2se]}\n")  # fmt: skip
    claimed = claims_of(read(folder / "Constraints.yaml"), "p3109-formal")
    # 31 of one operand but Convert to itself counted, 18 of two, 3 of three, each in two projections; 5 + 8 predicates
    families = {Operation.parse(text).family for text in claimed.operations}
    assert {"tanpi", "clamp", "minfin", "isone", "lt", "softplus", "atan2pi", "signed"} <= families
    assert "tanpi/binary4p2se/binary4p2se/rtz.nonsat;semantics=p3109-formal" in claimed.operations


def test_the_files_that_new_writes() -> None:
    """Conversions 12, sums 6 choices of formats x 4 projections, 2 reciprocals, 2 predicates, 2 approximations."""
    claimed = claims_of(read(Path(fp8ref.__file__).parent / "starters" / "declaration"))
    families = [Operation.parse(text).family for text in claimed.operations]
    assert [families.count(name) for name in ("convert", "decode", "add", "reciprocal", "isone", "exp")] == [
        8, 2, 12, 2, 2, 2,
    ]  # fmt: skip
    assert not claimed.left


def test_stochastic_bits(tmp_path: Path) -> None:
    more = FILES["Configurations"].replace(
        "[NearestTiesToEven, TowardZero]", "\n      - StochasticB:\n          bits: (' Minimum(PrecisionOf(fr), 16) ')"
    )
    claimed = claims_of(read(write(tmp_path / "d", Configurations=more) / "Profiles.yaml"))
    assert "convert/f32.rbits3/binary8p3se/sr-b.nonsat" in claimed.operations
    (why,) = claimed.left.values()
    assert why == "random bits are 2 to 64, not 1"


BAD = {
    "no yaml": ("Constraints", "\n  - [", "no YAML"),
    "an alias": ("Constraints", "Inference: &a [*a]", "aliases are not read"),
    "a tag": ("Profiles", "Inference: !!python/object/apply:os.system ['touch pwned']", "has no formats"),
    "twice": ("Profiles", "Inference: {formats: [Binary8p3se]}\nInference: {formats: []}", "stands twice"),
    "deep": ("Profiles", "Inference: " + "[" * 400_000 + "]" * 400_000, "nested"),
    "unknown configuration": ("Profiles", "Training: {formats: [Binary8p3se]}", "'Training' is no configuration"),
    "unknown format": ("Profiles", "Inference: {formats: [Binary8p33se]}", "'Binary8p33se' is no format"),
    "unknown operation": ("Constraints", 'Inference: ["Sinc<fx, fr, rho>(x) -> r": {}]', "'Sinc' is no operation"),
    "unknown rounding": ("Configurations", FILES["Configurations"].replace("TowardZero", "Up"), "'Up' is no rounding"),
    "unknown saturation": ("Configurations", FILES["Configurations"].replace("SatNone", "Wrap"), "no saturation"),
    "no signature": ("Constraints", 'Inference: ["Add": {}]', "'Add' is no signature"),
    "arity": ("Constraints", 'Inference: ["Add<fx, fr, rho>(x) -> r": {}]', "Add has 2 operand"),
    "unknown key": ("Constraints", FILES["Constraints"].replace("Requires", "Require"), "neither Requires nor"),
    "unknown variable": ("Constraints", FILES["Constraints"].replace("fx == fy", "fx == fq"), "'fq' is no format"),
    "no condition": ("Constraints", FILES["Constraints"].replace("' fx == fy '", "' 3 '"), "no condition"),
    "kappa": ("Kappas", FILES["Kappas"].replace("kappa: 1", "kappa: small"), "kappa 'small' is a count"),
    "interval": ("Kappas", FILES["Kappas"].replace("-11 )", "-11"), "no interval"),
    "no projections": ("Configurations", "Inference: {IEEE754: binary32}", "Projections are missing"),
    "too many": ("Profiles", "Inference:\n  formats:\n    - (' \"Binary16p$(i)se\" for i in 1:15 ')\n"
                 "    - (' \"Binary15p$(i)se\" for i in 1:14 ')", "more than 20000"),
    "empty and not": ("Constraints", "Empty: true\nInference: []", "'Empty: true' stands beside"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_none(name: str, tmp_path: Path) -> None:
    kind, body, said = BAD[name]
    more = {"Constraints": 'Inference: ["Other<fx, fy, fz, fr, rho>(x, y, z) -> r": {}]'} if name == "too many" else {}
    with pytest.raises(Malformed, match=said):
        claims_of(read(write(tmp_path / "d", **{kind: body, **more})))
    assert not Path("pwned").exists()


def test_files_that_are_missing_or_no_declaration(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=r"Profiles\.yaml is missing"):
        read(write(tmp_path / "a", Profiles=None))
    with pytest.raises(Malformed, match="holds none of"):
        read(tmp_path)
    folder = write(tmp_path / "b")
    (folder / "Kappas.yaml").write_text("Inference: {}\n")
    with pytest.raises(Malformed, match="does not begin with Metadata"):
        read(folder)
    (folder / "Kappas.yaml").write_bytes(b"\xff")
    with pytest.raises(Malformed, match="not UTF-8"):
        read(folder)
    (folder / "Kappas.yaml").write_bytes(b"a" * (1 << 20) + b"b")
    with pytest.raises(Malformed, match="more than 1048576"):
        read(folder)
    (folder / "other.yaml").write_text("a: b")
    with pytest.raises(Malformed, match=r"other\.yaml is none of"):
        read(folder / "other.yaml")


def test_kappa_counts_codes() -> None:
    """[P3109 v4.0 4.4]"""
    got, want = (np.array(x, np.uint8) for x in zip((0x40, 0x42), (0x01, 0x81), (0x80, 0x80), (0x80, 0), (0x7F, 0x7E),
                                                    (0x7F, 0xFF), (0x7F, 0x7F)))  # fmt: skip
    found = distance(got, want, P3).tolist()
    assert found[:3] == [2, 2, 0]
    assert np.isnan(found[3])
    assert found[4:] == [np.inf, np.inf, 0]
    operand = np.array([0x00, 0x40, 0xC0], np.uint8)
    one_off, right = np.array([1, 1, 1], np.uint8), np.zeros(3, np.uint8)
    for text, wrong in (("1", [0, 0, 0]), ("0", [1, 1, 1]), ("FF..BF:1,00..00:2", [0, 1, 0]), ("nan", [0, 0, 0])):
        assert beyond(Kappa.parse(text), [operand], P3, one_off, right, P3).tolist() == [bool(w) for w in wrong], text
        assert str(Kappa.parse(text)) == text
    for text in ("", "x", "1..2", "GG..00:1", "-1", "1,2", ",".join(["00..01:1"] * 13)):
        with pytest.raises(ValueError, match=r"neither|ranges"):
            Kappa.parse(text)
