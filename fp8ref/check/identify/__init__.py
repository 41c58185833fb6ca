"""Which accumulator is inside a matrix unit, found from its answers."""
