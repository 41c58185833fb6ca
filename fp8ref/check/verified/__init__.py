"""Vectors that were verified, as a report: why answers differ, what would pass, and what modes have in common."""
