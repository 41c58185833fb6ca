"""Block scaling as questions: quantisers by name, shapes, and the blocks worth asking."""
