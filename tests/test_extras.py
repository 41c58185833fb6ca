"""What messages say to install: extras that exist, and nothing from a registry that does not have it yet."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from fp8ref.extras import install

ROOT = Path(__file__).parents[1]
READ_BY_USERS = [
    path
    for path in [*ROOT.glob("*.md"), *(p for top in ("docs", "fp8ref", "tools") for p in (ROOT / top).rglob("*"))]
    if path.suffix in {".md", ".py", ".rst", ".sh", ".toml", ".yml", ".yaml", ".ipynb", ".html", ".j2", ".txt"}
    and "_build" not in path.parts
]
FROM_A_REGISTRY = re.compile(r"""pip3?\ install\ [^\n]*?(?<![\w./-])fp8ref(?![\w/]|\ and\b) | fp8ref\[\w""", re.VERBOSE)
A_CHECKOUT = re.compile(r"in a checkout of\s+fp8ref|a checkout of fp8ref|&& fp8ref \w+")


def found(text: str) -> list[str]:
    return FROM_A_REGISTRY.findall(A_CHECKOUT.sub("", text))


def test_the_command_names_the_extra() -> None:
    assert install("plots") == "pip install '.[plots]' in a checkout of fp8ref"


def test_every_extra_that_a_message_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set()
    for path in (ROOT / "fp8ref").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "install":
                named.add(ast.literal_eval(node.args[0]))
    assert {"plots", "report", "testing"} <= named <= set(extras)


def test_nothing_tells_to_install_from_a_registry() -> None:
    assert len(READ_BY_USERS) > 300
    assert [str(path) for path in READ_BY_USERS if found(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pip install fp8ref", True),
        ("`pip install 'fp8ref[plots]'`", True),
        ("needs fp8ref[parquet]", True),
        ("run: pip install . fp8ref", True),
        ("pip install '.[plots]' in a checkout of fp8ref", False),
        ("pip install . && fp8ref check", False),
        ("pip install . ./fp8ref  # a checkout of fp8ref, or the wheel", False),
    ],
)
def test_such_a_line_is_found(text: str, wrong: bool) -> None:
    assert bool(found(text)) == wrong
