"""What adapters of libraries have in common."""

import sys
from pathlib import Path

import pytest

from fp8ref.adapters.library import Library


class Loose(Library):
    module = "loose_module_of_a_test"

    def operations(self) -> list:
        return []


@pytest.mark.parametrize(("text", "version"), [("__version__ = '1.2'", "1.2"), ("", "unknown")])
def test_a_module_that_is_no_package_has_a_version(
    text: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{Loose.module}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, Loose.module, raising=False)
    assert Loose().identify() == {"name": Loose.module, "version": version, "device": "cpu"}
