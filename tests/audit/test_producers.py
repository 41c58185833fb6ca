"""The script that has foreign producers make checkpoints: its table, and what it does where one cannot be run."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "tools" / "producers"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="tools are in the repository alone")


def script() -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / "produce.py"))


def test_each_producer_has_its_function_and_pins_its_versions() -> None:
    makers = set(re.findall(r"@producer\ndef (\w+)", (FOLDER / "makers.py").read_text(encoding="utf-8")))
    rows = script()["producers"]()
    assert {one.name.replace("-", "_") for one in rows} == makers
    for one in rows:
        assert one.schemes
        assert all("==" in text or text == "safetensors" for text in one.requires), one.name


def test_what_cannot_be_made_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    """The environment has no torch and no producer: each is one line, and the script ends with 1."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named torch' >&2\nexit 3\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(FOLDER / "produce.py"), "-o", str(tmp_path), "--python", str(fake), "gguf", "quanto"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["quanto", "gguf"]
    assert all("exit 3: No module named torch" in line for line in lines)


def test_an_unknown_producer_is_refused_by_name() -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "produce.py"), "vendor"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "vendor: choose from llm-compressor" in done.stderr
