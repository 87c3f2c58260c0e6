"""What runs are found by, as a person gives it: a name, and labels, ``key=value``.

``label:key=value`` is a search for the latter.
"""

import re
from collections.abc import Iterable, Sequence

MAX_LABELS = 32
MAX_VALUE = 200
MAX_NAME = 200
SEARCH = "label:"

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
_EXAMPLE = "give key=value, such as branch=main"
_MOST_NAMED = 60


def _brief(text: str) -> str:
    return repr(text if len(text) <= _MOST_NAMED else f"{text[:_MOST_NAMED]}...")


def read_label(text: str) -> tuple[str, str]:
    """Return the key and value of ``key=value``; raise ``ValueError`` with what to write instead.

    Blanks around either do not count. What follows the first ``=`` is the value.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError(f"{_brief(text)} has no value; {_EXAMPLE}")
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"{_brief(key)} is no key; begin with a letter, go on with letters, digits, _ . or -, "
            f"at most 63 in all: {_EXAMPLE}"
        )
    if not value:
        raise ValueError(f"{key} has an empty value; {_EXAMPLE}")
    if not value.isprintable() or len(value) > MAX_VALUE:
        raise ValueError(
            f"the value of {key} is no plain line; give one of at most {MAX_VALUE} characters"
        )
    return key, value


def read_labels(texts: Sequence[str]) -> dict[str, str]:
    """Return labels by their keys; raise ``ValueError`` for the first that is none."""
    labels: dict[str, str] = {}
    for text in texts:
        key, value = read_label(text)
        if key in labels:
            raise ValueError(f"{key} is given twice; give each key one value")
        labels[key] = value
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} labels are too many; keep to {MAX_LABELS}")
    return labels


def read_name(text: str) -> str:
    """Return a run's name, which may be empty; raise ``ValueError`` with what to write instead."""
    if not text.isprintable() or len(text) > MAX_NAME:
        raise ValueError(f"give one line of at most {MAX_NAME} characters")
    if text.startswith(SEARCH):
        raise ValueError(f"{SEARCH} begins a search by label; give another name, or --label")
    return text


def searched_label(text: str) -> tuple[str, str] | None:
    """Return the label that a search is for, None for a text that is no such search.

    Raises ``ValueError`` for a search that names none.
    """
    return read_label(text.removeprefix(SEARCH)) if text.startswith(SEARCH) else None


def label_words(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels as they are shown: ``branch=main, os=debian``."""
    return ", ".join(f"{key}={value}" for key, value in labels)
