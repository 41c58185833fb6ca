"""Elementary functions on arrays equal the specification; tables are shared, kept, and never trusted when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from short import every

import fp8ref
from fp8ref import get_format
from fp8ref.arrays import functions
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.fast.functions import stored
from fp8ref.fast.functions.outcomes import TOP, serves, table
from fp8ref.spec import RandomBits, get_projection
from fp8ref.spec.functions.catalog import FUNCTIONS
from fp8ref.spec.operations.arithmetic import compute_codes
from fp8ref.spec.operations.definition import Semantics

rng = np.random.default_rng(20)
INTEGERS = np.array([-7, -3, -2, -1, 0, 1, 2, 3, 5, 100])


@pytest.mark.parametrize("op", every(4, FUNCTIONS))
def test_equals_the_specification(op: str) -> None:
    """Drawn codes, mixed formats, modes, semantics, NaN choices and flushing, with flags."""
    definition = FUNCTIONS[op]
    for names, result, rounding, semantics, options in (
        (("e5m2", "e4m3fn"), "e4m3fn", "rne", "ieee", {}),
        (("e4m3", "e5m2"), "f16", "rtp", "ieee", {"nan": "payload", "subnormal": "both"}),
        (("binary8p4se", "binary8p3sf"), "e3m4", "rto", "p3109", {"snan": "quiet"}),
        (("e3m4", "e2m1fn"), "ue4m3", "rtn", "ieee", {"negative": "magnitude"}),
        (("e2m3fn", "e3m2fn"), "f32", "rna", "ieee", {"tininess": "before"}),
    ):
        count = (definition.arity or 2) - definition.integer  # a row of two
        formats = tuple(get_format(name) for name in names[:count])
        columns = [rng.integers(0, 1 << f.k, 24).astype(np.uint8) for f in formats]
        if definition.integer:
            columns.append(rng.choice(INTEGERS, 24))
        to = get_format(result)
        rho = get_projection(to, rounding, "nonsat", **options)  # type: ignore[arg-type]
        got, status = compute_arrays(Task(op, formats, to, rho, Semantics(semantics)), columns, True)
        assert status is not None
        for i in range(24):
            codes = [int(c[i]) for c in columns]
            want = compute_codes(op, codes, formats, to, rho, semantics)
            assert (got[i], status[i]) == want, (op, names, codes, rounding)


def test_stochastic_rounding_equals_the_specification() -> None:
    f, to = get_format("e5m2"), get_format("e4m3fn")
    codes, bits = np.arange(0, 256, 3, dtype=np.uint8), rng.integers(0, 1 << 16, 86)
    for mode in ("sr-a", "sr-b", "sr-c"):
        rho = get_projection(to, mode, "nonsat")
        got, _ = compute_arrays(Task("sigmoid", (f,), to, rho), [codes], False, (bits, 16))
        want = [
            compute_codes("sigmoid", [int(c)], [f], to, rho, random=RandomBits(int(r), 16))[0]
            for c, r in zip(codes, bits)
        ]
        assert got.tolist() == want


def test_results_that_are_too_wide_are_left_to_the_specification() -> None:
    assert serves(get_format("f32"))
    assert not serves(get_format("f64"), 8)
    got = fp8ref.arrays.functions.exp([0x38], "e4m3fn", result="f64")
    assert got.view(np.float64)[0] == pytest.approx(np.e, rel=2**-52)


def test_public_functions() -> None:
    """Names, mixed formats, results and keywords; float arrays know their format."""
    assert functions.exp([0x38, 0xB8], "e4m3fn").tolist() == [0x43, 0x2C]  # 2.75, 0.375
    assert functions.power is functions.pow
    assert functions.arctan2(np.float16(1), np.float16(-1)).item() == 0x40B6  # 2.35547
    assert functions.pown([0x40], [3], "e4m3fn").tolist() == [0x50]
    assert functions.logistic([0x00], "e5m2", result="e4m3fn", flags=True)[1].tolist() == [0]
    with pytest.raises(TypeError, match="must be integers"):
        functions.rootn([0x40], [0.5], "e4m3fn")
    with pytest.raises(ValueError, match="name the format of the result"):
        functions.hypot([0x40], [0x40], "e4m3fn", "e5m2")
    with pytest.raises(ValueError, match="e8m0fnu"):
        functions.exp([127], "e8m0fnu")
    assert set(functions.__all__) <= set(fp8ref.__all__)
    for name in functions.__all__:
        assert getattr(fp8ref, name) is getattr(functions, name)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    table.cache_clear()
    return tmp_path / "fp8ref" / "tables"


def test_a_kept_table_is_read_back_and_a_damaged_one_made_anew(kept: Path) -> None:
    pair = (get_format("e2m3fn"), get_format("e2m3fn"))
    first = table("hypot", pair, Semantics.IEEE)
    (path,) = kept.iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], b"", whole):
        path.write_bytes(damaged)
        table.cache_clear()
        again = table("hypot", pair, Semantics.IEEE)
        assert again is not first
        assert (again.sig == first.sig).all()
        assert (again.known == first.known).all()
        assert path.read_bytes() == whole
    assert int(first.sig.max()).bit_length() == TOP + 1


def test_a_kept_table_of_another_specification_is_not_read(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = (get_format("e2m3fn"), get_format("e2m3fn"))
    table("hypot", pair, Semantics.IEEE)
    monkeypatch.setattr(stored, "_specification", lambda: b"another")
    table.cache_clear()
    table("hypot", pair, Semantics.IEEE)
    assert len(list(kept.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    table.cache_clear()
    table("hypot", (get_format("e2m3fn"), get_format("e2m3fn")), Semantics.IEEE)
