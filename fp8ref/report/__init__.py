"""Rendering: pure functions from answers to what a person or a program reads."""
