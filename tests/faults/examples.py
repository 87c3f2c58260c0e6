"""How many examples of a property are tried: the same ones every time."""

from hypothesis import settings


def fixed(examples: int) -> settings:
    """So many examples, the same in every run; tests/fuzz/ looks for new ones."""
    return settings(max_examples=examples, derandomize=True, deadline=None)
