"""A whole run or several: text, page, matrix, JUnit, Markdown, record, certificate, reproductions."""
