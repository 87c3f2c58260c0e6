"""Which files make up an image, and whether it may be taken."""
