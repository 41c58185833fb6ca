"""Dot products: exactly, and as matrix units compute them.  A model is data, ``accumulate`` its one interpreter."""
