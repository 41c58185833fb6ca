"""The file forms, one file each: the next form goes here, with a row in ``registry``."""
