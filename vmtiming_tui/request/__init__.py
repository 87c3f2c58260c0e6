"""What a person asked for: read, checked, and every fault of it found at once."""
