"""Checkpoints of every convention for other projects: each is found to be what it says, without a fault."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from fp8ref.audit.run import audit

SCRIPT = Path(__file__).parents[3] / "tools" / "fixtures" / "make.py"
pytest.importorskip("safetensors")
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="tools are in the repository alone")
# conventions whose names, types and shapes are those of another one; which is declared nowhere
ALIKE = {"FBGEMM FP8", "auto-round FP8", "Quark FP8", "MXFP8 with weight_scale_inv"}


def test_every_convention_is_recognised_and_clean(tmp_path: Path) -> None:
    made = runpy.run_path(str(SCRIPT))
    made["main"](tmp_path)
    wrong = {}
    for name, _ in made["recipes"]():
        document = audit(tmp_path / name.lower().replace(" ", "-")).document()
        if not document["clean"] or (document["convention"] != name and name not in ALIKE):
            wrong[name] = (document["convention"], [f["kind"] for t in document["tensors"] for f in t["findings"]][:3])
    assert wrong == {}
