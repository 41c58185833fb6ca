"""Answers that a person has: who is right, what gives them, and which cases would decide."""
