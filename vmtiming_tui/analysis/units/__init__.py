"""What the units of guests' systemds took: of one boot, of many, and of one run against another."""
