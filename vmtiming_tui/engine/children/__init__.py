"""Processes of the engine's: forked by a warden, and none outlives it."""
