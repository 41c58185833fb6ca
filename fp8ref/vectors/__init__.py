"""Golden answers: sections of cases with the reference's results, in files that simulators and test benches read."""

from .section import Block, Column, Coverpoint, Section

__all__ = ["Block", "Column", "Coverpoint", "Section"]
