"""Two files of the same tensors side by side: where they differ first, and what explains it.

``match.py`` finds the tensors that belong together, ``counting.py`` counts what differs in one pass, ``steps.py`` puts
the questions in order and answers them, ``products.py`` asks which accumulator gives outputs, ``run.py`` makes one
document.
"""
