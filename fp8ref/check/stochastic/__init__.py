"""Stochastic rounding: bits that are handed over, and frequencies where they are hidden."""
