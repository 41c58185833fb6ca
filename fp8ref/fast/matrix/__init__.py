"""Dot products on arrays, exact and by accumulator models."""
