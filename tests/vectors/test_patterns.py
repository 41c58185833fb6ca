"""Ids whose mode is a pattern."""

from __future__ import annotations

import pytest

from fp8ref.adapters.programs.named_operations import named_operations
from fp8ref.vectors.patterns import is_pattern, with_modes


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("convert/f32/e4m3fn/r*.sat", "rne rna rtz rtp rtn rto"),
        ("mul/e5m2.e5m2/e5m2/rt[np].nonsat;flags=1", "rtp rtn"),
        ("dot/e5m2.e5m2/f16/exact.r*.nonsat;flags=1;k=2", "rne rna rtz rtp rtn rto"),
        ("dot/e5m2.e5m2/f16/exact.rn?.sat;c=none;k=4", "rne rna"),
        ("int/e4m3fn/i32/r*.riscv", "rne rna rtz rtp rtn rto"),
        ("add/e5m2.e5m2/e5m2/rtz.sat", "rtz"),
    ],
)
def test_every_mode_that_matches(text: str, wanted: str) -> None:
    roundings = [(op.mode or "").removeprefix("exact.").partition(".")[0] for op in with_modes(text)]
    assert sorted(roundings) == sorted(wanted.split())
    keys = text.partition(";")[2].split(";") if ";" in text else []
    assert all(set(keys) <= set(op.id.split(";")) for op in with_modes(text))


def test_what_is_no_pattern_and_what_matches_nothing() -> None:
    assert not is_pattern("convert/f32/e4m3fn/*")
    assert not is_pattern("f32_to_e4m3fn")
    with pytest.raises(ValueError, match=r"no mode matches; there are rne\.sat"):
        with_modes("convert/f32/e4m3fn/x*.sat")
    with pytest.raises(ValueError, match=r"no mode matches; there are exact\.rne"):
        with_modes("dot/e5m2.e5m2/f16/exact.x*;k=2")


def test_a_device_claims_every_mode() -> None:
    found = [op.id for op in named_operations("mul/e5m2.e5m2/e5m2/rt[np].sat+convert/f32/e[45]m[23]fn/r*.sat")]
    assert found[:2] == ["mul/e5m2.e5m2/e5m2/rtp.sat", "mul/e5m2.e5m2/e5m2/rtn.sat"]
    assert len(found) == 2 + 6
