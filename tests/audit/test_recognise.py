"""Every convention is recognised by its names, types and shapes, and nothing clean is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

import fp8ref
from audit.checkpoints import CHECKPOINTS, COLUMNS, ROWS
from fp8ref.audit.run import audit

pytest.importorskip("safetensors")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_convention(name: str, tmp_path: Path) -> None:
    make, convention = CHECKPOINTS[name]
    folder, _ = make().write(tmp_path / "m")
    found = audit(folder)
    document = found.document()
    assert document["convention"] == convention
    assert [f for f in found.everything() if f.severity == "fault"] == []
    assert len(document["tensors"]) == 3
    assert {tuple(t["shape"]) for t in document["tensors"]} == {(ROWS, COLUMNS)}


def test_from_python(tmp_path: Path) -> None:
    folder, original = CHECKPOINTS["ct-mxfp4"][0]().write(tmp_path / "m")
    found = fp8ref.audit(folder, original)  # a package that can be called
    assert found.clean
    assert found.document()["schema"] == "fp8ref/audit/1"
