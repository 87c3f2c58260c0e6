"""One run against another: their samples, the test, and what it would take to tell."""
