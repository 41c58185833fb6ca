"""Long calls are short here, save where a module is about them: it says LONG_CALLS."""

import pytest

from fp8ref.check.harness import plan


@pytest.fixture(autouse=True)
def short_long_calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not getattr(request.module, "LONG_CALLS", False) and not request.config.getoption("--full"):
        monkeypatch.setattr(plan, "LONG", {level: (n >> 7) + 3 for level, n in plan.LONG.items()})
