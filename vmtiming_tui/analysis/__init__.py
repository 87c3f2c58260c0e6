"""Numbers made of a run: stages, figures, comparisons, verdicts; without I/O."""
