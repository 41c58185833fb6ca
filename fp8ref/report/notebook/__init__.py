"""What notebooks show: small pieces of HTML, readable on light and dark pages, without scripts."""
