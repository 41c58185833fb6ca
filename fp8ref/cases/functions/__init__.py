"""Cases of elementary functions: the hardest operands, and rows."""
