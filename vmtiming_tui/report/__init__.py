"""A run in words: the plain report, its tables, what was found, and files."""
