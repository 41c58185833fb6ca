"""The generated C golden model."""
