"""Exceptions that every floor may raise or catch."""

from __future__ import annotations


class Unsupported(Exception):
    """Raised by an adapter to decline an operation; the reason is shown."""


class EngineError(Exception):
    """An engine cannot be started, or its workers die again and again."""


class Unreadable(ValueError):
    """What a person wrote is no code, value or case; the message is one line that says what would be right."""
