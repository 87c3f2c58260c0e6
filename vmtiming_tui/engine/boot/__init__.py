"""One run, and each of its boots, from a plan to the last VM."""
