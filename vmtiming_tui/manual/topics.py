"""The manual's topics: a Markdown file each, with a title, one sentence, and the rest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from vmtiming_tui.errors import ConfigError, Problem

# As a newcomer would read them.
ORDER = (
    "start", "options", "timing", "figures", "units", "history", "watching", "ci", "hosts", "scale",
    "dashboard", "keys", "images", "guests", "exports", "formulas", "settings", "host", "faults",
    "safety", "inside",
)  # fmt: skip

# What marks a table that is made of the code is for those who change the file.
_COMMENT = re.compile(r"<!--.*?-->\n+", re.DOTALL)
_BEGINNING = re.compile(r"# (?P<title>[^\n]+)\n\n(?P<summary>[^\n]+)\n")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its name; ``text`` is all of it, in Markdown."""

    name: str
    title: str
    summary: str
    text: str

    @property
    def body(self) -> str:
        """What stands below the title."""
        return self.text.partition("\n")[2].lstrip("\n")


def read_topic(folder: Path, name: str) -> Topic:
    """Return a topic of the manual in a folder; raise ``ValueError`` without title and sentence."""
    text = _COMMENT.sub("", (folder / f"{name}.md").read_text(encoding="utf-8"))
    found = _BEGINNING.match(text)
    if found is None:
        raise ValueError(f"{name}.md does not begin with a title and a sentence on one line each")
    return Topic(name, found["title"], found["summary"], text)


def read_topics(folder: Path) -> tuple[Topic, ...]:
    """Return every topic, in order."""
    return tuple(read_topic(folder, name) for name in ORDER)


def topic_named(topics: Sequence[Topic], name: str) -> Topic:
    """Return a topic; raise ``ConfigError`` with what was meant, and all there are."""
    for topic in topics:
        if topic.name == name:
            return topic
    names = [topic.name for topic in topics]
    close = get_close_matches(name.lower(), names, n=2)
    meant = f"; did you mean {' or '.join(close)}?" if close else "."
    text = f"there is no topic {name!r}{meant} The topics are: {', '.join(names)}."
    raise ConfigError([Problem("topic", text)])
