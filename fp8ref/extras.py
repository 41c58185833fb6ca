"""What a message says where an optional package is missing."""

from __future__ import annotations


def install(extra: str) -> str:
    """The command that brings an extra of pyproject.toml.  fp8ref is in no registry yet: it is installed from a
    checkout."""
    return f"pip install '.[{extra}]' in a checkout of fp8ref"
