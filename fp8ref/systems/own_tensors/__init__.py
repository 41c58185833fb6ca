"""A tensor of one's own by the rules of a system: ``fp8ref system NAME --input FILE``."""

from .rules import RULES, Quantised, quantised, table_of

__all__ = ["RULES", "Quantised", "quantised", "table_of"]
