"""Runs held against one of them: the document, and its formats but HTML."""
