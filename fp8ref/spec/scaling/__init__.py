"""Scale factors and blocks that share one: schemes, rules, P3109's block operations."""
