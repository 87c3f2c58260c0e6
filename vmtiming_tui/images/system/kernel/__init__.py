"""The kernels of an image: where they are, what they are, and the one to take."""
