"""Fast paths: the same answers on arrays at memory speed, derived from ``spec`` or proved equal to it."""
