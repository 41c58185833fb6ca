"""Coverage from several tools in one: the suite's bins and what a simulator counted of a design."""
