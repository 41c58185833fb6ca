"""One case, drawn and explained."""
