"""Judging: ask an implementation, compare with the reference, explain."""
