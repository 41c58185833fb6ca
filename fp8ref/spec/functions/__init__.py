"""The elementary functions: correctly rounded from enclosures by rational intervals."""
