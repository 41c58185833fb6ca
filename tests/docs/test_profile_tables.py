"""The table of profiles: cells known from documents and measurements, and what is marked as run."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "docs"))

import profile_tables

from fp8ref.spec.profiles.catalog import get_profile

CELLS = [  # OCP OFP8 1.0 table 3; ml_dtypes 0.6.0, 0.7.0 and CUDA 13 as measured; HIP's cast_to_f8; RISC-V Zvfofp8min
    ("ocp-sat", "464", "0x7E"), ("ocp-nonsat", "just above 464", "0x7F"), ("ocp-sat", "-Inf", "0xFE"),
    ("ml_dtypes-until-0.6", "1.0625 (1 + 2^-40), f64", "0x38"), ("ml_dtypes", "1.0625 (1 + 2^-40), f64", "0x39"),
     ("cuda-nosat", "1.0625 (1 + 2^-40), f64", "0x39"),
    ("torch-until-2.12", "1.0625 (1 + 2^-40), f64", "0x38"), ("amd-hip-fnuz", "Inf to e4m3fnuz", "0x80"),
    ("arm-fpmr-osc0", "-Inf", "0xFF"), ("arm-fpmr-osc0", "-qNaN", "0x7F"), ("amd-hip-ocp", "-NaN to e2m3fn", "0x3F"),
    ("riscv", "1000 to E4M3, rtz", "0x7E"), ("riscv", "1000 to E4M3, rtp", "0x7F"),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "question", "code"), CELLS)
def test_a_known_cell(profile: str, question: str, code: str) -> None:
    (asked,) = [q for section in profile_tables.SECTIONS.values() for q in section if q[0] == question][:1]
    assert profile_tables._cell(get_profile(profile), asked).startswith(f"`{code}`")


@pytest.fixture(scope="module")
def page() -> str:
    return profile_tables.pages(Path())["profiles.md"]


def test_only_implementations_that_answered_are_marked_as_run(page: str) -> None:
    ran = {line.split("`")[1] for line in page.splitlines() if "*ran*" in line}
    assert ran & {"ml_dtypes", "ml_dtypes-until-0.6"}
    assert ran <= set(profile_tables.RUNS)


def test_every_cell_links_to_what_is_behind_it(page: str) -> None:
    links = re.findall(r"\[(\*ran\*|modelled|see notes)\]\(#(source-[\w-]+)\)", page)
    targets = re.findall(r"^\((source-[\w-]+)\)=$", page, re.MULTILINE)
    assert len(targets) == len(set(targets))
    assert {target for _, target in links} <= set(targets)
    assert len(links) == len(re.findall(r"\*ran\*|modelled|see notes", page)) > 500
