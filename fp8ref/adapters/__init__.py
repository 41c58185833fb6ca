"""Asking others: the adapter protocol, one small file per implementation."""

from .base import Adapter, Unavailable, Unsupported

__all__ = ["Adapter", "Unavailable", "Unsupported"]
