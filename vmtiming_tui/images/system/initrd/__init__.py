"""Initrds: what is in them, how they are packed and joined, and what is added to them."""
