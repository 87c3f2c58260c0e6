"""The manual's guest of one's own: the program that its page shows whole."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "assets" / "manual" / "guests.md"


def own_guest() -> str:
    """Return the program as it stands on the page."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition("## A whole guest\n")
    found = re.search(r"```sh\n(#!/bin/sh\n.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]
