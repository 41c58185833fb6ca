"""The checker called from Python: judge, explain, identify."""
