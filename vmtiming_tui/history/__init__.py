"""Past runs: kept, found, listed, given up."""
