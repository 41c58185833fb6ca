"""The options of the pytest plugin: what a pytest that does not use it imports, and no numpy with it.

What the plugin needs is imported when it is used, so that coverage tools which start after the plugins measure it.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fp8ref", "fp8ref: conformance of an implementation, one test an operation")
    group.addoption("--fp8ref-impl", action="append", default=[], metavar="IMPL", help="judge [kind:]id[,key=value...]")
    group.addoption(
        "--fp8ref-select", action="append", default=[], metavar="SELECT", help="an operation id, prefix, glob"
    )
    group.addoption("--fp8ref-level", type=int, choices=(1, 2, 3), default=1, help="1: seconds; 2: minutes; 3: sweeps")
    group.addoption("--fp8ref-seed", type=int, default=0, help="seed of the random cases")
    group.addoption("--fp8ref-expect", metavar="FILE", help="known failures, as fp8ref check --expect")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fp8ref: an operation that --fp8ref-impl claims")
    if config.getoption("fp8ref_impl"):
        from .plugin import Conformance

        config.pluginmanager.register(Conformance(config), "fp8ref-conformance")
