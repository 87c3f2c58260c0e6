"""What every front end does around a run."""
