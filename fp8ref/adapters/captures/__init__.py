"""Answers that were recorded: their files, and the adapter that replays them."""
