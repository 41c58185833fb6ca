"""What ``pytest --fp8ref-impl IMPL`` collects: one test for each operation that the implementation claims."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from ..cases.operation import Operation
from ..check.compare import Options
from ..check.expected import Expectations, load
from ..check.harness.transport import NotStarted, Session
from ..check.judge import judge
from ..check.run import NothingSelected, select
from ..check.verdict import Report, Verdict
from ..report.runs.text import BAD, remark
from .assertions import NotConforming, rendered


class Conformance:
    """Collects the claims of the implementations that the command line names; ends their processes at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.opened: list[Session] = []
        path = config.getoption("fp8ref_expect")
        try:
            self.known = load(Path(path)) if path else Expectations()
        except (ValueError, OSError) as error:
            raise pytest.UsageError(f"--fp8ref-expect: {error}") from None
        config.add_cleanup(self.close)

    def close(self) -> None:
        for session in self.opened:
            session.close()

    @pytest.hookimpl(tryfirst=True)  # before -k and -m choose
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        for impl in config.getoption("fp8ref_impl"):
            name = f"fp8ref:{impl}"
            node = Implementation.from_parent(session, name=name, nodeid=name, plugin=self, impl=impl)
            items.extend(node.collect())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        found = yield
        report = getattr(item, "report", None)
        if report is not None and report.verdict is Verdict.XPASS and found.when == "call":
            found.wasxfail = remark(report)
        return found


class Implementation(pytest.Collector):
    """One implementation, in a process of its own from the collection on."""

    def __init__(self, *, plugin: Conformance, impl: str, **node: Any) -> None:
        super().__init__(**node)
        self.plugin, self.impl = plugin, impl

    def collect(self) -> Iterable[Claim]:
        config = self.config
        try:
            self.opened = Session(self.impl)
            self.plugin.opened.append(self.opened)
            claims = [Operation.parse_claim(claim) for claim in self.opened.hello.claims]
            chosen = select(claims, config.getoption("fp8ref_select"))
        except (NotStarted, NothingSelected, ValueError) as error:
            raise pytest.UsageError(f"--fp8ref-impl {self.impl}: {error}") from None
        return [Claim.from_parent(self, name=claim.id, claim=claim) for claim in chosen]


class Claim(pytest.Item):
    """One claimed operation."""

    def __init__(self, *, claim: Operation, parent: Implementation, **node: Any) -> None:
        super().__init__(parent=parent, **node)
        self.claim, self.implementation = claim, parent
        self.report: Report | None = None
        self.add_marker("fp8ref")

    def runtest(self) -> None:
        options = Options(self.config.getoption("fp8ref_level"), self.config.getoption("fp8ref_seed"))
        report = judge(self.implementation.opened, self.claim, options)
        self.report = self.implementation.plugin.known.judge(report)
        if report.verdict in BAD:
            raise NotConforming(rendered(report, self.implementation.impl), report)
        if report.verdict in (Verdict.UNSUPPORTED, Verdict.UNDECIDED):
            pytest.skip(remark(report))
        if report.verdict is Verdict.XFAIL:
            pytest.xfail(remark(report))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The counterexample alone: where in the checker it was raised helps nobody."""
        if isinstance(excinfo.value, NotConforming):
            return str(excinfo.value).lstrip("\n")
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.config.rootpath, None, f"{self.implementation.name}::{self.name}"
