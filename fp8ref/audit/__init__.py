"""Files of models, audited: which convention and recipe made each quantised tensor, and where it breaks its promise.

``files/`` reads, ``conventions.py`` says how producers store, ``kinds.py`` what counts as a fault; ``recognise.py``
finds the quantised tensors, ``scan.py`` judges a tensor alone, ``compare.py`` against its original, and ``run.py``
puts one document together.
"""
