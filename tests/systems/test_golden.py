"""Golden vectors: computed again by the exact references they are the files, and the files have their digests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fp8ref.systems import CATALOGUE, System
from fp8ref.systems.golden import as_json, digest, from_json, has_golden, text

FOLDER = Path(__file__).parents[2] / "vectors" / "systems"


@pytest.mark.parametrize("system", CATALOGUE, ids=lambda s: s.name)
def test_the_file_is_what_the_exact_reference_computes(system: System) -> None:
    if not has_golden(system):
        assert not (FOLDER / f"{system.name}.json").exists()
        pytest.skip(f"{system.name} has no golden vectors")
    assert (FOLDER / f"{system.name}.json").read_text(encoding="ascii") == text(system)


def test_every_file_belongs_to_a_system_and_has_its_digest() -> None:
    files = sorted(FOLDER.glob("*.json"))
    assert {file.stem for file in files} <= {system.name for system in CATALOGUE}
    for file in files:
        document = json.loads(file.read_text(encoding="ascii"))
        assert digest(document["sets"]) == document["sha256"]
        assert file.stat().st_size < 100_000


def test_arrays_travel_as_codes() -> None:
    for array in (np.float16([-0.0, 1.5, np.inf]), np.float32([[0.1], [-2]]), np.int8([-128, 127]), np.zeros((0, 3))):
        back = from_json(json.loads(json.dumps(as_json(array))))
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert as_json(np.float16([-0.0, 1.5])) == {"type": "f16", "shape": [2], "codes": "8000 3E00"}
