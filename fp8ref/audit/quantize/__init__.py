"""A reference producer: weights become a checkpoint in a convention of the table, by a recipe, bit for bit.

``places.py`` says in which convention a recipe's tensors can stand, ``tensors.py`` makes those of one weight,
``configs.py`` what a config says, ``write.py`` the files and their manifest.
"""
