"""What comes before a run: is the host fit, and is the image."""
