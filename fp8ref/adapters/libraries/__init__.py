"""One small file a library: the next library goes here.  What they share: ``adapters.library``, ``adapters.claims``."""
