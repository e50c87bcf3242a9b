"""One script for each version, by number."""
