"""The readers of what is in an image give what the real tools give."""
