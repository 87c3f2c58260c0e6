"""Leading hosts through a run: logic alone, facts in, events and commands out."""
