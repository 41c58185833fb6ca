"""Asking others: the adapter protocol, one small file per implementation."""

from .base import Adapter, Unsupported

__all__ = ["Adapter", "Unsupported"]
