"""What to do about a wrong rule: a page each (what it looks like, where it comes from, how to mend it), as tables."""
