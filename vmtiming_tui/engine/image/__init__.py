"""Which images may be booted from, and overlays where some are missing."""
