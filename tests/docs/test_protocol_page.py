"""The protocol page shows the devices that the tests build and run, to the letter."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))

import md  # noqa: E402


def test_the_page_shows_every_device_and_the_header() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    shown = {b.options["caption"]: b.text.strip() for b in md.blocks(page) if "caption" in b.options}
    devices = ROOT / "fp8ref" / "starters" / "adapter"
    others = {"README.md", "my_kernel.py"}
    files = [
        *(path for path in devices.iterdir() if path.name not in others),
        ROOT / "fp8ref" / "adapters" / "programs" / "fp8ref.h",
    ]
    assert shown == {path.name: path.read_text(encoding="utf-8").strip() for path in files if path.is_file()}
