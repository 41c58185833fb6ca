"""Which cases are worth asking: coverpoints, bins, and samplers that reach them."""
