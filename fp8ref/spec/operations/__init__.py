"""Operations on numbers: arithmetic, comparison, sign bits and neighbours, integers, text.  Formats and rounding are in ``spec`` itself."""
