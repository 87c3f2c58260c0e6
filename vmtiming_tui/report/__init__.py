"""A run in words: the plain report, tables for a terminal, and files."""
