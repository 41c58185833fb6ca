"""Products judged: how far from the exact sum, and why wrong answers are wrong."""
