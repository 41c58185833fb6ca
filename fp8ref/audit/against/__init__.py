"""Quantised tensors against their originals: which recipe, are codes roundings, and if not, why."""
