"""P3109's declarations of implementations: read without trust, turned into the operations that they claim, written."""
