"""One format or one code on a page."""
