"""Wrong rules of several steps: by way of another format, formulas that round as they go, two mistakes."""
