"""The explorer: one page in which a person types a number and sees what becomes of it."""
