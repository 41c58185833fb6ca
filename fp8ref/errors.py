"""Exceptions that every floor may raise or catch."""

from __future__ import annotations


class Unsupported(Exception):
    """Raised by an adapter to decline an operation; the reason is shown."""
