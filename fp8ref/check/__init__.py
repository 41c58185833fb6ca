"""Judging: ask an implementation, compare with the law, explain."""
