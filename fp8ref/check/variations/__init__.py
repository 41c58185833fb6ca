"""Open questions: what the standards leave to implementations, and the answers in use."""
