"""Exhaustive claims: every input asked, against the specification alone."""
