"""Units that align their addends at the largest exponent, on tiles of outputs."""
