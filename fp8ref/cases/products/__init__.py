"""Dot and matrix products as questions: modes, shapes, error bounds, and the cases worth asking."""
