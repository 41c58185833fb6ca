"""Operations on numbers: arithmetic, comparison, sign bits and neighbours, integers, text."""
