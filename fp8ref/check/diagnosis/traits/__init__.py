"""What wrong answers have in common: where they lie, how bad they are, their pattern in words."""
